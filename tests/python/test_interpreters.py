# SPDX-License-Identifier: Apache-2.0
"""Several interpreters, processes and exits, seen by C code without the lock."""

import os
import sys

import pytest

OWN_LOCKS = sys.version_info >= (3, 12)

PRELUDE = """
import sys, threading
try:
    import _interpreters as subs
except ImportError:
    import _xxsubinterpreters as subs
import cctest, cctx
from cctx import _cctx

def inside(sub, code):
    failed = (getattr(subs, "exec", None) or subs.run_string)(sub, code)
    assert failed is None, failed

root = cctx.background()
"""


@pytest.mark.skipif(not OWN_LOCKS, reason="one lock for all up to 3.11")
def test_each_interpreter_of_a_thread_answers_for_itself(script):
    assert script(PRELUDE + """
sub = subs.create()
ctx = root.with_value("k", 1)
with cctx.use(ctx):
    assert cctest.released() == (ctx, "attached")
    inside(sub, '''
import cctest, cctx
from cctx import _cctx
assert _cctx._peek_works() and _cctx._collect_works()
assert cctest.released() == (cctx.background(), "none")
ctx = cctx.background().with_value("k", 2)
use = cctx.use(ctx)
use.__enter__()
assert cctest.released() == (ctx, "attached")
''')
    assert cctest.released() == (ctx, "attached")
subs.destroy(sub)
assert cctest.released()[0] == root
print("ok")
""") == "ok\n"  # fmt: skip


@pytest.mark.skipif(not OWN_LOCKS, reason="one lock for all up to 3.11")
def test_interpreters_with_locks_of_their_own_run_at_once(script):
    assert script(PRELUDE + """
def work(number):
    sub = subs.create()
    inside(sub, f'''
import cctest, cctx, gc
class Thing: pass
for turn in range(30):
    thing = Thing()
    thing.ctx = cctx.background().with_value("k", [{number}]).with_value("t", thing)
    with cctx.use(thing.ctx):
        assert cctest.released_differs(thing.ctx, 300) == 0
    assert cctest.released_differs(cctx.background(), 300) == 0
    del thing
    gc.collect()
    assert gc.collect() == 0
''')
    subs.destroy(sub)
    done.append(number)

done = []
threads = [threading.Thread(target=work, args=[n]) for n in range(3)]
for thread in threads:
    thread.start()
ctx = root.with_cancel()
with cctx.use(ctx):
    while any(thread.is_alive() for thread in threads):
        assert cctest.released_differs(ctx, 300) == 0
for thread in threads:
    thread.join()
print(sorted(done), cctx.current() is root)
""") == "[0, 1, 2] True\n"  # fmt: skip


@pytest.mark.skipif(not OWN_LOCKS, reason="up to 3.11 there is no answer then")
def test_interpreter_that_alone_has_the_package_answers(script):
    assert script("""
try:
    import _interpreters as subs
except ImportError:
    import _xxsubinterpreters as subs
sub = subs.create()
failed = (getattr(subs, "exec", None) or subs.run_string)(sub, '''
import cctest, cctx
ctx = cctx.background().with_cancel()
with cctx.use(ctx):
    assert cctest.released() == (ctx, "attached")
print("ok", flush=True)
''')
assert failed is None, failed
subs.destroy(sub)
""") == "ok\n"  # fmt: skip


@pytest.mark.skipif(OWN_LOCKS, reason="up to 3.11")
def test_beside_a_second_interpreter_only_what_is_taken_along_answers(script):
    assert script(PRELUDE + """
sub = subs.create()
ctx = root.with_cancel()
with cctx.use(ctx):
    assert cctx.current() is ctx
    assert cctest.released()[0] == root
    assert cctest.allowed() == (ctx, "attached")
    assert cctx.current() is ctx
subs.destroy(sub)
with cctx.use(ctx):
    assert cctest.released() == (ctx, "attached")
print("ok")
""") == "ok\n"  # fmt: skip


def test_object_of_one_interpreter_is_not_shown_to_the_collector_of_another(script):
    assert script(PRELUDE + """
import gc, weakref
class Thing: pass
sub = subs.create()
thing = Thing()
thing.ctx = root.with_value("k", thing)
handle, seen = cctest.hold(thing.ctx), weakref.ref(thing)
inside(sub, f'''
import cctest, cctx, gc
ctx = cctest.wrap({handle})
assert repr(type(ctx.value("k"))) == "<class 'PyCapsule'>", ctx.value("k")
ctx.with_cancel()
gc.collect()
''')
cctest.drop(handle)
del thing
gc.collect()
assert seen().ctx.value("k") is seen()
inside(sub, "del ctx; gc.collect()")
gc.collect()
cctx.alive()
assert seen() is None
subs.destroy(sub)
print("ok")
""") == "ok\n"  # fmt: skip


# ---- Exit and fork, while threads ask without the lock -----------------------------

DAEMONS = PRELUDE + """
import time
def loop():
    ctx = root.with_value("k", object())
    with cctx.use(ctx):
        started.append(1)
        ASK
def wait_for(n):
    while len(started) < n:
        time.sleep(0.001)
started = []
for _ in range(3):
    threading.Thread(target=loop, daemon=True).start()
"""


@pytest.mark.parametrize(
    "ask", ["cctest.released_differs(ctx, -1)", "while cctest.released(): pass"]
)
def test_daemon_threads_ask_without_the_lock_during_exit(script, ask):
    for _ in range(5):
        assert script(DAEMONS.replace("ASK", ask) + "wait_for(3)") == ""


@pytest.mark.skipif(
    sys.version_info < (3, 13), reason="CPython aborts, with cctx or without"
)
def test_daemon_threads_ask_during_exit_beside_another_interpreter(script):
    """Its end does not come before the main interpreter's: nor does the hook go."""
    source = DAEMONS.replace("ASK", "cctest.released_differs(ctx, -1)")
    for _ in range(5):
        script(source + "sub = subs.create()\ninside(sub, 'import cctx')\nwait_for(3)")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_child_of_a_fork_exits_though_threads_asked_during_the_fork(script):
    """Its exit waits for those who ask, and they are not there."""
    source = DAEMONS.replace("ASK", "cctest.released_differs(ctx, -1)")
    assert script(source + """
import os, signal, warnings
warnings.simplefilter("ignore")
wait_for(3)
for turn in range(5):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
print("ok")
""") == "ok\n"  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_child_of_a_fork_asks_without_the_lock(script):
    assert script(PRELUDE + """
import os
def loop():
    while not stop.is_set():
        with cctx.use(root.with_cancel()) as ctx:
            assert cctest.released_differs(ctx, 100) == 0
stop = threading.Event()
threads = [threading.Thread(target=loop) for _ in range(2)]
for thread in threads:
    thread.start()
ctx = root.with_value("k", 1)
import warnings
warnings.simplefilter("ignore")
for turn in range(10):
    with cctx.use(ctx):
        child = os.fork()
        if child == 0:
            right = cctest.released() == (ctx, "attached")
            with cctx.use(ctx.with_cancel()) as inner:
                right = right and cctest.released_differs(inner, 100) == 0
            os._exit(not right)
        assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
print("ok")
""") == "ok\n"  # fmt: skip
