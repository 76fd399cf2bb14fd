-- SPDX-License-Identifier: Apache-2.0
-- Metadata in Lua: scopes, budgets, and what is refused.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()

local function fails(words, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "no error was raised")
  assert(tostring(err):find(words, 1, true), tostring(err))
end

test("S9: look-up asks hop, then request, then upstream", function()
  local up = background:with_metadata("m", "u", "upstream")
  assert(up:metadata "m" == "u")
  assert(up:with_metadata("m", "r"):metadata "m" == "r")
  assert(up:with_metadata("m", "h", "hop"):metadata "m" == "h")
end)

test("S9: setting in one scope removes from the others", function()
  local ctx = background:with_metadata("m", "u", "upstream"):with_metadata("m", "h", "hop")
  local pairs_now = ctx:metadata_pairs()
  assert(#pairs_now == 1 and pairs_now[1].scope == "hop" and pairs_now[1].value == "h")
  pairs_now = ctx:with_metadata("m", "r"):metadata_pairs()
  assert(#pairs_now == 1 and pairs_now[1].scope == "request")
end)

test("S10: over a budget is an error and loses nothing", function()
  local ctx = background:with_metadata("first", "1")
  fails("'big' is over a budget", ctx.with_metadata, ctx, "big", ("x"):rep(16385))
  for i = 2, 256 do ctx = ctx:with_metadata("n" .. i, "") end
  fails("'one-more' is over a budget", ctx.with_metadata, ctx, "one-more", "")
  assert(#ctx:metadata_pairs() == 256 and ctx:metadata "first" == "1")
  assert(ctx:with_metadata("first", "2"):metadata "first" == "2")
end)

test("S8: a detached context keeps its metadata", function()
  local free = background:with_metadata("m", "1", "hop"):with_cancel():detached()
  assert(free:metadata "m" == "1" and free:metadata_pairs()[1].scope == "hop")
end)

test("a scope is request unless said", function()
  local ctx = background:with_metadata("m", "1"):with_metadata({ n = "2" })
  for _, pair in ipairs(ctx:metadata_pairs()) do assert(pair.scope == "request") end
end)

test("a table sets many in one context", function()
  local before = cctx.alive()
  local ctx = background:with_metadata({ a = "1", b = "2" }, "hop")
  assert(cctx.alive() == before + 1)
  assert(ctx:metadata "a" == "1" and ctx:metadata "b" == "2")
  assert(ctx:metadata_pairs()[2].scope == "hop")
  assert(#background:with_metadata {}:metadata_pairs() == 0)
end)

test("a list keeps its order and scopes", function()
  local list = {
    { name = "c", value = "3", scope = "upstream" },
    { name = "a", value = "1" },
    { name = "b", value = "with\0nul", scope = "request" },
  }
  local ctx = background:with_metadata(list, "hop")
  local again = background:with_metadata(ctx:metadata_pairs())
  for _, got in ipairs { ctx:metadata_pairs(), again:metadata_pairs() } do
    assert(#got == 3)
    for i, pair in ipairs(got) do
      assert(pair.name == list[i].name and pair.value == list[i].value)
      assert(pair.scope == (list[i].scope or "hop"))
    end
  end
end)

test("absence is nil", function()
  assert(background:metadata "m" == nil)
  assert(background:with_metadata("m", ""):metadata "m" == "")
  assert(background:with_metadata("m", "1"):metadata "m\0n" == nil)
end)

test("case matters in a name", function()
  assert(background:with_metadata("Tenant", "acme"):metadata "tenant" == nil)
end)

test("the current metadata is read without the context", function()
  background:with_metadata("m", "1"):run(function() assert(cctx.metadata "m" == "1") end)
  assert(cctx.metadata "m" == nil)
end)

test("a name that no carrier can express is refused by name", function()
  local ctx = background:with_cancel()
  for _, name in ipairs { "a b", "a:b", "ü", ("x"):rep(256), "a\0b" } do
    fails("no HTTP token", ctx.with_metadata, ctx, name, "1")
    fails("no HTTP token", ctx.with_metadata, ctx, { good = "1", [name] = "1" })
  end
  fails("metadata '' has a name that is no HTTP token", ctx.with_metadata, ctx, "", "1")
  fails("metadata 'a b'", ctx.with_metadata, ctx,
        { { name = "good", value = "1" }, { name = "a b", value = "2" } })
end)

test("what is no pair of strings is refused by name", function()
  local ctx = background:with_cancel()
  fails("'m' has a value that is not a string", ctx.with_metadata, ctx, "m", 1)
  fails("'m' has a value that is not a string", ctx.with_metadata, ctx, "m")
  fails("'m' has a value that is not a string", ctx.with_metadata, ctx, { m = {} })
  fails("must be a string, not a number", ctx.with_metadata, ctx, 1, "1")
  fails("must be a string, not a boolean", ctx.with_metadata, ctx, { [true] = "1" })
  fails("must be a string, not a nil", ctx.with_metadata, ctx, { { value = "1" } })
  fails("not a string", ctx.with_metadata, ctx, { "m" })
  fails("no other keys", ctx.with_metadata, ctx, { { name = "m", value = "1" }, n = "2" })
end)

test("an unknown scope is refused with the known ones", function()
  local ctx = background:with_cancel()
  fails('use "hop", "request" or "upstream"', ctx.with_metadata, ctx, "m", "1", "baggage")
  fails('use "hop", "request" or "upstream"', ctx.with_metadata, ctx, { m = "1" }, "Hop")
  fails('use "hop", "request" or "upstream"', ctx.with_metadata, ctx, "m", "1", 2)
end)

-- ---- Scopes, and taking out ----

local function in_three_scopes()
  return background:with_metadata {
    { name = "h", value = "1", scope = "hop" },
    { name = "r", value = "2" },
    { name = "u", value = "3", scope = "upstream" },
    { name = "h2", value = "4", scope = "hop" },
  }
end

local function names(list)
  local all = {}
  for i, pair in ipairs(list) do all[i] = pair.name end
  return table.concat(all, " ")
end

test("S45: the scope of a name is told, and one scope alone can be asked", function()
  local ctx = in_three_scopes()
  assert(ctx:metadata_scope "h" == "hop" and ctx:metadata_scope "r" == "request")
  assert(ctx:metadata_scope "u" == "upstream" and ctx:metadata_scope "none" == nil)
  assert(ctx:metadata_scope "h\0" == nil and ctx:metadata_scope "" == nil)
  assert(ctx:metadata("h", "hop") == "1" and ctx:metadata("h", "request") == nil)
  assert(ctx:metadata("h", nil) == "1" and ctx:metadata("none", "hop") == nil)
  ctx = ctx:with_metadata("h", "5")
  assert(ctx:metadata("h", "hop") == nil and ctx:metadata("h", "request") == "5")
end)

test("pairs of one scope", function()
  local ctx = in_three_scopes()
  assert(names(ctx:metadata_pairs "hop") == "h h2")
  assert(names(ctx:metadata_pairs "upstream") == "u")
  assert(names(ctx:metadata_pairs(nil)) == "h r u h2")
  assert(#background:metadata_pairs "hop" == 0)
end)

test("an unknown scope is refused by every reader", function()
  local ctx = in_three_scopes()
  fails('use "hop", "request" or "upstream"', ctx.metadata, ctx, "h", "Hop")
  fails('use "hop", "request" or "upstream"', ctx.metadata, ctx, "h", 1)
  fails('use "hop", "request" or "upstream"', ctx.metadata_pairs, ctx, "stale")
  fails('use "hop", "request" or "upstream"', cctx.metadata_pairs, "stale")
end)

test("S46: a name is taken out of whatever scope", function()
  local ctx = in_three_scopes()
  assert(names(ctx:without_metadata("h"):metadata_pairs()) == "r u h2")
  assert(names(ctx:without_metadata("r"):metadata_pairs()) == "h u h2")
  assert(names(ctx:without_metadata("u", "h"):metadata_pairs()) == "r h2")
  assert(ctx:without_metadata("h"):metadata_scope "h" == nil)
  assert(names(ctx:metadata_pairs()) == "h r u h2")
end)

test("without all names there is no metadata", function()
  local ctx = in_three_scopes():without_metadata("h", "u", "absent", "r", "h2", "h")
  assert(#ctx:metadata_pairs() == 0)
  assert(names(ctx:with_metadata("r", "1"):metadata_pairs()) == "r")
  assert(#ctx:without_metadata():metadata_pairs() == 0)
end)

test("a name that cannot be is not taken out", function()
  local ctx = in_three_scopes()
  fails("metadata 'a b' has a name", ctx.without_metadata, ctx, "h", "a b")
  fails("metadata 'h' has a name", ctx.without_metadata, ctx, "h\0")
  fails("metadata '' has a name", ctx.without_metadata, ctx, "")
  fails("string expected", ctx.without_metadata, ctx, "h", {})
  assert(names(ctx:metadata_pairs()) == "h r u h2")
end)

test("siblings do not see each other", function()
  local parent = background:with_metadata("a", "1")
  local left, right = parent:with_metadata("b", "2"), parent:with_metadata("c", "3")
  assert(names(left:metadata_pairs()) == "a b" and names(right:metadata_pairs()) == "a c")
end)

test("flat readers know scopes", function()
  in_three_scopes():run(function()
    assert(cctx.metadata_scope "h" == "hop" and cctx.metadata("h", "request") == nil)
    assert(names(cctx.metadata_pairs "upstream") == "u")
    assert(names(cctx.metadata_pairs()) == "h r u h2")
  end)
  assert(cctx.metadata_scope "h" == nil and #cctx.metadata_pairs() == 0)
end)
