-- SPDX-License-Identifier: Apache-2.0
-- Waits until 64 requests are here, and checks who it works for around every wait.
local cctx = require "cctx"
local whoami = require "whoami"
local arrived = 0

return function(request)
  local function check()
    local mine = request.query
    assert(cctx.metadata("tenant") == mine, "Lua sees another request")
    assert(whoami.tenant() == mine, "C sees another request")
  end
  check()
  arrived = arrived + 1
  while arrived < 64 do
    coroutine.yield()
    check()
  end
  for _ = 1, 5 do
    coroutine.yield()
    check()
  end
  return request.query
end
