-- SPDX-License-Identifier: Apache-2.0
-- The handlers of worker.py: plain sequential Lua, each request a coroutine, which waits by
-- yielding to Python's event loop.
--
-- Either language may be outside. This file starts a Python and serves:
--   lua5.4 worker.lua
-- and so does worker.py, which starts a Lua.
local cctx = require "cctx"
local audit = require "audit"

-- Both languages, and C below them, must agree at each switch on whose request this is.
local function check(number)
  local c = audit.line("seen"):match("trace=(%S+)")
  if cctx.value "trace_id" ~= number or c ~= number then
    error(("%s: Lua sees %s, C sees %s"):format(number, cctx.value "trace_id", c))
  end
end

-- Wait for what the event loop answers to `what`: "ask", "price" or "stock", and more.
local function await(number, what)
  check(number)
  local answer = coroutine.yield(what)
  check(number)
  return answer
end

local function handle(number)
  check(number)
  local many = tonumber(await(number, "ask how many?"))
  local price = await(number, "price " .. cctx.metadata "tenant")
  for i = 1, many do
    if not await(number, "stock " .. i) then return "sold out after " .. i - 1 end
  end
  local total = cctx.create(function() -- it inherits the request
    check(number)
    coroutine.yield(many * price)
    check(number)
  end)
  local _, sum = cctx.resume(total)
  check(number)
  assert(cctx.resume(total))
  return ("%s pays %d"):format(cctx.metadata "tenant", sum)
end

local running = {}

-- Let the handler of request `number` go on with `value`: what it waits for, or
-- "answer" and its answer. Called by Python, under the context of the request.
local function step(number, value)
  check(number)
  local co = running[number]
  if not co then
    co = cctx.create(handle) -- for as long as it runs, it works for this request
    running[number] = co
    value = number
  end
  local ok, said = cctx.resume(co, value)
  check(number)
  if coroutine.status(co) ~= "dead" then return said end
  running[number] = nil
  if not ok then error(said, 0) end
  return "answer " .. said
end

if not arg then return step end -- loaded by worker.py

require "python"
require "bridge".python("worker", "serve", step)
print("contexts alive: " .. cctx.alive())
