# SPDX-License-Identifier: Apache-2.0
"""bind_var(): a plain ContextVar and a value of the current context mirror each other."""

import asyncio
import concurrent.futures
import contextvars
import gc
import threading

import cctx
import pytest


@pytest.fixture
def var():
    return contextvars.ContextVar("tenant", default="nobody")


@pytest.fixture
def bare():
    """Without a default."""
    return contextvars.ContextVar("bare")


@pytest.fixture(autouse=True)
def bound(var, bare):
    """In a Context of its own, so that what tests set stays there."""
    bindings = [cctx.bind_var(var, "tenant"), cctx.bind_var(bare, cctx.Key("bare"))]
    yield bindings
    for binding in bindings:
        binding.unbind()


def under(value, key="tenant"):
    return cctx.use(cctx.background().with_value(key, value))


def isolated(function):
    """In a copy of the running Context, so that what it sets is gone with it."""

    def test(*args, **kwargs):
        contextvars.copy_context().run(function, *args, **kwargs)

    import functools

    return functools.wraps(function)(test)


# ---- From the context to the variable ---------------------------------------------------


def test_variable_has_the_value_of_the_context_that_is_entered(var, root):
    with under("acme"):
        assert var.get() == "acme"
        with under("globex"):
            assert var.get() == "globex"
        assert var.get() == "acme"
    assert var.get() == "nobody"
    assert root.with_value("tenant", "acme").run(var.get) == "acme"
    assert cctx.wrap(var.get, root.with_value("tenant", "acme"))() == "acme"


def test_variable_is_unset_again_after_the_block(bare):
    with under(1, "bare"):
        assert bare.get() == 1
    with pytest.raises(LookupError):
        bare.get()
    assert bare not in contextvars.copy_context()


def test_variable_has_its_default_where_the_context_has_no_value(var, bare, root):
    """Never that of the context outside."""
    with under("acme"), under(1, "bare"):
        with cctx.use(root):
            assert var.get() == "nobody"
            assert bare.get() is None
        assert bare.get() == 1


def test_object_is_mirrored_itself(var):
    value = object()
    with under(value):
        assert var.get() is value


def test_stored_none_is_mirrored(var):
    with under(None):
        assert var.get() is None


@isolated
def test_block_puts_back_what_the_variable_had_before(var):
    var.set("set before")
    with under("acme"):
        var.set("set inside")
        assert cctx.value("tenant") == "set inside"
    assert var.get() == "set before"


@isolated
def test_context_that_changes_another_value_leaves_the_variable_alone(var):
    with under("acme"):
        var.set("set inside")
        with cctx.use(cctx.current().with_value("other", 1).with_cancel()):
            assert var.get() == "set inside"
        assert var.get() == "set inside"


# ---- From the variable to the context ---------------------------------------------------


@isolated
def test_value_is_what_the_variable_was_set_to(var, root):
    var.set("set")
    assert cctx.value("tenant") == cctx.Key("tenant").get() == "set"
    with under("acme"):
        assert cctx.value("tenant") == "acme"
        token = var.set("set inside")
        assert cctx.value("tenant") == "set inside"
        assert cctx.current().value("tenant") == "acme", "a context is immutable"
        var.reset(token)
        assert cctx.value("tenant") == "acme"


def test_value_is_the_contexts_where_the_variable_is_not_set(var, root):
    assert cctx.value("tenant", "absent") == "absent"
    assert contextvars.Context().run(cctx.value, "tenant") is None


@isolated
def test_what_is_derived_has_what_the_variable_was_set_to(var):
    """So that C and Lua see it from there on."""
    with under("acme"):
        var.set("set inside")
        with cctx.timeout(None) as ctx:
            assert ctx.value("tenant") == "set inside"
            assert var.get() == "set inside"
    assert var.get() == "nobody"


@isolated
def test_what_is_handed_over_has_what_the_variable_was_set_to(var, root):
    with under("acme"):
        var.set("set inside")
        bound = cctx.wrap(lambda: (var.get(), cctx.current().value("tenant")))
        seen = []
        thread = cctx.Thread(target=lambda: seen.append(bound()))
        thread.start()
        thread.join()
        with cctx.Executor(1) as pool:
            seen.append(pool.submit(lambda: (var.get(), cctx.value("tenant"))).result())
            with under("globex"):
                seen.append(pool.submit(var.get).result())
    assert seen == [("set inside", "set inside")] * 2 + ["globex"]


def test_workers_of_a_pool_have_nothing_left_over(var):
    with cctx.Executor(1) as pool:
        with under("acme"):
            assert pool.submit(var.get).result() == "acme"
        assert pool.submit(var.get).result() == "nobody"


# ---- Tasks, requests, and scopes that are left elsewhere ----------------------------------


def test_tasks_have_their_own(var):
    async def work(name):
        with under(name):
            await asyncio.sleep(0)
            first = var.get()
            var.set(name + " set")
            await asyncio.sleep(0)
            return first, var.get(), cctx.value("tenant")

    async def main():
        return await asyncio.gather(*(work(f"t{n}") for n in range(10)))

    assert asyncio.run(main()) == [(f"t{n}", f"t{n} set", f"t{n} set") for n in range(10)]


def test_late_task_finds_no_value_when_its_request_has_ended(var, root):
    async def late(gate):
        var.set("set by the task")
        await gate.wait()
        return cctx.value("tenant"), cctx.current_status()

    async def main():
        gate = asyncio.Event()
        with cctx.request() as ctx, cctx.use(ctx.with_value("tenant", "acme")):
            task = asyncio.create_task(late(gate))
            await asyncio.sleep(0)
        gate.set()
        return await task

    assert asyncio.run(main()) == (None, "ended")


def test_variable_is_put_back_after_a_scope_that_was_left_elsewhere(var):
    """As soon as the package is asked there."""
    here = contextvars.Context()
    scope = under("acme")
    here.run(scope.__enter__)
    scope.__exit__(None, None, None)
    assert here.run(cctx.value, "tenant") is None
    assert here.run(var.get) == "nobody"
    other = under("globex")
    here.run(scope.__enter__)
    scope.__exit__(None, None, None)
    here.run(other.__enter__)
    assert here.run(var.get) == "globex"
    here.run(other.__exit__, None, None, None)
    assert here.run(var.get) == "nobody"


def test_scope_that_is_never_left_is_collected_with_its_context(var):
    class Tenant:
        pass

    before = cctx.alive()
    contextvars.Context().run(lambda: under(Tenant()).__enter__() and None)
    cctx.alive()  # what was dropped comes back first
    gc.collect()
    assert cctx.alive() == before


# ---- Binding ---------------------------------------------------------------------------


def test_unbound_variable_is_left_alone(var, bound):
    bound[0].unbind()
    bound[0].unbind()
    with under("acme"):
        assert var.get() == "nobody"
    with under(1, "bare"), cctx.use(cctx.current().with_value("tenant", "acme")):
        assert cctx.value("tenant") == "acme"
        assert var.get() == "nobody"


def test_unbinding_inside_a_block_still_puts_back(var, bound):
    with under("acme"):
        bound[0].unbind()
        assert var.get() == "acme"
    assert var.get() == "nobody"


def test_binding_is_seen_by_every_thread(var):
    seen = []

    def work():
        with under("acme"):
            seen.append(var.get())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == ["acme"]


@pytest.mark.parametrize(
    "other, key, error, text",
    [
        ("tenant", "x", TypeError, "var must be a contextvars.ContextVar, not str"),
        (contextvars.ContextVar("v"), 1, TypeError, "key must be a str or a cctx.Key"),
        (contextvars.ContextVar("v"), "", ValueError, "cannot be a key"),
        (contextvars.ContextVar("v"), "tenant", ValueError, "bound already"),
    ],
)
def test_bind_var_refuses_bad_input(other, key, error, text):
    with pytest.raises(error, match=text):
        cctx.bind_var(other, key)


def test_variable_is_bound_once(var):
    with pytest.raises(ValueError, match="bound already"):
        cctx.bind_var(var, "other")


def test_plain_pool_worker_sees_neither(var):
    with concurrent.futures.ThreadPoolExecutor(1) as pool, under("acme"):
        assert pool.submit(lambda: (var.get(), cctx.value("tenant"))).result() == (
            "nobody",
            None,
        )


def test_what_a_job_of_one_request_sets_no_job_of_the_next_reads(var):
    one = cctx.background().with_value("k", 1)
    other = cctx.background().with_value("k", 2)
    with cctx.Executor(1) as pool:
        with cctx.use(one):
            pool.submit(var.set, "secret").result()
        with cctx.use(other):
            seen = pool.submit(lambda: (var.get(), cctx.value("tenant"))).result()
    assert seen == ("nobody", None)


def test_what_is_set_in_a_request_is_gone_after_it(var):
    with cctx.request():
        var.set("secret")
        assert cctx.value("tenant") == "secret"
    assert var.get() == "nobody"
    with cctx.request():
        assert cctx.value("tenant") is None
