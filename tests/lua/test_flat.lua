-- SPDX-License-Identifier: Apache-2.0
-- Memory: whatever is done a hundred thousand times leaves nothing behind.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()
local yield = coroutine.yield
local TIMES = 100000

local function kilobytes()
  test.collect()
  return collectgarbage "count"
end

-- Under the hook that collects all the time, fewer will do.
local function flat(name, f)
  test(name .. " leaves nothing behind", function()
    local times = debug.gethook() and TIMES / 1000 or TIMES
    local ctx = background:with_cancel():with_value("lua.x", 1)
    -- Until all is compiled that will be.
    for _ = 1, math.min(times, 500) do f(ctx) end
    local before, alive = kilobytes(), cctx.alive()
    for _ = 1, times do f(ctx) end
    local grown = kilobytes() - before
    assert(grown < 16, ("%.1f KiB more"):format(grown))
    assert(cctx.alive() == alive)
  end)
end

local function nothing() end

flat("run", function(ctx)
  ctx:run(nothing)
  pcall(ctx.run, ctx, error)
end)
flat("bind", function(ctx) cctx.bind(nothing, ctx)() end)
flat("attach", function(ctx)
  ctx:attach():close()
end)
flat("an attach that is never left, in a coroutine", function(ctx)
  cctx.resume(cctx.create(function() ctx:attach() ctx:attach() end))
end)
flat("an attach that is never left, in a run", function(ctx)
  ctx:run(function() ctx:attach() ctx:attach() ctx:attach() end)
end)
flat("create and resume", function(ctx)
  local co = ctx:run(cctx.create, yield)
  cctx.resume(co)
  cctx.resume(co)
  coroutine.resume(coroutine.create(nothing))
end)
flat("an abandoned coroutine", function(ctx)
  cctx.resume(cctx.create(function()
    ctx:attach()
    if test.yields then ctx:run(yield) else yield() end
  end))
end)
flat("wrap", function()
  cctx.wrap(nothing)()
  pcall(cctx.wrap(error))
end)
if cctx.close then flat("close", function(ctx)
  local co = cctx.create(function() ctx:run(yield) end)
  cctx.resume(co)
  cctx.close(co)
end) end
flat("install", function()
  local uninstall = cctx.install()
  coroutine.wrap(nothing)()
  uninstall()
end)
flat("a request", function() cctx.request({ timeout = 9 }, nothing) end)
flat("a late coroutine", function() cctx.resume(cctx.request(cctx.create, nothing)) end)
flat("a callback", function()
  local ctx = background:with_cancel()
  ctx:on_done(nothing)
  ctx:on_done(nothing):off()
  ctx:cancel()
  cctx.poll()
end)
flat("a callback that is never called", function()
  background:with_cancel():on_done(nothing):off()
end)
flat("a variable", function()
  local var = cctx.var "x"
  var:set {}
  var:with(1, nothing)
  cctx.resume(cctx.create(function() var:set(2) end))
end)
flat("a guard", function()
  if not debug.gethook() then cctx.guard(nothing) end
end)
flat("export and import", function(ctx) cctx.import(ctx:export()) end)
flat("reading", function(ctx)
  ctx:run(function()
    return cctx.current(), cctx.current_status(), cctx.value "lua.x", cctx.err(),
      ctx:timeout(), ctx:events(), ctx:dirty(), cctx.loop_next(), cctx.poll()
  end)
end)
flat("waiting", function(ctx)
  cctx.wait(-1)
  ctx:wait(-1)
end)
