# SPDX-License-Identifier: Apache-2.0
"""What a schedule can do with greenlets, and with gevent, where these are installed.

A greenlet has a Context of its own, empty unless it is given one. It ends where somebody
waits for a switch: at another one of its thread, or at gevent's hub.
"""

import contextvars

from blocks import copy
from model import Flow, PyContext

try:
    import greenlet
except ImportError:
    greenlet = None
try:
    import gevent
except ImportError:
    gevent = None

FIBERS = 4


class Fiber:
    def __init__(self, world, actor, flow, real):
        self.world = world
        self.actor = actor
        self.flow = flow
        self.real = real
        self.waits = ""  # for a "switch", for the "hub"; "": it runs, or never began

    def play(self):
        actor = self.actor
        actor.running = self
        actor.switched()
        self.waits = ""
        contextvars.copy_context()  # makes its Context: a call cannot come back to none
        self.world.play(self.flow)
        self.world.log(self.flow, "ends")
        actor.fibers.remove(self)
        waiting = [fiber for fiber in actor.fibers if fiber.waits == "switch"]
        if waiting:
            greenlet.getcurrent().parent = waiting[0].real
        elif not isinstance(self.real, gevent.Greenlet):
            greenlet.getcurrent().parent = gevent.get_hub()


def here(world, actor):
    """The greenlet that runs; the first one of its thread is there from the beginning."""
    if not actor.fibers:
        actor.running = Fiber(world, actor, actor.flow, greenlet.getcurrent())
        actor.fibers.append(actor.running)
    return actor.running


def wait(actor, me, what, action):
    """Switch away by `action`, until somebody switches back to `me`."""
    me.waits = what
    action()
    me.waits = ""
    actor.running = me
    actor.switched()


def create(world, flow, depth, a, b):
    actor = flow.thread
    me = here(world, actor)
    if len(actor.fibers) >= FIBERS:
        return
    real = greenlet.greenlet(lambda: fiber.play(), actor.fibers[0].real)
    context = PyContext()
    if a < 80 and flow.may_copy():
        context = copy(flow)
        real.gr_context = context.real
    context.entered = True
    inside = Flow(world.name("greenlet"), actor, [context])
    fiber = Fiber(world, actor, inside, real)
    actor.fibers.append(fiber)
    world.log(flow, f"creates {inside.name} and switches to it")
    wait(actor, me, "switch", real.switch)


def switch(world, flow, depth, a, b):
    actor = flow.thread
    me = here(world, actor)
    others = [fiber for fiber in actor.fibers if fiber.waits == "switch"]
    if others:
        other = others[a % len(others)]
        world.log(flow, f"switches to {other.flow.name}")
        wait(actor, me, "switch", other.real.switch)


def spawn(world, flow, depth, a, b):
    """With gevent: its hub runs the greenlet when somebody sleeps."""
    actor = flow.thread
    if actor is not world.actors[0] or len(actor.fibers) >= FIBERS:
        return
    here(world, actor)
    context = PyContext()
    context.entered = True
    inside = Flow(world.name("gevent greenlet"), actor, [context])
    fiber = Fiber(world, actor, inside, None)
    actor.fibers.append(fiber)
    world.log(flow, f"spawns {inside.name}")
    fiber.waits = "hub"
    fiber.real = gevent.spawn(fiber.play)


def sleep(world, flow, depth, a, b):
    actor = flow.thread
    if actor is world.actors[0]:
        world.log(flow, "gevent.sleep(0)")
        wait(actor, here(world, actor), "hub", lambda: gevent.sleep(0))


def end_thread(actor):
    """Let every greenlet of a thread come to its end, from its first one."""
    actor.closing = True
    while len(actor.fibers) > 1:
        me = actor.running
        waiting = [fiber for fiber in actor.fibers if fiber.waits == "switch"]
        if waiting:
            wait(actor, me, "switch", waiting[0].real.switch)
        else:
            wait(actor, me, "hub", lambda: gevent.sleep(0))
    actor.fibers.clear()
