-- SPDX-License-Identifier: Apache-2.0
-- Two requests meet in one thread, and take turns: each counts the tenants that it sees.

local bridge = require "bridge"
local cctx = require "cctx"

local TURNS = 50
local present = 0 -- handlers of this state that have begun

return function()
  local counts = {}
  local function count(tenant)
    counts[tenant] = (counts[tenant] or 0) + 1
  end
  present = present + 1
  while present < 2 do -- wait for the other one
    cctx.check()
    coroutine.yield()
  end
  for _ = 1, TURNS do
    count(cctx.metadata "tenant")
    count(bridge.seen().tenant)
    coroutine.yield()
  end
  local lines = {}
  for tenant, n in pairs(counts) do lines[#lines + 1] = tenant .. "\t" .. n end
  table.sort(lines)
  return table.concat(lines, "\n") .. "\n"
end
