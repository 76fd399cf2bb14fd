-- SPDX-License-Identifier: Apache-2.0
-- The first request leaves a coroutine and a bound function behind, the second asks them
-- for whom they work now.
local cctx = require "cctx"
local whoami = require "whoami"

local left, bound

local function see()
  return ("%s %s %s"):format(cctx.metadata "tenant", whoami.tenant(), cctx.err())
end

return function()
  if left then
    local _, said = cctx.resume(left)
    return said .. ", " .. bound()
  end
  left = cctx.create(function()
    coroutine.yield()
    return see()
  end)
  cctx.resume(left)
  bound = cctx.bind(see)
  return see()
end
