-- SPDX-License-Identifier: Apache-2.0
-- Being told that a context is done: callbacks, waiting, and what event loops ask.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()
local clock = cctx.testing.clock_set

local function who() return (cctx.value "lua.who") end

test("S20: a callback is called once, by poll, when the context is done", function()
  local ctx, seen = background:with_cancel(), {}
  local handle = ctx:on_done(function(got) seen[#seen + 1] = got end)
  assert(tostring(handle) == "cctx.Handle: waiting")
  assert(cctx.poll() == 0 and #seen == 0)
  ctx:cancel "why"
  assert(#seen == 0)
  assert(cctx.poll() == 1 and cctx.poll() == 0)
  assert(#seen == 1 and seen[1] == ctx and seen[1]:cause().message == "why")
  assert(not handle:off() and tostring(handle) == "cctx.Handle: ended")
end)

test("S20: a callback that was withdrawn is never called", function()
  local ctx, seen = background:with_cancel(), 0
  local function count() seen = seen + 1 end
  local handle = ctx:on_done(count)
  assert(handle:off() and not handle:off())
  ctx:cancel()
  assert(cctx.poll() == 0 and seen == 0)
  handle = ctx:on_done(count)
  local first
  first = ctx:on_done(function() assert(first) end)
  assert(handle:off() and first:off() and cctx.poll() == 0 and seen == 0)
end)

test("a callback may withdraw another that is ready", function()
  local ctx, seen, second = background:with_cancel(), 0, nil
  ctx:on_done(function() assert(second:off()) end)
  second = ctx:on_done(function() seen = seen + 1 end)
  ctx:cancel()
  assert(cctx.poll() == 1 and seen == 0)
end)

test("a deadline is told when the clock reaches it", function()
  clock(1000)
  local seen = {}
  for _, at in ipairs { 3, 1, 2 } do
    background:with_timeout(at):on_done(function(ctx)
      seen[#seen + 1] = at
      assert(ctx:err() == "deadline_exceeded")
    end)
  end
  assert(cctx.loop_next() == 1001)
  clock(1001.5)
  assert(cctx.loop_next() <= cctx.now() and cctx.poll() == 1 and seen[1] == 1)
  clock(1003)
  assert(cctx.poll() == 2 and table.concat(seen, " ") == "1 2 3")
  assert(cctx.loop_next() == nil)
  clock(nil)
end)

test("a context that is done already is told by the next poll", function()
  local ctx, seen = background:with_cancel(), 0
  ctx:cancel()
  ctx:on_done(function() seen = seen + 1 end)
  assert(seen == 0 and cctx.loop_next() == 0 and cctx.poll() == 1 and seen == 1)
end)

test("callbacks see background, in every coroutine that polls", function()
  local function poll()
    local ctx, seen = background:with_cancel(), nil
    ctx:on_done(function() seen = { cctx.current() == background, who() } end)
    ctx:cancel()
    local before = who()
    assert(cctx.poll() == 1 and seen[1] and seen[2] == nil and who() == before)
  end
  local ctx = background:with_value("lua.who", "x")
  poll()
  ctx:run(poll)
  for _, how in ipairs { cctx.resume, coroutine.resume } do
    assert(how(ctx:run(cctx.create, poll)))
  end
end)

test("an error does not keep the others from being called, and poll raises it", function()
  local ctx, seen, object = background:with_cancel(), {}, {}
  ctx:on_done(function() seen[1] = true error(object) end)
  ctx:on_done(function() seen[2] = true error "another, for the warnings" end)
  ctx:on_done(function() seen[3] = true coroutine.yield() end)
  ctx:on_done(function() seen[4] = true end)
  ctx:cancel()
  local ok, err = pcall(cctx.poll)
  assert(not ok and err == object and #seen == 4)
  assert(cctx.poll() == 0 and cctx.current() == background)
  ctx:on_done(function() error() end) -- which Lua 5.5 makes a message of
  ok, err = pcall(cctx.poll)
  assert(not ok and (err == nil or err == "<no error object>"))
end)

test("a callback may register, cancel and poll", function()
  local a, b, c, seen = background:with_cancel(), background:with_cancel(),
    background:with_cancel(), {}
  a:on_done(function()
    seen[#seen + 1] = "a"
    b:on_done(function()
      seen[#seen + 1] = "b"
      c:on_done(function() seen[#seen + 1] = "c" end)
      c:cancel()
      assert(cctx.poll() >= 1)
    end)
    b:cancel()
  end)
  a:on_done(function() seen[#seen + 1] = "a2" end)
  a:cancel()
  cctx.poll()
  cctx.poll()
  assert(table.concat(seen, " ") == "a a2 b c", table.concat(seen, " "))
end)

test("what waits keeps its context and its function", function()
  local seen
  do
    local ctx = background:with_cancel()
    local parent = ctx
    ctx:with_value("lua.x", 7):on_done(function(got) seen = got:value "lua.x" end)
    collectgarbage()
    parent:cancel()
  end
  collectgarbage()
  assert(cctx.poll() == 1 and seen == 7)
end)

test("on_done refuses what it cannot call", function()
  local ok, err = pcall(background.on_done, background, 1)
  assert(not ok and err:find("function expected, got number", 1, true))
  local handle = background:on_done(print) -- never done: it waits until it is withdrawn
  assert(handle:off())
end)

-- ---- Waiting ----

test("wait tells why the context is done, or nil when the time is up", function()
  local ctx = background:with_cancel()
  assert(ctx:wait(0) == nil and ctx:wait(-1) == nil and ctx:wait(0.001) == nil)
  ctx:cancel()
  assert(ctx:wait() == "canceled" and ctx:wait(0) == "canceled")
  assert(background:with_timeout(0.002):wait() == "deadline_exceeded")
  assert(background:wait(0) == nil)
end)

test("waiting for the current context runs callbacks meanwhile", function()
  local ctx, told = background:with_cancel(), 0
  background:with_timeout(0.001):on_done(function() told = told + 1 end)
  background:with_timeout(0.002):on_done(function() told = told + 1 ctx:cancel() end)
  assert(ctx:run(cctx.wait) == "canceled" and told == 2)
  assert(background:with_timeout(0.002):run(cctx.wait) == "deadline_exceeded")
  background:with_timeout(0.001):on_done(function() told = told + 1 end)
  assert(cctx.wait(0.01) == nil and told == 3 and cctx.wait(-1) == nil)
end)

test("a callback may end the wait, and its error ends it too", function()
  local ctx = background:with_cancel()
  background:with_timeout(0.001):on_done(function() ctx:cancel() end)
  assert(ctx:run(cctx.wait) == "canceled")
  background:with_timeout(0.001):on_done(function() error("no", 0) end)
  local ok, err = pcall(cctx.wait, 10)
  assert(not ok and err == "no")
end)

test("a wait that nothing would end is refused", function()
  for _, wait in ipairs { cctx.wait, function() background:wait() end } do
    local ok, err = pcall(wait)
    assert(not ok and err:find("this would wait for ever", 1, true))
  end
  local ok, err = pcall(cctx.wait, 0 / 0)
  assert(not ok and err:find("got NaN", 1, true))
  ok, err = pcall(background.wait, background, "1")
  assert(not ok and err:find("number expected, got string", 1, true))
end)

-- ---- Event loops ----

test("the loop has a descriptor, and tells when it has something to do", function()
  local fd = cctx.loop_fd()
  assert(fd % 1 == 0 and fd >= 0 and cctx.loop_fd() == fd)
  assert(cctx.loop_next() == nil)
end)

test("a context is what cqueues and LuaSocket can wait for", function()
  clock(1000)
  local ctx = background:with_timeout(5)
  assert(ctx:pollfd() % 1 == 0 and ctx:pollfd() == ctx:getfd())
  assert(ctx:events() == "r" and ctx:timeout() == 5 and ctx:dirty() == false)
  clock(1002)
  assert(ctx:timeout() == 3)
  clock(1005)
  assert(ctx:timeout() == 0 and ctx:dirty() == true and ctx:pollfd() >= 0)
  clock(nil)
  ctx = background:with_cancel()
  assert(ctx:timeout() == nil and ctx:dirty() == false)
  ctx:cancel()
  assert(ctx:timeout() == 0 and ctx:dirty())
end)

test("a context that is never done has nothing to wait for", function()
  assert(background:pollfd() == nil and background:getfd() == -1)
  assert(background:timeout() == nil and background:dirty() == false)
end)

test("they answer for the object, whatever is current", function()
  local done, live = background:with_cancel(), background:with_cancel()
  done:cancel()
  done:run(function()
    assert(not live:dirty() and live:timeout() == nil)
    assert(live:pollfd() ~= done:pollfd())
  end)
end)
