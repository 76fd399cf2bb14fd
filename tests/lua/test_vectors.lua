-- SPDX-License-Identifier: Apache-2.0
-- The vectors of tests/vectors: what each field means, and how it is written.

local cctx = require "cctx"
local test = require "check"
local json = require "json"

local files = { "traceparent", "tracestate", "baggage", "b3", "timeouts", "metainfo",
                "cctx-metadata", "environment", "queue", "precedence" }
local trace = { "trace_id", "span_id", "trace_flags", "tracestate" }

local function read(name)
  local file = assert(io.open("tests/vectors/" .. name .. ".json"))
  local text = file:read "*a"
  file:close()
  return json(text)
end

local function to_policy(options)
  local field = options.timeout_field
  if field then
    options.timeout_field = { name = field[1], unit = field[2], decimals = field[3] }
  end
  return cctx.policy(options)
end

local function to_context(said)
  local ctx = cctx.background():with_values(said.values or {})
  for _, pair in ipairs(said.metadata or {}) do
    ctx = ctx:with_metadata(pair[1], pair[2], pair[3])
  end
  return said.timeout and ctx:with_timeout(said.timeout) or ctx
end

local function equal(got, expected, what)
  for name, value in pairs(expected) do
    local said = ("%s of %s is %s, not %s"):format(what, name, got[name], value)
    assert(got[name] == value, said)
  end
  for name, value in pairs(got) do
    assert(expected[name] ~= nil, ("%s has %s = %s"):format(what, name, value))
  end
end

local function counted(policy)
  local counts = policy:counts()
  for name, count in pairs(counts) do
    if count == 0 then counts[name] = nil end
  end
  return counts
end

local function check_metadata(ctx, expected)
  local got, wanted = {}, {}
  for _, pair in ipairs(ctx:metadata_pairs()) do
    local scope = type(expected[pair.name]) == "table" and pair.scope or ""
    got[pair.name] = scope .. ":" .. pair.value
  end
  for name, one in pairs(expected) do
    wanted[name] = type(one) == "table" and one[2] .. ":" .. one[1] or ":" .. one
  end
  equal(got, wanted, "metadata")
end

local function check_reading(vector, policy)
  local ctx, gives = cctx.extract(vector.extract, nil, policy), vector.gives
  if gives.values then
    local values = {}
    for _, name in ipairs(trace) do values[name] = (ctx:value(name)) end
    equal(values, gives.values, "the values")
  end
  if gives.metadata then check_metadata(ctx, gives.metadata) end
  local remaining, expected = ctx:remaining(), gives.remaining
  assert((remaining == nil) == (expected == nil), "whether there is a deadline")
  local near = not expected or math.abs(remaining - expected) <= 2e-9 + expected * 1e-9
  assert(near, remaining)
  if gives.counts then equal(counted(policy), gives.counts, "the counts") end
end

local function check_writing(vector, policy)
  local carrier = vector.into or {}
  assert(cctx.inject(carrier, to_context(vector.context), policy) == carrier)
  equal(carrier, vector.inject, "the carrier")
  equal(counted(policy), vector.counts or {}, "the counts")
end

for _, name in ipairs(files) do
  test(name .. ": every vector holds", function()
    local vectors = read(name).vectors
    assert(#vectors > 5)
    cctx.testing.clock_set(1000)
    for _, vector in ipairs(vectors) do
      local policy = to_policy(vector.policy or {})
      local check = vector.extract and check_reading or check_writing
      local ok, why = pcall(check, vector, policy)
      assert(ok, vector.name .. ": " .. tostring(why))
    end
    cctx.testing.clock_set(nil)
  end)
end
