-- SPDX-License-Identifier: Apache-2.0
-- Fails in the way that the query names.
local cctx = require "cctx"

local describe = { __tostring = function() return "an object" end }

local ways = {
  raise = function() error("boom of Lua") end,
  object = function() error(setmetatable({}, describe)) end,
  later = function() coroutine.yield() error("boom after a wait") end,
  number = function() return 204 end,
  status = function() return 99, "body" end,
  headers = function() return 200, "body", { 1, 2 } end,
  deadline = function() cctx.background():with_timeout(0):check() end,
  canceled = function()
    local ctx = cctx.background():with_cancel()
    ctx:cancel("by hand")
    ctx:check()
  end,
  none = function() return "fine" end,
}

return function(request) return ways[request.query]() end
