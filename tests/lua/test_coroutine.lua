-- SPDX-License-Identifier: Apache-2.0
-- Coroutines in Lua: which context each sees, whoever resumes it, and when.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()
local yield = coroutine.yield

local function named(name) return background:with_value("lua.who", name) end
local function who() return (cctx.value "lua.who") end

-- What `f(...)` returns when it is run as `name`.
local function as(name, f, ...) return named(name):run(f, ...) end

local function resume(co, ...)
  local got = test.pack(cctx.resume(co, ...))
  assert(got[1], got[2])
  return test.unpack(got, 2, got.n)
end

test("S13: a coroutine inherits the context of its creator", function()
  local co = as("creator", cctx.create, function()
    assert(who() == "creator")
    yield()
    assert(who() == "creator")
    return "end"
  end)
  as("first", resume, co)
  assert(who() == nil)
  assert(as("second", resume, co) == "end")
  assert(who() == nil)
end)

test("a coroutine that inherited nothing follows its resumer", function()
  local next_name = cctx.wrap(function() while true do yield(who()) end end)
  assert(as("a", next_name) == "a")
  assert(as("b", next_name) == "b")
  assert(next_name() == nil)
end)

test("a coroutine's context does not leak to its resumer", function()
  local co = as("inside", cctx.create, function() yield() error "no" end)
  as("outside", function()
    resume(co)
    assert(who() == "outside")
    local ok, err = cctx.resume(co)
    assert(not ok and err:find "no" and who() == "outside")
  end)
  assert(cctx.current() == background)
end)

test("nested resumes each see their own", function()
  local seen = {}
  local inner = as("inner", cctx.create, function()
    for _ = 1, 2 do seen[#seen + 1] = who() yield() end
  end)
  local middle = as("middle", cctx.create, function()
    resume(inner)
    seen[#seen + 1] = who()
    yield()
    resume(inner)
    seen[#seen + 1] = who()
  end)
  as("outer", resume, middle)
  resume(middle)
  assert(table.concat(seen, " ") == "inner middle inner middle")
end)

test("a run goes on across a yield", function()
  test.needs_yields()
  local co = as("creator", cctx.create, function()
    as("run", function()
      assert(who() == "run")
      yield()
      assert(who() == "run")
    end)
    assert(who() == "creator")
    yield()
    assert(who() == "creator")
  end)
  as("a", function() resume(co) assert(who() == "a") end)
  as("b", function() resume(co) assert(who() == "b") end)
  resume(co)
  assert(coroutine.status(co) == "dead" and who() == nil)
end)

test("nested runs come apart in a later resume", function()
  test.needs_yields()
  local seen = {}
  local function look() seen[#seen + 1] = who() or "-" end
  local co = cctx.create(function()
    as("a", function()
      as("b", function()
        yield()
        as("c", function() look() yield() look() end)
        look()
      end)
      look()
      yield()
      look()
    end)
    look()
  end)
  repeat as("resumer", resume, co) until coroutine.status(co) == "dead"
  assert(table.concat(seen, " ") == "c c b a a resumer", table.concat(seen, " "))
end)

test("after a run without an inherited context it is the present resumer's", function()
  test.needs_yields()
  local next_name = cctx.wrap(function()
    as("run", yield)
    yield(who())
  end)
  as("first request", next_name)
  assert(as("second request", next_name) == "second request")
end)

test("an error caught around a run restores what was there", function()
  local co = as("creator", cctx.create, function()
    for _, body in ipairs {
      function() error "at once" end,
      function() yield() error "after a yield" end,
    } do
      assert(not pcall(as, "run", body))
      assert(who() == "creator")
      yield()
      assert(who() == "creator")
    end
  end)
  repeat as("resumer", resume, co) until coroutine.status(co) == "dead"
  assert(who() == nil)
end)

test("a run that was abandoned in the middle leaves nothing", function()
  test.needs_yields()
  local before = cctx.alive()
  for _ = 1, 10 do
    local co = as("creator", cctx.create, function() as("run", yield) end)
    resume(co)
    assert(who() == nil)
  end
  test.collect()
  assert(cctx.alive() <= before)
end)

test("a coroutine that is not suspended cannot be resumed", function()
  local outer, ok, err
  local function try_outer()
    ok, err = cctx.resume(outer)
    assert(not ok and err == "cannot resume non-suspended coroutine")
    ok, err = cctx.resume(coroutine.running())
    assert(not ok and err == "cannot resume non-suspended coroutine")
    assert(who() == "inner")
  end
  outer = as("outer", cctx.create, function()
    resume(as("inner", cctx.create, try_outer))
    assert(who() == "outer")
    yield()
    assert(who() == "outer")
  end)
  resume(outer)
  resume(outer)
  ok, err = cctx.resume(outer)
  assert(not ok and err == "cannot resume dead coroutine")
  assert(who() == nil)
end)

test("a wrapped function passes values and names the place of an error", function()
  local f = as("creator", cctx.wrap, function(...)
    local got = yield(select("#", ...), who())
    error(got)
  end)
  local n, name = f(nil, nil)
  assert(n == 2 and name == "creator")
  local ok, err = pcall(f, "boom")
  assert(not ok and err:find "test_coroutine.lua" and err:find "boom")
  ok, err = pcall(f)
  assert(not ok and err:find("cannot resume dead coroutine", 1, true))
  local object = {}
  ok, err = pcall(cctx.wrap(error), object)
  assert(not ok and err == object)
end)

test("a C function may be the body of a coroutine", function()
  local co = as("creator", cctx.create, yield)
  assert(as("resumer", resume, co, 1) == 1)
  assert(resume(co, 2) == 2 and coroutine.status(co) == "dead")
  assert(cctx.wrap(select)("#", nil, nil) == 2)
end)

test("a wrapped function iterates", function()
  local got = {}
  as("consumer", function()
    for i, name in cctx.wrap(function() for i = 1, 3 do yield(i, who()) end end) do
      got[#got + 1] = i .. name
    end
  end)
  assert(table.concat(got, " ") == "1consumer 2consumer 3consumer")
end)

test("who resumes by other means does not change what Lua sees", function()
  test.needs_yields()
  local co = as("creator", cctx.create, function()
    assert(who() == "creator")
    yield()
    as("run", function()
      assert(who() == "run")
      yield()
      assert(who() == "run")
    end)
    assert(who() == "creator")
  end)
  for _ = 1, 3 do
    as("resumer", function()
      assert(coroutine.resume(co))
      assert(who() == "resumer")
    end)
  end
  assert(coroutine.status(co) == "dead")
end)

test("a run may go on under another kind of resume", function()
  test.needs_yields()
  for _, resumes in ipairs {
    { coroutine.resume, cctx.resume, coroutine.resume },
    { cctx.resume, coroutine.resume, cctx.resume },
  } do
    local co = as("creator", cctx.create, function()
      as("run", function() yield() assert(who() == "run") end)
      assert(who() == "creator")
      as("again", function() yield() assert(who() == "again") end)
      assert(who() == "creator")
    end)
    for _, r in ipairs(resumes) do
      as("resumer", function() assert(r(co)) assert(who() == "resumer") end)
    end
    assert(coroutine.status(co) == "dead" and who() == nil)
  end
end)

test("a plain coroutine sees its resumer's, and its own run's", function()
  test.needs_yields()
  local co = coroutine.create(function()
    assert(who() == "a")
    as("run", function() yield() assert(who() == "run") end)
    assert(who() == "b")
  end)
  as("a", function() assert(coroutine.resume(co)) assert(who() == "a") end)
  as("b", function() assert(coroutine.resume(co)) assert(who() == "b") end)
end)

test("a bound function keeps its context over its yields", function()
  local co = cctx.create(cctx.bind(function()
    yield(who())
    yield(who())
  end, named "bound"))
  assert(as("a", resume, co) == "bound" and resume(co) == "bound" and who() == nil)
end)

test("a hundred interleaved coroutines each see their own", function()
  test.needs_yields()
  local all = {}
  for i = 1, 100 do
    all[i] = as("request " .. i, cctx.create, function()
      local mine = "request " .. i
      for step = 1, 5 do
        assert(who() == mine)
        yield()
        assert(who() == mine)
        as(mine .. "." .. step, function()
          yield()
          assert(who() == mine .. "." .. step)
        end)
      end
    end)
  end
  for _ = 1, 11 do
    for i = 1, 100 do
      resume(all[i])
      assert(who() == nil)
    end
  end
  for i = 1, 100 do assert(coroutine.status(all[i]) == "dead") end
end)

test("a coroutine that works for several requests runs each as itself", function()
  local worker = cctx.create(function(ctx, job)
    while true do ctx, job = yield(ctx:run(job)) end
  end)
  for i = 1, 10 do
    as("dispatcher", function()
      assert(resume(worker, named("job " .. i), who) == "job " .. i)
      assert(who() == "dispatcher")
    end)
  end
end)

test("too many values are refused, and nothing changes", function()
  local co = as("creator", cctx.create, function() return who() end)
  local called, ok, err = pcall(function()
    return cctx.resume(co, test.unpack({}, 1, 900000))
  end)
  if not (called and ok) then ok, err = cctx.resume(co) end
  assert(not ok or err == "creator", err)
  assert(who() == nil)
end)

test("what is no coroutine or function is refused", function()
  local function fails(words, f, ...)
    local ok, err = pcall(f, ...)
    assert(not ok and err:find(words, 1, true), err)
  end
  fails("function expected, got nil", cctx.create, nil)
  fails("function expected, got table", cctx.wrap, {})
  fails("coroutine expected, got no value", cctx.resume)
  fails("coroutine expected, got table", cctx.resume, {})
end)

test("a yield that Lua 5.1 cannot do is an error, and nothing has changed", function()
  if test.yields then test.skip "here it can" end
  local co = as("creator", cctx.create, function()
    local ok, err = pcall(as, "run", yield)
    assert(not ok and err:find("attempt to yield across", 1, true), err)
    assert(who() == "creator")
    local token = named("attached"):attach() -- what it can do
    yield(who())
    assert(who() == "attached" and token:close() and who() == "creator")
  end)
  assert(as("resumer", resume, co) == "attached")
  resume(co)
  assert(coroutine.status(co) == "dead" and who() == nil)
end)

-- Random schedules against a model that knows of each coroutine only the run it is in, what
-- it inherited, and what its resumer saw. Where Lua's own resume comes in, a coroutine
-- without a context may see whatever somebody further up the chain has.
local function hunt(seed)
  math.randomseed(seed)
  local random, pool, chain, serial = math.random, {}, {}, 0
  local spawn

  local function expect(me)
    local seen = who()
    local mine = me.runs[#me.runs] or me.inherited
    if mine == nil and not me.raw then mine = me.followed or false end
    if mine ~= nil then
      assert(seen == (mine or nil), ("seed %d: sees %s, should see %s")
        :format(seed, tostring(seen), tostring(mine)))
      return
    end
    local legal = seen == nil
    for _, other in ipairs(chain) do legal = legal or other.last == seen end
    assert(legal, ("seed %d: sees %s of nobody up the chain"):format(seed, tostring(seen)))
  end

  local function resume_one(me)
    if #pool == 0 then return end
    local it = table.remove(pool, random(#pool))
    me.last = who()
    it.raw, it.followed = random(3) == 1, me.last
    chain[#chain + 1] = me
    local resumed = it.raw and coroutine.resume or cctx.resume
    local ok, err = resumed(it.co)
    chain[#chain] = nil
    assert(ok, err)
    if coroutine.status(it.co) == "suspended" then
      if not cctx.close or random(20) > 1 then
        pool[#pool + 1] = it
      else
        assert(cctx.close(it.co))
      end
    end
  end

  local function act(me, depth)
    for _ = 1, random(4) do
      local what = random(6)
      expect(me)
      if what == 1 then
        spawn(me)
      elseif what <= 3 and #chain < 6 then
        resume_one(me)
      elseif what == 4 and depth < 4 then
        serial = serial + 1
        me.runs[#me.runs + 1] = "run " .. serial
        local raises = random(3) == 1
        local ok, err = pcall(as, "run " .. serial, function()
          act(me, depth + 1)
          if raises then error(me, 0) end
        end)
        assert(ok or err == me, err)
        me.runs[#me.runs] = nil
      elseif me.co and (test.yields or #me.runs == 0) then
        yield()
      end
      expect(me)
    end
  end

  function spawn(me)
    local plain = random(4) == 1
    local it = { runs = {}, inherited = not plain and who() or nil }
    assert(plain or me.raw or it.inherited == who())
    it.co = (plain and coroutine.create or cctx.create)(function() act(it, 0) end)
    pool[#pool + 1] = it
  end

  local main = { runs = {} }
  for _ = 1, 40 do
    act(main, 0)
    assert(cctx.current() == background)
  end
end

test("random schedules show nobody another's context", function()
  for seed = 1, 30 do hunt(seed) end
end)

test("a coroutine whose resume Lua refuses keeps its context", function()
  if rawget(_G, "jit") then test.skip "LuaJIT overflows its own stack there" end
  local mine = cctx.background():with_value("lua.who", "mine")
  local theirs = cctx.background():with_value("lua.who", "theirs")
  local function ask() return (cctx.value "lua.who") end
  local co = mine:run(cctx.create, ask)
  local refused
  local function deep() return (string.gsub("x", "x", deep)) end
  theirs:run(function()
    xpcall(deep, function(err) -- as many calls are under way as Lua allows
      if refused == nil then refused = not cctx.resume(co) end
      return err
    end)
  end)
  if coroutine.status(co) == "dead" then test.skip "this Lua had room for one more" end
  assert(refused)
  assert(select(2, theirs:run(cctx.resume, co)) == "mine")
end)
