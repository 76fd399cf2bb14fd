-- SPDX-License-Identifier: Apache-2.0
-- A request handler: each step down the chain tells what it sees, without being told.
--
-- server (C) -> this handler -> C extension -> Python -> Lua coroutine -> asyncio task

local bridge = require "bridge"
local cctx = require "cctx"

local function row(where, saw)
  return table.concat({
    where,
    tostring(saw.tenant),
    tostring(saw.user),
    tostring(saw.trace_id),
    ("%.9f"):format(saw.remaining or math.huge),
  }, "\t")
end

local function here()
  return {
    tenant = cctx.metadata "tenant",
    user = cctx.metadata "user",
    trace_id = (cctx.value "trace_id"),
    remaining = cctx.remaining(),
  }
end

-- Python calls this in a coroutine of its own.
local function in_coroutine()
  local mine = row("Lua\tcoroutine called by Python", here())
  return mine .. "\n" .. bridge.python("steps", "in_task", in_coroutine)
end

return function()
  local rows = {
    row("C\tserver's worker, on arrival", bridge.seen()),
    row("Lua\trequest handler", here()),
    row("C\textension called by Lua", bridge.seen()),
    bridge.python("steps", "in_python", in_coroutine),
  }
  return table.concat(rows, "\n") .. "\n"
end
