-- SPDX-License-Identifier: Apache-2.0
-- Requests in Lua: what is inherited ends with them, what is handed over does not.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()
local yield = coroutine.yield

local function who() return (cctx.value "lua.who") end
local function serve(name, f, ...)
  return cctx.request({ parent = background:with_value("lua.who", name) }, f, ...)
end
local function resume(co, ...)
  local got = test.pack(cctx.resume(co, ...))
  assert(got[1], got[2])
  return test.unpack(got, 2, got.n)
end
local function sees_nothing()
  return cctx.current() == background and who() == nil and cctx.err() == nil
end

test("a request is current until its function returns", function()
  assert(cctx.current_status() == "none")
  local ctx, a, b = serve("a", function(...)
    assert(who() == "a" and cctx.current_status() == "attached" and cctx.err() == nil)
    return cctx.current(), ...
  end, 1, nil)
  assert(a == 1 and b == nil)
  assert(ctx:err() == "canceled" and ctx:cause().message == "the request has ended")
  assert(sees_nothing() and cctx.current_status() == "none")
end)

test("a request ends when its function raises, and the error passes", function()
  local object, ctx = {}, nil
  local ok, err = pcall(serve, "a", function() ctx = cctx.current() error(object) end)
  assert(not ok and err == object and ctx:err() == "canceled" and sees_nothing())
end)

test("a request has the options it was given", function()
  cctx.testing.clock_set(1000)
  local parent = background:with_metadata("from", "parent")
  cctx.request({ timeout = 2, parent = parent, metadata = { tenant = "x" } }, function()
    assert(cctx.remaining() == 2 and cctx.metadata "tenant" == "x")
    assert(cctx.metadata "from" == "parent")
    cctx.request({ deadline = 1001, timeout = 5 }, function()
      assert(cctx.deadline() == 1001 and cctx.metadata "tenant" == "x")
    end)
    cctx.request({ timeout = 0 }, function() assert(cctx.err() == "deadline_exceeded") end)
    cctx.request({ timeout = -1 }, function() assert(cctx.err() == "deadline_exceeded") end)
    cctx.request({ timeout = math.huge }, function() assert(cctx.remaining() == 2) end)
  end)
  cctx.request(function(x) assert(x == 7 and cctx.deadline() == nil) end, 7)
  cctx.request(nil, function() assert(cctx.current() ~= background) end)
  cctx.testing.clock_set(nil)
end)

test("a request refuses what it does not know", function()
  local function fails(words, ...)
    local ok, err = pcall(cctx.request, ...)
    assert(not ok and err:find(words, 1, true), err)
    assert(sees_nothing())
  end
  fails("unknown option 'timout' of a request", { timout = 1 }, print)
  fails("unknown option '?'", { 1 }, print)
  fails("option 'timeout' must be seconds, not a string", { timeout = "1" }, print)
  fails("option 'deadline' is NaN", { deadline = 0 / 0 }, print)
  fails("option 'parent' must be a context, not a table", { parent = {} }, print)
  fails("option 'metadata' must be a table, not a number", { metadata = 1 }, print)
  fails("metadata 'a b' has a name that is no HTTP token", { metadata = { ["a b"] = "" } },
        print)
  fails("function expected, got nil", {}, nil)
  fails("table expected, got number", 1, print)
end)

test("a request may yield", function()
  test.needs_yields()
  local co = cctx.create(function()
    serve("a", function()
      yield(who())
      background:with_value("lua.who", "inner"):run(function() yield(who()) end)
      yield(who())
    end)
    assert(sees_nothing())
  end)
  assert(resume(co) == "a" and sees_nothing())
  assert(resume(co) == "inner" and sees_nothing())
  assert(resume(co) == "a" and sees_nothing())
  resume(co)
  assert(coroutine.status(co) == "dead")
end)

test("S18: what inherited a request sees background when it has ended", function()
  local seen, status = {}, {}
  local co = serve("a", function()
    return cctx.create(function()
      for i = 1, 3 do
        seen[i], status[i] = who() or "-", cctx.current_status()
        assert(i == 1 or sees_nothing())
        yield()
      end
    end)
  end)
  local started = serve("b", function()
    local mine = cctx.create(function()
      yield(who())
      return who(), cctx.current_status()
    end)
    assert(resume(mine) == "b")
    resume(co) -- neither its own, which is over, nor its resumer's
    return mine
  end)
  serve("c", resume, co)
  coroutine.resume(co)
  assert(table.concat(seen, " ") == "- - -", table.concat(seen, " "))
  assert(table.concat(status, " ") == "ended ended ended", table.concat(status, " "))
  local name, how = serve("d", resume, started)
  assert(name == nil and how == "ended")
  assert(cctx.current_status() == "none")
end)

test("what a late coroutine starts works for nobody either", function()
  local late = serve("a", cctx.create, function()
    local child = cctx.create(function() return who(), cctx.current_status() end)
    local raw = coroutine.create(function() return who(), cctx.current_status() end)
    yield(child, raw, cctx.current_status())
  end)
  serve("b", function()
    local child, raw, status = resume(late)
    assert(status == "ended")
    local name, how = resume(child)
    assert(name == nil and how == "ended")
    assert(select(2, coroutine.resume(raw)) == "b") -- plain: it follows its resumer
    assert(who() == "b")
  end)
end)

test("a request that ends while a coroutine is inside its run ends for it", function()
  test.needs_yields()
  local co
  serve("a", function()
    co = cctx.create(function()
      cctx.current():with_value("lua.more", 1):run(function()
        assert(who() == "a")
        yield()
        assert(sees_nothing() and cctx.current_status() == "ended")
        yield()
      end)
      assert(sees_nothing() and cctx.current_status() == "ended")
    end)
    resume(co)
  end)
  serve("b", resume, co)
  serve("b", resume, co)
  assert(coroutine.status(co) == "dead")
end)

test("S19: what was handed over keeps its values, and says canceled", function()
  local bound, by_hand, detached, co
  serve("a", function()
    local ctx = cctx.current()
    bound = cctx.bind(function() return who(), cctx.err(), cctx.current_status() end)
    by_hand = function() return ctx:run(function() return who(), cctx.err() end) end
    detached = cctx.bind(function() return who(), cctx.err() end, ctx:detached())
    co = cctx.create(cctx.bind(function() yield() return who(), cctx.err() end))
    resume(co)
  end)
  serve("b", function()
    local name, err, status = bound()
    assert(name == "a" and err == "canceled" and status == "attached")
    name, err = by_hand()
    assert(name == "a" and err == "canceled")
    name, err = detached()
    assert(name == "a" and err == nil)
    name, err = resume(co)
    assert(name == "a" and err == "canceled")
    assert(who() == "b")
  end)
end)

test("what a handed over context starts is handed over too", function()
  local child
  local start = serve("a", cctx.bind, function()
    child = cctx.create(function() yield(who()) return who(), cctx.err() end)
  end)
  start()
  assert(serve("b", resume, child) == "a")
  local name, err = resume(child)
  assert(name == "a" and err == "canceled")
end)

test("a run of another request's context inside one is handed over", function()
  test.needs_yields()
  local other
  local co = serve("a", cctx.create, function()
    yield()
    other:run(function()
      local child = cctx.create(function() yield() return who() end)
      resume(child)
      yield(child)
    end)
  end)
  resume(co)
  local child
  serve("b", function() other = cctx.current() end)
  for _, how in ipairs { cctx.resume } do child = select(2, how(co)) end
  assert(child and resume(child) == "b")
end)

test("the same holds in a coroutine that somebody else resumes", function()
  test.needs_yields()
  local same, other
  local co = serve("a", function()
    local foreign = background:with_value("lua.who", "nobody's")
    local mine = cctx.create(function()
      cctx.current():with_value("lua.more", 1):run(function()
        yield()
        same = who()
        yield()
      end)
      foreign:run(function() yield() other = who() end)
    end)
    coroutine.resume(mine)
    return mine
  end)
  coroutine.resume(co)
  coroutine.resume(co)
  coroutine.resume(co)
  assert(coroutine.status(co) == "dead" and same == nil and other == "nobody's")
end)

test("a run of another request's is handed over, whoever resumes", function()
  test.needs_yields()
  for _, how in ipairs { cctx.resume, coroutine.resume } do
    local other, seen, err
    local co = serve("a", cctx.create, function()
      other:run(function()
        yield()
        seen, err = who(), cctx.err()
      end)
    end)
    serve("b", function()
      other = cctx.current()
      assert(how(co))
    end)
    serve("c", function() assert(how(co)) end)
    assert(seen == "b" and err == "canceled")
  end
end)

test("a request of an abandoned coroutine ends with it", function()
  test.needs_yields()
  local ctx
  do
    local co = cctx.create(function()
      serve("a", function() ctx = cctx.current() yield() end)
    end)
    resume(co)
    assert(ctx:err() == nil)
  end
  test.collect()
  assert(ctx:err() == "canceled")
end)

test("random requests, late coroutines and hand-overs show nobody another's", function()
  local pool, wrong = {}, {}
  local function check(own, over)
    local seen = who()
    if seen ~= nil and seen ~= own then wrong[#wrong + 1] = own .. " saw " .. seen end
    if seen ~= nil and over() then wrong[#wrong + 1] = own .. " saw it too late" end
  end
  math.randomseed(7)
  for i = 1, 300 do
    local name, over = "r" .. i, false
    serve(name, function()
      for _ = 1, math.random(3) do
        local body = function()
          for _ = 1, math.random(6) do
            check(name, function() return over end)
            if math.random(3) == 1 then
              cctx.current():with_value("lua.step", 1):run(function()
                if test.yields then yield() end
                check(name, function() return over end)
              end)
            end
            yield()
          end
        end
        pool[#pool + 1] = cctx.create(body)
      end
      for _ = 1, 4 do
        local k = math.random(#pool)
        local how = math.random(3) == 1 and coroutine.resume or cctx.resume
        local ok, err = how(pool[k])
        assert(ok, err)
        assert(who() == name)
        if coroutine.status(pool[k]) == "dead" then table.remove(pool, k) end
        if #pool == 0 then break end
      end
    end)
    over = true
    assert(sees_nothing())
  end
  assert(#wrong == 0, wrong[1])
end)
