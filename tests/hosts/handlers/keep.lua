-- SPDX-License-Identifier: Apache-2.0
-- Keeps the context of the first request, and answers with how that is.
local cctx = require "cctx"
local kept

return function()
  kept = kept or cctx.current()
  return tostring(kept:metadata("tenant")) .. " " .. tostring(kept:err())
end
