# SPDX-License-Identifier: Apache-2.0
"""Leaks of what is written in Python: many of each leave blocks and files as they were.

CCTX_THOROUGH=1 makes that a hundred thousand of each.
"""

import json
import os

import pytest

OPERATIONS = {
    "timeout": "with cctx.timeout(1): pass",
    "detached": "with cctx.detached(True): pass",
    "request": "with cctx.request(timeout=1, metadata={'a': 'b'}): pass",
    "request, dropped": "cctx.request().__enter__()",
    "scope, left elsewhere": """
        s = cctx.timeout(1)
        contextvars.Context().run(s.__enter__)
        s.__exit__(None, None, None)""",
    "async scope": "async with cctx.timeout(1): pass",
    "async scope, of what cannot be done": "async with cctx.use(root): pass",
    "async scope, stopped": """
        try:
            async with cctx.timeout(-1):
                await asyncio.sleep(1)
        except cctx.DeadlineExceeded:
            pass""",
    "async scope, of a generator": """
        async def stream():
            async with cctx.cancel_scope():
                yield
        async for _ in stream():
            break""",
    "done": "await root.with_timeout(-1).done()",
    "done, given up": """
        c = root.with_cancel().done()
        c.send(None)
        c.close()""",
    "on_done": "root.with_timeout(-1).on_done(calls.append); await asyncio.sleep(0); "
    "calls.clear()",
    "on_done, off": "root.with_cancel().on_done(print).off()",
    "wait": "root.with_cancel().wait(0)",
    "wrap": "cctx.wrap(len, root.with_cancel())('abc')",
    "wrap, generator": "list(cctx.wrap(numbers, root.with_cancel())())",
    "wrap, generator dropped": "next(cctx.wrap(numbers, root.with_cancel())())",
    "wrap, async generator": """
        async for _ in cctx.wrap(stream, root.with_cancel())():
            pass""",
    "wrap, async generator left": """
        async for _ in cctx.wrap(stream, root.with_cancel())():
            break""",
    "wrap, coroutine": "await cctx.wrap(asyncio.sleep, root.with_cancel())(0)",
    "thread": """
        with cctx.use(root.with_value('key', Thing())):
            t = cctx.Thread(target=cctx.check)
            t.start()
        t.join()""",
    "thread, installed": """
        with installed(), cctx.use(root.with_value('key', Thing())):
            t = threading.Thread(target=cctx.check)
            t.start()
        t.join()""",
    "executor": "with cctx.use(root.with_cancel()): pool.submit(int).result()",
    "install": "cctx.install().uninstall()",
    "key": "cctx.Key('key', default=Thing()).get()",
    "values": "dict(root.with_value('key', Thing()).values)",
    "metadata_map": "dict(root.with_metadata('key', 'v').metadata_map)",
    "bound variable": "with cctx.use(root.with_value('bound', Thing())): var.get()",
    "bound variable, set": """
        with cctx.use(root.with_value('bound', Thing())):
            t = var.set(Thing())
            with cctx.timeout(1): pass
            del t""",
    "bound variable, never left": """
        contextvars.Context().run(cctx.use(root.with_value('bound', Thing())).__enter__)""",
    "binding": "cctx.bind_var(contextvars.ContextVar('v'), 'other').unbind()",
    "strict": "with testing.strict(), cctx.timeout(1): cctx.current()",
}


PROGRAM = """
import asyncio, contextlib, contextvars, gc, json, os, sys, textwrap, threading
import cctx
from cctx import testing

root, calls = cctx.background(), []
var = contextvars.ContextVar("var", default=None)
cctx.bind_var(var, "bound")
class Thing: pass
def numbers():
    yield 1
    yield 2

async def stream():
    yield 1
    yield 2

@contextlib.contextmanager
def installed():
    hooks = cctx.install()
    try:
        yield
    finally:
        hooks.uninstall()

async def turns():
    for _ in range(5):  # what is closed by the loop
        await asyncio.sleep(0)
    with cctx.use(root):
        pass  # what was left elsewhere goes now

def measure():
    calls.clear()
    cctx.alive()
    gc.collect()
    return cctx.alive(), sys.getallocatedblocks(), len(os.listdir("/proc/self/fd"))

async def main():
    global pool
    with cctx.Executor(1) as pool:
        for name, code in json.loads(OPERATIONS).items():
            body = textwrap.indent(textwrap.dedent(code), " " * 8)
            exec("async def operate(times):\\n    for _ in range(times):\\n" + body, globals())
            await operate(50)
            await turns()
            for _ in range(4):  # what leaks does so each time
                before = measure()
                for _ in range(TIMES // 500):
                    await operate(500)
                    await turns()
                left = [now - was for was, now in zip(before, measure())]
                if left[0] <= 1 and left[1] < 200 and not left[2]:
                    break
            else:
                print(name, left)

asyncio.run(main())
"""


TIMES = 100_000 if os.environ.get("CCTX_THOROUGH") else 500


def program(operations, times):
    given = {name: code.rstrip() for name, code in operations.items()}
    constants = f"OPERATIONS, TIMES = {json.dumps(given)!r}, {times}\n"
    return constants + PROGRAM


def test_many_of_each_leave_nothing(script, unsanitized):
    assert script(program(OPERATIONS, TIMES), timeout=60 + TIMES // 120) == ""


@pytest.mark.parametrize("operation", ["kept.append(root.with_cancel())"])
def test_what_leaks_is_found(script, unsanitized, operation):
    said = script("kept = []\n" + program({"leak": operation}, 500))
    assert said.startswith("leak [500, ")
