-- SPDX-License-Identifier: Apache-2.0
-- Holds the request until its deadline, and its response until then.
local cctx = require "cctx"

return function()
  while not cctx.err() do coroutine.yield() end
  return 200, "held"
end
