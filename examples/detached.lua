-- SPDX-License-Identifier: Apache-2.0
-- Work that outlives its request: a detached context keeps the values and nothing else.
--
-- The same program as detached.c: cctx run examples/detached.lua

local cctx = require "cctx"

local function report(who, ctx)
  local deadline = ctx:deadline()
  print(("%s: %s, %s, one-key=%s, two-key=%s"):format(
    who, deadline and ("deadline %.3f"):format(deadline) or "no deadline",
    ctx:err() or "no error", (ctx:value "one-key"), (ctx:value "two-key")))
end

local function handle()
  local original = cctx.current()
  local detached = original:detached()
  local until_ = cctx.now() + 0.002
  while cctx.now() < until_ do end -- plain Lua has no sleep
  report("DETACHED", detached)
  report("ORIGINAL", original)
end

local function with_deadline()
  cctx.current():with_timeout(0.001):run(handle)
end

local function middleware_two()
  cctx.current():with_value("two-key", "two-value"):run(with_deadline)
end

local function middleware_one()
  cctx.current():with_value("one-key", "one-value"):run(middleware_two)
end

middleware_one()
