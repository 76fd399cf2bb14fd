-- SPDX-License-Identifier: Apache-2.0
---@meta cctx
-- luacheck: ignore 212 241
-- What `require "cctx"` returns, for the Lua language server; nobody runs this file.

---Times are seconds: a deadline is absolute, as `cctx.now()`, a timeout relative.
---`math.huge` is no limit, NaN an error.
---@class cctx
---@field _VERSION string the version of the library that is loaded
local cctx = {}

---@alias cctx.Status "canceled"|"deadline_exceeded"
---@alias cctx.Pairs table<string, string>|cctx.Pair[]
---@alias cctx.Scope "hop"|"request"|"upstream"
---@alias cctx.Value nil|boolean|integer|number|string

---Why a context is done, and who stopped it.
---@class cctx.Cause
---@field status cctx.Status
---@field message string what the canceler or the deadline's owner said; "" if nothing
---@field file string where; "" if not known
---@field line integer where; 0 if not known
---@field time number when; for a deadline the deadline itself

---What `check` raises.
---@class cctx.Error
---@field code cctx.Status
---@field message string never empty
---@field file string
---@field line integer
---@field time number

---@class cctx.Pair
---@field name string
---@field value string
---@field scope? cctx.Scope

---A node in a tree. Give it back early with `local ctx <close> = ...`, or leave it to the
---garbage collector: neither cancels anything.
---@class cctx.Context
local Context = {}

-- ---- Where contexts come from ----

---The root: never done, no values.
---@return cctx.Context
---@nodiscard
function cctx.background() end

---A second root, for code that does not know yet which context it should use.
---@return cctx.Context
---@nodiscard
function cctx.todo() end

---What the running coroutine works for; background if nothing is known.
---@return cctx.Context
---@nodiscard
function cctx.current() end

---The clock of all deadlines: seconds of CLOCK_MONOTONIC.
---@return number
---@nodiscard
function cctx.now() end

---How many contexts are alive in this process, the roots not counted.
---@return integer
---@nodiscard
function cctx.alive() end

-- ---- Deriving ----

---@param key string the same key in C, Lua and Python
---@param value cctx.Value hides the parent's; a stored nil is a value
---@return cctx.Context
---@nodiscard
function Context:with_value(key, value) end

---@param values table<string, boolean|integer|number|string>
---@return cctx.Context
---@nodiscard
function Context:with_values(values) end

---Errors name the offending pair: a name that is no HTTP token, or a budget.
---@param name string
---@param value string
---@param scope? cctx.Scope default "request"
---@return cctx.Context
---@overload fun(self, pairs: cctx.Pairs, scope?: cctx.Scope): cctx.Context
---@nodiscard
function Context:with_metadata(name, value, scope) end

---A child without these names, of whatever scope.
---@param ... string
---@return cctx.Context
---@nodiscard
function Context:without_metadata(...) end

---A child with a response of its own, for one call: what is received under it comes there.
---@param policy? "last"|"first"|"append" what becomes of a name that came before
---@return cctx.Context
---@nodiscard
function Context:with_response(policy) end

---A child that `cancel` can stop.
---@return cctx.Context
---@nodiscard
function Context:with_cancel() end

---@param deadline number cut to the parent's; one that has passed gives a done context
---@param message? string becomes the cause's
---@return cctx.Context
---@nodiscard
function Context:with_deadline(deadline, message) end

---@param timeout number from now; a negative one gives a context that is done
---@param message? string becomes the cause's
---@return cctx.Context
---@nodiscard
function Context:with_timeout(timeout, message) end

---A child that is done `grace` seconds after this context is, for its cause: the hard
---stop after the soft one.
---@param grace number seconds
---@return cctx.Context
function Context:with_grace(grace) end

---A context that ends with the first of these that does. Values and metadata are this
---one's.
---@param ... cctx.Context
---@return cctx.Context
function Context:merge(...) end

---Values and metadata, without cancellation and deadline: for work after the request.
---@param options? {keep_deadline?: boolean}
---@return cctx.Context
---@nodiscard
function Context:detached(options) end

---Stop the context and all that descends from it. Raises if it cannot be canceled.
---@param message? string
---@return boolean first whether this call was the one that stopped it
function Context:cancel(message) end

-- ---- Asking ----

---@return cctx.Status?
---@nodiscard
function Context:err() end

---@return cctx.Cause?
---@nodiscard
function Context:cause() end

---Raises a `cctx.Error` if the context is done.
---@return cctx.Context self
function Context:check() end

---@return number? seconds of `cctx.now()`
---@nodiscard
function Context:deadline() end

---@return number? seconds, 0 once the deadline has passed
---@nodiscard
function Context:remaining() end

---@return boolean
---@nodiscard
function Context:can_be_done() end

---@param key string
---@return cctx.Value|lightuserdata value
---@return boolean found tells a stored nil from nothing
---@nodiscard
function Context:value(key) end

---@param name string
---@param scope? cctx.Scope only what is in this one
---@return string?
---@nodiscard
function Context:metadata(name, scope) end

---@param name string
---@return cctx.Scope?
---@nodiscard
function Context:metadata_scope(name) end

---@param scope? cctx.Scope only those of this one
---@return cctx.Pair[] in the order in which the names were first set
---@nodiscard
function Context:metadata_pairs(scope) end

---What the response holds now, as the metadata of a context.
---@return cctx.Context
---@nodiscard
function Context:response() end

---Set in the response of the request that this context works for.
---@param name string|cctx.Pairs
---@param value? string
---@return boolean taken, "not_found"|"stale"? why nobody takes it
function Context:response_set(name, value) end

---Put what the other side answered into the response of the call, by its policy.
---@param name string|cctx.Pairs
---@param value? string
---@return boolean taken, "not_found"|"stale"? why nobody takes it
function Context:response_receive(name, value) end

---Nothing comes into the response any more; for the context that has it.
---@return boolean ended whether this call did
function Context:response_end() end

-- ---- The same about the current context, without an object ----

---@return cctx.Status?
---@nodiscard
function cctx.err() end

---@return cctx.Cause?
---@nodiscard
function cctx.cause() end

---Raises a `cctx.Error` if the current context is done.
---@return true
function cctx.check() end

---@return number?
---@nodiscard
function cctx.deadline() end

---@return number?
---@nodiscard
function cctx.remaining() end

---@param key string
---@return cctx.Value|lightuserdata value
---@return boolean found
---@nodiscard
function cctx.value(key) end

---@param name string
---@param scope? cctx.Scope only what is in this one
---@return string?
---@nodiscard
function cctx.metadata(name, scope) end

---@param name string
---@return cctx.Scope?
---@nodiscard
function cctx.metadata_scope(name) end

---@param scope? cctx.Scope only those of this one
---@return cctx.Pair[]
---@nodiscard
function cctx.metadata_pairs(scope) end

---@return cctx.Context
---@nodiscard
function cctx.response() end

---@param name string|cctx.Pairs
---@param value? string
---@return boolean taken, "not_found"|"stale"? why nobody takes it
function cctx.response_set(name, value) end

---@param name string|cctx.Pairs
---@param value? string
---@return boolean taken, "not_found"|"stale"? why nobody takes it
function cctx.response_receive(name, value) end

-- ---- Running ----

---Call `f` with this context current. `f` may yield; errors pass through.
---@param f fun(...): ...
---@param ... any
---@return any ...
function Context:run(f, ...) end

---A function that runs `f` under `ctx`, which is the current context unless given.
---@generic F: function
---@param f F
---@param ctx? cctx.Context
---@return F
---@nodiscard
function cctx.bind(f, ctx) end

---`coroutine.create`; the coroutine inherits the current context, now.
---@param f function
---@return thread
---@nodiscard
function cctx.create(f) end

---`coroutine.wrap`, likewise.
---@param f function
---@return fun(...): ...
---@nodiscard
function cctx.wrap(f) end

---`coroutine.resume`, with the coroutine's own context for C code too.
---@param co thread
---@param ... any
---@return boolean ok
---@return any ...
function cctx.resume(co, ...) end

---`coroutine.close`; closers run with the coroutine's own context. nil before Lua 5.4.
---@param co thread
---@return boolean ok
---@return any err
function cctx.close(co) end

---Why `current()` answers what it does.
---@alias cctx.CurrentStatus
---| "none" # nothing is attached, or background is
---| "attached" # what was attached last
---| "unknown" # it cannot be told whether what is attached is for the code that runs
---| "ended" # the request of what was inherited has ended

---@return cctx.CurrentStatus
---@nodiscard
function cctx.current_status() end

---What `attach` returns. Keep it in a variable that is to be closed.
---@class cctx.Token
local Token = {}

---Make this context current from here on: `local _ <close> = ctx:attach()`; before Lua 5.4
---`local token = ctx:attach()`, and `token:close()` at the end.
---@return cctx.Token
---@nodiscard
function Context:attach() end

---Leave the attach, and what was attached inside and not left.
---@return true? left nil where it was left before, or belongs to another coroutine
---@return string? why
function Token:close() end

---Let `coroutine.create`, `wrap`, `resume` and `close` act as those of this module.
---@return fun() undo
---@nodiscard
function cctx.install() end

-- ---- Requests ----

---@class cctx.RequestOptions
---@field timeout? number seconds from now
---@field deadline? number seconds of `cctx.now()`
---@field metadata? cctx.Pairs
---@field parent? cctx.Context default: the current one
---@field response? boolean it has a response that code inside can set

---Call `f` under a new request, which ends with it. What was inherited inside sees
---background after that; what was handed over is canceled.
---@param options cctx.RequestOptions?
---@param f fun(...): ...
---@param ... any
---@return any ...
---@overload fun(f: fun(...): ...): ...
function cctx.request(options, f, ...) end

-- ---- Variables of a coroutine ----

---A variable of which each coroutine has a value of its own. C and Python do not see it.
---@class cctx.Var
local Var = {}

---@param name string for messages; two variables of one name are two
---@param default? any the value where it was never set
---@return cctx.Var
---@nodiscard
function cctx.var(name, default) end

---@return any
---@nodiscard
function Var:get() end

---@param value any nil is a value too
function Var:set(value) end

---Call `f` with `value`; then all variables are as they were before.
---@param value any
---@param f fun(...): ...
---@param ... any
---@return any ...
function Var:with(value, f, ...) end

-- ---- Enforcement ----

---@class cctx.GuardOptions
---@field every? integer instructions between two looks; default 1000
---@field grace? number seconds until no pcall gets anywhere any more; default 0.02

---Call `f` and stop it when the context is done, whether it asks or not. nil and "hook in
---use" if this coroutine has a hook of somebody else's.
---@param options cctx.GuardOptions?
---@param f fun(...): ...
---@param ... any
---@return any ...
---@overload fun(f: fun(...): ...): ...
function cctx.guard(options, f, ...) end

-- ---- Other Lua states ----

---A token for one `cctx.import` of this context, in any state of this process.
---@param seconds? number for how long it is good; default 60
---@return string? token
---@return string? why
---@nodiscard
function Context:export(seconds) end

---@param token string
---@return cctx.Context? ctx nil if the token was used, is wrong or too old
---@return string? why
---@nodiscard
function cctx.import(token) end

---For tests.
cctx.testing = {}

---Stop the clock of this process; nil lets time pass again.
---@param seconds? number
function cctx.testing.clock_set(seconds) end

---How many scopes and tokens of this process were left that had ended already.
---@return integer
function cctx.testing.stale_detaches() end

---Call `f` in strict mode, and raise what was misused.
---@param f fun(...): ...
---@param ... any
---@return any ...
function cctx.testing.strict(f, ...) end

return cctx
