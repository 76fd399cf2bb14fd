-- SPDX-License-Identifier: Apache-2.0
---@meta cctx.fetch
-- luacheck: ignore 212 241
-- What `require "cctx.fetch"` is in the program cctx, for the Lua language server alone.

---@class cctx.FetchOptions
---@field method? string default "GET", or "POST" with a body
---@field headers? table<string, string|number> they win over what is said of the context
---@field body? string
---@field timeout? number seconds, beside what the context has left
---@field body_max? integer bytes of the answer's body, default 16 MiB
---@field context? cctx.Context default the current one
---@field format? string|false what is said of it: "http", "stranger"; false: nothing

---@class cctx.FetchAnswer
---@field status integer
---@field headers table<string, string> by lower-case name
---@field body string

---Call another HTTP server under the context. In a handler of `cctx serve` it yields until
---the answer is there. Raises the context's error if that is done, else a sentence.
---@param url string of http or https
---@param options? cctx.FetchOptions
---@return cctx.FetchAnswer
local function fetch(url, options) end

return fetch
