# SPDX-License-Identifier: Apache-2.0
"""The end of things: interpreter exit, fork, other interpreters. Never a crash."""

import os

import pytest

SUBINTERPRETERS = """
import sys
try:
    import _interpreters as subs
except ImportError:
    import _xxsubinterpreters as subs
import cctx

def inside(sub, code):
    failed = (getattr(subs, "exec", None) or subs.run_string)(sub, code)
    assert failed is None, failed
"""


def test_exit_inside_use(script):
    assert script("""
        import sys, cctx
        with cctx.use(cctx.background().with_value("k", object())):
            sys.exit(3)
    """, status=3) == ""  # fmt: skip


def test_exit_with_scopes_never_left(script):
    assert script("""
        import cctx, contextvars
        def numbers():
            with cctx.use(cctx.background().with_cancel()):
                yield 1
        held = numbers()
        next(held)
        use = cctx.use(cctx.background().with_value("k", object()))
        use.__enter__()
        cctx.use(cctx.current().with_cancel()).__enter__()
        copied = contextvars.copy_context()
        print(cctx.value("k") is None)
    """) == "False\n"  # fmt: skip


def test_object_of_the_program_in_a_value_is_released_at_exit(script):
    """Its class knows the program's globals, and they the context: a cycle."""
    assert script("""
        import cctx
        class Loud:
            def __del__(self):
                print("released")
        ctx = cctx.background().with_value("k", Loud())
    """) == "released\n"  # fmt: skip


def test_exit_handler_sees_what_the_program_attached(script):
    assert script("""
        import cctx, atexit
        def ask():
            print(cctx.value("k"))
            with cctx.use(cctx.background().with_value("k", 2)):
                print(cctx.value("k"))
        atexit.register(ask)
        cctx.use(cctx.background().with_value("k", 1)).__enter__()
    """) == "1\n2\n"  # fmt: skip


def test_exit_handler_older_than_the_import_gets_background(script):
    """It runs after the package's own: a log record of that time has no request."""
    assert script("""
        import atexit
        def ask():
            print(cctx.current() == root, cctx.value("k", 5), cctx.err())
            with cctx.use(ctx):
                pass
            print(ctx.run(lambda: 7), ctx.err(), ctx.with_cancel().cancel())
        atexit.register(ask)
        import cctx
        root, ctx = cctx.background(), cctx.background().with_value("k", object())
        cctx.use(ctx).__enter__()
    """) == "True 5 None\n7 None True\n"  # fmt: skip


def test_finalizer_that_runs_last_may_ask(script):
    assert script("""
        import builtins, os, sys
        import cctx
        class Late:
            def __init__(self):
                self.ctx = cctx.background().with_cancel()
                self.ctx.cancel("enough")
                self.write, self.current, self.use = os.write, cctx.current, cctx.use
            def __del__(self):
                try:
                    self.ctx.check()
                except Exception as error:
                    said = self.ctx.err() + " " + error.cause.message + "\\n"
                    self.write(1, said.encode())
                self.ctx.with_value("k", self).detached().run(repr, self.ctx)
                for ask in (self.current, lambda: self.use(self.ctx)):
                    try:
                        ask()
                    except RuntimeError:
                        pass
        builtins.late, sys.late = Late(), Late()
    """) == "canceled enough\n" * 2  # fmt: skip


@pytest.mark.parametrize(
    "work", ["cctx.current()", "root.with_value('k', []).run(len, 'abc')"]
)
def test_daemon_thread_at_work_during_exit(script, work):
    for _ in range(3):
        assert script(f"""
            import cctx, threading
            root, started = cctx.background(), threading.Event()
            def loop():
                with cctx.use(root.with_value("k", object())):
                    while True:
                        started.set()
                        {work}
            for _ in range(3):
                threading.Thread(target=loop, daemon=True).start()
            started.wait()
        """) == ""  # fmt: skip


def test_thread_that_outlives_the_main_program_asks(script):
    assert script("""
        import cctx, threading
        main = threading.main_thread()
        def late():
            with cctx.use(cctx.background().with_value("k", 1)):
                main.join()
                print(cctx.value("k"))
        threading.Thread(target=late).start()
    """) == "1\n"  # fmt: skip


def test_loop_dropped_with_tasks_inside_use(script):
    said = script("""
        import asyncio, cctx
        async def work():
            with cctx.use(cctx.background().with_cancel()):
                await asyncio.Event().wait()
        async def main():
            tasks.append(asyncio.ensure_future(work()))
            await asyncio.sleep(0)
        tasks = []
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        print("end")
    """)
    assert said.startswith("end\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_child_of_a_fork_asks_attaches_and_derives(script):
    assert script("""
        import cctx, os, sys
        ctx = cctx.background().with_value("k", [1]).with_cancel()
        use = cctx.use(ctx)
        use.__enter__()
        child = os.fork()
        if child == 0:
            assert cctx.current() == ctx and cctx.value("k") == [1]
            with cctx.use(cctx.current().with_value("k", 2).with_timeout(-1)):
                assert cctx.value("k") == 2 and cctx.err() == "deadline_exceeded"
            assert ctx.cancel("in the child") and ctx.err() == "canceled"
            use.__exit__(None, None, None)
            assert cctx.current() == cctx.background()
            sys.exit(7)
        status = os.waitpid(child, 0)[1]
        print(os.WIFEXITED(status), os.WEXITSTATUS(status))
        print(ctx.err(), cctx.current() == ctx)
    """) == "True 7\nNone True\n"  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork_while_other_threads_are_at_work(script):
    assert script("""
        import cctx, os, signal, threading, warnings
        warnings.simplefilter("ignore")
        root, stop = cctx.background(), threading.Event()
        def loop():
            while not stop.is_set():
                with cctx.use(root.with_value("k", []).with_cancel()) as ctx:
                    ctx.cancel()
        threads = [threading.Thread(target=loop) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                with cctx.use(root.with_value("k", 2).with_cancel()) as ctx:
                    os._exit(not (cctx.value("k") == 2 and ctx.cancel() and ctx.err()))
            assert os.waitpid(child, 0)[1] == 0
        stop.set()
        for thread in threads:
            thread.join()
        print("ok")
    """) == "ok\n"  # fmt: skip


# ---- Other interpreters --------------------------------------------------------------


def test_other_interpreter_has_a_current_of_its_own(script):
    assert script(SUBINTERPRETERS + """
sub = subs.create()
with cctx.use(cctx.background().with_value("k", 1)):
    inside(sub, '''
import cctx
class Thing: pass
assert cctx.current() == cctx.background() and cctx.value("k") is None
ctx = cctx.background().with_value("k", Thing()).with_timeout(-1)
with cctx.use(ctx):
    assert cctx.value("k").__class__ is Thing and cctx.current() == ctx
try:
    ctx.check()
except cctx.DeadlineExceeded as error:
    assert error.cause == ctx.cause()
del ctx
''')
    assert cctx.value("k") == 1, cctx.value("k")
subs.destroy(sub)
assert cctx.current() == cctx.background()
print(cctx.alive())
""") == "0\n"  # fmt: skip


def test_interpreters_come_and_go(script):
    assert script(SUBINTERPRETERS + """
for turn in range(5):
    sub = subs.create()
    inside(sub, "import cctx; cctx.use(cctx.background().with_cancel()).__enter__(); "
                "kept = cctx.background().with_value('k', object())")
    subs.destroy(sub)
    with cctx.use(cctx.background().with_value("k", turn)):
        assert cctx.value("k") == turn
print(cctx.current() == cctx.background())
""") == "True\n"  # fmt: skip


def test_program_ends_with_another_interpreter_alive(script):
    assert script(SUBINTERPRETERS + """
sub = subs.create()
inside(sub, "import cctx; use = cctx.use(cctx.background().with_cancel()); use.__enter__()")
cctx.use(cctx.background().with_value("k", object())).__enter__()
print("end")
""").startswith("end\n")  # fmt: skip


def test_tasks_keep_apart_beside_another_interpreter(script):
    assert script(SUBINTERPRETERS + """
import asyncio
sub = subs.create()
wrong = []
async def work(number):
    with cctx.use(cctx.background().with_value("n", number)):
        for _ in range(3):
            await asyncio.sleep(0)
            if cctx.value("n", number) != number: # to know nothing would do
                wrong.append((number, cctx.value("n")))
async def main():
    await asyncio.gather(*(work(n) for n in range(3)))
asyncio.run(main())
print(wrong, cctx.stale_detaches(), cctx.current() == cctx.background())
""") == "[] 0 True\n"  # fmt: skip


def test_scope_stays_in_force_when_another_interpreter_comes(script):
    assert script(SUBINTERPRETERS + """
with cctx.use(cctx.background().with_value("n", 1)):
    sub = subs.create()
    with cctx.use(cctx.background().with_value("n", 2)):
        print(cctx.value("n"))
    print(cctx.value("n"))
    subs.destroy(sub)
print(cctx.current() == cctx.background(), cctx.stale_detaches())
""") == "2\n1\nTrue 0\n"  # fmt: skip


def test_second_load_in_one_interpreter_says_a_sentence(script):
    assert script("""
        import sys, gc
        import cctx
        ctx = cctx.background().with_value("k", 1)
        for name in [name for name in sys.modules if name.startswith("cctx")]:
            del sys.modules[name]
        gc.collect()
        try:
            import cctx as again
        except ImportError as error:
            print(error)
        with cctx.use(ctx):
            print(cctx.value("k"))
    """).endswith("cannot be loaded again\n1\n")  # fmt: skip


def test_reload_of_the_package_changes_nothing(script):
    assert script("""
        import importlib, cctx
        ctx = cctx.background().with_cancel()
        with cctx.use(ctx):
            again = importlib.reload(cctx)
            print(again.current() == ctx, again.Context is type(ctx))
    """) == "True True\n"  # fmt: skip
