-- SPDX-License-Identifier: Apache-2.0
-- A reader of JSON, for the vectors: objects and lists become tables, null becomes nil.

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
local values = { ["true"] = true, ["false"] = false }

local function skip(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

local function fail(text, at)
  error(("no JSON at %d: %s"):format(at, text:sub(at, at + 20)))
end

-- The code point in UTF-8, which not every Lua can make by itself.
local function utf8_of(code)
  if code < 0x80 then return string.char(code) end
  local tail, most = "", 0x3F -- what fits into the first byte: less with each that follows
  repeat
    tail = string.char(0x80 + code % 0x40) .. tail
    code, most = math.floor(code / 0x40), math.floor(most / 2)
  until code <= most
  return string.char(0xFE - 2 * most + code) .. tail
end

-- The character of "\uXXXX", or of the two of a surrogate pair, and what follows it.
local function read_unicode(text, at)
  local unit = tonumber(text:sub(at, at + 3), 16)
  local low = text:match("^\\u(%x%x%x%x)", at + 4)
  if unit >= 0xD800 and unit < 0xDC00 and low then
    local code = 0x10000 + (unit - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00
    return utf8_of(code), at + 10
  end
  return utf8_of(unit), at + 4
end

local function read_string(text, at)
  local parts = {}
  at = at + 1
  while true do
    local stop = text:find('["\\]', at) or fail(text, at)
    parts[#parts + 1] = text:sub(at, stop - 1)
    if text:sub(stop, stop) == '"' then return table.concat(parts), stop + 1 end
    local c = text:sub(stop + 1, stop + 1)
    at = stop + 2
    if c == "u" then
      parts[#parts + 1], at = read_unicode(text, at)
    else
      parts[#parts + 1] = escapes[c] or c
    end
  end
end

local read_value

-- Items up to `close`, each taken by add(at), which returns what follows it.
local function read_items(text, at, close, add)
  at = skip(text, at + 1)
  while text:sub(at, at) ~= close do
    at = skip(text, add(at))
    if text:sub(at, at) == "," then at = skip(text, at + 1) end
  end
  return at + 1
end

local function read_list(text, at)
  local list = {}
  return list, read_items(text, at, "]", function(start)
    local value, after = read_value(text, start)
    list[#list + 1] = value
    return after
  end)
end

local function read_object(text, at)
  local object = {}
  return object, read_items(text, at, "}", function(start)
    local name, after = read_string(text, start)
    after = skip(text, text:match("^%s*:()", after) or fail(text, after))
    object[name], after = read_value(text, after)
    return after
  end)
end

function read_value(text, at)
  local c = text:sub(at, at)
  if c == '"' then return read_string(text, at) end
  if c == "{" then return read_object(text, at) end
  if c == "[" then return read_list(text, at) end
  local number, after = text:match("^(%-?%d[%d.eE+-]*)()", at)
  if number then return tonumber(number), after end
  local word, behind = text:match("^(%l+)()", at)
  if not word then fail(text, at) end
  return values[word], behind
end

return function(text) return (read_value(text, skip(text, 1))) end
