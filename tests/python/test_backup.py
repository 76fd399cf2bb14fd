# SPDX-License-Identifier: Apache-2.0
"""Backups: sessions, what is found again where it was lost, managers."""

import ast
import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import threading
import weakref

import cctest
import cctx
import cctx.testing
import pytest

BACKGROUND = cctx.background()


def request_of(name):
    return BACKGROUND.with_value("who", name).with_metadata("tenant", name)


def with_pairs(context, **pairs):
    return context.with_metadata(pairs)


# ---- Sessions ----


def test_a_session_is_valid_until_it_is_disabled_or_ends():
    """S61: and each is done once."""
    session = BACKGROUND.with_session()
    assert BACKGROUND.session_state() == "none"
    assert session.session_state() == "valid"
    assert session.disable_session() is True
    assert session.disable_session() is False
    assert session.session_state() == "disabled"
    assert session.end_session() is True
    assert session.end_session() is False
    assert session.session_state() == "ended"


def test_disabling_reaches_all_that_was_derived():
    """S62: by one flag, and cancels nothing."""
    session = BACKGROUND.with_session()
    one = session.with_value("a", 1)
    inner = one.with_session()
    session.with_cancel().disable_session()
    assert [c.session_state() for c in (session, one, inner)] == ["disabled"] * 3
    assert one.err() is None


def test_a_timeout_disables_by_the_clock():
    cctx.testing.clock_set(1)
    try:
        session = BACKGROUND.with_session(0.5)
        assert session.session_state() == "valid"
        cctx.testing.clock_set(1.5)
        assert session.session_state() == "disabled"
        assert session.err() is None
    finally:
        cctx.testing.clock_set(None)


def test_what_belongs_to_no_session_says_so():
    for act in (BACKGROUND.disable_session, BACKGROUND.end_session):
        with pytest.raises(ValueError, match="belongs to no session"):
            act()
    with pytest.raises(ValueError, match="no session with variables"):
        BACKGROUND.variables()
    with pytest.raises(ValueError, match="no session with variables"):
        BACKGROUND.with_session().set_variable("a", 1)


def test_unbinding_an_inner_session_restores_the_outer():
    """S63: what is bound is what is current."""
    outer, inner = BACKGROUND.with_session(), BACKGROUND.with_session()
    assert cctx.session() is None
    with cctx.use(outer):
        with cctx.use(inner):
            assert cctx.session() == inner
        assert cctx.session() == outer
    assert cctx.session() is None


def test_a_variable_is_seen_by_all_who_hold_the_session():
    """S64: and a snapshot stays what it is."""
    session = BACKGROUND.with_variables()
    child = session.with_cancel()
    session.set_variable("size", 1)
    before = child.variables()
    child.set_variable("size", 2)
    assert before.value("size") == 1
    assert session.variables().value("size") == 2
    assert session.value("size") is None


class Thing:
    """Something that can be referred to weakly."""


def test_a_variable_may_be_any_object_and_is_given_back():
    session, thing = BACKGROUND.with_variables(), Thing()
    there = weakref.ref(thing)
    session.set_variable("thing", thing)
    assert session.variables().value("thing") is thing
    del thing
    assert there() is not None
    session.set_variable("thing", None)
    del session
    gc.collect()
    cctx.alive()
    assert there() is None


def test_a_bad_key_leaves_the_session_as_it_was():
    """In the reference it leaves the map locked for ever."""
    session = BACKGROUND.with_variables()
    for bad in ([], {}, None, "", "a\0b"):
        with pytest.raises((TypeError, ValueError)):
            session.set_variable(bad, 1)
    session.set_variable("good", 1)
    assert dict(session.variables().values) == {"good": 1}


# ---- Managers ----


def test_a_manager_finds_a_session_by_an_id():
    """S65: a token takes away what it bound."""
    with cctx.SessionManager(shards=4) as manager:
        outer, inner = BACKGROUND.with_session(), BACKGROUND.with_session()
        assert manager.get(7) is None
        manager.bind(7, outer)
        token = manager.bind(7, inner)
        assert manager.get(7) == inner
        assert manager.unbind(7, token) is True
        assert manager.get(7) == outer
        assert manager.unbind(7, token) is False
        outer.disable_session()
        assert manager.get(7) is None
        assert manager.state(7) == "disabled"
        assert manager.sweep() == 1
        assert manager.stats() == {"bound": 0, "swept": 1, "stale": 1}


def test_a_manager_says_what_it_cannot_take():
    with pytest.raises(ValueError, match="from 1 to 65536"):
        cctx.SessionManager(shards=0)
    with pytest.raises(ValueError, match="not negative"):
        cctx.SessionManager(gc_interval=-1)
    manager = cctx.SessionManager(gc_interval=None)
    with pytest.raises(ValueError, match="belongs to no session"):
        manager.bind(1, BACKGROUND)
    with pytest.raises(TypeError, match="must be a cctx.Context"):
        manager.bind(1, None)
    for bad in (-1, 2**64, "a", 1.5):
        with pytest.raises(ValueError, match="id must be an int from 0"):
            manager.get(bad)
    manager.close()
    manager.close()
    with pytest.raises(RuntimeError, match="is closed"):
        manager.get(1)


def test_a_binding_that_was_forgotten_goes_with_its_age():
    """In the reference who forgets to unbind leaks for ever."""
    cctx.testing.clock_set(0)
    try:
        manager = cctx.SessionManager(max_age=10)
        alive = cctx.alive()
        for number in range(100):
            manager.bind(number, BACKGROUND.with_session())
        cctx.testing.clock_set(9.9)
        assert manager.sweep() == 0
        cctx.testing.clock_set(10)
        assert manager.sweep() == 100
        assert cctx.alive() == alive
    finally:
        cctx.testing.clock_set(None)


@pytest.mark.parametrize(
    "said, found",
    [
        (",0", (False, 100, 600)),  # in the reference this kills the process
        ("maybe,abc,soon", (False, 100, 600)),
        ("true,7,1.5s", (True, 7, 1.5)),
        (",,0", (False, 100, 0)),
    ],
)
def test_the_environment_configures_and_never_kills(said, found):
    program = (
        "import cctx; o = cctx.backup_options();"
        "print((o['async'], o['shards'], o['gc_interval']))"
    )
    env = {**os.environ, "CLOUDWEGO_SESSION_CONFIG_KEY": said}
    command = [sys.executable, "-c", program]
    out = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert ast.literal_eval(out.stdout) == found


def test_the_default_manager_can_be_closed_and_is_made_anew():
    manager, session = cctx.SessionManager.default(), BACKGROUND.with_session()
    manager.bind(7, session)
    assert cctx.SessionManager.default().get(7) == session
    assert [(i.context == session, i.id) for i in cctx.sessions()] == [
        (True, None),
        (True, 7),
    ]
    manager.close()
    assert manager.get(7) is None
    manager.bind(7, session)
    assert manager.get(7) == session
    manager.close()


def test_a_managers_thread_gives_back_what_python_stored():
    """It never takes the interpreter's lock: closing waits for it with that held."""
    manager = cctx.SessionManager(gc_interval=0.001, thread=True)
    things = []
    for number in range(20):
        thing = Thing()
        things.append(weakref.ref(thing))
        session = BACKGROUND.with_session().with_value("thing", thing)
        manager.bind(number, session)
        session.end_session()
        del session, thing
    while manager.stats()["swept"] < 20:
        pass
    manager.close()
    cctx.alive()
    gc.collect()
    assert [there() for there in things] == [None] * 20


# ---- The server's side ----


def test_a_handler_finds_its_session_until_it_is_left():
    """S66: nothing is canceled then."""
    one = request_of("one")
    with cctx.backup(one) as session:
        assert cctx.session() == session
        assert cctx.session_state() == "valid"
        assert cctx.value("who") == "one"
    assert session.session_state() == "ended"
    assert session.err() is None
    assert cctx.session() is None


def test_a_backup_is_of_what_is_current_by_default():
    with cctx.use(request_of("one")), cctx.backup():
        assert cctx.value("who") == "one"
        assert cctx.session_state() == "valid"
    with pytest.raises(TypeError, match="must be a cctx.Context or None"):
        cctx.backup("one")


def test_an_inner_handler_leaves_the_outer_one_its_session():
    with cctx.backup(request_of("one")) as outer:
        with cctx.backup(request_of("two")):
            assert cctx.value("who") == "two"
        assert cctx.session() == outer
        assert outer.session_state() == "valid"


def test_two_tasks_on_a_thread_never_see_each_others_sessions():
    """In the reference there is one place for both."""

    async def serve(name, mine, others):
        async with cctx.backup(request_of(name)):
            for _ in range(10):
                mine.set()
                await others.wait()
                others.clear()
                assert cctx.session().value("who") == name
                assert cctx.recover(BACKGROUND).context.metadata("tenant") == name
            mine.set()

    async def main():
        first, second = asyncio.Event(), asyncio.Event()
        await asyncio.gather(serve("one", first, second), serve("two", second, first))

    asyncio.run(main())


def test_a_late_task_finds_that_its_session_has_ended_and_never_the_next():
    """S67: not even if the same task serves the next request."""

    async def late(turn):
        await turn.wait()
        found = cctx.recover(BACKGROUND)
        return cctx.value("who"), cctx.session(), cctx.session_state(), found.reason

    async def main():
        turn = asyncio.Event()
        async with cctx.backup(request_of("one")):
            task = asyncio.create_task(late(turn))
            await asyncio.sleep(0)
        async with cctx.backup(request_of("two")):
            turn.set()
            return await task

    assert asyncio.run(main()) == (None, None, "ended", "ended")


def test_what_was_wrapped_keeps_its_session_and_knows_that_it_has_ended():
    with cctx.backup(request_of("one")):
        late = cctx.wrap(lambda: (cctx.value("who"), cctx.session_state()))
    with cctx.backup(request_of("two")):
        assert late() == ("one", "ended")


def test_a_thread_of_the_library_is_handed_the_session():
    found = []
    with cctx.backup(request_of("one")):
        thread = cctx.Thread(target=lambda: found.append(cctx.session().value("who")))
        thread.start()
        thread.join()
        plain = threading.Thread(target=lambda: found.append(cctx.session()))
        plain.start()
        plain.join()
    assert found == ["one", None]


def test_a_value_that_must_not_leave_its_thread_is_captured_as_its_key_says():
    def look():
        return cctx.value("pooled", "absent")

    assert cctest.drop_captured("pooled", True) == 0
    try:
        with cctx.use(BACKGROUND.with_value("pooled", 1)):
            wrapped, found = cctx.wrap(look), []
            thread = cctx.Thread(target=lambda: found.append(look()))
            thread.start()
            thread.join()
            with cctx.Executor() as executor:
                found.append(executor.submit(look).result())
            with cctx.install():
                thread = threading.Thread(target=lambda: found.append(look()))
                thread.start()
                thread.join()
            assert look() == 1
        assert [wrapped(), *found] == [None] * 4
    finally:
        cctest.drop_captured("pooled", False)


# ---- The client's side ----


def test_metadata_that_a_context_lacks_are_recovered_and_its_own_win():
    """S69: and nothing else, without being asked for."""
    server = with_pairs(request_of("one"), lane="blue").with_timeout(9)
    with cctx.backup(server):
        found = cctx.recover(with_pairs(BACKGROUND, lane="green"))
    assert found.reason == "recovered"
    assert found.pairs == 1
    assert found.context.metadata_map == {"lane": "green", "tenant": "one"}
    assert found.context.value("who") is None
    assert found.context.deadline() is None


def test_without_a_session_nothing_is_recovered():
    """S70: the context is given back itself."""
    context = BACKGROUND.with_cancel()
    found = cctx.recover(context)
    assert found.context is context
    assert found.reason == "no_session"


def test_the_handler_decides_and_metadata_are_added_to_what_it_returns():
    """S71: None means no."""
    seen = []

    def handler(previous, context):
        seen.append((previous, context, cctx.current()))
        return with_pairs(context, lane="red")

    context = BACKGROUND.with_cancel()
    with cctx.backup(with_pairs(request_of("one"), lane="blue")) as session:
        found = cctx.recover(context, handler)
        assert seen == [(session, context, session)]
        assert found.handled
        assert found.context.metadata_map == {"lane": "red", "tenant": "one"}
        found = cctx.recover(context, lambda previous, context: None)
        assert found.context is context
        assert found.reason == "declined"


def test_an_error_of_the_handler_is_raised():
    def handler(previous, context):
        raise KeyError("lost")

    with cctx.backup(request_of("one")):
        with pytest.raises(KeyError, match="lost"):
            cctx.recover(BACKGROUND, handler)
        with pytest.raises(TypeError, match="must be a cctx.Context, not int"):
            cctx.recover(BACKGROUND, lambda previous, context: 7)


def test_keys_and_scopes_say_what_is_recovered():
    """S72: of each what the context has not got."""
    server = BACKGROUND.with_values({"tenant": "acme", "user": "ada"})
    server = server.with_metadata("trace", "t").with_metadata("next", "n", scope="hop")
    with cctx.backup(server):
        found = cctx.recover(BACKGROUND, keys=["tenant", "nobody's"], scopes=["hop"])
        assert found.context.values == {"tenant": "acme"}
        assert found.context.metadata_pairs() == [("next", "n", "hop")]
        assert (found.pairs, found.values) == (1, 1)
        none = cctx.recover(BACKGROUND, scopes=())
        assert (none.context, none.reason) == (BACKGROUND, "complete")


def test_deadline_and_cancellation_are_taken_where_asked_for():
    server = BACKGROUND.with_timeout(100).with_cancel()
    with cctx.backup(server):
        limited = cctx.recover(BACKGROUND, deadline=True)
        linked = cctx.recover(BACKGROUND, cancellation=True)
    assert limited.deadline and not limited.cancellation
    assert limited.context.deadline() == server.deadline()
    assert linked.cancellation
    server.cancel("gone")
    assert linked.context.cause().message == "gone"
    assert limited.context.err() is None


def test_nothing_is_recovered_from_a_disabled_session_unless_asked_for():
    """S73: nor from one that has ended."""
    with cctx.backup(request_of("one")) as session:
        session.disable_session()
        assert cctx.recover(BACKGROUND).reason == "disabled"
        assert cctx.recover(BACKGROUND, invalid=True).reason == "recovered"
    assert cctx.recover(BACKGROUND, previous=session).reason == "ended"
    found = cctx.recover(BACKGROUND, previous=session, invalid=True)
    assert found.context.metadata("tenant") == "one"


def test_recover_says_what_it_cannot_take():
    for bad, error in (
        (dict(handler=1), "callable"),
        (dict(keys="tenant"), "sequence of names"),
        (dict(previous=1), "must be a cctx.Context"),
    ):
        with pytest.raises(TypeError, match=error):
            cctx.recover(BACKGROUND, **bad)
    with pytest.raises(ValueError, match="'hop', 'request' or 'upstream'"):
        cctx.recover(BACKGROUND, scopes=["all"])


# ---- Mistakes ----


def test_a_call_with_a_context_that_was_lost_is_found_out():
    """S68: and counted."""
    before = cctx.backup_mistakes()["lost"]
    with cctx.backup(request_of("one")) as session:
        assert cctx.check_egress(session.with_cancel()) is True
        assert cctx.check_egress(session.detached()) is True
        assert cctx.check_egress(BACKGROUND.with_cancel()) is False
    assert cctx.check_egress(BACKGROUND) is True
    assert cctx.backup_mistakes()["lost"] == before + 1


def test_sessions_are_listed_with_where_they_were_made():
    with cctx.backup(request_of("one")) as session:
        (found,) = cctx.sessions()
        assert found.context == session
        assert found.state == "valid"
        assert found.file.endswith("test_backup.py")
        assert cctx.sessions(age=60) == []


def test_a_scope_in_a_context_that_nobody_runs_any_more_ends_nothing_of_others():
    running = contextvars.copy_context()
    scope = cctx.backup(request_of("one"))
    session = running.run(scope.__enter__)
    assert cctx.session() is None
    scope.__exit__(None, None, None)
    assert session.session_state() == "ended"
