-- SPDX-License-Identifier: Apache-2.0
-- Says that it has begun, waits, and says why it was stopped.
local cctx = require "cctx"

local function say(text)
  io.stdout:write(text .. "\n") -- in one piece: several threads say it
  io.stdout:flush()
end

local function close() say(("%s: %s"):format(cctx.err(), cctx.cause().message)) end

return function(request)
  if request.query == "quick" then return "fine" end
  local _ <close> = setmetatable({}, { __close = close })
  say("begun")
  while true do coroutine.yield() end
end
