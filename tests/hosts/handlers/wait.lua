-- SPDX-License-Identifier: Apache-2.0
-- Says that it has begun, and yields for ever. What it leaves is closed under its context.
local whoami = require "whoami"

local function say(text)
  io.stdout:write(text .. "\n") -- in one piece: several threads say it
  io.stdout:flush()
end

local function close() say("closed for " .. tostring(whoami.tenant())) end

return function()
  local _ <close> = setmetatable({}, { __close = close })
  say("begun")
  while true do coroutine.yield() end
end
