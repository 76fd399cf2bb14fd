-- SPDX-License-Identifier: Apache-2.0
-- Runs the tests of one Lua file: lua run.lua [--gc] FILE [--list | NAME].
--
-- --gc collects all the time: what is used after it died then shows itself. Each test
-- must leave as many contexts alive as it found. Ends with 0 passed, 77 skipped, 1 failed.

local here = arg[0]:match "^(.*)/" or "."
package.path = here .. "/?.lua;" .. package.path

local test = require "check"

local gc = arg[1] == "--gc" and table.remove(arg, 1)
local file, wanted = arg[1], arg[2]

if gc then
  if _VERSION >= "Lua 5.4" then collectgarbage "incremental" end
  local function set(name, value)
    if _VERSION >= "Lua 5.5" then
      collectgarbage("param", name, value)
    else
      collectgarbage("set" .. name, value)
    end
  end
  set("pause", 110) -- begin anew when it has grown by a tenth
  set("stepmul", 1000)
  -- A whole cycle at every 50th instruction of the main coroutine, but only while the heap
  -- is small, or a deep stack would be walked for minutes.
  local small = 256 -- KiB
  debug.sethook(function()
    if collectgarbage "count" < small then collectgarbage() end
  end, "", 50)
end

local function alive()
  test.collect()
  return require "cctx".alive()
end

local function run(case)
  local before = alive()
  local ok, err = xpcall(case.body, function(err)
    return test.skipped(err) and err or debug.traceback(tostring(err), 2)
  end)
  local why = not ok and test.skipped(err)
  if why then
    print(("SKIP %s: %s"):format(case.name, why))
    return 77
  end
  local after = alive()
  if ok and after ~= before then
    ok, err = false, ("%d contexts were alive before, %d are after"):format(before, after)
  end
  print((ok and "PASS " or "FAIL ") .. case.name)
  if not ok then print(err) end
  return ok and 0 or 1
end

assert(file, "usage: lua run.lua [--gc] FILE [--list | NAME]")
assert(loadfile(file))()

local ran, skipped, failed = 0, 0, 0
for _, case in ipairs(test.list) do
  if wanted == "--list" then
    print(case.name)
  elseif not wanted or wanted == case.name then
    local status = run(case)
    ran = ran + 1
    skipped = skipped + (status == 77 and 1 or 0)
    failed = failed + (status == 1 and 1 or 0)
  end
end
if wanted == "--list" then os.exit(0, true) end
if ran == 0 then print("no test of that name in " .. file) end
os.exit((ran == 0 or failed > 0) and 1 or skipped == ran and 77 or 0, true)
