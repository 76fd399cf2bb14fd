# SPDX-License-Identifier: Apache-2.0
"""Lack of memory: each allocation of each operation fails once, and nothing is lost."""

import array
import contextvars
import gc
import sys

import cctest
import cctx
import pytest
from cctx import _cctx


# No closure is made in an operation: CPython itself loses a reference where that fails.
class Thing:
    pass


thing, text = Thing(), "t" * 50


def slot(var):
    """Where CPython keeps it in a Context. Below two that share one it loses a reference
    where memory fails, so here is never more than one for each."""
    return (hash(var) ^ hash(var) >> 32) & 31


def make_variable():
    """One that has a slot to itself beside the library's."""
    taken = {slot(var) for var in contextvars.Context().run(own_variables)}
    made = (contextvars.ContextVar("variable", default=None) for _ in range(1000))
    return next(var for var in made if slot(var) not in taken)


def own_variables():
    with cctx.use(cctx.background()):
        return list(contextvars.copy_context())


variable = make_variable()


def numbers():
    yield 1
    yield 2


def use(ctx):
    with cctx.use(ctx):
        pass


def use_and_ask(ctx):
    with cctx.use(ctx) as inside:
        assert cctx.current() is inside
        assert cctest.released()[0] is inside


def ask_in_two(ctx):
    with cctx.use(ctx.with_value("k", thing)), cctx.use(ctx.with_cancel()):
        return cctx.value("k"), cctx.metadata_pairs(), cctx.cause()


def with_response(ctx):
    call = ctx.with_response("append")
    call.response_receive("a", "1")
    call.response_receive({"a": text, "b": "2"})
    return call.response().metadata_pairs(), call.response_end()


def use_out_of_order(ctx):
    a, b = cctx.use(ctx), cctx.use(ctx.with_cancel())
    a.__enter__()
    try:
        b.__enter__()
    finally:
        a.__exit__(None, None, None)
        b.__exit__(None, None, None)


def use_elsewhere(ctx):
    use = cctx.use(ctx)
    elsewhere = contextvars.Context()
    use.__enter__()
    try:
        elsewhere.run(use.__exit__, None, None, None)
    finally:
        use.__exit__(None, None, None)


def many(ctx):
    made = []
    for _ in range(300):
        made.append(ctx.with_cancel())


def cycle(ctx):
    loop = Thing()
    loop.ctx = ctx.with_value("k", loop)


def request(ctx):
    with cctx.request(parent=ctx, timeout=5, metadata={"a": text}):
        assert cctx.metadata("a") == text


def scopes(ctx):
    with cctx.timeout(5, "slow"), cctx.timeout_at(9), cctx.cancel_scope(), cctx.detached():
        return cctx.remaining()


def nested_requests(ctx):
    with cctx.request(), cctx.use(ctx), cctx.request(metadata={"b": text}):
        pass


def bound(ctx):
    with cctx.use(ctx.with_value("bound", thing)):
        seen = variable.get()
        with cctx.request():
            assert variable.get() is None
        assert variable.get() is seen


def observe(ctx):
    child = ctx.with_cancel()
    loop = _cctx.Loop()
    observer = _cctx.Observer(loop, child, print)
    observer.off()
    _cctx.Observer(loop, child, len)
    child.cancel()
    loop.run()
    return loop.take()


wrapped = cctx.wrap(len, cctx.background())
wrapped_numbers = cctx.wrap(numbers, cctx.background())


def done(ctx):
    steps = ctx.with_timeout(-1).done()
    try:
        steps.send(None)
    except StopIteration:
        pass


def check(ctx):
    try:
        ctx.with_timeout(-1, "late").check()
    except cctx.DeadlineExceeded:
        pass


def inject_into_copy(ctx):
    return cctx.inject({"Baggage": text, "x": [text, b"y"]}, ctx.with_metadata({"a": text}))


def make_policy():
    return cctx.Policy(
        "stranger", read=["baggage"], allow=["a", "b*"], send=[text], rename={"t": "a"}
    )


def manage(ctx):
    manager = cctx.SessionManager(shards=1)
    try:
        token = manager.bind(7, ctx.with_session())
        return manager.get(7), manager.state(7), manager.unbind(7, token), manager.stats()
    finally:
        manager.close()


def set_variables(ctx):
    session = ctx.with_variables()
    session.set_variable("k", text)
    session.set_variable("k", thing)
    return session.variables().value("k")


def decide(previous, ctx):
    return ctx.with_value("k", previous.value("k"))


def back_up(ctx):
    with cctx.backup(ctx):
        return cctx.session_state(), cctx.sessions(), cctx.check_egress(ctx)


def serve(ctx):
    with cctx.request(parent=ctx):
        return cctx.err(), cctx.metadata_pairs()


def recover(ctx):
    server = ctx.with_values({"k": thing, "j": text}).with_metadata("a", text)
    return cctx.recover(
        cctx.background(), previous=server.with_session(), keys=["k", "j"], cancellation=True
    )


def recover_by_handler(ctx):
    server = ctx.with_value("k", text).with_session()
    return cctx.recover(cctx.background(), decide, previous=server)


OPERATIONS = {
    "current": lambda ctx: (cctx.current(), cctx.background(), cctx.todo()),
    "with_value": lambda ctx: ctx.with_value("k", text),
    "with_value, object": lambda ctx: ctx.with_value("k", Thing()),
    "with_values": lambda ctx: ctx.with_values({"k": thing, "j": text, "i": [], "h": 1}),
    "value": lambda ctx: ctx.with_value("k", thing).value("k"),
    "with_metadata": lambda ctx: ctx.with_metadata({"a": text, "b": "c"}).metadata("a"),
    "with_metadata, items": lambda ctx: ctx.with_metadata([("a", text), ("b", "c", "hop")]),
    "without_metadata": lambda ctx: ctx.with_metadata("a", "b").without_metadata("a", "c"),
    "metadata_scope": lambda ctx: ctx.with_metadata("a", "b").metadata_scope("a"),
    "metadata_pairs": lambda ctx: ctx.with_metadata("a", "b").metadata_pairs("request"),
    "with_response": with_response,
    "response_set": lambda ctx: (ctx.response_set({"a": text}), ctx.response()),
    "with_cancel": lambda ctx: ctx.with_cancel().cancel("enough"),
    "with_deadline": lambda ctx: ctx.with_deadline(5, "late").deadline(),
    "with_timeout": lambda ctx: ctx.with_timeout(5, "late").remaining(),
    "with_grace": lambda ctx: ctx.with_grace(1),
    "merge": lambda ctx: ctx.merge(ctx.with_cancel(), ctx.with_cancel()),
    "detached": lambda ctx: ctx.with_values({"k": thing, "j": []}).detached(True),
    "cause": lambda ctx: ctx.with_timeout(-1).cause(),
    "check": check,
    "extract": lambda ctx: cctx.extract({"baggage": ["a=1", b"b=2"], "x": "\udcff"}, ctx),
    "extract, pairs": lambda ctx: cctx.extract([("baggage", text)], policy=make_policy()),
    "inject": inject_into_copy,
    "policy": lambda ctx: make_policy().counts,
    "repr": lambda ctx: (repr(ctx), hash(ctx), ctx == ctx, ctx.err()),
    "manage": manage,
    "set_variables": set_variables,
    "recover": recover,
    "recover, by a handler": recover_by_handler,
    "many": many,
    "cycle": cycle,
    "use": use,
    "use and ask": use_and_ask,
    "ask in two": ask_in_two,
    "use, left out of order": use_out_of_order,
    "use, left elsewhere": use_elsewhere,
    "run": lambda ctx: ctx.run(cctx.value, "k", default=1),
    "run, handed over": lambda ctx: _cctx._run_handed_over(ctx, cctx.current, (), {}),
    "copy": lambda ctx: contextvars.copy_context().run(use_and_ask, ctx),
    "allowed": lambda ctx: ctx.run(cctest.allowed),
    "request": request,
    "requests, nested": nested_requests,
    "scopes": scopes,
    "wrapped": lambda ctx: wrapped(text),
    "wrapped generator": lambda ctx: list(wrapped_numbers()),
    "done": done,
    "observer": observe,
    "key": lambda ctx: cctx.Key("k").get(ctx.with_value("k", thing)),
}
# Where a call of a function fails for lack of memory, CPython 3.10 raises nothing at all.
if sys.version_info < (3, 11):
    for name in ("scopes", "wrapped generator", "done", "key"):
        del OPERATIONS[name]
# Where list(x) fails for lack of memory, CPython before 3.13 keeps x.
if sys.version_info < (3, 13):
    for name in ("extract, pairs", "with_metadata, items", "policy"):
        del OPERATIONS[name]


@pytest.fixture
def failing():
    gc.freeze()  # what is there already: each of many collections would look through it
    cctest.fail_begin()
    yield
    cctest.fail_end()
    gc.unfreeze()


def fail_each(operation, ctx):
    """Fail the first allocation, the second, and so on, until none is left to fail."""
    for n in range(1, 5000):
        try:
            result, failed = cctest.fail_nth(n, lambda: operation(ctx))
        except SystemError:
            if sys.version_info >= (3, 11):
                raise
            result, failed = None, True  # it was the frame of a call: see above
        assert cctx.current() is cctx.background()
        del result
        if not failed:
            return n
    raise AssertionError("there is no end to it")


def measure():
    with cctx.use(cctx.background()):
        pass  # what could not be left is kept until something is attached there
    gc.collect()
    return cctx.alive(), sys.getallocatedblocks()


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_each_allocation_fails_once(root, failing, operation):
    contextvars.Context().run(fail_often, operation, root.with_cancel())


def fail_often(operation, ctx):
    """What is lost is lost each time; the interpreter keeps no more once its free lists are full."""
    operation(ctx)  # makes what is made once, such as the names of keys
    blocks = array.array("q", bytes(8 * 500))  # which takes no more as it fills
    for i in range(len(blocks)):
        fail_each(operation, ctx)
        fail_each(operation, ctx)
        alive, blocks[i] = measure()
        assert alive == 1
        if i >= 5 and blocks[i] <= blocks[i - 5]:
            return
    raise AssertionError(f"in five rounds {blocks[i] - blocks[i - 5]} blocks more are in use")


def test_each_allocation_fails_once_with_a_bound_variable(root, failing):
    """A request that cannot set it does not begin: it would have what is not its own."""
    binding = cctx.bind_var(variable, "bound")
    contextvars.Context().run(fail_often, bound, root.with_cancel())
    binding.unbind()


@pytest.mark.parametrize("operation", [back_up, serve], ids=["backup", "request"])
def test_a_handler_is_left_without_memory(root, failing, operation):
    """What it was entered with is never current for the next one: fail_each looks."""
    contextvars.Context().run(fail_each, operation, root.with_cancel())
