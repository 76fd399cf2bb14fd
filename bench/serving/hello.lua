-- SPDX-License-Identifier: Apache-2.0
-- The answer of hello.py, in Lua.
return function(request) return "hello, " .. (request.headers["x-name"] or "stranger") end
