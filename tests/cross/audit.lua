-- SPDX-License-Identifier: Apache-2.0
-- Three requests, run in the way that is named, write to libaudit from three calls below:
--   lua5.4 audit.lua WAY LOG
local cctx = require "cctx"
local audit = require "audit"

local EVENTS = { "begun", "half way", "done" }
local REQUESTS = {
  { "r1", "acme", 1.5 }, { "r2", "globex", 20.25 }, { "r3", "initech", 300 },
}

local function contexts()
  local made = {}
  for i, r in ipairs(REQUESTS) do
    made[i] = cctx.background():with_metadata("tenant", r[2]):with_value("trace_id", r[1])
      :with_timeout(r[3])
  end
  return made
end

-- ---- The layers between a handler and the library ----

local function save(event) assert(audit.write(event)) end

local Order = {}
function Order.__newindex(_, _, event) save(event) end

local function handle()
  local order = setmetatable({}, Order)
  for _, event in ipairs(EVENTS) do order.state = event end
end

local function handle_in_turns()
  local order = setmetatable({}, Order)
  for _, event in ipairs(EVENTS) do
    coroutine.yield()
    order.state = event
  end
end

-- One turn for each, until all have ended.
local function take_turns(coroutines, resume)
  local left = #coroutines
  while left > 0 do
    for _, co in ipairs(coroutines) do
      if coroutine.status(co) ~= "dead" then
        assert(resume(co))
        if coroutine.status(co) == "dead" then left = left - 1 end
      end
    end
  end
end

-- ---- Ways ----

local ways = {}

function ways.on_the_main_thread()
  for _, ctx in ipairs(contexts()) do ctx:run(handle) end
end

function ways.in_each_other()
  local function begin(todo, i)
    if not todo[i] then return end
    todo[i]:run(function()
      save(EVENTS[1])
      begin(todo, i + 1)
      save(EVENTS[2])
      save(EVENTS[3])
    end)
  end
  begin(contexts(), 1)
end

function ways.in_coroutines_made_under_each()
  local made = {}
  for i, ctx in ipairs(contexts()) do made[i] = ctx:run(cctx.create, handle_in_turns) end
  take_turns(made, cctx.resume)
end

function ways.in_coroutines_that_run_under_each()
  local made = {}
  for i, ctx in ipairs(contexts()) do
    made[i] = cctx.create(function() ctx:run(handle_in_turns) end)
  end
  take_turns(made, cctx.resume)
end

-- Who resumes works for another request, each time for another one.
function ways.resumed_by_the_others()
  local made, whose = {}, contexts()
  for i, ctx in ipairs(whose) do made[i] = ctx:run(cctx.create, handle_in_turns) end
  local turn = 0
  take_turns(made, function(co)
    turn = turn + 1
    return whose[turn % 3 + 1]:run(cctx.resume, co)
  end)
end

function ways.in_wrapped_coroutines()
  local made = {}
  for i, ctx in ipairs(contexts()) do made[i] = ctx:run(cctx.wrap, handle_in_turns) end
  for _ = 1, #EVENTS + 1 do
    for _, step in ipairs(made) do step() end
  end
end

function ways.in_coroutines_of_coroutines()
  local made = {}
  for i, ctx in ipairs(contexts()) do
    made[i] = cctx.create(function()
      ctx:run(function()
        local inner = cctx.create(handle_in_turns)
        repeat
          assert(cctx.resume(inner))
          coroutine.yield()
        until coroutine.status(inner) == "dead"
      end)
    end)
  end
  take_turns(made, cctx.resume)
end

function ways.in_plain_coroutines_after_install()
  cctx.install()
  local made = {}
  for i, ctx in ipairs(contexts()) do
    made[i] = ctx:run(coroutine.create, handle_in_turns)
  end
  take_turns(made, coroutine.resume)
end

function ways.in_functions_that_were_bound()
  local bound = {}
  for i, ctx in ipairs(contexts()) do bound[i] = ctx:run(cctx.bind, save) end
  for _, event in ipairs(EVENTS) do
    for _, f in ipairs(bound) do f(event) end
  end
end

-- Called by C code of Lua, which calls back.
function ways.below_the_library_of_lua()
  for _, ctx in ipairs(contexts()) do
    ctx:run(function()
      pcall(save, EVENTS[1])
      string.gsub("x", "x", function() save(EVENTS[2]) end)
      table.sort({ 1, 2 }, function(a, b) save(EVENTS[3]) return a < b end)
    end)
  end
end

function ways.after_an_error_in_another()
  local all = contexts()
  for i, ctx in ipairs(all) do
    ctx:run(function()
      save(EVENTS[1])
      pcall(all[i % 3 + 1].run, all[i % 3 + 1], error, "of another")
      save(EVENTS[2])
      local co = all[i % 3 + 1]:run(cctx.create, error)
      cctx.resume(co, "in a coroutine of another")
      save(EVENTS[3])
    end)
  end
end

cctx.testing.clock_set(1000)
assert(audit.open(arg[2]))
ways[arg[1]]()
save("after")
