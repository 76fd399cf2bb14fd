-- SPDX-License-Identifier: Apache-2.0
-- Guards: code that does not ask is stopped all the same.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()
local clock = cctx.testing.clock_set

-- A test of guards, without the hook of the runner that collects garbage, and with the
-- clock stopped at 1000.
local function guarded(name, f)
  test(name, function()
    local hook, mask, count = debug.gethook()
    debug.sethook()
    clock(1000)
    local ok, err = pcall(f)
    clock(nil)
    local left = debug.gethook()
    debug.sethook(hook, mask, count)
    if not ok then error(err, 0) end
    assert(left == nil, "a hook was left")
  end)
end

local function spin() while true do local _ = 1 end end

-- The deadline passes while this runs.
local function late()
  clock(2000)
  spin()
end

local function stopped(ok, err)
  return not ok and type(err) == "table" and err.code == "deadline_exceeded"
end

guarded("a loop that does not ask is stopped at the deadline", function()
  local ctx = background:with_timeout(5, "too slow")
  local ok, err = pcall(ctx.run, ctx, cctx.guard, late)
  assert(stopped(ok, err) and err.message == "too slow")
  assert(tostring(err):find("deadline_exceeded: too slow", 1, true))
end)

guarded("a cancellation stops it too", function()
  local ctx = background:with_cancel()
  local ok, err = pcall(ctx.run, ctx, cctx.guard, function() ctx:cancel "enough" spin() end)
  assert(not ok and err.code == "canceled" and err.message == "enough")
end)

guarded("what ends in time is not disturbed", function()
  local ctx = background:with_timeout(5)
  local a, b, n = ctx:run(cctx.guard, { every = 1, grace = 1 }, function(...)
    for _ = 1, 1000 do end
    return 1, nil, select("#", ...)
  end, nil, nil)
  assert(a == 1 and b == nil and n == 2)
  local object = {}
  local ok, err = pcall(cctx.guard, error, object)
  assert(not ok and err == object)
end)

guarded("an error that is caught comes again, and after the grace at every step", function()
  local caught = 0
  local ctx = background:with_timeout(5)
  local ok, err = pcall(ctx.run, ctx, cctx.guard, { grace = 10 }, function()
    clock(1005)
    while true do
      pcall(spin)
      caught = caught + 1
      if caught == 5 then clock(1016) end
    end
  end)
  assert(stopped(ok, err) and caught >= 5 and caught <= 6, caught)
end)

guarded("coroutines inside are stopped too", function()
  for _, make in ipairs { cctx.wrap, coroutine.wrap } do
    local ctx = background:with_timeout(5)
    local ok, err = pcall(ctx.run, ctx, cctx.guard, function() make(late)() end)
    assert(stopped(ok, err))
    clock(1000)
  end
end)

guarded("a coroutine made outside is stopped inside, and left alone after", function()
  local ctx = background:with_timeout(5)
  local co = ctx:run(cctx.create, function()
    coroutine.yield()
    pcall(late)
    coroutine.yield()
    for _ = 1, 5000 do local _ = 1 end
    return "end"
  end)
  assert(cctx.resume(co))
  ctx:run(cctx.guard, { grace = 5000 }, function() assert(cctx.resume(co)) end)
  assert(debug.gethook(co) == nil and cctx.now() == 2000)
  local _, got = cctx.resume(co)
  assert(got == "end")
end)

guarded("swallowing in nested coroutines does not help", function()
  local ctx = background:with_timeout(5)
  local ok, err = pcall(ctx.run, ctx, cctx.guard, { every = 100, grace = 1 }, function()
    clock(1005)
    while true do
      clock(cctx.now() + 0.25)
      cctx.resume(cctx.create(function()
        while true do
          clock(cctx.now() + 0.25)
          pcall(pcall, spin)
        end
      end))
    end
  end)
  assert(stopped(ok, err) and cctx.now() < 1020)
end)

guarded("what outlives its guard is not guarded", function()
  local ctx = background:with_timeout(5)
  local raw = ctx:run(cctx.guard, function()
    return coroutine.create(function() for i = 1, 10000 do local _ = i end return "end" end)
  end)
  clock(2000)
  local ok, got = ctx:run(function() return coroutine.resume(raw) end)
  assert(ok and got == "end" and debug.gethook(raw) == nil)
end)

guarded("the guard's own context counts, whatever is current inside", function()
  local ctx = background:with_timeout(5)
  local ok, err = pcall(ctx.run, ctx, cctx.guard, function() background:run(late) end)
  assert(stopped(ok, err))
end)

guarded("a context inside that is done stops what runs under it, no more", function()
  local inner = background:with_timeout(5)
  local got = cctx.guard({ grace = 0 }, function()
    assert(stopped(pcall(inner.run, inner, late)))
    for _ = 1, 5000 do local _ = 1 end
    return "went on"
  end)
  assert(got == "went on")
end)

guarded("guards nest", function()
  local outer, inner = background:with_timeout(50), background:with_timeout(5)
  local ok, err = pcall(outer.run, outer, cctx.guard, function()
    assert(stopped(pcall(inner.run, inner, cctx.guard, function() clock(1010) spin() end)))
    assert(debug.gethook() ~= nil)
    for _ = 1, 5000 do local _ = 1 end
    clock(1060)
    spin()
  end)
  assert(stopped(ok, err))
end)

guarded("a guarded function may yield, and is guarded again when it goes on", function()
  test.needs_yields()
  local ctx = background:with_timeout(5)
  local co = ctx:run(cctx.create, function()
    return pcall(cctx.guard, function() coroutine.yield() late() end)
  end)
  assert(cctx.resume(co))
  for _ = 1, 5000 do local _ = 1 end
  assert(test.one_hook or debug.gethook() == nil)
  local _, ok, err = cctx.resume(co)
  assert(stopped(ok, err) and debug.gethook(co) == nil)
end)

guarded("an abandoned guard is over", function()
  local co = cctx.create(function() cctx.guard(coroutine.yield) end)
  cctx.resume(co)
  co = nil -- luacheck: ignore
  test.collect()
  for _ = 1, 5000 do local _ = 1 end -- where it is that of all, it goes at its next look
  local other = cctx.create(function() return debug.gethook() end)
  local ok, hook = cctx.resume(other)
  assert(ok and hook == nil)
end)

guarded("the compiler is off only while a guard is on", function()
  if not test.jit then test.skip "this Lua has no compiler" end
  local jit = test.jit
  assert(jit.status())
  cctx.guard(function()
    assert(not jit.status())
    cctx.guard(function() assert(not jit.status()) end)
    assert(not jit.status())
  end)
  assert(jit.status())
  pcall(cctx.guard, error)
  assert(jit.status())
  jit.off()
  cctx.guard(function() end)
  assert(not jit.status())
  jit.on()
  cctx.resume(cctx.create(function() cctx.guard(coroutine.yield) end))
  assert(not jit.status())
  test.collect() -- it was abandoned
  for _ = 1, 5000 do local _ = 1 end
  assert(jit.status())
end)

guarded("a loop that was compiled before is stopped", function()
  local ctx = background:with_timeout(5)
  local function loop(n) for _ = 1, n do local _ = 1 end end
  loop(100000)
  assert(stopped(pcall(ctx.run, ctx, cctx.guard, function() clock(2000) loop(1e15) end)))
end)

guarded("somebody else's hook is left alone", function()
  local function mine() end
  debug.sethook(mine, "", 1000000)
  local called = false
  local ok, why = cctx.guard(function() called = true end)
  assert(ok == nil and why == "hook in use" and not called and debug.gethook() == mine)
  debug.sethook()
  cctx.guard(function() debug.sethook(mine, "", 1000000) end)
  assert(debug.gethook() == mine)
  debug.sethook()
end)

guarded("misuse of a guard is refused", function()
  local function fails(words, ...)
    local ok, err = pcall(cctx.guard, ...)
    assert(not ok and err:find(words, 1, true), err)
  end
  fails("option 'every' must be a number of instructions", { every = 0 }, print)
  fails("option 'every' must be a number of instructions", { every = "x" }, print)
  fails("option 'grace' is NaN", { grace = 0 / 0 }, print)
  fails("option 'grace' must not be negative", { grace = -1 }, print)
  fails("function expected, got nil", {}, nil)
  fails("table expected, got number", 1, print)
end)
