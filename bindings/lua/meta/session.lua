-- SPDX-License-Identifier: Apache-2.0
---@meta cctx.session
-- luacheck: ignore 212 241
-- The sessions of what `require "cctx"` returns, for the Lua language server alone.

---@class cctx
local cctx = {}

---@class cctx.Context
local Context = {}

---@alias cctx.SessionState "none"|"valid"|"disabled"|"ended"

---A child that is a session of its own.
---@param timeout? number seconds until it is disabled
---@return cctx.Context
---@nodiscard
function Context:with_session(timeout) end

---@return cctx.SessionState
---@nodiscard
function Context:session_state() end

---Disable the session of this context, and all derived from that. Cancels nothing.
---@return boolean first whether this call was the one that did
function Context:disable_session() end

---End the session of this context. Cancels nothing.
---@return boolean first whether this call was the one that did
function Context:end_session() end

---A session with variables that all who hold it share.
---@param timeout? number seconds until it is disabled
---@return cctx.Context
---@nodiscard
function Context:with_variables(timeout) end

---Set a variable of the session of this context.
---@param key string
---@param value cctx.Value
---@return nil
function Context:set_variable(key, value) end

---The variables of its session as they are now, as values of a context.
---@return cctx.Context
---@nodiscard
function Context:variables() end

---What is current, if it belongs to a session, in whatever state.
---@return cctx.Context?
---@nodiscard
function cctx.session() end

---The state of the current session.
---@return cctx.SessionState
---@nodiscard
function cctx.session_state() end

---Call `f` under a session of `ctx`, which is the current context unless given. The session
---ends with the call.
---@param ctx cctx.Context?
---@param f fun(...): ...
---@param ... any
---@return any ...
---@overload fun(f: fun(...): ...): ...
function cctx.backup(ctx, f, ...) end

---@class cctx.RecoverOptions
---@field handler? fun(previous: cctx.Context, ctx: cctx.Context): cctx.Context? nil is no
---@field previous? cctx.Context a session; default: the current one
---@field keys? string[] of values
---@field scopes? cctx.Scope[] of metadata; default: {"request"}
---@field deadline? boolean take the earlier deadline
---@field cancellation? boolean end with the session
---@field invalid? boolean also from one that has ended or is disabled

---@alias cctx.RecoverReason "recovered"|"complete"|"declined"|"no_session"
---| "ended"|"disabled"|"mutable"|"off"

---@class cctx.Recovered
---@field reason cctx.RecoverReason
---@field pairs integer of metadata that were taken over
---@field left_out integer pairs that would have been over a budget
---@field values integer that were taken over
---@field handled boolean
---@field deadline boolean
---@field cancellation boolean

---Take over from a session what `ctx` lacks; what it has wins. Errors of the handler pass
---through; it cannot yield.
---@param ctx cctx.Context
---@param options? cctx.RecoverOptions
---@return cctx.Context ctx the one to go on with
---@return cctx.Recovered what was done
function cctx.recover(ctx, options) end

---Whether a call that leaves the process with this context works for the current session.
---@param ctx cctx.Context
---@return boolean ok false if it was lost on the way, which is counted
function cctx.check_egress(ctx) end

---@class cctx.SessionInfo
---@field context cctx.Context
---@field state cctx.SessionState
---@field since number seconds of `cctx.now()`
---@field file string where it was made
---@field line integer
---@field id? integer to which it is bound

---All sessions that are so many seconds old, and bindings of managers.
---@param age? number
---@return cctx.SessionInfo[]
---@nodiscard
function cctx.sessions(age) end

---How many contexts were lost, tokens stale, and threads left with something attached.
---@return {lost: integer, stale: integer, left: integer}
---@nodiscard
function cctx.backup_mistakes() end

---The options of backups that are in use.
---@return {enable: boolean, async: boolean, shards: integer, gc_interval: number}
---@nodiscard
function cctx.backup_options() end

---@class cctx.ManagerOptions
---@field shards? integer default 100
---@field gc_interval? number seconds between two sweeps; default 600, 0 is never
---@field max_age? number seconds after which any binding goes; 0 is never
---@field thread? boolean whether a thread sweeps

---Sessions by ids: of fibers or jobs, never of threads.
---@class cctx.SessionManager
local SessionManager = {}

---@param options? cctx.ManagerOptions
---@return cctx.SessionManager
---@nodiscard
function cctx.session_manager(options) end

---The manager of this process, which C code uses too.
---@return cctx.SessionManager
---@nodiscard
function cctx.default_session_manager() end

---Bind a context of a session to an id, on top of what is bound.
---@param id integer|string a string of its digits where numbers are doubles
---@param ctx cctx.Context
---@return integer|string token
function SessionManager:bind(id, ctx) end

---What was bound last, if its session is valid.
---@param id integer|string a string of its digits where numbers are doubles
---@return cctx.Context?
---@nodiscard
function SessionManager:get(id) end

---The state of what `get` would look at.
---@param id integer|string a string of its digits where numbers are doubles
---@return cctx.SessionState
---@nodiscard
function SessionManager:state(id) end

---Take a binding away, with those on top of it; without a token all of the id.
---@param id integer|string a string of its digits where numbers are doubles
---@param token? integer|string
---@return boolean found
function SessionManager:unbind(id, token) end

---Take away what has ended, was disabled or is too old.
---@return integer count how many bindings
function SessionManager:sweep() end

---@return {bound: integer, swept: integer, stale: integer}
---@nodiscard
function SessionManager:stats() end

---Stop sweeping, and give all sessions back. The default manager is made anew.
---@return nil
function SessionManager:close() end

return cctx
