-- SPDX-License-Identifier: Apache-2.0
-- Times what Lua code calls most, beside a C call that does next to nothing.

local cctx = require "cctx"

local function measure(f)
  local n, best = 1000000, math.huge
  for _ = 1, 5 do
    local start = os.clock()
    for _ = 1, n do f() end
    best = math.min(best, (os.clock() - start) / n * 1e9)
  end
  return best
end

print "Lua                           ns"
for _, case in ipairs {
  { "coroutine.running", coroutine.running },
  { "cctx.current", cctx.current },
} do
  print(("  %-24s%9.1f"):format(case[1], measure(case[2])))
end
