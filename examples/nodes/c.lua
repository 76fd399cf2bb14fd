-- SPDX-License-Identifier: Apache-2.0
-- The last node. What is asked for /slow never ends by itself, and says what ended it.
local cctx = require "cctx"

local function say(...)
  io.stdout:write(...)
  io.stdout:flush()
end

local function say_end()
  say("c ended: ", cctx.err() or "nil", "\n")
end

return function(request)
  if request.path == "/slow" then
    local _ <close> = setmetatable({}, { __close = say_end })
    say("c begun\n")
    while true do coroutine.yield() end
  end
  return 200, ("c %s %s %.6f %.3f\n"):format(
    tostring(cctx.value("trace_id")), tostring(cctx.metadata("tenant")),
    cctx.remaining(), cctx.now())
end
