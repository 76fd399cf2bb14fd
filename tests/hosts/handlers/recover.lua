-- SPDX-License-Identifier: Apache-2.0
-- Loses its context, and tells what it got back, and why.
local cctx = require "cctx"

return function()
  local found, result = cctx.recover(cctx.background())
  return result.reason .. " " .. tostring(found:metadata "tenant")
end
