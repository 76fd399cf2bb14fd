-- SPDX-License-Identifier: Apache-2.0
-- Backups: sessions, what is found again where it was lost, managers.

local cctx = require "cctx"
local test = require "check"

local background = cctx.background()

local function request_of(name)
  return background:with_value("who", name):with_metadata("tenant", name)
end

local function fails(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "it did not fail")
  assert(tostring(err):find(pattern), err)
end

-- ---- Sessions ----

test("S61: a session is valid until it is disabled or ends", function()
  local session = background:with_session()
  assert(background:session_state() == "none")
  assert(session:session_state() == "valid")
  assert(session:disable_session() == true)
  assert(session:disable_session() == false)
  assert(session:session_state() == "disabled")
  assert(session:end_session() == true)
  assert(session:end_session() == false)
  assert(session:session_state() == "ended")
end)

test("S62: disabling reaches all that was derived, and cancels nothing", function()
  local session = background:with_session()
  local one = session:with_value("a", 1)
  local inner = one:with_session()
  session:with_cancel():disable_session()
  for _, ctx in ipairs { session, one, inner } do
    assert(ctx:session_state() == "disabled")
    assert(ctx:err() == nil)
  end
end)

test("a timeout disables by the clock", function()
  cctx.testing.clock_set(1)
  local session = background:with_session(0.5)
  assert(session:session_state() == "valid")
  cctx.testing.clock_set(1.5)
  assert(session:session_state() == "disabled")
  cctx.testing.clock_set(nil)
end)

test("what belongs to no session says so", function()
  fails("belongs to no session", background.disable_session, background)
  fails("belongs to no session", background.end_session, background)
  fails("no session with variables", background.variables, background)
  fails("no session with variables", background.set_variable, background, "a", 1)
  fails("stores nil, booleans", background.set_variable, background, "a", {})
end)

test("S63: unbinding an inner session restores the outer", function()
  local outer, inner = background:with_session(), background:with_session()
  assert(cctx.session() == nil)
  outer:run(function()
    inner:run(function() assert(cctx.session() == inner) end)
    assert(cctx.session() == outer)
  end)
  assert(cctx.session() == nil)
end)

test("S64: a variable is seen by all who hold the session", function()
  local session = background:with_variables()
  local child = session:with_cancel()
  session:set_variable("size", 1)
  local before = child:variables()
  child:set_variable("size", 2)
  assert(before:value "size" == 1)
  assert(session:variables():value "size" == 2)
  assert(session:value "size" == nil)
end)

test("a bad key leaves the session as it was", function()
  local session = background:with_variables()
  for _, bad in ipairs { {}, true, "", "a\0b" } do
    fails("name of a value", session.set_variable, session, bad, 1)
  end
  session:set_variable("good", 1)
  assert(session:variables():value "good" == 1)
end)

-- ---- Managers ----

test("S65: a manager finds a session by an id", function()
  local manager = cctx.session_manager { shards = 4 }
  local outer, inner = background:with_session(), background:with_session()
  assert(manager:get(7) == nil)
  manager:bind(7, outer)
  local token = manager:bind(7, inner)
  assert(manager:get(7) == inner)
  assert(manager:unbind(7, token) == true)
  assert(manager:get(7) == outer)
  assert(manager:unbind(7, token) == false)
  outer:disable_session()
  assert(manager:get(7) == nil)
  assert(manager:state(7) == "disabled")
  assert(manager:sweep() == 1)
  local stats = manager:stats()
  assert(stats.bound == 0 and stats.swept == 1 and stats.stale == 1)
  manager:close()
end)

test("an id that a number does not tell from another is told by its digits", function()
  local manager = cctx.session_manager {}
  local session = background:with_session()
  manager:bind("9007199254740993", session)
  assert(manager:get "9007199254740993" == session)
  assert(manager:get "9007199254740992" == nil)
  local odds = { 1.5, 2 ^ 63, -2 ^ 64, 0 / 0, 1 / 0, "x", "1.5", "", ("9"):rep(20) }
  for _, odd in ipairs(odds) do
    fails("an id is an integer", manager.get, manager, odd)
    fails("an id is an integer", manager.bind, manager, odd, session)
  end
  for _, float in ipairs { 2 ^ 53, 2 ^ 53 + 2, -2 ^ 53, 2 ^ 60 } do
    fails("an id is an integer", manager.get, manager, float)
  end
  fails("an id is an integer", manager.get, manager, "5\0x")
  assert(manager:get(2 ^ 53 - 1) == nil)
  manager:close()
end)

test("a manager says what it cannot take", function()
  fails("from 1 to 65536", cctx.session_manager, { shards = 0 })
  fails("from 1 to 65536", cctx.session_manager, { shards = "many" })
  fails("not negative", cctx.session_manager, { gc_interval = -1 })
  fails("unknown option 'threads'", cctx.session_manager, { threads = true })
  local manager = cctx.session_manager { gc_interval = 0.001, thread = true }
  fails("belongs to no session", manager.bind, manager, 1, background)
  fails("Context expected", manager.bind, manager, 1, nil)
  fails("an id is an integer", manager.get, manager, "a")
  assert(tostring(manager) == "cctx.SessionManager: open")
  manager:close()
  manager:close()
  fails("closed session manager", manager.get, manager, 1)
end)

test("a binding that was forgotten goes with its age", function()
  cctx.testing.clock_set(0)
  local manager = cctx.session_manager { max_age = 10 }
  for number = 1, 100 do manager:bind(number, background:with_session()) end
  cctx.testing.clock_set(9.9)
  assert(manager:sweep() == 0)
  cctx.testing.clock_set(10)
  assert(manager:sweep() == 100)
  manager:close()
  cctx.testing.clock_set(nil)
end)

test("the default manager can be closed and is made anew", function()
  local manager, session = cctx.default_session_manager(), background:with_session()
  manager:bind(7, session)
  assert(cctx.default_session_manager():get(7) == session)
  local list = cctx.sessions()
  assert(#list == 2)
  assert(list[1].context == session and list[1].id == nil and list[1].state == "valid")
  assert(list[1].file:find "test_backup.lua")
  assert(list[2].context == session and list[2].id == 7)
  assert(#cctx.sessions(60) == 0)
  manager:close()
  assert(manager:get(7) == nil)
  manager:bind(7, session)
  assert(manager:unbind(7))
  manager:close()
end)

-- ---- The server's side ----

test("S66: a handler finds its session until it is left", function()
  local kept
  local a, b = cctx.backup(request_of "one", function(...)
    kept = cctx.session()
    assert(cctx.session_state() == "valid")
    assert(cctx.value "who" == "one")
    return ...
  end, 1, 2)
  assert(a == 1 and b == 2)
  assert(kept:session_state() == "ended")
  assert(kept:err() == nil)
  assert(cctx.session() == nil)
end)

test("a backup is of what is current by default", function()
  request_of "one":run(function()
    cctx.backup(function()
      assert(cctx.value "who" == "one")
      assert(cctx.session_state() == "valid")
    end)
  end)
  fails("function expected", cctx.backup, 7)
end)

test("an inner handler leaves the outer one its session", function()
  cctx.backup(request_of "one", function()
    local outer = cctx.session()
    cctx.backup(request_of "two", function() assert(cctx.value "who" == "two") end)
    assert(cctx.session() == outer)
    assert(outer:session_state() == "valid")
  end)
end)

test("a handler that fails is left, and its error passes through", function()
  local kept
  fails("gone", cctx.backup, request_of "one", function()
    kept = cctx.session()
    error "gone"
  end)
  assert(kept:session_state() == "ended")
  assert(cctx.session() == nil)
end)

test("handlers of two coroutines never see each other's sessions", function()
  test.needs_yields()
  local function serve(name)
    return cctx.wrap(function()
      cctx.backup(request_of(name), function()
        for _ = 1, 3 do
          assert(cctx.session():value "who" == name)
          assert(cctx.recover(background):metadata "tenant" == name)
          coroutine.yield()
        end
      end)
    end)
  end
  local one, two = serve "one", serve "two"
  for _ = 1, 4 do
    one()
    two()
  end
  assert(cctx.session() == nil)
end)

test("a handler whose coroutine is closed is left", function()
  if not cctx.close then test.skip "this Lua closes no coroutine" end
  local kept
  local co = cctx.create(function()
    cctx.backup(request_of "one", function()
      kept = cctx.session()
      coroutine.yield()
    end)
  end)
  assert(cctx.resume(co))
  assert(kept:session_state() == "valid")
  assert(cctx.close(co))
  assert(kept:session_state() == "ended")
end)

test("S67: a late coroutine finds its session ended, and never the next", function()
  local late
  cctx.backup(request_of "one", function()
    late = cctx.wrap(function()
      local _, did = cctx.recover(background)
      return cctx.value "who", cctx.session(), cctx.session_state(), did.reason
    end)
  end)
  cctx.backup(request_of "two", function()
    local who, session, state, reason = late()
    assert(who == nil and session == nil)
    assert(state == "ended" and reason == "ended", reason)
  end)
end)

test("what was bound keeps its session, and knows that it has ended", function()
  local late
  cctx.backup(request_of "one", function()
    late = cctx.bind(function() return cctx.value "who", cctx.session_state() end)
  end)
  cctx.backup(request_of "two", function()
    local who, state = late()
    assert(who == "one" and state == "ended")
  end)
end)

-- ---- The client's side ----

test("S69: metadata that a context lacks are recovered, and its own win", function()
  local server = request_of "one":with_metadata("lane", "blue"):with_timeout(9)
  cctx.backup(server, function()
    local found, did = cctx.recover(background:with_metadata("lane", "green"))
    assert(did.reason == "recovered" and did.pairs == 1)
    assert(found:metadata "tenant" == "one")
    assert(found:metadata "lane" == "green")
    assert(found:value "who" == nil)
    assert(found:deadline() == nil)
  end)
end)

test("S70: without a session nothing is recovered", function()
  local ctx = background:with_cancel()
  local found, did = cctx.recover(ctx)
  assert(found == ctx)
  assert(did.reason == "no_session")
end)

test("S71: the handler decides, and metadata are added to what it returns", function()
  local ctx, seen = background:with_cancel(), nil
  cctx.backup(request_of "one":with_metadata("lane", "blue"), function()
    local found, did = cctx.recover(ctx, {
      handler = function(previous, cur)
        seen = { previous, cur, cctx.current() }
        return cur:with_metadata("lane", "red")
      end,
    })
    assert(seen[1] == cctx.session() and seen[2] == ctx and seen[3] == cctx.session())
    assert(did.handled)
    assert(found:metadata "lane" == "red" and found:metadata "tenant" == "one")
    found, did = cctx.recover(ctx, { handler = function() end })
    assert(found == ctx)
    assert(did.reason == "declined")
  end)
end)

test("an error of the handler passes through", function()
  cctx.backup(request_of "one", function()
    local lost = setmetatable({}, { __tostring = function() return "lost" end })
    local ok, err = pcall(cctx.recover, background, {
      handler = function() error(lost) end,
    })
    assert(not ok and err == lost)
    fails("must return a context or nil, not a number", cctx.recover, background,
          { handler = function() return 7 end })
    fails("yield", cctx.recover, background, { handler = coroutine.yield })
  end)
end)

test("S72: keys and scopes say what is recovered", function()
  local server = background:with_values { tenant = "acme", user = "ada" }
  server = server:with_metadata("trace", "t"):with_metadata("next", "n", "hop")
  cctx.backup(server, function()
    local found, did = cctx.recover(background, {
      keys = { "tenant", "nobody's" },
      scopes = { "hop" },
    })
    assert(found:value "tenant" == "acme" and found:value "user" == nil)
    assert(found:metadata "next" == "n" and found:metadata "trace" == nil)
    assert(found:metadata_pairs()[1].scope == "hop")
    assert(did.pairs == 1 and did.values == 1)
    found, did = cctx.recover(background, { scopes = {} })
    assert(found == background and did.reason == "complete")
  end)
end)

test("deadline and cancellation are taken where asked for", function()
  local server = background:with_timeout(100):with_cancel()
  local limited, linked, did
  cctx.backup(server, function()
    limited, did = cctx.recover(background, { deadline = true })
    assert(did.deadline and not did.cancellation)
    linked, did = cctx.recover(background, { cancellation = true })
    assert(did.cancellation)
  end)
  assert(limited:deadline() == server:deadline())
  server:cancel "gone"
  assert(linked:cause().message == "gone")
  assert(limited:err() == nil)
end)

test("S73: nothing is recovered from a session that is over, unless asked for", function()
  local kept
  cctx.backup(request_of "one", function()
    kept = cctx.session()
    kept:disable_session()
    local _, did = cctx.recover(background)
    assert(did.reason == "disabled")
    _, did = cctx.recover(background, { invalid = true })
    assert(did.reason == "recovered")
  end)
  local _, did = cctx.recover(background, { previous = kept })
  assert(did.reason == "ended")
  local found = cctx.recover(background, { previous = kept, invalid = true })
  assert(found:metadata "tenant" == "one")
end)

test("recover says what it cannot take", function()
  fails("unknown option 'key'", cctx.recover, background, { key = {} })
  fails("'previous' must be a context", cctx.recover, background, { previous = 1 })
  fails("'keys' must be a list", cctx.recover, background, { keys = "tenant" })
  fails("'keys' must be a list of names, and has a table", cctx.recover, background,
        { keys = { {} } })
  fails('"hop", "request" or "upstream"', cctx.recover, background, { scopes = { "all" } })
  fails("function expected", cctx.recover, background, { handler = 1 })
end)

-- ---- Mistakes ----

test("S68: a call with a context that was lost is found out", function()
  local before = cctx.backup_mistakes().lost
  cctx.backup(request_of "one", function()
    assert(cctx.check_egress(cctx.session():with_cancel()) == true)
    assert(cctx.check_egress(cctx.session():detached()) == true)
    assert(cctx.check_egress(background:with_cancel()) == false)
  end)
  assert(cctx.check_egress(background) == true)
  assert(cctx.backup_mistakes().lost == before + 1)
end)

test("the options in use can be read", function()
  local options = cctx.backup_options()
  assert(options.enable == true and options.async == false)
  assert(options.shards == 100 and options.gc_interval == 600)
end)
