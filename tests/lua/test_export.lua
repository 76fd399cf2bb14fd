-- SPDX-License-Identifier: Apache-2.0
-- Handing a context on as a string, and what is counted in tests.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()

test("a token brings the context once", function()
  local ctx = background:with_value("lua.x", 7)
  local token = ctx:export()
  assert(type(token) == "string" and #token == 37)
  local got = cctx.import(token)
  assert(got == ctx and got:value "lua.x" == 7)
  local again, why = cctx.import(token)
  assert(again == nil and why:find("not the token of a context that waits", 1, true))
end)

test("a token keeps its context alive, and no two are the same", function()
  local a, b
  do
    local ctx = background:with_value("lua.x", 7)
    a, b = ctx:export(), ctx:export()
  end
  collectgarbage()
  assert(a ~= b and cctx.import(b):value "lua.x" == 7 and cctx.import(a):value "lua.x" == 7)
end)

test("what is no token is nil and a message", function()
  for _, text in ipairs {
    "", "cctx:", "x", ("cctx:%032x"):format(1), "cctx:" .. ("g"):rep(32),
    "cctx:" .. (" "):rep(32), "cctx:" .. ("0"):rep(31) .. "\0",
  } do
    local got, why = cctx.import(text)
    assert(got == nil and type(why) == "string")
  end
  assert(not pcall(cctx.import, 1) and not pcall(background.export, 1))
end)

test("a token that nobody brings expires", function()
  cctx.testing.clock_set(1000)
  local before = cctx.alive()
  local token, other = background:with_cancel():export(5), background:with_cancel():export()
  collectgarbage()
  assert(cctx.alive() == before + 2)
  cctx.testing.clock_set(1005)
  assert(cctx.alive() == before + 1 and cctx.import(token) == nil)
  cctx.testing.clock_set(1060)
  assert(cctx.alive() == before and cctx.import(other) == nil)
  cctx.testing.clock_set(nil)
end)

test("there is an end to how many may wait", function()
  local ctx, tokens = background:with_cancel(), {}
  for i = 1, 1000 do tokens[i] = assert(ctx:export()) end
  local token, why = ctx:export()
  assert(token == nil and why:find("too many contexts are exported", 1, true))
  for i = 1, 1000 do assert(cctx.import(tokens[i]) == ctx) end
  assert(cctx.import(ctx:export()) == ctx)
end)

-- ---- cctx.testing ----

test("strict passes results when nothing was wrong, and errors", function()
  local a, n = cctx.testing.strict(function(...) return 1, select("#", ...) end, nil, nil)
  assert(a == 1 and n == 2)
  local object = {}
  local ok, err = pcall(cctx.testing.strict, error, object)
  assert(not ok and err == object)
  ok, err = pcall(cctx.testing.strict, function() cctx.testing.strict(print) end)
  assert(not ok and err:find("on already", 1, true))
  cctx.testing.strict(print)
end)

test("strict raises what was misused, with both places", function()
  local ok, err = pcall(cctx.testing.strict, function()
    local a, b = background:with_value("lua.x", 1):attach(), background:attach()
    a:close()
    b:close()
  end)
  assert(not ok and err:find("^1 misuses:\n") and err:find("test_export.lua", 1, true), err)
  ok, err = pcall(cctx.testing.strict, function()
    local late
    cctx.request(function() late = cctx.current() end)
    late:with_cancel()
  end)
  assert(not ok and err:find("the request that ended", 1, true), err)
end)

test("strict names the line at which something derives from an ended request", function()
  local late
  cctx.request(function() late = cctx.current() end)
  local derive = {
    function() return (late:with_cancel()) end,
    function() return (late:with_timeout(1)) end,
    function() return (late:with_grace(1)) end,
    function() return (late:merge(background)) end,
    function() return (background:merge(background, late)) end,
    function() return (late:with_value("lua.x", 1)) end,
    function() return (late:with_values({ ["lua.x"] = 1 })) end,
    function() return (late:with_metadata("a", "b")) end,
    function() return (late:with_metadata({ a = "b" })) end,
  }
  for _, f in ipairs(derive) do
    local line = debug.getinfo(f, "S").linedefined
    local ok, err = pcall(cctx.testing.strict, f)
    local place = "made at .*test_export%.lua:" .. line
    assert(not ok and err:find("^1 misuses:\n") and err:find(place), err)
  end
end)

test("strict has nothing to say of what is used rightly", function()
  cctx.testing.strict(function()
    local late
    cctx.request({ timeout = 5 }, function()
      local ctx = cctx.current():with_value("lua.x", 1)
      late = ctx:run(cctx.create, function()
        local token = background:with_value("lua.y", 1):attach()
        coroutine.yield()
        ctx:run(test.yields and coroutine.yield or print)
        token:close()
      end)
      cctx.resume(late)
      coroutine.resume(late)
    end)
    cctx.resume(late)
    local uninstall = cctx.install()
    local f = coroutine.wrap(function()
      background:run(test.yields and coroutine.yield or print)
    end)
    f()
    if test.yields then f() end
    uninstall()
  end)
end)
