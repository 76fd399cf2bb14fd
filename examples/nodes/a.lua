-- SPDX-License-Identifier: Apache-2.0
-- The first node: it tells what it knows of the request, and asks the next.
local cctx = require "cctx"
local fetch = require "cctx.fetch"

return function(request)
  local own = ("a %s %s %.6f %.3f\n"):format(
    tostring(cctx.value("trace_id")), tostring(cctx.metadata("tenant")),
    cctx.remaining(), cctx.now())
  local answer = fetch("http://10.77.0.12:8080" .. request.path)
  return answer.status, own .. answer.body
end
