-- SPDX-License-Identifier: Apache-2.0
---@meta cctx.observe
-- luacheck: ignore 212 241
-- Being told that a context is done, for the Lua language server alone.

---@class cctx
local cctx = {}

---@class cctx.Context
local Context = {}

---A registered callback. Closing it, `<close>`, is the same as `off`.
---@class cctx.Handle
local Handle = {}

---Call `f` once this context is done, from `cctx.poll` or `cctx.wait`.
---@param f fun(ctx: cctx.Context)
---@return cctx.Handle
function Context:on_done(f) end

---Withdraw the callback.
---@return boolean prevented whether it will not be called, thanks to this
function Handle:off() end

---Call the callbacks that are due. Raises the first error of one; all are called.
---@return integer count how many were called
function cctx.poll() end

---Block until this context is done. Runs nothing else.
---@param seconds? number
---@return cctx.Status? status nil when the time is up
function Context:wait(seconds) end

---Block until the current context is done; callbacks run meanwhile.
---@param seconds? number
---@return cctx.Status? status nil when the time is up
function cctx.wait(seconds) end

---A descriptor that is readable while `cctx.poll` has something to do; never to be read.
---@return integer? fd
---@return string? why
---@nodiscard
function cctx.loop_fd() end

---When `cctx.poll` has something to do: seconds of `cctx.now()`, or nil.
---@return number?
---@nodiscard
function cctx.loop_next() end

-- ---- For event loops: about this context, never the current one ----

---A descriptor that is readable once this context is done (cqueues).
---@return integer? fd nil if it is never done
---@nodiscard
function Context:pollfd() end

---What to wait for on `pollfd` (cqueues).
---@return "r"
---@nodiscard
function Context:events() end

---Seconds until this context is done by itself (cqueues).
---@return number?
---@nodiscard
function Context:timeout() end

---A descriptor that is readable once this context is done (LuaSocket).
---@return integer fd -1 if it is never done
---@nodiscard
function Context:getfd() end

---Whether there is no need to wait (LuaSocket).
---@return boolean
---@nodiscard
function Context:dirty() end
