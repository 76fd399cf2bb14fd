-- SPDX-License-Identifier: Apache-2.0
-- Tells, after turns of others, for which request it works; or fails, or waits for ever.
local cctx = require "cctx"
local whoami = require "whoami"

local function seen()
  return tostring(cctx.value "trace_id") .. " " .. tostring(whoami.tenant())
end

return function(request)
  local what, first = request.query:match "^%a+", seen()
  if what == "fail" then error "as it was asked to" end
  for _ = 1, 3 do coroutine.yield() end
  while what == "wait" do coroutine.yield() end
  return first .. " " .. seen() .. " " .. request.query
end
