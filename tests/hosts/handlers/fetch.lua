-- SPDX-License-Identifier: Apache-2.0
-- Asks the server that the query names, and puts what it knows itself before the answer.
local cctx = require "cctx"
local fetch = require "cctx.fetch"

return function(request)
  local own = ("lua %s %s %.6f"):format(
    tostring(cctx.value("trace_id")), tostring(cctx.metadata("tenant")), cctx.remaining())
  if request.query == "" then return 200, own end
  local timeout = tonumber(request.headers["x-timeout"])
  local ok, answer = pcall(fetch, request.query, { timeout = timeout })
  if ok then return answer.status, own .. "\n" .. answer.body end
  if type(answer) ~= "string" then error(answer, 0) end
  return 502, answer
end
