-- SPDX-License-Identifier: Apache-2.0
-- Attach and its token: a context until it is closed.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()
local yield = coroutine.yield

local function named(name) return background:with_value("lua.who", name) end
local function who() return (cctx.value "lua.who") end
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

test("S12: an attach lasts until it is closed", function()
  everywhere(function()
    local a = named "a":attach()
    local b = named "b":attach()
    assert(who() == "b" and tostring(b) == "cctx.Token: open")
    assert(b:close() == true and who() == "a")
    assert(a:close() == true and who() == nil and cctx.current_status() == "none")
    assert(tostring(a) == "cctx.Token: closed")
  end)
end)

test("closing twice is no misuse, and does nothing", function()
  local before = cctx.testing.stale_detaches()
  everywhere(function()
    local a = named "a":attach()
    a:close()
    local b = named "b":attach()
    local ok, why = a:close()
    assert(ok == nil and why:find("not current", 1, true) and who() == "b")
    assert(b:close())
  end)
  assert(cctx.testing.stale_detaches() == before)
end)

test("closing the outer one first ends both, and the inner one is stale", function()
  local before = cctx.testing.stale_detaches()
  everywhere(function()
    local a = named "a":attach()
    local b = named "b":attach()
    assert(a:close() and who() == nil)
    local c = named "c":attach()
    local ok, why = b:close()
    assert(ok == nil and why:find("not current", 1, true) and who() == "c")
    assert(c:close() and who() == nil)
  end)
  assert(cctx.testing.stale_detaches() == before + 3)
end)

test("a token of another coroutine changes nothing here", function()
  local token
  local co = cctx.create(function()
    token = named "inside":attach()
    yield()
    assert(who() == "inside")
    assert(token:close() and who() == nil)
  end)
  resume(co)
  named "outside":run(function()
    local ok, why = token:close()
    assert(ok == nil and why:find("not current", 1, true) and who() == "outside")
  end)
  resume(co)
  assert(coroutine.status(co) == "dead")
end)

test("tokens of two coroutines are not taken for each other", function()
  local other
  local a = cctx.create(function()
    other = named "a":attach()
    yield()
    assert(who() == "a" and other:close() and who() == nil)
  end)
  local b = cctx.create(function()
    local mine = named "b":attach()
    assert(other:close() == nil and who() == "b")
    assert(mine:close() and who() == nil)
  end)
  resume(a)
  resume(b)
  resume(a)
end)

test("a coroutine keeps what it attached over a yield, and its resumer does not see it",
     function()
  for _, how in ipairs { cctx.resume, coroutine.resume } do
    local co = named "creator":run(cctx.create, function()
      local attached = named "attached":attach()
      assert(who() == "attached")
      yield()
      assert(who() == "attached")
      local more = named "more":attach()
      yield()
      assert(who() == "more" and more:close() and who() == "attached")
      assert(attached:close() and who() == "creator")
      yield()
      assert(who() == "creator")
    end)
    for _ = 1, 4 do
      named "resumer":run(function() assert(how(co)) assert(who() == "resumer") end)
      assert(who() == nil)
    end
    assert(coroutine.status(co) == "dead")
  end
end)

test("an attach may go on under another kind of resume", function()
  for _, resumes in ipairs {
    { coroutine.resume, cctx.resume, coroutine.resume },
    { cctx.resume, coroutine.resume, cctx.resume },
  } do
    local co = named "creator":run(cctx.create, function()
      local token = named "a":attach()
      yield()
      assert(who() == "a" and token:close() and who() == "creator")
      token = named "b":attach()
      yield()
      assert(who() == "b" and token:close() and who() == "creator")
    end)
    for _, how in ipairs(resumes) do
      named "resumer":run(function() assert(how(co)) assert(who() == "resumer") end)
    end
    assert(coroutine.status(co) == "dead")
  end
end)

test("a run ends what was attached inside and not left", function()
  everywhere(function()
    local token
    named "run":run(function() token = named "a":attach() end)
    assert(who() == nil)
    assert(token:close() == nil and who() == nil)
  end)
end)

test("closing inside a run what was attached outside ends the run's context", function()
  everywhere(function()
    local token = named "a":attach()
    named "run":run(function() assert(token:close() and who() == nil) end)
    assert(who() == nil)
  end)
end)

test("an abandoned coroutine leaves nothing of what it attached", function()
  local before = cctx.alive()
  for _ = 1, 10 do
    local co = named "creator":run(cctx.create, function()
      named "a":attach()
      named "b":attach()
      yield()
    end)
    resume(co)
  end
  test.collect()
  assert(cctx.alive() <= before)
end)

test("a token that outlives its coroutine does nothing", function()
  local token
  local co = cctx.create(function() token = named "a":attach() end)
  resume(co)
  co = nil -- luacheck: ignore
  collectgarbage()
  assert(token:close() == nil and who() == nil)
end)

test("many attaches inside each other come apart in order", function()
  everywhere(function()
    local tokens = {}
    for i = 1, 50 do tokens[i] = named("n" .. i):attach() end
    if not test.is_main() then yield() end
    for i = 50, 1, -1 do
      assert(who() == "n" .. i)
      assert(tokens[i]:close())
    end
    assert(who() == nil)
  end)
end)

test("what is no context or no token is refused", function()
  local ok, err = pcall(background.attach, 1)
  assert(not ok and err:find("cctx.Context expected, got number", 1, true))
  local token = background:attach()
  ok, err = pcall(token.close, {})
  assert(not ok and err:find("cctx.Token expected, got table", 1, true))
  assert(token:close())
end)

test("random attaches, runs, yields and errors follow the model", function()
  local function hunt(seed)
    math.randomseed(seed)
    local random, serial, pool = math.random, 0, {}
    local function body(me)
      local function expect()
        local mine = me.stack[#me.stack]
        assert(who() == (mine or me.base), ("seed %d"):format(seed))
      end
      local function act(depth)
        for _ = 1, random(5) do
          expect()
          local what = random(5)
          serial = serial + 1
          local name = "s" .. serial
          if what <= 2 and depth < 4 then
            local height = #me.stack
            me.stack[height + 1] = name
            local token = named(name):attach()
            act(depth + 1)
            token:close()
            me.stack[height + 1] = nil
          elseif what == 3 and depth < 4 then
            local height = #me.stack
            me.stack[height + 1] = name
            pcall(named(name).run, named(name), function()
              me.runs = me.runs + 1
              act(depth + 1)
              me.runs = me.runs - 1
              local _ = named "left open":attach()
              if random(3) == 1 then error "no" end
            end)
            me.stack[height + 1] = nil
          elseif me.co and (test.yields or me.runs == 0) then
            coroutine.yield()
          end
          expect()
        end
      end
      act(0)
    end
    for i = 1, 8 do
      local me = { stack = {}, base = "base" .. i, runs = 0 }
      me.co = named(me.base):run(cctx.create, function() body(me) end)
      pool[#pool + 1] = me.co
    end
    while #pool > 0 do
      local k = random(#pool)
      local how = random(2) == 1 and cctx.resume or coroutine.resume
      local ok, err = how(pool[k])
      assert(ok, err)
      assert(cctx.current() == background)
      if coroutine.status(pool[k]) == "dead" then table.remove(pool, k) end
    end
  end
  for seed = 1, 20 do hunt(seed) end
end)
