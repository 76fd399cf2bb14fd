-- SPDX-License-Identifier: Apache-2.0
-- What a Lua test file calls to add a test: require "check" returns the function.
--
--     local test = require "check"
--     test("cancel reaches grandchildren", function() ... end)
--
-- test.skip(why) ends the test that runs as skipped.

local test = { list = {} }

local SKIP = {}

function test.skip(why)
  error(setmetatable({ why = why }, SKIP))
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
