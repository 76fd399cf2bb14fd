# SPDX-License-Identifier: Apache-2.0
"""What a schedule can do on an event loop: tasks, callbacks, async generators, to_thread.

The loop is asyncio's own, or uvloop's where that is installed. Both run what is ready in
the order in which it became ready, so a schedule decides everything.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor, wait

import cctx
from blocks import copy, play_in
from model import Flow, PyContext
from world import DEPTH

try:
    import uvloop
except ImportError:
    uvloop = None

TASKS = 5


class Pool(ThreadPoolExecutor):
    """An executor whose submit waits for the job: nothing else happens meanwhile."""

    def submit(self, function, /, *args, **kwargs):
        future = super().submit(function, *args, **kwargs)
        wait([future])
        return future

    def shutdown(self, *args, **kwargs):
        """Not with the loop, which takes it for its own."""

    def end(self):
        super().shutdown()


class Loop:
    """An event loop that runs on one thread, inside the flow `base`."""

    def __init__(self, world, base, real):
        self.world = world
        self.base = base
        self.actor = base.thread
        self.real = real
        self.tasks = []
        self.generators = []

    def flow(self, kind, context):
        return Flow(self.world.name(kind), self.actor, [*self.base.layers, context])

    async def main(self, flow, depth):
        await self.play(flow, depth)
        while self.tasks:
            task = self.tasks.pop()
            await task
            self.actor.switched()
        for generator in self.generators:
            await generator.close(flow)

    async def play(self, flow, depth=0):
        world = self.world
        self.actor.switched()
        while True:
            world.ask(flow)
            number = world.next(flow)
            if number is None:
                return
            code, a, b = number & 255, number >> 8 & 255, number >> 16 & 255
            if code < 110:
                operation = world.operations[(code * 256 + a) % len(world.operations)]
                if operation and depth < DEPTH:
                    operation(world, flow, depth + 1, a, b)
                continue
            operation = OPERATIONS[code % len(OPERATIONS)]
            if operation is None:
                if depth > 0 and a < 128:
                    return
            elif depth < DEPTH:
                await operation(self, flow, depth + 1, a, b)

    # ---- Operations of a task ----

    async def pause(self, flow, depth, a, b):
        self.world.log(flow, "awaits a turn of the loop")
        await asyncio.sleep(0)
        self.actor.switched()

    async def use(self, flow, depth, a, b):
        node = self.world.node(a)
        handed = flow.lifetime(node)
        self.world.log(flow, f"with use({node.number}), in a task:")
        with cctx.use(node.context):
            scope = flow.context.attach(node, handed)
            await self.play(flow, depth)
            self.world.leave(flow, scope)

    async def spawn(self, flow, depth, a, b):
        if len(self.tasks) >= TASKS or not flow.may_copy():
            return
        inside = self.flow("task", PyContext(flow.context.head))
        inside.context.entered = True
        self.world.log(flow, f"makes {inside.name}")
        self.tasks.append(self.real.create_task(self.play(inside)))

    async def soon(self, flow, depth, a, b):
        if flow.may_copy():
            call_soon(self, self.real.call_soon, flow, depth)

    async def to_thread(self, flow, depth, a, b):
        pool, actor = self.world.pool("loop", Pool)
        if actor.busy or not flow.may_copy():
            return
        context = PyContext(flow.context.head)
        inside = Flow(f"job of {actor.name}", actor, [actor.context])
        self.world.log(flow, f"asyncio.to_thread, on {actor.name}")
        self.real.set_default_executor(pool)
        actor.busy = True
        await asyncio.to_thread(play_in, self.world, inside, depth, context)
        actor.busy = False
        actor.switched()
        self.actor.switched()

    async def generator(self, flow, depth, a, b):
        if a < 60 or not self.generators:
            if len(self.generators) < 3:
                node = self.world.node(b)
                self.world.log(flow, f"makes an async generator that uses {node.number}")
                self.generators.append(Generator(self.world, node))
            return
        chosen = self.generators[b % len(self.generators)]
        if a < 170:
            self.world.log(flow, "advances an async generator")
            await chosen.advance(flow)
        else:
            self.world.log(flow, "closes an async generator")
            self.generators.remove(chosen)
            await chosen.close(flow)
        self.world.ask(flow)


OPERATIONS = (
    *[Loop.pause] * 4,
    *[Loop.spawn] * 3,
    *[Loop.use] * 3,
    *[Loop.generator] * 3,
    Loop.soon,
    Loop.to_thread,
    *[None] * 3,
)


class Generator:
    """An async generator with a block around its yields."""

    def __init__(self, world, node):
        self.flow = None
        self.steps = self.body(world, node)

    async def body(self, world, node):
        handed = self.flow.lifetime(node)
        with cctx.use(node.context):
            scope = self.flow.context.attach(node, handed)
            try:
                while True:
                    world.ask(self.flow)
                    yield
            finally:
                world.ask(self.flow)
                world.leave(self.flow, scope)

    async def advance(self, flow):
        self.flow = flow
        await self.steps.__anext__()

    async def close(self, flow):
        self.flow = flow
        await self.steps.aclose()


def call_soon(loop, schedule, flow, depth):
    """A callback runs in a copy of the Context that is current where it is scheduled."""
    inside = loop.flow("callback", PyContext(flow.context.head))
    inside.context.entered = True

    def callback():
        loop.actor.switched()
        loop.world.log(inside, "begins")
        try:
            loop.world.play(inside, depth)
        except BaseException as error:  # the loop would only print it
            loop.world.error = loop.world.error or error
        loop.actor.switched()

    loop.world.log(flow, f"schedules {inside.name}")
    schedule(callback)


def run_loop(world, flow, depth, a, b):
    bracket, _ = flow.bracket()
    actor = flow.thread
    if actor.looping or not (flow.may_copy() or bracket.state == 0):
        return
    fast = uvloop is not None and a & 1
    world.log(flow, f"runs {'uvloop' if fast else 'asyncio'}'s event loop:")
    loop = Loop(world, flow, uvloop.new_event_loop() if fast else asyncio.new_event_loop())
    actor.looping = True
    world.loops.append(loop)
    inside = loop.flow("main task", PyContext(flow.context.head))
    inside.context.entered = True
    loop.real.run_until_complete(loop.main(inside, 1))
    world.loops.remove(loop)
    loop.real.close()
    actor.looping = False
    actor.switched()


def call_soon_threadsafe(world, flow, depth, a, b):
    """From another thread, or another greenlet, than the loop's."""
    if world.loops and flow.may_copy():
        loop = world.loops[a % len(world.loops)]
        call_soon(loop, loop.real.call_soon_threadsafe, flow, depth)


__all__ = ["call_soon_threadsafe", "copy", "run_loop"]
