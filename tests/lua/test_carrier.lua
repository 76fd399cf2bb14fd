-- SPDX-License-Identifier: Apache-2.0
-- Carriers in Lua: tables of strings, policies, and what is no string.

local cctx = require "cctx"
local test = require "check"

local trace_id = "0af7651916cd43dd8448eb211c80319c"
local traceparent = "00-" .. trace_id .. "-b7ad6b7169203331-01"
local background = cctx.background()

local function with_clock(f)
  return function()
    cctx.testing.clock_set(1000)
    f(cctx.extract({ traceparent = traceparent, baggage = "tenant=acme" })
      :with_metadata("attempt", "2", "hop"):with_timeout(2))
    cctx.testing.clock_set(nil)
  end
end

local function fails(message, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok and tostring(err):find(message, 1, true), tostring(err))
end

local function size(t)
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  return n
end

test("S51: what is injected is extracted", with_clock(function(ctx)
  local again = cctx.extract(cctx.inject({}, ctx))
  assert(again:value "trace_id" == trace_id and again:metadata "tenant" == "acme")
  assert(#again:metadata_pairs() == 1 and again:deadline() == ctx:deadline())
end))

test("S52: what was for one hop is upstream, and goes no further", with_clock(function(ctx)
  local fields = cctx.inject({}, ctx, "metainfo-map")
  assert(fields.RPC_TRANSIT_attempt == "2" and fields.RPC_PERSIST_tenant == "acme")
  local there = cctx.extract(fields, nil, "metainfo-map")
  for _, pair in ipairs(there:metadata_pairs()) do
    assert(pair.scope == (pair.name == "attempt" and "upstream" or "request"))
  end
  fields = cctx.inject({}, there, "metainfo-map")
  assert(size(fields) == 1 and fields.RPC_PERSIST_tenant == "acme")
end))

test("S53: a context that is done is not injected", with_clock(function(ctx)
  local carrier = { baggage = "a=1" }
  ctx = ctx:with_cancel()
  ctx:cancel "enough"
  local ok, err = pcall(cctx.inject, carrier, ctx)
  assert(not ok and err.code == "canceled" and err.message == "enough")
  fails("deadline_exceeded", cctx.inject, carrier, background:with_timeout(-1))
  assert(size(carrier) == 1 and carrier.baggage == "a=1")
  assert(cctx.inject(carrier, ctx:detached()).baggage == "tenant=acme")
end))

test("S54: what another request left is removed", function()
  local carrier = { Traceparent = traceparent, BAGGAGE = { "a=1" }, Accept = "x" }
  cctx.inject(carrier, background)
  assert(size(carrier) == 1 and carrier.Accept == "x")
end)

test("S55: a policy lists and renames, and counts the others", function()
  local policy = cctx.policy {
    allow = { "org", "app-*" }, send = { "org" }, rename = { t = "org" },
  }
  local here = cctx.extract({ baggage = "t=acme,user=ada,app-x=1" }, nil, policy)
  assert(here:metadata "org" == "acme" and here:metadata "app-x" == "1")
  assert(#here:metadata_pairs() == 2)
  local sent = cctx.inject({}, here, policy)
  assert(size(sent) == 1 and sent.baggage == "t=acme")
  local counts = policy:counts()
  assert(counts.not_allowed == 1 and counts.withheld == 1 and counts.malformed == 0)
end)

test("the current context is injected", with_clock(function(ctx)
  assert(ctx:run(function() return cctx.inject({}).baggage end) == "tenant=acme")
  assert(next(cctx.inject({})) == nil)
end))

test("a parent is derived from", with_clock(function(ctx)
  local child = cctx.extract({ baggage = "user=ada", ["grpc-timeout"] = "1H" }, ctx)
  assert(child:metadata "tenant" == "acme" and child:metadata "user" == "ada")
  assert(child:deadline() == ctx:deadline())
end))

test("what is no string is no field", function()
  local policy = cctx.policy()
  local odd = { baggage = 5, [5] = "x", [true] = "y", x = print, y = { 1, {} }, z = {} }
  local ctx = cctx.extract(odd, nil, policy)
  assert(#ctx:metadata_pairs() == 0)
  for _, count in pairs(policy:counts()) do assert(count == 0) end
end)

test("hostile strings are counted and harmless", function()
  for _, value in ipairs { "\0", "a=1,\0", "\255\254", ("x"):rep(2 ^ 20) } do
    local policy = cctx.policy()
    cctx.extract({ baggage = value, [value] = "x" }, nil, policy)
    local counts = policy:counts()
    assert(counts.malformed + counts.too_big == 1)
  end
end)

test("a large carrier is bounded", function()
  local carrier, policy = { baggage = ("k=v,"):rep(100000) }, cctx.policy()
  for i = 1, 20000 do carrier["x" .. i] = "y" end
  assert(#cctx.extract(carrier, nil, policy):metadata_pairs() == 0)
  assert(policy:counts().too_big >= 1)
  assert(cctx.inject(carrier, background) == carrier)
end)

test("all metadata of a context fits in a carrier", function()
  local ctx = background
  for i = 1, 250 do
    ctx = ctx:with_metadata(("n%03d_"):format(i) .. ("X"):rep(20), ("\n"):rep(30))
  end
  local policy = cctx.policy { read = { "cctx-metadata" }, write = { "cctx-metadata" } }
  local again = cctx.extract(cctx.inject({}, ctx, policy), nil, policy)
  assert(#again:metadata_pairs() == 250)
  assert(again:metadata("n250_" .. ("X"):rep(20)) == ("\n"):rep(30))
end)

test("a policy outlives what it was made of", function()
  local policy
  do
    local name = ("te"):rep(2) .. math.random(10 ^ 9)
    policy = cctx.policy { allow = { name .. "*" }, rename = { ["x" .. name] = name } }
  end
  for _ = 1, 5 do
    collectgarbage()
    local _ = ("junk"):rep(math.random(100))
  end
  assert(#cctx.extract({ baggage = "a=1,b=2" }, nil, policy):metadata_pairs() == 0)
end)

test("bad input is told", function()
  fails("table expected", cctx.extract, 5)
  fails("cctx.Context expected", cctx.extract, {}, 5)
  fails("cctx.Policy or the word for a format expected", cctx.extract, {}, nil, 5)
  fails("no format 'htpp': it is http", cctx.extract, {}, nil, "htpp")
  fails("table expected", cctx.inject, "x")
  fails("cctx.Context expected", cctx.inject, {}, 5)
  fails("no format '?'", cctx.policy, 5)
  fails("no format 'x'", cctx.policy, { format = "x" })
  fails("unknown option 'colour'", cctx.policy, { colour = 1 })
  fails("unknown option '?'", cctx.policy, { 1 })
  fails("option 'read' has no field 'x'", cctx.policy, { read = { "x" } })
  fails("option 'write' must be a table, not a string", cctx.policy, { write = "baggage" })
  fails("option 'allow' has a number where a string is due", cctx.policy, { allow = { 5 } })
  fails("option 'allow' must be a list of strings", cctx.policy, { allow = { x = "y" } })
  fails("option 'send' has a string with a NUL in it", cctx.policy, { send = { "a\0" } })
  fails("option 'rename' has a number", cctx.policy, { rename = { a = 5 } })
  fails("option 'timeout_max' must be more than 0", cctx.policy, { timeout_max = 0 })
  fails("option 'timeout_min' must be seconds", cctx.policy, { timeout_min = "x" })
  fails("option 'pairs_max' must be an integer over 0", cctx.policy, { pairs_max = 0 })
  fails("option 'direction' must be forward", cctx.policy, { direction = "back" })
  fails("option 'timeout_field' has a nil where", cctx.policy, { timeout_field = {} })
  fails("a unit from 1 ns to an hour", cctx.policy, { timeout_field = { name = "x" } })
end)

test("no cap can be said", function()
  cctx.testing.clock_set(1000)
  local carrier = { ["grpc-timeout"] = "1H" }
  assert(cctx.extract(carrier, nil, "stranger"):remaining() == 30)
  local policy = cctx.policy { format = "stranger", timeout_max = math.huge }
  assert(cctx.extract(carrier, nil, policy):remaining() == 3600)
  cctx.testing.clock_set(nil)
end)

test("a list with holes ends at the first", function()
  local list = { "a=1" }
  for i = 2, 62 do list[2 ^ i] = "b=" .. i end
  local ctx = cctx.extract { baggage = list }
  assert(ctx:metadata "a" == "1" and #ctx:metadata_pairs() == 1)
end)
