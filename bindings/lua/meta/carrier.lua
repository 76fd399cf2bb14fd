-- SPDX-License-Identifier: Apache-2.0
---@meta cctx.carrier
-- luacheck: ignore 212 241
-- The carriers of what `require "cctx"` returns, for the Lua language server alone.

---@class cctx
local cctx = {}

---@alias cctx.Format
---| "http"|"stranger"|"grpc"|"cgi"
---| "metainfo"|"metainfo-map"|"environment"|"queue"

---What a policy begins with is its format's; the other options change it.
---@class cctx.PolicyOptions
---@field format? cctx.Format default "http"
---@field read? string[] words of docs/carrier.md: "traceparent", "baggage", ...
---@field write? string[]
---@field direction? "forward"|"backward"|"backward-transit"|"backward-raw"
---@field timeout_max? number seconds; `math.huge`: no cap
---@field timeout_min? number seconds
---@field timeout_field? {name: string, unit: number, decimals?: integer} unit in seconds
---@field allow? string[] names of metadata that are taken; "app-*" for all that begin so
---@field send? string[] names of metadata that are sent
---@field rename? table<string, string> from the carrier's name to ours
---@field pairs_max? integer
---@field bytes_max? integer
---@field skew_max? number seconds
---@field plus_is_blank? boolean in baggage
---@field wall? number what the wall clock says, seconds since 1970, for tests

---What `extract` takes and `inject` sends; it never changes, but for its counts.
---@class cctx.Policy
local Policy = {}

---@param options? cctx.Format|cctx.PolicyOptions
---@return cctx.Policy
---@nodiscard
function cctx.policy(options) end

---What was refused, cut, withheld, by name.
---@return table<string, integer>
---@nodiscard
function Policy:counts() end

---A context from the fields of a table: names in any case, strings, or lists of strings
---for several values. What is malformed is left out, and counted by the policy.
---@param fields table<string, string|string[]>
---@param parent? cctx.Context default: background
---@param policy? cctx.Policy|cctx.Format
---@return cctx.Context
---@nodiscard
function cctx.extract(fields, parent, policy) end

---Set in `fields` what tells the next process of a context, and remove what it has nothing
---for. Raises what `check` raises if the context is done.
---@generic T: table
---@param fields T
---@param ctx? cctx.Context default: the current one
---@param policy? cctx.Policy|cctx.Format
---@return T fields
function cctx.inject(fields, ctx, policy) end
