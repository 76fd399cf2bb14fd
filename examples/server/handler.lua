-- SPDX-License-Identifier: Apache-2.0
-- luacheck: globals query
local cctx = require "cctx"

return function(name)
  return query(name) .. ", says Lua to " .. cctx.metadata "tenant"
end
