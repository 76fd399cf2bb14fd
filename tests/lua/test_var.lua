-- SPDX-License-Identifier: Apache-2.0
-- Variables that are local to a coroutine.

local cctx = require "cctx"
local test = require "check"

local yield = coroutine.yield
local function resume(co, ...)
  local ok, got = cctx.resume(co, ...)
  assert(ok, got)
  return got
end

test("a variable has its default until it is set, and nil is a value", function()
  local var = cctx.var("user", "nobody")
  assert(var:get() == "nobody")
  var:set "alice"
  assert(var:get() == "alice")
  var:set(nil)
  assert(var:get() == nil)
  var:set(false)
  assert(var:get() == false)
  assert(cctx.var "none":get() == nil and tostring(var) == "cctx.Var: user")
end)

test("two variables of one name are two", function()
  local a, b = cctx.var "x", cctx.var "x"
  a:set(1)
  b:set(2)
  assert(a:get() == 1 and b:get() == 2)
end)

test("a coroutine inherits the values, and keeps its own from then on", function()
  local var, table_of_mine = cctx.var "x", {}
  var:set(table_of_mine)
  local one = cctx.create(function()
    assert(var:get() == table_of_mine)
    var:set(1)
    yield()
    assert(var:get() == 1)
  end)
  local two = cctx.create(function()
    assert(var:get() == table_of_mine)
    yield()
    var:set(2)
    assert(var:get() == 2)
  end)
  var:set "changed after"
  resume(one)
  resume(two)
  resume(one)
  resume(two)
  assert(var:get() == "changed after")
end)

test("who resumes makes no difference", function()
  local var = cctx.var "x"
  local co = cctx.create(function()
    for i = 1, 3 do var:set(i) yield() assert(var:get() == i) end
  end)
  for _, how in ipairs { cctx.resume, coroutine.resume, cctx.resume, coroutine.resume } do
    var:set "main"
    assert(how(co) and var:get() == "main")
  end
end)

test("an installed coroutine inherits too, and a plain one begins empty", function()
  local var = cctx.var("x", "default")
  var:set(1)
  local function get() return var:get() end
  assert(select(2, coroutine.resume(coroutine.create(get))) == "default")
  local uninstall = cctx.install()
  local ok, got = coroutine.resume(coroutine.create(get))
  local wrapped = coroutine.wrap(get)()
  uninstall()
  assert(ok and got == 1 and wrapped == 1)
end)

test("with sets for a call, and undoes what was set inside", function()
  local a, b = cctx.var "a", cctx.var "b"
  a:set "outer"
  local got, n = a:with("inner", function(...)
    assert(a:get() == "inner")
    a:set "changed"
    b:set "new"
    return a:get(), select("#", ...)
  end, nil, nil)
  assert(got == "changed" and n == 2)
  assert(a:get() == "outer" and b:get() == nil)
  local object = {}
  local ok, err = pcall(a.with, a, 1, error, object)
  assert(not ok and err == object and a:get() == "outer")
end)

test("with may yield, and others do not see its value", function()
  test.needs_yields()
  local var = cctx.var "x"
  local co = cctx.create(function()
    var:with("inner", function() yield(var:get()) assert(var:get() == "inner") end)
    assert(var:get() == nil)
  end)
  assert(resume(co) == "inner" and var:get() == nil)
  var:set "main"
  resume(co)
  assert(coroutine.status(co) == "dead" and var:get() == "main")
  var:set(nil)
end)

test("values go with their coroutine, and with their variable", function()
  local weak = setmetatable({}, { __mode = "k" })
  local var = cctx.var "x"
  local co
  co = cctx.create(function()
    do
      local value = { test.ephemerons and co } -- a cycle through its own coroutine
      weak[value] = true
      var:set(value)
    end
    yield()
  end)
  resume(co)
  collectgarbage()
  assert(next(weak))
  co = nil -- luacheck: ignore
  test.collect()
  assert(not next(weak))
  do
    local value = {}
    weak[value] = true
    cctx.var "short lived":set(value)
  end
  test.collect()
  assert(not next(weak))
end)

test("a coroutine that is done has no values any more", function()
  local weak = setmetatable({}, { __mode = "k" })
  local var = cctx.var "x"
  local co = cctx.create(function()
    local value = {}
    weak[value] = true
    var:set(value)
  end)
  resume(co)
  test.collect()
  assert(coroutine.status(co) == "dead" and not next(weak))
end)

test("a request undoes what was set inside", function()
  local user = cctx.var "user"
  cctx.request(function()
    user:set "alice"
    cctx.request(function() assert(user:get() == "alice") user:set "bob" end)
    assert(user:get() == "alice")
  end)
  assert(user:get() == nil)
end)

test("C, and the values of contexts, know nothing of it", function()
  local var = cctx.var "lua.x"
  var:set(1)
  assert(cctx.value "lua.x" == nil)
  local ctx = cctx.current():with_value("lua.x", 2)
  assert(ctx:run(function() return var:get() end) == 1)
end)

test("misuse of a variable is refused", function()
  local function fails(words, f, ...)
    local ok, err = pcall(f, ...)
    assert(not ok and err:find(words, 1, true), err)
  end
  local var = cctx.var "x"
  fails("string expected, got no value", cctx.var)
  fails("string expected, got number", cctx.var, 1)
  fails("value expected", var.set, var)
  fails("cctx.Var expected, got table", var.get, {})
  fails("function expected, got nil", var.with, var, 1, nil)
  assert(var:get() == nil)
end)
