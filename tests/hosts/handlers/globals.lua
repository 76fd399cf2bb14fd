-- SPDX-License-Identifier: Apache-2.0
-- Reads and writes globals: those of the file, of the request, and of the state.
-- luacheck: ignore 111 112 113 121 122 143
greeting = "hello"
count = 0

local function seen() return tostring(mine), tostring(_G.theirs), count, greeting end

return function(request)
  local before = table.concat({ seen() }, " ")
  mine, _G.theirs, count = request.query, request.query, count + 1
  greeting = greeting .. "!"
  for _ = 1, 3 do coroutine.yield() end
  return before .. " | " .. table.concat({ seen() }, " ")
end
