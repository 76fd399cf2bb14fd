-- SPDX-License-Identifier: Apache-2.0
-- Values in Lua: what can be stored, how it is read, who hides whom.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()

local function fails(words, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "no error was raised")
  assert(tostring(err):find(words, 1, true), tostring(err))
end

test("S6: the nearest value wins and a stored nil is no absence", function()
  local outer = background:with_value("lua.k", "outer")
  local inner = outer:with_value("lua.k", "inner")
  local none = inner:with_value("lua.k", nil)
  assert(outer:value "lua.k" == "outer" and inner:value "lua.k" == "inner")
  local value, found = none:value "lua.k"
  assert(value == nil and found == true)
  value, found = background:value "lua.k"
  assert(value == nil and found == false)
end)

test("S7: a key is known by its name alone", function()
  local name = table.concat { "lua.", "tenant" }
  local ctx = background:with_value(name, "acme")
  assert(ctx:value "lua.tenant" == "acme")
  ctx:run(function() assert(cctx.value "lua.tenant" == "acme") end)
end)

test("S8: a detached context keeps its values", function()
  local parent = background:with_value("lua.k", 1):with_cancel():with_value("lua.l", "x")
  local free = parent:detached()
  assert(free:value "lua.k" == 1 and free:value "lua.l" == "x")
end)

test("every type that can be stored comes back as it was", function()
  for _, value in ipairs { true, false, 0, -1, test.maxinteger, -test.maxinteger, 0.5, -0.0,
                           math.huge, "", "text", "with\0nul", ("x"):rep(100000) } do
    local ctx = background:with_value("lua.k", value)
    local got, found = ctx:value "lua.k"
    assert(found and got == value and test.kind(got) == test.kind(value))
  end
  local minus_zero = -1 / math.huge
  assert(1 / background:with_value("lua.k", minus_zero):value "lua.k" == -math.huge)
  local nan = background:with_value("lua.k", 0 / 0):value "lua.k"
  assert(nan ~= nan)
end)

test("several values make one context", function()
  local before = cctx.alive()
  local ctx = background:with_values { ["lua.a"] = 1, ["lua.b"] = "two", ["lua.c"] = false }
  assert(cctx.alive() == before + 1)
  assert(ctx:value "lua.a" == 1 and ctx:value "lua.b" == "two")
  local value, found = ctx:value "lua.c"
  assert(value == false and found)
  assert(background:with_values {}:value "lua.a" == nil)
end)

test("what belongs to Lua alone is refused with advice", function()
  local ctx = background:with_cancel()
  for _, value in ipairs { {}, print, coroutine.create(function() end), io.stdout } do
    fails("keep anything else in a local", ctx.with_value, ctx, "lua.k", value)
    fails("value 'lua.k' is a " .. type(value), ctx.with_values, ctx, { ["lua.k"] = value })
  end
end)

test("an impossible name is refused when storing", function()
  local ctx = background:with_cancel()
  fails("1 to 255 characters", ctx.with_value, ctx, "", 1)
  fails("1 to 255 characters", ctx.with_value, ctx, ("x"):rep(256), 1)
  fails("no NUL", ctx.with_value, ctx, "lua.k\0l", 1)
  fails("must be a string, not a number", ctx.with_value, ctx, 1, 1)
  fails("must be a string, not a number", ctx.with_values, ctx, { 1 })
  fails("value expected", ctx.with_value, ctx, "lua.k")
end)

test("a bad entry stores no other and adds no name", function()
  local ctx = background:with_cancel()
  local before = cctx.alive()
  for _ = 1, 20 do
    fails("is a table", ctx.with_values, ctx, { ["lua.a"] = 1, ["lua.bad"] = {} })
  end
  test.collect()
  assert(cctx.alive() <= before)
end)

test("a name is whole: what follows a NUL is not cut off", function()
  local ctx = background:with_value("lua.k", 1)
  local value, found = ctx:value "lua.k\0l"
  assert(value == nil and found == false)
end)

test("reading never adds a name", function()
  for i = 1, 5000 do assert(background:value("lua.unknown." .. i) == nil) end
  assert(background:with_value("lua.after", 1):value "lua.after" == 1)
end)

test("a name that is no string is refused when reading", function()
  fails("string expected, got number", background.value, background, 1)
  fails("string expected, got no value", cctx.value)
end)
