-- SPDX-License-Identifier: Apache-2.0
-- install: coroutines of code that knows nothing of contexts.
-- luacheck: globals coroutine

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()
local original = {}
for name, f in pairs(coroutine) do original[name] = f end

local function named(name) return background:with_value("lua.who", name) end
local function who() return (cctx.value "lua.who") end

-- Call `f` with install on, and check that everything is as it was after that.
local function installed(f)
  local uninstall = cctx.install()
  local ok, err = pcall(f)
  uninstall()
  for name, was in pairs(original) do
    if coroutine[name] ~= was then
      coroutine[name] = was
      if ok then ok, err = false, "coroutine." .. name .. " was not put back" end
    end
  end
  assert(ok, err)
end

test("S13: a coroutine of Lua's own library inherits once it is installed", function()
  installed(function()
    local co, f
    named "creator":run(function()
      co = coroutine.create(function() coroutine.yield(who()) return who() end)
      f = coroutine.wrap(function() coroutine.yield(who()) return who() end)
    end)
    for _ = 1, 2 do
      named "resumer":run(function()
        local ok, seen = coroutine.resume(co)
        assert(ok and seen == "creator" and f() == "creator" and who() == "resumer")
      end)
    end
    assert(who() == nil and coroutine.status(co) == "dead")
  end)
end)

test("requiring the module installs nothing", function()
  for name, f in pairs(original) do assert(coroutine[name] == f) end
  local co = named "creator":run(coroutine.create, who)
  local ok, seen = coroutine.resume(co)
  assert(ok and seen == nil)
end)

test("installs nest, and each undoing counts once", function()
  local first, second = cctx.install(), cctx.install()
  local ours = coroutine.create
  assert(ours ~= original.create)
  first()
  first()
  assert(coroutine.create == ours)
  second()
  assert(coroutine.create == original.create)
  local third = cctx.install()
  assert(coroutine.create ~= original.create)
  second()
  assert(coroutine.create ~= original.create)
  third()
  for name, f in pairs(original) do assert(coroutine[name] == f) end
end)

test("a create that somebody put there before goes on being called", function()
  local seen = {}
  coroutine.create = function(f) -- as a host that notes its coroutines
    local co = original.create(f)
    seen[#seen + 1] = co
    return co
  end
  local theirs = coroutine.create
  local uninstall = cctx.install()
  local co = named "creator":run(coroutine.create, who)
  local f = named "creator":run(coroutine.wrap, who)
  local _, name = coroutine.resume(co)
  assert(seen[1] == co and name == "creator" and f() == "creator" and #seen == 2)
  uninstall()
  assert(coroutine.create == theirs)
  coroutine.create = original.create
end)

test("a create that somebody puts there after goes on, and undoing leaves it", function()
  local uninstall = cctx.install()
  local ours, calls = coroutine.create, 0
  coroutine.create = function(f) calls = calls + 1 return ours(f) end
  local theirs = coroutine.create
  local co = named "creator":run(coroutine.create, who)
  assert(calls == 1 and select(2, coroutine.resume(co)) == "creator")
  uninstall()
  assert(coroutine.create == theirs and coroutine.resume == original.resume)
  co = named "creator":run(coroutine.create, who)
  assert(calls == 2 and select(2, coroutine.resume(co)) == nil) -- only passed on
  local again = cctx.install()
  co = named "creator":run(coroutine.create, who)
  assert(calls == 3 and select(2, coroutine.resume(co)) == "creator")
  again()
  assert(coroutine.create == theirs)
  coroutine.create = original.create
end)

test("a library that keeps the old functions still works", function()
  installed(function()
    local co = named "creator":run(original.create, function()
      original.yield(who())
      return who()
    end)
    local _, seen = named "a":run(coroutine.resume, co)
    assert(seen == "a") -- made without a context, it follows
    _, seen = named "b":run(original.resume, co)
    assert(seen == "b" and who() == nil)
    co = named "creator":run(coroutine.create, function()
      original.yield(who())
      return who()
    end)
    for _ = 1, 2 do
      assert(select(2, named "c":run(original.resume, co)) == "creator")
    end
  end)
end)

test("functions of an install that was undone pass on", function()
  local uninstall = cctx.install()
  local create, wrap, resume, close =
    coroutine.create, coroutine.wrap, coroutine.resume, coroutine.close
  uninstall()
  local co = named "creator":run(create, function() coroutine.yield(who()) end)
  local ok, seen = resume(co)
  assert(ok and seen == nil and (not close or close(co)))
  assert(named "creator":run(wrap, who)() == nil)
end)

test("a run goes on across yields with both kinds of resume", function()
  test.needs_yields()
  installed(function()
    for _, resumes in ipairs {
      { original.resume, coroutine.resume, original.resume, coroutine.resume },
      { coroutine.resume, original.resume, coroutine.resume, original.resume },
    } do
      local co = named "creator":run(coroutine.create, function()
        named "run":run(function() coroutine.yield() assert(who() == "run") end)
        assert(who() == "creator")
        named "again":run(function() coroutine.yield() assert(who() == "again") end)
        assert(who() == "creator")
        coroutine.yield()
        assert(who() == "creator")
      end)
      for _, resume in ipairs(resumes) do
        named "resumer":run(function() assert(resume(co)) assert(who() == "resumer") end)
      end
      assert(coroutine.status(co) == "dead" and who() == nil)
    end
  end)
end)

test("errors and misuse are what Lua's own functions say", function()
  installed(function()
    for _, f in ipairs { "create", "wrap", "resume", original.close and "close" } do
      for _, arg in ipairs { 1, {}, "x" } do
        local ok, err = pcall(coroutine[f], arg)
        local was_ok, was = pcall(original[f], arg)
        local same = err:gsub("'.-'", "") == was:gsub("'.-'", "")
        assert(ok == was_ok and (same or _VERSION < "Lua 5.3"), err)
      end
    end
    local object = {}
    local function fail(err) error(err) end
    local co = coroutine.create(fail)
    local ok, err = coroutine.resume(co, object)
    assert(not ok and err == object)
    if coroutine.close then
      ok, err = coroutine.close(co)
      assert(not ok and err == object)
    end
    ok, err = coroutine.resume(co)
    assert(not ok and err == "cannot resume dead coroutine")
    co = coroutine.create(function() return coroutine.resume(coroutine.running()) end)
    ok, err = select(2, coroutine.resume(co))
    assert(not ok and err:find "^cannot resume [%a-]+ coroutine$", err)
    ok, err = pcall(coroutine.wrap(fail), object)
    assert(not ok and err == object)
  end)
end)

-- A resume that somebody replaced, in Lua: it counts, and asks what is current.
local function traced(f)
  local seen = {}
  coroutine.resume = function(...)
    seen[#seen + 1] = who() or "-"
    return original.resume(...)
  end
  coroutine.close = original.close and function(co)
    seen[#seen + 1] = "close " .. (who() or "-")
    return original.close(co)
  end
  local uninstall = cctx.install()
  local ok, err = pcall(f, seen)
  uninstall()
  coroutine.resume, coroutine.close = original.resume, original.close
  assert(ok, err)
end

test("a replaced resume is called, as the resumer, and brackets the coroutine", function()
  test.needs_yields()
  traced(function(seen)
    local co = named "creator":run(coroutine.create, function()
      named "run":run(function() coroutine.yield(who()) assert(who() == "run") end)
      coroutine.yield(who())
      error("no", 0)
    end)
    local function step()
      return named "resumer":run(function()
        local ok, got = coroutine.resume(co)
        assert(who() == "resumer")
        return got, ok
      end)
    end
    assert(step() == "run" and step() == "creator")
    local err, ok = step()
    assert(not ok and err == "no")
    local all = "resumer resumer resumer"
    if coroutine.close then
      named "closer":run(function() assert(not coroutine.close(co)) end)
      all = all .. " close closer"
    end
    assert(who() == nil and cctx.current() == background)
    assert(table.concat(seen, " ") == all, table.concat(seen, " "))
  end)
end)

test("a replaced resume works inside coroutines, managed or not", function()
  traced(function(seen)
    for _, resume in ipairs { cctx.resume, original.resume } do
      local inner = named "inner":run(coroutine.create, function()
        coroutine.yield(who())
        return who()
      end)
      local outer = named "outer":run(coroutine.create, function()
        for _ = 1, 2 do
          local ok, got = coroutine.resume(inner)
          assert(ok and got == "inner" and who() == "outer")
          coroutine.yield()
          assert(who() == "outer")
        end
      end)
      for _ = 1, 3 do assert(resume(outer)) assert(who() == nil) end
    end
    assert(table.concat(seen, " ") == "outer outer outer outer", table.concat(seen, " "))
  end)
end)

test("a replaced resume may pass yields up to a scheduler", function()
  local stale = cctx.testing.stale_detaches()
  local PASS = {}
  coroutine.resume = function(co, ...)
    local got = test.pack(original.resume(co, ...))
    while got[1] and got[2] == PASS do
      coroutine.yield(PASS)
      got = test.pack(original.resume(co))
    end
    return test.unpack(got, 1, got.n)
  end
  local uninstall = cctx.install()
  for _, resume in ipairs { cctx.resume, original.resume } do
    local inner = named "inner":run(coroutine.create, function()
      assert(who() == "inner")
      coroutine.yield(PASS)
      assert(who() == "inner")
      return "done"
    end)
    local outer = named "outer":run(coroutine.create, function()
      local ok, got = coroutine.resume(inner)
      assert(ok and got == "done" and who() == "outer")
      return "end"
    end)
    local ok, got = resume(outer)
    assert(ok and got == PASS and who() == nil)
    ok, got = resume(outer)
    assert(ok and got == "end" and who() == nil)
  end
  uninstall()
  coroutine.resume = original.resume
  assert(cctx.testing.stale_detaches() == stale)
end)

test("a create that gives a coroutine out again does not show the last one's", function()
  local worker
  coroutine.create = function(f)
    if not worker then
      worker = original.create(function()
        while true do f = original.yield(f()) end
      end)
      return worker
    end
    return worker
  end
  local uninstall = cctx.install()
  local co = named "first":run(coroutine.create, who)
  assert(select(2, original.resume(co)) == "first")
  co = coroutine.create(who) -- nothing is current: nothing is inherited
  assert(select(2, original.resume(co, who)) == nil)
  uninstall()
  coroutine.create = original.create
end)

-- Often enough to be compiled, before and while it is installed, and after.
test("code that was compiled calls what is there now", function()
  local function inherits()
    local seen = 0
    named "creator":run(function()
      for _ = 1, 300 do
        local co = coroutine.create(function() coroutine.yield(cctx.value "lua.who") end)
        background:run(function()
          if select(2, coroutine.resume(co)) == "creator" then seen = seen + 1 end
        end)
      end
    end)
    return seen
  end
  for _ = 1, 2 do
    assert(inherits() == 0)
    installed(function() assert(inherits() == 300) end)
  end
  assert(inherits() == 0)
end)

test("install without the library says so", function()
  local loaded = package.loaded.coroutine
  package.loaded.coroutine = nil
  local ok, err = pcall(cctx.install)
  package.loaded.coroutine = loaded
  assert(not ok and err:find("no library 'coroutine'", 1, true))
end)
