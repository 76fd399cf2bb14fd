-- SPDX-License-Identifier: Apache-2.0
-- The context in Lua: deadlines, cancellation, causes, errors, the life of the object.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()

-- Run `body` with the clock stopped at 1000 s; it may move it.
local function at_1000(body)
  return function()
    cctx.testing.clock_set(1000)
    local ok, err = xpcall(body, debug.traceback)
    cctx.testing.clock_set(nil)
    assert(ok, err)
  end
end

-- The message of the error that `f(...)` must raise; it must say `words`.
local function fails(words, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "no error was raised")
  assert(tostring(err):find(words, 1, true), tostring(err))
  return err
end

local function here() return debug.getinfo(2, "l").currentline end

test("S1: a child's deadline is cut to its parent's", at_1000(function()
  local parent = background:with_timeout(2)
  assert(parent:deadline() == 1002)
  assert(parent:with_timeout(5):deadline() == 1002)
  assert(parent:with_timeout(1):deadline() == 1001)
  assert(parent:with_deadline(1001.5):deadline() == 1001.5)
  assert(parent:with_deadline(math.huge):deadline() == 1002)
  assert(parent:with_value("k", 1):deadline() == 1002)
end))

test("S2: the first cancellation wins and fixes the cause", at_1000(function()
  local ctx = background:with_timeout(5, "too slow")
  assert(ctx:err() == nil and ctx:cause() == nil)
  ctx:cancel("the client left") local line = here()
  cctx.testing.clock_set(1010)
  ctx:cancel("again")
  local why = ctx:cause()
  assert(ctx:err() == "canceled" and why.status == "canceled")
  assert(why.message == "the client left" and why.time == 1000)
  assert(why.line == line and why.file:find "test_context.lua$")
end))

test("S2: the cause of a deadline is who set it", at_1000(function()
  local ctx = background:with_timeout(5, "too slow") local line = here()
  cctx.testing.clock_set(1006)
  assert(not ctx:cancel())
  local why = ctx:with_value("k", 1):with_timeout(1):cause()
  assert(why.status == "deadline_exceeded" and why.message == "too slow")
  assert(why.time == 1005 and why.line == line and why.file:find "test_context.lua$")
end))

test("S3: a cancellation reaches every descendant and no ancestor", function()
  local root = background:with_cancel()
  local ctx = root:with_cancel()
  local sibling = root:with_cancel()
  local child = ctx:with_value("k", 1):with_metadata("m", "1")
  local grandchild = child:with_timeout(100)
  ctx:cancel("stop")
  assert(child:err() == "canceled" and grandchild:err() == "canceled")
  assert(grandchild:cause().message == "stop")
  assert(root:err() == nil and sibling:err() == nil)
end)

test("S4: a child of a done context is born done with its cause", function()
  local parent = background:with_cancel()
  parent:cancel("over")
  for _, child in ipairs { parent:with_cancel(), parent:with_timeout(9),
                           parent:with_value("k", 1) } do
    assert(child:err() == "canceled" and child:cause().message == "over")
  end
end)

test("S5: err looks at the clock", at_1000(function()
  local ctx = background:with_timeout(0.25)
  assert(ctx:err() == nil and ctx:remaining() == 0.25)
  cctx.testing.clock_set(1000.125)
  assert(ctx:err() == nil and ctx:remaining() == 0.125)
  cctx.testing.clock_set(1000.25)
  assert(ctx:err() == "deadline_exceeded" and ctx:remaining() == 0)
  assert(ctx:deadline() == 1000.25)
end))

test("S8: a detached context drops deadline and cancellation", at_1000(function()
  local parent = background:with_timeout(2)
  local free, bound = parent:detached(), parent:detached { keep_deadline = true }
  assert(free:deadline() == nil and bound:deadline() == 1002)
  parent:cancel()
  assert(free:err() == nil and bound:err() == nil)
  assert(not free:can_be_done())
  cctx.testing.clock_set(1002)
  assert(free:err() == nil and bound:err() == "deadline_exceeded")
  fails("keep_deadline", parent.detached, parent, { keep_deadlines = true })
end))

test("S14: a negative timeout gives a context that is born done", at_1000(function()
  for _, timeout in ipairs { -1, -0.001, 0, math.mininteger, -math.huge } do
    local ctx = background:with_timeout(timeout)
    assert(ctx:err() == "deadline_exceeded" and ctx:remaining() == 0)
  end
  assert(background:with_deadline(999):err() == "deadline_exceeded")
end))

test("S15: cancel says whether this call was the one", function()
  local ctx = background:with_cancel()
  local child = ctx:with_cancel()
  assert(ctx:cancel("a") == true)
  assert(ctx:cancel("b") == false and child:cancel() == false)
end)

test("a timeout beyond all times is no limit", at_1000(function()
  for _, timeout in ipairs { math.huge, 1e300, test.maxinteger, 2 ^ 40 } do
    local ctx = background:with_timeout(timeout)
    assert(ctx:deadline() == nil and ctx:remaining() == nil)
    assert(ctx:err() == nil and ctx:can_be_done())
  end
end))

test("a time is read to the nanosecond", function()
  cctx.testing.clock_set(1234567)
  local ctx = background:with_timeout(0.000000007)
  cctx.testing.clock_set(1234567 + 0.000000006)
  local before = ctx:err()
  cctx.testing.clock_set(1234567 + 0.000000007)
  local after = ctx:err()
  cctx.testing.clock_set(nil)
  assert(before == nil and after == "deadline_exceeded")
end)

test("now is the clock that deadlines are measured on", at_1000(function()
  assert(cctx.now() == 1000)
  assert(background:with_deadline(cctx.now() + 3):remaining() == 3)
end))

test("NaN and what is no number are refused as times", function()
  local ctx = background:with_cancel()
  fails("NaN", ctx.with_timeout, ctx, 0 / 0)
  fails("NaN", ctx.with_deadline, ctx, 0 / 0)
  fails("NaN", cctx.testing.clock_set, 0 / 0)
  fails("number expected, got string", ctx.with_timeout, ctx, "1")
  fails("number expected, got no value", ctx.with_timeout, ctx)
  fails("string expected, got number", ctx.with_timeout, ctx, 1, 2)
end)

test("a context that cannot be canceled says which could", function()
  fails("with_cancel", background.cancel, background)
  local parent = background:with_cancel()
  local child = parent:with_value("k", 1)
  fails("with_cancel", child.cancel, child)
  assert(parent:err() == nil)
end)

test("can_be_done is false for roots and what is detached", function()
  assert(not background:can_be_done() and not cctx.todo():can_be_done())
  assert(background:with_cancel():can_be_done())
  assert(not background:with_value("k", 1):can_be_done())
end)

test("check returns the context while it may go on", function()
  local ctx = background:with_cancel()
  assert(rawequal(ctx:check(), ctx))
  assert(cctx.check() == true)
end)

test("check raises an object that says why", function()
  local ctx = background:with_cancel()
  ctx:cancel("the client left") local line = here()
  local ok, err = pcall(ctx.check, ctx)
  assert(not ok and err.code == "canceled" and err.message == "the client left")
  assert(err.line == line)
  assert(tostring(err):find("canceled: the client left (", 1, true))
  ok, err = pcall(ctx.run, ctx, function() cctx.check() end)
  assert(not ok and err.code == "canceled")
end)

test("an error without a message of its own has the status's", function()
  local ctx = background:with_timeout(-1)
  local _, err = pcall(ctx.check, ctx)
  assert(err.code == "deadline_exceeded" and #err.message > 0)
  err.line, err.file, err.message = {}, nil, nil
  assert(tostring(err) == "deadline_exceeded: ")
end)

test("a call through pcall still finds the line of the script", function()
  local ctx = background:with_cancel()
  pcall(ctx.cancel, ctx) local line = here()
  assert(ctx:cause().line == line)
end)

test("a context tells what it is", at_1000(function()
  assert(tostring(background) == "cctx.Context: background")
  assert(tostring(cctx.todo()) == "cctx.Context: todo")
  local ctx = background:with_timeout(0.25)
  assert(tostring(ctx) == "cctx.Context: deadline in 0.250s")
  ctx:cancel()
  assert(tostring(ctx) == "cctx.Context: done (canceled)")
  assert(tostring(background:with_cancel()) == "cctx.Context: no deadline")
end))

test("two objects of one context are equal", function()
  local ctx = background:with_cancel()
  ctx:run(function() assert(cctx.current() == ctx) end)
  assert(ctx ~= background:with_cancel())
  assert(background == cctx.background() and background ~= cctx.todo())
end)

test("the metatable cannot be reached", function()
  assert(getmetatable(background) == false)
  local _, err = pcall(background:with_timeout(-1).check, background:with_timeout(-1))
  assert(getmetatable(err) == false)
end)

test("what is no context is refused by name", function()
  fails("cctx.Context expected, got table", background.err, {})
  fails("cctx.Context expected, got string", background.value, "tenant")
  fails("cctx.Context expected, got nil", background.run, nil, print)
end)

test("the version is the library's", function()
  assert(cctx._VERSION:match "^%d+%.%d+%.%d+$")
end)

test("S16: a merged context ends with its first parent that does, for its cause", function()
  local a = cctx.background():with_value("k", "a"):with_cancel()
  local b = cctx.background():with_value("k", "b"):with_cancel()
  local merged = a:merge(b)
  assert(merged:err() == nil and merged:value("k") == "a")
  b:cancel("enough")
  assert(merged:cause().message == "enough" and a:err() == nil)
  local ok, message = pcall(a.merge, a, 1)
  assert(not ok and message:find("cctx.Context", 1, true), message)
end)

test("S17: a grace ends so much later than its parent, for its cause", function()
  cctx.testing.clock_set(10)
  local soft = cctx.background():with_timeout(5)
  local hard = soft:with_grace(2)
  assert(hard:deadline() == 17)
  soft:cancel("stop")
  cctx.testing.clock_set(11.5)
  assert(soft:err() == "canceled" and hard:err() == nil)
  cctx.testing.clock_set(12)
  assert(hard:cause().message == "stop")
  cctx.testing.clock_set(nil)
end)
