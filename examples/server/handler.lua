-- SPDX-License-Identifier: Apache-2.0
-- luacheck: globals query
local cctx = require "cctx"

return function(table)
  return query(table) .. ", says Lua to " .. cctx.metadata "tenant"
end
