# SPDX-License-Identifier: Apache-2.0
"""A server's worker: an asyncio loop whose handlers are Lua coroutines, all on one thread.

It prints the port, and serves until its standard input ends. A client says which request
it is and for whom, answers the question, and reads the answer:

    r17 acme
    how many?
    3
    acme pays 12

Run it as it is, which takes lupa, or by worker.lua.
"""

import asyncio
import random
import sys

import audit
import cctx

_TIMEOUT = 30  # seconds for one request


def check(number):
    """Both languages, and C below them, agree at each switch on whose request it is."""
    c = audit.line("seen").split("trace=")[1].split(" ")[0]
    if cctx.value("trace_id") != number or c != number:
        raise AssertionError(f"{number}: Python sees {cctx.value('trace_id')}, C sees {c}")


class Connection:
    """One client, and its request."""

    def __init__(self, step, reader, writer):
        self.step = step  # of worker.lua
        self.reader = reader
        self.writer = writer

    # ---- What a handler waits for ----

    async def ask(self, question):
        self.writer.write(f"{question}\n".encode())
        return (await self.reader.readline()).decode().strip()

    async def later(self, value):
        """What another server would say, in its own time."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(random.random() / 50, future.set_result, value)
        return await future

    async def price(self, tenant):
        return await self.later(len(tenant))

    async def stock(self, item):
        return await asyncio.ensure_future(self.later(int(item) <= 5))

    # ---- The request ----

    async def answer(self, number):
        value = None
        while True:
            check(number)
            said = self.step(number, value)  # Lua runs until it waits, or ends
            check(number)
            kind, _, rest = said.partition(" ")
            if kind == "answer":
                return rest
            value = await getattr(self, kind)(rest)

    async def serve(self):
        number, tenant = (await self.reader.readline()).decode().split()
        came = cctx.background().with_value("trace_id", number)
        metadata = {"tenant": tenant}
        try:
            with cctx.request(parent=came, timeout=_TIMEOUT, metadata=metadata):
                said = await self.answer(number)
        except Exception as error:
            said = f"failed: {error}"
        self.writer.write(f"{said}\n".encode())
        await self.writer.drain()
        self.writer.close()


async def main(step):
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    async def connected(reader, writer):
        await Connection(step, reader, writer).serve()

    def read_input():
        if not sys.stdin.buffer.read1():
            loop.remove_reader(sys.stdin)
            ended.set_result(None)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop.add_reader(sys.stdin, read_input)
    await ended
    server.close()
    await server.wait_closed()


def serve(step):
    asyncio.run(main(step))


def load_step():
    """The function of worker.lua, in the Lua that lupa brings."""
    import ctypes
    import os
    import pathlib

    import lupa.lua54 as lua54

    # Lua's C modules link no Lua: they find its functions only where all can see them.
    ctypes.CDLL(lua54.__file__, os.RTLD_GLOBAL | os.RTLD_NOLOAD)
    lua = lua54.LuaRuntime(unpack_returned_tuples=True)
    return lua.globals().dofile(str(pathlib.Path(__file__).with_suffix(".lua")))


if __name__ == "__main__":
    serve(load_step())
    print(f"contexts alive: {cctx.alive()}")
