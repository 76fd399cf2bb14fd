-- SPDX-License-Identifier: Apache-2.0
-- The ends of blocks, which Lua has from 5.4 on: attaches, contexts, requests, and closing.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()
local yield = coroutine.yield

local function named(name) return background:with_value("lua.who", name) end
local function who() return (cctx.value "lua.who") end
local function fails(words, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok and err:find(words, 1, true), err)
end
local function resume(co, ...)
  local ok, got = cctx.resume(co, ...)
  assert(ok, got)
  return got
end

-- Each case on the main coroutine, in one that is managed, and in one that is not.
local function everywhere(f)
  f()
  local co = cctx.create(f)
  while coroutine.status(co) ~= "dead" do resume(co) end
  co = coroutine.create(f)
  while coroutine.status(co) ~= "dead" do assert(coroutine.resume(co)) end
  assert(cctx.current() == background)
end

-- ---- Attaches ----

test("S12: an attach lasts to the end of its block", function()
  everywhere(function()
    do
      local _ <close> = named "a":attach()
      assert(who() == "a")
      do
        local _ <close> = named "b":attach()
        assert(who() == "b")
      end
      assert(who() == "a")
    end
    assert(who() == nil and cctx.current_status() == "none")
  end)
end)

test("S12: an error in the block leaves the attach", function()
  everywhere(function()
    local ok, err = pcall(function()
      local _ <close> = named "a":attach()
      error("no", 0)
    end)
    assert(not ok and err == "no" and who() == nil)
  end)
end)

test("close by hand is the same, and the end of the block then does nothing", function()
  local before = cctx.testing.stale_detaches()
  everywhere(function()
    local token <close> = named "a":attach()
    assert(tostring(token) == "cctx.Token: open")
    assert(token:close() == true and who() == nil)
    assert(tostring(token) == "cctx.Token: closed")
    local ok, why = token:close()
    assert(ok == nil and why:find("not current", 1, true))
  end)
  assert(cctx.testing.stale_detaches() == before)
end)

test("a coroutine keeps over a yield what a block attached", function()
  for _, how in ipairs { cctx.resume, coroutine.resume } do
    local co = named "creator":run(cctx.create, function()
      do
        local _ <close> = named "attached":attach()
        yield()
        assert(who() == "attached")
      end
      assert(who() == "creator")
    end)
    for _ = 1, 2 do named "resumer":run(function() assert(how(co)) end) end
    assert(coroutine.status(co) == "dead" and who() == nil)
  end
end)

test("an abandoned coroutine leaves nothing of its blocks", function()
  local before = cctx.alive()
  for _ = 1, 10 do
    local co = cctx.create(function()
      local _ <close> = named "a":attach()
      yield()
    end)
    resume(co)
  end
  collectgarbage()
  collectgarbage()
  assert(cctx.alive() <= before)
end)

-- ---- Closing coroutines ----

test("closing a coroutine closes its block under its own context", function()
  for _, close in ipairs { cctx.close, coroutine.close } do
    local seen
    local co = named "creator":run(cctx.create, function()
      local _ <close> = setmetatable({}, { __close = function() seen = who() end })
      local _ <close> = named "a":attach()
      yield()
    end)
    resume(co)
    named "closer":run(function() assert(close(co) and who() == "closer") end)
    assert(seen == "creator", seen)
  end
end)

test("a block of a coroutine that died is left when it is closed", function()
  local seen = {}
  local co = named "creator":run(cctx.create, function()
    local _ <close> = setmetatable({}, { __close = function() seen[2] = who() end })
    local _ <close> = named "a":attach()
    local _ <close> = setmetatable({}, { __close = function() seen[1] = who() end })
    error("no", 0)
  end)
  assert(not cctx.resume(co))
  local ok, err = cctx.close(co)
  assert(not ok and err == "no")
  assert(table.concat(seen, " ") == "a creator", table.concat(seen, " "))
end)

test("close runs the closers under the coroutine's context", function()
  local seen
  local co = named "creator":run(cctx.create, function()
    named "run":run(function()
      local _ <close> = setmetatable({}, { __close = function() seen = who() end })
      yield()
    end)
  end)
  resume(co)
  named "closer":run(function()
    assert(cctx.close(co) == true)
    assert(seen == "run" and who() == "closer")
  end)
  assert(coroutine.status(co) == "dead" and who() == nil)
end)

test("closing a coroutine that died gives its error", function()
  local seen
  local co = named "creator":run(cctx.create, function()
    local _ <close> = setmetatable({}, { __close = function() seen = who() end })
    error("no", 0)
  end)
  assert(not cctx.resume(co))
  local ok, err = cctx.close(co)
  assert(not ok and err == "no" and seen == "creator")
end)

test("a wrapped function that dies closes what it had open", function()
  local seen
  local f = named "creator":run(cctx.wrap, function()
    local _ <close> = setmetatable({}, { __close = function() seen = who() end })
    error "no"
  end)
  assert(not pcall(f))
  assert(seen == "creator" and who() == nil)
end)

test("a coroutine that is not suspended cannot be closed", function()
  fails("cannot close a running coroutine", cctx.close, coroutine.running())
  fails("coroutine expected, got table", cctx.close, {})
  local outer
  outer = cctx.create(function()
    local inner = cctx.create(function()
      fails("cannot close a normal coroutine", cctx.close, outer)
    end)
    resume(inner)
  end)
  resume(outer)
end)

test("a request ends when its coroutine is closed", function()
  for _, close in ipairs { cctx.close, coroutine.close } do
    local ctx
    local co = cctx.create(function()
      cctx.request(nil, function() ctx = cctx.current() yield() end)
    end)
    resume(co)
    assert(close(co) and ctx:err() == "canceled" and cctx.current() == background)
  end
end)

-- ---- Contexts and handles ----

test("a closed context is refused by every method", function()
  local closed
  do
    local ctx <close> = background:with_cancel()
    closed = ctx
  end
  assert(tostring(closed) == "cctx.Context: closed")
  local words = "attempt to use a closed context"
  for _, name in ipairs { "err", "cause", "check", "deadline", "remaining", "can_be_done",
                          "with_cancel", "cancel", "detached", "metadata_pairs" } do
    fails(words, closed[name], closed)
  end
  fails(words, closed.value, closed, "k")
  fails(words, closed.with_value, closed, "k", 1)
  fails(words, closed.with_values, closed, { k = 1 })
  fails(words, closed.metadata, closed, "k")
  fails(words, closed.with_metadata, closed, "k", "v")
  fails(words, closed.with_timeout, closed, 1)
  fails(words, closed.with_deadline, closed, 1)
  fails(words, closed.run, closed, print)
  fails(words, cctx.bind, print, closed)
  assert(closed ~= background)
end)

test("closing gives the reference back and cancels nothing", function()
  local before = cctx.alive()
  local child
  do
    local ctx <close> = background:with_cancel()
    child = ctx:with_value("k", 1)
    assert(cctx.alive() == before + 2)
  end
  assert(child:err() == nil)
  do local _ <close> = child end
  assert(cctx.alive() == before)
end)

test("a run holds its context", function()
  local seen
  do
    local ctx <close> = named "x"
    ctx:run(function()
      do local _ <close> = ctx end
      collectgarbage()
      seen = who()
    end)
  end
  assert(seen == "x")
end)

test("a bound function keeps its context when another reference is closed", function()
  local f
  do
    local ctx <close> = named "a"
    f = cctx.bind(who, ctx)
  end
  collectgarbage()
  assert(f() == "a")
end)

test("a handle is withdrawn at the end of its block", function()
  local ctx, seen = background:with_cancel(), 0
  do
    local _ <close> = ctx:on_done(function() seen = seen + 1 end)
  end
  ctx:cancel()
  assert(cctx.poll() == 0 and seen == 0)
end)
