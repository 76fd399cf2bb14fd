-- SPDX-License-Identifier: Apache-2.0
-- Responses in Lua: metadata that goes back to the caller.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()

local function fails(words, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "no error was raised")
  assert(tostring(err):find(words, 1, true), tostring(err))
end

-- "a=1 b=2": all that is in the response now.
local function all_of(ctx)
  local all = {}
  for i, pair in ipairs(ctx:response():metadata_pairs()) do
    assert(pair.scope == "hop")
    all[i] = pair.name .. "=" .. pair.value
  end
  return table.concat(all, " ")
end

local function served(f)
  cctx.request({ response = true }, function() f(cctx.current()) end)
end

local function refused(why, taken, word) assert(taken == false and word == why, word) end

test("S41: a handler sets what the host reads", function()
  served(function(ctx)
    assert(all_of(ctx) == "")
    assert(cctx.response_set("cost", "3") == true)
    ctx:with_timeout(1):run(function()
      local list = { { name = "shard", value = "eu" }, { name = "cost", value = "4" } }
      assert(cctx.response_set(list))
    end)
    assert(ctx:response_set { more = "5" })
    assert(all_of(ctx) == "cost=4 shard=eu more=5" and all_of(cctx) == all_of(ctx))
    assert(#ctx:metadata_pairs() == 0)
  end)
end)

test("where nobody takes a response none is set", function()
  refused("not_found", cctx.response_set("a", "1"))
  refused("not_found", background:with_response():response_set("a", "1"))
  refused("not_found", background:response_receive { a = "1" })
  cctx.request(function() refused("not_found", cctx.response_set("a", "1")) end)
end)

test("S42: what is received never mixes with what is set", function()
  served(function(ctx)
    refused("not_found", ctx:response_receive("inner", "0"))
    local call = ctx:with_response()
    call:run(function()
      assert(cctx.response_receive("inner", "1"))
      assert(cctx.response_set("own", "2"))
    end)
    assert(all_of(call) == "inner=1" and all_of(ctx) == "own=2")
  end)
end)

test("S42: two calls never mix", function()
  local one, two = background:with_response(), background:with_response()
  local within = one:with_cancel():with_response()
  assert(one:response_receive("from", "1") and two:response_receive("from", "2"))
  assert(within:response_receive("from", "3"))
  assert(all_of(one) == "from=1" and all_of(two) == "from=2" and all_of(within) == "from=3")
end)

test("a request inside another finds only its own", function()
  served(function(outer)
    cctx.request({ parent = outer:with_response() }, function()
      refused("not_found", cctx.response_set("a", "1"))
      refused("not_found", cctx.response_receive("a", "1"))
    end)
    served(function() assert(cctx.response_set("a", "1")) end)
    assert(all_of(outer) == "")
  end)
end)

test("S43: late pairs go nowhere, and are told so", function()
  local kept, call
  served(function(ctx)
    kept, call = ctx:with_cancel(), ctx:with_response()
    assert(kept:response_set("in", "time"))
  end)
  served(function(ctx)
    refused("stale", kept:response_set("late", "1"))
    refused("stale", call:response_receive("late", "1"))
    assert(all_of(ctx) == "")
  end)
  assert(all_of(kept) == "in=time")
end)

test("S43: an ended response is read and not set", function()
  served(function(ctx)
    assert(ctx:response_set("a", "1"))
    assert(ctx:response_end() == true and ctx:response_end() == false)
    refused("stale", ctx:response_set("a", "2"))
    assert(all_of(ctx) == "a=1")
    fails("no response of its own", ctx.response_end, ctx:with_cancel())
    fails("no response of its own", ctx.response_end, background)
  end)
end)

test("S44: answers merge as the caller wants", function()
  local expected = { last = "a=3 b=2", first = "a=1 b=2", append = "a=1, 3 b=2" }
  for policy, what in pairs(expected) do
    local call = background:with_response(policy)
    assert(call:response_receive("a", "1"))
    local list = { { name = "b", value = "2" }, { name = "a", value = "3" } }
    assert(call:response_receive(list))
    assert(all_of(call) == what)
  end
  fails("invalid option 'newest'", background.with_response, background, "newest")
end)

test("bad pairs are refused by name and change nothing", function()
  local call = background:with_response "append"
  assert(call:response_receive("a", "1"))
  fails("'a b' has a name", call.response_receive, call, { a = "2", ["a b"] = "3" })
  fails("'a' is over a budget", call.response_receive, call, "a", ("x"):rep(16384))
  fails("'a' has a value that is not a string", call.response_receive, call, "a", 1)
  fails("'a' has a value that is not a string", call.response_receive, call, "a")
  fails("must be a string", cctx.response_set)
  assert(all_of(call) == "a=1")
end)

test("what was read stays as it was", function()
  local call = background:with_response()
  assert(call:response_receive("a", "1"))
  local read = call:response()
  assert(call:response_receive("a", "2"))
  assert(read:metadata "a" == "1" and read:deadline() == nil)
end)

test("a detached context has no response", function()
  served(function(ctx) refused("not_found", ctx:detached():response_set("a", "1")) end)
end)

test("an option of a request that is misspelled is refused", function()
  fails("parent and response", cctx.request, { responses = true }, function() end)
end)
