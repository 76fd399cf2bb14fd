-- SPDX-License-Identifier: Apache-2.0
-- The surface: what the module has is what its definition file and its page describe.

local cctx = require "cctx"
local test = require "check"

local function read(name)
  local file = assert(io.open(name))
  local text = file:read "*a"
  file:close()
  return text
end

local definitions = ""
for _, name in ipairs { "cctx", "carrier", "observe", "session" } do
  definitions = definitions .. read("bindings/lua/meta/" .. name .. ".lua")
end
local page = read "docs/lua.md"

local function functions_of(object)
  local names = {}
  for name, f in pairs(object) do
    if type(f) == "function" then names[#names + 1] = name end
  end
  assert(#names > 0)
  return names
end

local function methods_of(object)
  return functions_of(debug.getmetatable(object).__index)
end

local function each(f)
  local ctx = cctx.background()
  local token = ctx:attach()
  local handle = ctx:on_done(print)
  f("cctx.", functions_of(cctx))
  f("cctx.testing.", functions_of(cctx.testing))
  f("Context:", methods_of(ctx))
  f("Token:", methods_of(token))
  f("Handle:", methods_of(handle))
  f("Policy:", methods_of(cctx.policy()))
  f("Var:", methods_of(cctx.var "x"))
  f("SessionManager:", methods_of(cctx.default_session_manager()))
  handle:off()
  token:close()
end

test("every function is in the definition file, and nothing else", function()
  local count = 0
  each(function(prefix, names)
    for _, name in ipairs(names) do
      count = count + 1
      assert(definitions:find("\nfunction " .. prefix .. name .. "(", 1, true),
             prefix .. name .. " has no definition")
    end
  end)
  local _, defined = definitions:gsub("\nfunction ", "")
  if not cctx.close then defined = defined - 1 end -- before Lua 5.4
  assert(defined == count, ("%d are defined, %d are there"):format(defined, count))
end)

test("every definition says what comes out", function()
  local silent = { ["Var:set"] = true, ["cctx.testing.clock_set"] = true }
  for block in (definitions .. "\n\n"):gmatch "(.-)\n\n" do
    local name = block:match "function ([%w_.:]+)%("
    if name and not silent[name] then
      assert(block:find("---@return", 1, true), name .. " has no @return")
    end
  end
end)

test("every function is on the page", function()
  each(function(prefix, names)
    for _, name in ipairs(names) do
      assert(page:find(name, 1, true), prefix .. name .. " is not in docs/lua.md")
    end
  end)
end)

test("nobody gets at the metatables", function()
  local ctx = cctx.background()
  local token = ctx:attach()
  local handle = ctx:on_done(print)
  for _, object in ipairs { ctx, token, handle, cctx.var "x" } do
    assert(getmetatable(object) == false)
    assert(tostring(object):find "^cctx%.%a+: ")
  end
  handle:off()
  token:close()
end)
