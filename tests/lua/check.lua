-- SPDX-License-Identifier: Apache-2.0
-- What a Lua test file calls to add a test: require "check" returns the function.
--
--     local test = require "check"
--     test("cancel reaches grandchildren", function() ... end)
--
-- test.skip(why) ends the test that runs as skipped.

local test = { list = {} }

-- What the Luas do not have in common.
test.jit = rawget(_G, "jit") -- LuaJIT's compiler
test.yields = _VERSION ~= "Lua 5.1" or test.jit ~= nil -- a call of cctx may yield
test.one_hook = test.jit ~= nil -- of all coroutines
test.ephemerons = _VERSION ~= "Lua 5.1" -- a weak table does not keep its values' keys
test.maxinteger = math.maxinteger or 2 ^ 53
test.kind = math.type or type
test.unpack = table.unpack or unpack -- luacheck: ignore
test.pack = table.pack or function(...) return { n = select("#", ...), ... } end

-- What is kept by what goes is gone a cycle later, and in older Luas so is what is weak.
-- Compiled code keeps what it was compiled with.
function test.collect()
  if test.jit then test.jit.flush() end
  for _ = 1, 4 do collectgarbage() end
end

function test.is_main()
  local co, main = coroutine.running()
  return co == nil or main == true
end

local SKIP = {}

function test.skip(why)
  error(setmetatable({ why = why }, SKIP))
end

-- End the test that runs as skipped where a call of cctx cannot yield.
function test.needs_yields()
  if not test.yields then test.skip "in Lua 5.1 no call that C makes can yield" end
end

-- The reason if `err` came from test.skip, else nil.
function test.skipped(err)
  return getmetatable(err) == SKIP and err.why or nil
end

return setmetatable(test, {
  __call = function(self, name, body)
    assert(type(name) == "string" and not name:find "\n", "a test has a name of one line")
    assert(type(body) == "function", "a test has a function")
    for _, other in ipairs(self.list) do
      assert(other.name ~= name, "two tests have the name: " .. name)
    end
    self.list[#self.list + 1] = { name = name, body = body }
  end,
})
