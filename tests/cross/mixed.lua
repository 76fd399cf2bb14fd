-- SPDX-License-Identifier: Apache-2.0
-- Lua's half of the runs through Lua and Python on one thread: a table of functions.
-- `python` calls a function of mixed.py with a Lua function, which that may call back.
local cctx = require "cctx"
local audit = require "audit"

-- Whose request this is, for Lua and for C below it.
local function see()
  local mine = tostring(cctx.metadata "tenant")
  local c = audit.line("seen"):match("^tenant=(%S+)"):gsub("^%-$", "nil")
  return mine == c and mine or mine .. " but C sees " .. c
end

local function under(tenant, f, ...)
  return cctx.current():with_metadata("tenant", tenant):run(f, ...)
end

return function(python)
  local runs = {}

  function runs.alike()
    return under("lua", function()
      return see() .. ", " .. python("alike", see) .. ", " .. see()
    end)
  end

  -- Each level derives, goes down through the other language, and looks again.
  local function level(n)
    if n == 0 then return see() end
    return under(see() .. "l", function()
      local before = see()
      local below = python("level", function() return level(n - 1) end)
      return before .. "(" .. below .. ")" .. see()
    end)
  end

  function runs.three_deep() return under("0", level, 3) .. " " .. see() end

  function runs.tasks()
    return under("lua", function() return python("tasks", see) .. ", " .. see() end)
  end

  function runs.coroutines()
    local made, said = {}, {}
    for i, name in ipairs { "a", "b", "c" } do
      made[i] = under(name, cctx.create, function()
        for _ = 1, 3 do
          said[#said + 1] = see() .. python("see", see) .. python("with_use", see)
          coroutine.yield()
        end
      end)
    end
    for _ = 1, 4 do
      for _, co in ipairs(made) do assert(under("resumer", cctx.resume, co)) end
    end
    return table.concat(said, " ")
  end

  -- Python's tasks take turns, and each drives a coroutine of its own.
  function runs.tasks_drive_coroutines()
    local made = {}
    local function step(name)
      made[name] = made[name] or cctx.create(function()
        for _ = 1, 3 do coroutine.yield(see() .. python("see", see)) end
        return "."
      end)
      local _, said = assert(cctx.resume(made[name]))
      return said
    end
    return under("lua", function() return python("drive", step) .. ", " .. see() end)
  end

  function runs.errors()
    return under("lua", function()
      local function fail() under("failed", error, "boom", 0) end
      local function says(what, ok, err)
        return tostring(not ok and tostring(err):find(what) ~= nil)
      end
      return table.concat({
        python("catch", fail), see(),
        says("boom", pcall(python, "call", fail)), see(),
        says("own", pcall(python, "raise_error", see)), see(),
        python("catch", function() python("raise_error", see) end), see(),
      }, " ")
    end)
  end

  function runs.stopped()
    return under("lua", function()
      local ctx = cctx.current():with_timeout(0, "too late")
      local function check()
        local _, why = pcall(ctx.run, ctx, cctx.check)
        error(tostring(why), 0) -- an error that is a table does not say so in Python
      end
      local _, caught = pcall(ctx.run, ctx, python, "check", see)
      return python("catch_stop", check) .. " "
        .. tostring(tostring(caught):find "too late" ~= nil) .. " " .. see()
    end)
  end

  return runs
end
