-- SPDX-License-Identifier: Apache-2.0
-- Answers with what Lua, and C below it, know of the request, and what it brought.
local cctx = require "cctx"
local whoami = require "whoami"

return function(request)
  local lines = {
    "tenant=" .. tostring(cctx.metadata("tenant")),
    "tenant in C=" .. tostring(whoami.tenant()),
    "trace=" .. tostring(cctx.value("trace_id")),
    "deadline=" .. tostring(cctx.remaining() ~= nil and cctx.remaining() <= 30),
    "short=" .. tostring(cctx.remaining() <= 5),
    "request=" .. request.method .. " " .. request.path .. "?" .. request.query,
    "header=" .. tostring(request.headers["x-test"]),
    "body=" .. request.body,
  }
  return 201, table.concat(lines, "\n"), { ["X-Answer"] = "lua" }
end
