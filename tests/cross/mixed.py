# SPDX-License-Identifier: Apache-2.0
"""Python's half of the runs through Lua and Python on one thread: what mixed.lua calls."""

import asyncio
import tempfile

import audit
import cctx

_log = tempfile.NamedTemporaryFile()  # it goes with the process
audit.open(_log.name)


def see(_=None):
    """Whose request this is, for Python, and for C with the lock and without it."""
    mine = cctx.metadata("tenant")
    held = audit.line("seen")
    audit.write("seen")
    released = _log.readlines()[-1].decode().rstrip("\n")
    said = {line.split(" ")[0].partition("=")[2] for line in (held, released)}
    return mine if said == {mine} else f"{mine} but C sees {held} and {released}"


def under(tenant):
    return cctx.use(cctx.current().with_metadata("tenant", tenant))


def alike(f):
    said = [see(), f()]
    with under("python"):
        said += [see(), f()]
    return " ".join([*said, see(), f()])


def level(f):
    with under(see() + "p"):
        before = see()
        return f"{before}[{f()}]{see()}"


def with_use(f):
    with under("py" + see()):
        return f()


def tasks(f):
    async def one(name):
        with under(name):
            said = ""
            for _ in range(3):
                await asyncio.sleep(0)
                said += see() + f()
            return said

    async def main():
        outer = asyncio.ensure_future(asyncio.sleep(0, f()))
        said = await asyncio.gather(one("a"), one("b"), one("c"))
        return " ".join([*said, await outer, f()])

    return asyncio.run(main())


def drive(step):
    async def one(name):
        with under(name):
            said = ""
            while not said.endswith("."):
                await asyncio.sleep(0)
                said += step(name)
                assert see() == name
            return said

    async def main():
        return " ".join(await asyncio.gather(one("a"), one("b"), one("c")))

    return asyncio.run(main())


def call(f):
    return f()


def catch(f):
    try:
        with under("inside"):
            f()
    except Exception as error:
        return f"{'boom' in str(error) or 'own' in str(error)} {see()}"


def raise_error(f):
    with under("raised"):
        raise KeyError("own " + f())


def check(f):
    cctx.check()


def catch_stop(f):
    try:
        f()
    except Exception as error:
        return f"{'too late' in str(error)} {see()}"
