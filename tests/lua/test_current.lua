-- SPDX-License-Identifier: Apache-2.0
-- The current context in Lua: run and bind outside of coroutines, and the flat readers.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()

local function named(name) return background:with_value("lua.who", name) end
local function who() return (cctx.value "lua.who") end

test("S11: where nothing is attached the current context is background", function()
  assert(cctx.current() == background)
  assert(cctx.err() == nil and cctx.cause() == nil and cctx.deadline() == nil)
  assert(cctx.remaining() == nil and cctx.value "lua.who" == nil)
end)

test("S12: a run that returns restores what was there", function()
  named "outer":run(function()
    named "inner":run(function() assert(who() == "inner") end)
    assert(who() == "outer")
  end)
  assert(cctx.current() == background)
end)

test("S12: a run that raises restores what was there", function()
  named "outer":run(function()
    local object = {}
    local ok, err = pcall(named "inner".run, named "inner", error, object)
    assert(not ok and err == object)
    assert(who() == "outer")
  end)
  assert(not pcall(named("x").run, named "x", function() error "no" end))
  assert(cctx.current() == background)
end)

test("S12: a yield where none is allowed restores what was there", function()
  assert(not pcall(named("x").run, named "x", coroutine.yield))
  assert(cctx.current() == background)
end)

test("a stack overflow inside a run restores what was there", function()
  local hook, mask, count = debug.gethook()
  debug.sethook() -- a hook that collects garbage takes too long on a stack this deep
  local function deep() return 1 + deep() end
  local function deeper(n) return named("y"):run(deeper, n + 1) end
  assert(not pcall(named("x").run, named "x", deep))
  assert(cctx.current() == background)
  assert(not pcall(deeper, 0))
  assert(cctx.current() == background)
  debug.sethook(hook, mask, count)
end)

test("run passes arguments and results through", function()
  local got = test.pack(named("x"):run(function(...) return select("#", ...), ... end,
                                        1, nil, "c", nil))
  assert(got.n == 5 and got[1] == 4 and got[2] == 1 and got[4] == "c" and got[5] == nil)
  assert(select("#", named("x"):run(function() end)) == 0)
  local many = test.pack(named("x"):run(function()
    return test.unpack({}, 1, 5000)
  end))
  assert(many.n == 5000)
end)

test("run takes whatever can be called", function()
  local callable = setmetatable({}, { __call = function(_, x) return who() .. x end })
  assert(named("x"):run(callable, 1) == "x1")
  local ok, err = pcall(background.run, background, {})
  assert(not ok and err:find("function expected, got table", 1, true))
  ok, err = pcall(background.run, background)
  assert(not ok and err:find("function expected, got no value", 1, true))
end)

test("the flat readers ask the current context", function()
  cctx.testing.clock_set(1000)
  background:with_timeout(2, "slow"):run(function()
    assert(cctx.deadline() == 1002 and cctx.remaining() == 2)
    cctx.testing.clock_set(1003)
    assert(cctx.err() == "deadline_exceeded" and cctx.cause().message == "slow")
    assert(select(2, pcall(cctx.check)).code == "deadline_exceeded")
  end)
  cctx.testing.clock_set(nil)
end)

test("a bound function runs under the context of its binding", function()
  local f
  named("a"):run(function() f = cctx.bind(function(x) return who(), x end) end)
  local name, x = f(7)
  assert(name == "a" and x == 7)
  named("b"):run(function()
    assert(f() == "a" and who() == "b")
    assert(cctx.bind(who, named "c")() == "c")
    assert(cctx.bind(who, background)() == nil)
    assert(who() == "b")
  end)
  assert(cctx.current() == background)
end)

test("bind refuses what cannot be called", function()
  local ok, err = pcall(cctx.bind, 1)
  assert(not ok and err:find("function expected, got number", 1, true))
  ok, err = pcall(cctx.bind, print, {})
  assert(not ok and err:find("cctx.Context expected, got table", 1, true))
end)

test("no bracket of this module is left unmatched", function()
  local before = cctx.testing.stale_detaches()
  named("a"):run(function() named("b"):run(who) end)
  local co = cctx.create(function()
    named("c"):run(function() coroutine.yield() coroutine.yield() end)
    coroutine.yield()
    named("c"):run(function() coroutine.yield() error "no" end)
  end)
  repeat local ok = cctx.resume(co) until not ok
  local function body() named("c"):run(coroutine.yield) end
  for _, create in ipairs { cctx.create, cctx.bind(cctx.create, named "creator") } do
    co = create(body)
    coroutine.resume(co)
    cctx.resume(co)
    co = create(body)
    cctx.resume(co)
    coroutine.resume(co)
  end
  assert(cctx.testing.stale_detaches() == before)
end)
