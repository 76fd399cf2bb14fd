# SPDX-License-Identifier: Apache-2.0
"""What a schedule can do in plain Python: blocks, copies, threads, generators, requests.

Left out, because docs/current.md (Limits) says that it cannot be right: finalizers that
ask, and copies of the running Context inside a raw call that works for a C scope: may_copy.
"""

import contextvars
import gc

import cctx
import hunted
from model import Flow, Node, PyContext, Request
from world import COPIES, THREADS, TOKENS, Actor, run_job

FREE_REQUESTS = 6
WRAPPED = True


# ---- Blocks ----


def play_under(world, flow, depth, node, handed):
    """Play inside a call that has just made `node` current."""
    scope = flow.context.attach(node, handed)
    world.play(flow, depth)
    world.leave(flow, scope)


def use(world, flow, depth, a, b):
    node = world.node(a)
    handed = flow.lifetime(node)
    world.log(flow, f"with use({node.number}):")
    with cctx.use(node.context):
        play_under(world, flow, depth, node, handed)


def run(world, flow, depth, a, b):
    node = world.node(a)
    handed = flow.lifetime(node)
    world.log(flow, f"context {node.number}.run")
    node.context.run(play_under, world, flow, depth, node, handed)


def wrapped(world, flow, depth, a, b):
    node = world.node(a)
    world.log(flow, f"a function that was wrapped with {node.number}")
    cctx.wrap(play_under, node.context)(world, flow, depth, node, WRAPPED)


# ---- Copies of the running Context ----


def copy(flow):
    return PyContext(flow.context.head, contextvars.copy_context())


def save(world, flow, depth, a, b):
    if flow.may_copy():
        world.copies = [*world.copies[1 - COPIES :], copy(flow)]
        world.log(flow, "saves a copy of the Context")


def play_in(world, flow, depth, context):
    """Play in `context`, which the thread has just entered."""
    context.entered = True
    flow.layers.append(context)
    flow.thread.switched()
    world.play(flow, depth)
    flow.layers.remove(context)
    context.entered = False


def enter(world, flow, depth, a, b):
    free = [context for context in world.copies if not context.entered]
    if a % 4 == 0:
        context, what = PyContext(None, contextvars.Context()), "an empty Context"
    elif a % 4 == 1 and flow.may_copy():
        context, what = copy(flow), "a copy of the Context"
    elif free:
        context, what = free[b % len(free)], "a copy made before"
    else:
        return
    world.log(flow, f"{what}.run")
    context.real.run(play_in, world, flow, depth, context)
    flow.thread.switched()


# ---- Attach and detach in C that holds the interpreter ----


def attach(world, flow, depth, a, b):
    if len(world.tokens) >= TOKENS:
        return
    node, slot = world.node(a), world.slot()
    handed = flow.lifetime(node)
    world.log(flow, f"cctx_attach({node.number}), token {slot}")
    hunted.attach(slot, node.context)
    world.tokens.append((slot, flow.context.attach(node, handed)))


def take_token(world, number):
    """A token, mostly the last; now and then it stays, to be used a second time."""
    at = len(world.tokens) - 1 if number & 3 else number >> 2
    token = world.tokens[at % len(world.tokens)]
    if number < 200 or token[1].ended:
        world.tokens.remove(token)
    return token


def detach(world, flow, depth, a, b):
    if world.tokens:
        slot, scope = take_token(world, a)
        world.log(flow, f"cctx_detach(token {slot})")
        hunted.detach(slot)
        world.leave(flow, scope)


# ---- Requests ----


def new_request(world, parent):
    world.numbers += 1
    node = Node(world.numbers, Request(parent.request), None)
    world.keep(node)
    return world.slot(), node


def begin(world, flow, depth, a, b):
    if len(world.requests) >= FREE_REQUESTS:
        return
    parent = world.node(a)
    slot, node = new_request(world, parent)
    world.log(flow, f"request {slot} begins with {node.number}, child of {parent.number}")
    hunted.begin(slot, parent.context, node.number)
    world.requests[slot] = node, flow.context.attach(node, False)
    world.fetch()


def take_request(world, number):
    slot = list(world.requests)[number % len(world.requests)]
    return slot, *world.requests.pop(slot)


def end(world, flow, depth, a, b):
    if world.requests:
        slot, node, scope = take_request(world, a)
        world.log(flow, f"request {slot} ends")
        hunted.end(slot)
        node.request.over = True
        world.leave(flow, scope)


def derive(world, flow, depth, a, b):
    parent = world.node(a)
    context, how = parent.context, "child"
    if b < 40:
        context, how, parent = context.detached(), "detached child", None
    elif b < 100:
        context, how, parent = cctx.background(), "root", None
    node = world.new_node(parent, context)
    world.log(flow, f"{node.number} is a new {how} of {world.node(a).number}")


def collect(world, flow, depth, a, b):
    gc.collect(1 if a < 20 else 0)


def suspended(context, holder):
    with cctx.use(context):
        yield holder


def abandon(context):
    """Leave a generator to the collector, with a block for `context` in force."""
    holder = []
    holder.append(suspended(context, holder))
    next(holder[0])


def use_while_collecting(world, flow, depth, a, b):
    """Up to 3.11 the collector comes by in the midst of whatever takes memory."""
    node, abandoned = world.node(a), world.node(a + 1)
    world.log(flow, f"with use({node.number}), as a generator's use({abandoned.number}) ends")
    before = gc.get_threshold()
    gc.disable()
    abandon(abandoned.context)
    gc.set_threshold(1 + b % 12, 10_000, 10_000)
    gc.enable()
    with cctx.use(node.context):
        gc.disable()
    gc.set_threshold(*before)
    gc.enable()
    gc.collect(0)
    for passed in abandoned, node:
        world.leave(flow, flow.context.attach(passed, flow.lifetime(passed)))


# ---- Threads ----


def play_and_end(world, flow, depth=0):
    world.play(flow, depth)
    world.end_thread(flow.thread)


def play_copy(world, flow, depth, context):
    play_in(world, flow, depth, context)
    world.end_thread(flow.thread)


def handed_on(flow):
    """What a thread of the library takes along; None: nothing, or it cannot be told."""
    scope, exact = flow.truth()
    if not exact or scope is None or scope.node.ended() or not scope.node.number:
        return None
    return scope.node


def start_handing(world, flow, depth, a, b):
    """A cctx.Thread works for what is current where it is started."""
    node = handed_on(flow)
    if node is None or len(world.threads) >= THREADS:
        return
    actor = Actor(world.name("thread"))
    world.log(flow, f"starts {actor.name}, a cctx.Thread")

    scope = actor.flow.context.attach(node, True)  # as soon as it runs, not at its first turn

    def body():
        world.play(actor.flow, 0)
        world.leave(actor.flow, scope)
        world.end_thread(actor)

    world.start_thread(actor, body, cctx.Thread)


def job_handing(world, flow, depth, a, b):
    """And so does a job of a cctx.Executor."""
    node = handed_on(flow)
    pool, actor = world.pool("cctx", cctx.Executor)
    if node is None or actor.busy:
        return
    inside = Flow(f"job of {actor.name}", actor, [actor.context])
    world.log(flow, f"submits to {actor.name}, of a cctx.Executor")
    actor.busy = True
    run_job(pool, lambda: play_under(world, inside, depth, node, True))
    flow.thread.switched()  # it starts its worker in a Context of its own
    actor.busy = False


def start(world, flow, depth, a, b):
    if len(world.threads) >= THREADS:
        return
    actor = Actor(world.name("thread"))
    world.log(flow, f"starts {actor.name}")
    if a < 80 and flow.may_copy():
        context = copy(flow)
        world.log(flow, "   in a copy of the Context")
        body = lambda: context.real.run(play_copy, world, actor.flow, 0, context)
    elif a < 160:
        node = world.node(b)
        world.log(flow, f"   wrapped with {node.number}")
        bound = cctx.wrap(play_under, node.context)

        def body():
            bound(world, actor.flow, 0, node, WRAPPED)
            world.end_thread(actor)

    else:
        body = lambda: play_and_end(world, actor.flow)
    world.start_thread(actor, body)


def switch_thread(world, flow, depth, a, b):
    parked = [actor for actor in world.actors if actor.parked]
    if parked:
        other = parked[a % len(parked)]
        world.log(flow, f"waits while {other.name} goes on")
        world.pass_to(flow.thread, other)


def job(world, flow, depth, a, b):
    """A job for the worker of a pool, which had others before."""
    pool, actor = world.pool(a & 1)
    if actor.busy:
        return
    inside = Flow(f"job of {actor.name}", actor, [actor.context])
    world.log(flow, f"submits to {actor.name}")
    actor.busy = True
    if b < 80 and flow.may_copy():
        world.log(flow, "   a copy of the Context")
        context = copy(flow)
        run_job(pool, lambda: context.real.run(play_in, world, inside, depth, context))
        actor.switched()
    elif b < 160:
        node = world.node(b)
        world.log(flow, f"   what was wrapped with {node.number}")
        bound = cctx.wrap(play_under, node.context)
        run_job(pool, lambda: bound(world, inside, depth, node, WRAPPED))
    else:
        run_job(pool, lambda: world.play(inside, depth))
    actor.busy = False


# ---- Generators ----


class Generator:
    """A generator with a block around its yields; it runs in its consumer's Context."""

    def __init__(self, world, node):
        self.flow = None
        self.depth = 0
        self.steps = self.body(world, node)

    def body(self, world, node):
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


def generator(world, flow, depth, a, b):
    if a < 60 or not world.generators:
        if len(world.generators) < 3:
            node = world.node(b)
            world.log(flow, f"makes a generator that uses {node.number}")
            world.generators.append(Generator(world, node))
        return
    chosen = world.generators[b % len(world.generators)]
    chosen.flow = flow
    if a < 180:
        world.log(flow, "advances a generator")
        next(chosen.steps)
    else:
        world.log(flow, "closes a generator")
        world.generators.remove(chosen)
        chosen.steps.close()
