# SPDX-License-Identifier: Apache-2.0
"""Contexts in cycles: found by Python's garbage collector, and never while C holds them."""

import asyncio
import contextvars
import functools
import gc
import random
import time
import weakref

import cctest
import cctx
import pytest
from cctx import _cctx


class Thing:
    """What a program stores, for instance its request."""

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


@pytest.fixture
def only_by_hand():
    """The collector looks when a test says so, and at what the test made."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


def collect():
    for _ in range(3):
        gc.collect()
        cctx.alive()


def test_collector_is_known_here():
    assert _cctx._collect_works()


def test_one_context_has_one_object(root):
    ctx = root.with_cancel()
    with cctx.use(ctx):
        assert cctx.current() is ctx
        assert cctx.current() is cctx.current()
    assert cctx.current() is cctx.background()


# ---- Cycles that are found ---------------------------------------------------------


def itself(root, thing):
    thing.ctx = root.with_value("k", thing)


def one_of_several(root, thing):
    thing.ctx = root.with_values({"a": [1], "k": thing, "t": "text", "j": [thing]})


def twice(root, thing):
    thing.ctx = root.with_values({"k": thing, "j": thing}).with_value("k", thing)


def in_a_container(root, thing):
    thing.ctx = root.with_value("k", {"list": [thing]})


def through_a_child(root, thing):
    thing.ctx = (
        root.with_cancel().with_value("k", thing).with_timeout(5).with_metadata("a", "b")
    )


def through_many_children(root, thing):
    parent = root.with_value("k", thing)
    thing.contexts = [parent.with_cancel() for _ in range(10)]
    thing.contexts += [child.with_value("j", thing) for child in thing.contexts]


def through_a_grace(root, thing):
    thing.ctx = root.with_cancel().with_value("k", thing).with_grace(1)


def through_a_merge(root, thing):
    parent = root.with_value("k", thing)
    thing.ctx = root.with_cancel().merge(parent, root, parent).with_cancel()


def through_a_detached(root, thing):
    thing.ctx = root.with_value("j", 1).with_value("k", thing).detached()


def beside_a_detached(root, thing):
    thing.ctx = root.with_value("k", thing)
    thing.job = thing.ctx.detached()
    thing.job_of_job = thing.job.with_cancel().detached()


def through_a_use(root, thing):
    thing.use = cctx.use(root.with_value("k", thing))


def through_an_entered_use(root, thing):
    thing.use = cctx.use(root.with_value("k", thing))
    contextvars.Context().run(thing.use.__enter__)


def through_a_copied_context(root, thing):
    with cctx.use(root.with_value("k", thing)), cctx.use(root.with_cancel()):
        thing.copied = contextvars.copy_context()


def through_a_wrap(root, thing):
    thing.bound = cctx.wrap(lambda: None, root.with_value("k", thing))


def through_a_partial_run(root, thing):
    thing.bound = functools.partial(root.with_value("k", thing).run, print)


def through_a_generator(root, thing):
    def numbers():
        with cctx.use(root.with_value("k", thing)):
            yield 1

    thing.numbers = numbers()
    contextvars.Context().run(next, thing.numbers)


def through_a_task(root, thing):
    async def work():
        with cctx.use(root.with_value("k", thing)):
            await thing.event.wait()

    async def main():
        thing.event = asyncio.Event()
        thing.task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        thing.task._log_destroy_pending = False

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()


def through_an_exception(root, thing):
    thing.ctx = root.with_value("k", thing).with_timeout(-1)
    try:
        thing.ctx.check()
    except cctx.DeadlineExceeded as error:
        thing.error = error


CYCLES = [
    itself, one_of_several, twice, in_a_container, through_a_child, through_many_children,
    through_a_grace, through_a_merge, through_a_detached, beside_a_detached, through_a_use,
    through_an_entered_use, through_a_copied_context, through_a_wrap,
    through_a_partial_run, through_a_generator, through_a_task, through_an_exception,
]  # fmt: skip


@pytest.mark.parametrize("make", CYCLES, ids=lambda make: make.__name__)
def test_cycle_is_found(root, only_by_hand, make):
    alive = cctx.alive()
    thing = Thing()
    seen = weakref.ref(thing)
    make(root, thing)
    del thing
    cctx.alive()
    assert seen() is not None
    collect()
    assert seen() is None
    assert cctx.alive() == alive


def test_cycle_is_found_in_the_youngest_generation(root, only_by_hand):
    thing = Thing()
    itself(root, thing)
    seen = weakref.ref(thing)
    del thing
    gc.collect(0)
    cctx.alive()
    assert seen() is None


def test_finalizer_sees_its_context_whole(root, only_by_hand):
    said = []

    class Loud(Thing):
        def __del__(self):
            said.append((self.ctx.value("k") is self, self.ctx.metadata("a")))

    thing = Loud()
    thing.ctx = root.with_metadata("a", "b").with_value("k", thing).with_cancel()
    del thing
    collect()
    assert said == [(True, "b")]


# ---- What is held is never cleared -------------------------------------------------


def check_held(root, hold, release):
    """`hold(ctx)` is all that keeps a cycle: it must be whole until `release()`."""
    thing = Thing(name="whole", items=[1, 2])
    thing.ctx = root.with_value("k", thing)
    thing.child = thing.ctx.with_cancel().with_value("j", thing)
    held = hold(thing.child)
    seen = weakref.ref(thing)
    del thing
    collect()
    assert seen() is not None
    ctx = held() if callable(held) else held
    for name in "k", "j":
        assert ctx.value(name) is seen()
    assert seen().__dict__.keys() == {"name", "items", "ctx", "child"}
    assert seen().child.value("k").items == [1, 2]
    del ctx, held
    collect()
    assert seen() is not None
    release()
    collect()
    assert seen() is None


HOLDS = {
    "the node": lambda handle: handle,
    "a child": cctest.to_child,
    "a child of a child": lambda handle: cctest.to_child(cctest.to_child(handle)),
    "a detached copy": cctest.to_detached,
    "a detached copy of a child": lambda handle: cctest.to_detached(
        cctest.to_child(handle)
    ),
}


@pytest.mark.parametrize("derive", HOLDS.values(), ids=HOLDS)
def test_what_only_c_holds_is_whole(root, only_by_hand, derive):
    handles = []

    def hold(ctx):
        handles.append(derive(cctest.hold(ctx)))
        return lambda: cctest.wrap(handles[0])

    check_held(root, hold, lambda: cctest.drop(handles.pop()))


def test_what_only_a_merged_context_of_c_holds_is_whole(root, only_by_hand):
    """Its values are not to be seen there, but it keeps their node."""
    thing = Thing(name="whole")
    thing.ctx = root.with_value("k", thing)
    handle = cctest.to_merged(cctest.hold(thing.ctx))
    seen = weakref.ref(thing)
    del thing
    collect()
    assert seen().ctx.value("k").name == "whole"
    cctest.drop(handle)
    collect()
    assert seen() is None


@pytest.mark.parametrize("way", ["child", "detached", "merged", "copy", "use"])
def test_what_only_python_holds_is_whole(root, only_by_hand, way):
    keep = []

    def hold(ctx):
        if way == "child":
            keep.append(ctx.with_cancel())
        elif way == "detached":
            keep.append(ctx.detached())
        elif way == "merged":
            keep.append(ctx.merge(root.with_cancel()))
        elif way == "copy":
            with cctx.use(ctx):
                keep.append(contextvars.copy_context())
            return lambda: keep[0].run(cctx.current)
        else:
            keep.append(cctx.use(ctx))
            keep.append(contextvars.Context())
            keep[1].run(keep[0].__enter__)
            return lambda: keep[1].run(cctx.current)
        return keep[0]

    check_held(root, lambda ctx: hold(ctx), keep.clear)


def test_current_context_is_whole(root, only_by_hand):
    def scenario():
        thing = Thing(name="whole")
        thing.ctx = root.with_value("k", thing)
        cctx.use(thing.ctx.with_cancel()).__enter__()
        del thing
        collect()
        assert cctx.value("k").name == "whole"
        assert cctest.released()[0].value("k").ctx.value("k").name == "whole"

    alive = cctx.alive()
    contextvars.Context().run(scenario)
    collect()
    assert cctx.alive() == alive


def test_context_attached_without_the_lock_is_whole(root, only_by_hand):
    """The stack of C holds the context; Python has no more than a cycle."""
    handle = cctest.hold(root.with_cancel())
    thing = Thing(name="whole")
    thing.ctx = cctest.wrap(handle).with_value("k", thing)
    inside, held, after = cctest.released_attach(thing.ctx)
    assert inside[0] is thing.ctx and after[0] is root
    cctest.drop(handle)
    seen = weakref.ref(thing)
    del thing, inside, held, after
    collect()
    assert seen() is None


def test_finalizer_may_hand_its_context_to_c(root, only_by_hand):
    handles = []

    class Late(Thing):
        def __del__(self):
            handles.append(cctest.hold(self.ctx))

    thing = Late(name="whole")
    thing.ctx = root.with_value("k", thing)
    del thing
    collect()
    ctx = cctest.wrap(handles[0])
    assert ctx.value("k").name == "whole"
    assert ctx.value("k").ctx is ctx
    cctest.drop(handles.pop())
    seen = weakref.ref(ctx.value("k"))
    del ctx
    collect()
    assert seen() is None and handles == []


def test_context_that_c_wraps_again_may_be_stored_in_a_cycle(root, only_by_hand):
    handle = cctest.hold(root.with_cancel())
    for _ in range(2):
        thing = Thing()
        thing.ctx = cctest.wrap(handle).with_value("k", thing)
        seen = weakref.ref(thing)
        del thing
        collect()
        assert seen() is None
    cctest.drop(handle)


# ---- Size --------------------------------------------------------------------------


def test_hundred_thousand_children(root, only_by_hand):
    thing = Thing()
    ctx = root.with_value("k", thing)
    thing.children = [ctx.with_cancel() for _ in range(100_000)]
    seen = weakref.ref(thing)
    del ctx, thing
    started = time.perf_counter()
    collect()
    assert seen() is None
    assert time.perf_counter() - started < 5


def test_hundred_thousand_generations(root, only_by_hand):
    thing = Thing()
    ctx = root.with_value("k", thing)
    for _ in range(100_000):
        ctx = ctx.with_value("n", 1)
    thing.ctx = ctx
    seen = weakref.ref(thing)
    del ctx, thing
    started = time.perf_counter()
    collect()
    assert seen() is None
    assert time.perf_counter() - started < 5


def test_long_line_of_objects_that_hold_contexts_is_freed(root, only_by_hand):
    alive = cctx.alive()
    thing = Thing()
    for _ in range(30_000):
        thing = Thing(ctx=root.with_value("k", thing))
    seen = weakref.ref(thing)
    del thing
    collect()
    assert seen() is None and cctx.alive() == alive


def test_what_can_be_in_no_cycle_is_not_tracked(root):
    ctx = root.with_metadata("a", "b").with_value("k", 1).with_timeout(5).with_cancel()
    assert not gc.is_tracked(ctx)
    assert gc.is_tracked(ctx.with_value("k", []))
    assert gc.is_tracked(ctx.with_value("k", []).with_cancel())


# ---- Everything at once ------------------------------------------------------------


def test_random_graphs_beside_a_busy_c_thread(root, only_by_hand):
    """Against a model: what can be reached is whole, and what cannot is gone."""
    for seed in range(12):
        rng = random.Random(seed)
        things = [Thing(number=n, marks=[n]) for n in range(40)]
        contexts = [root]
        for thing in things:
            parent = rng.choice(contexts)
            derived = parent.with_value(f"k{rng.randrange(4)}", thing)
            kind = rng.randrange(6)
            if kind == 0:
                derived = derived.with_cancel().with_metadata("a", "b")
            elif kind == 1:
                derived = derived.detached()
            elif kind == 2:
                derived = derived.merge(rng.choice(contexts))
            thing.ctx = derived
            thing.friend = rng.choice(things)
            thing.other = rng.choice(contexts)
            contexts.append(derived)
        busy = rng.sample(contexts[1:], 3)
        cctest.stir(*busy)
        handles = [cctest.hold(ctx) for ctx in rng.sample(contexts, 3)]
        keep = rng.sample(contexts, 2)
        seen = [weakref.ref(thing) for thing in things]
        del things, contexts, busy, thing, parent, derived
        for _ in range(8):
            gc.collect()
            walk([cctest.wrap(handle) for handle in handles] + keep)
        cctest.stir_stop()
        for handle in handles:
            cctest.drop(handle)
        keep.clear()
        collect()
        assert [ref for ref in seen if ref() is not None] == []


def test_references_that_come_and_go_while_the_collector_looks(root, only_by_hand):
    """What a pass has counted as shown it must follow, whoever holds it meanwhile."""
    things = [Thing(number=n, marks=[n]) for n in range(20)]
    for thing in things:
        thing.ctx = thing.other = root.with_value("k0", thing)
        thing.friend = thing
    keep = [thing.ctx for thing in things]
    seen = [weakref.ref(thing) for thing in things]
    del things, thing
    cctest.stir_borrowed(*keep)
    for _ in range(20_000):
        gc.collect()
    cctest.stir_stop()
    walk(keep)
    assert None not in [ref() for ref in seen]
    del keep
    collect()
    assert [ref for ref in seen if ref() is not None] == []


def walk(contexts):
    """Whatever can be reached from here has not been cleared."""
    todo, met = list(contexts), set()
    while todo:
        ctx = todo.pop()
        if ctx in met:
            continue
        met.add(ctx)
        for number in range(4):
            thing = ctx.value(f"k{number}")
            if thing is None:
                continue
            assert thing.marks == [thing.number]
            todo += [thing.ctx, thing.other, thing.friend.ctx]
