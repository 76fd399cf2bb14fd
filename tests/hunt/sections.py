# SPDX-License-Identifier: Apache-2.0
"""What a schedule can do in C: sections that let the interpreter go, and host threads.

A section's orders are drawn from the schedule as far as the next call back into Python;
nothing else runs meanwhile, so the model can go through them beforehand. Raw calls promise
the right context, or background, for what runs in the call itself; see blocks.may_copy.
"""

import contextvars

import hunted
from blocks import FREE_REQUESTS, new_request, take_request, take_token
from model import Mark, PyContext, Section
from world import TOKENS, Actor

ASK, ATTACH, DETACH, BEGIN, END, CALL_RAW, CALL_BOUNDARY = range(7)
CHOICES = (ASK, ATTACH, ATTACH, ATTACH, DETACH, DETACH, BEGIN, END) + (
    CALL_RAW,
    CALL_BOUNDARY,
    CALL_BOUNDARY,
    CALL_BOUNDARY,
)


def order(code, slot=0, number=0, context=None, callable=None):
    return code, slot, number, context, callable, None


class Script:
    """The orders of one section or host."""

    LONG, CALLS = 12, 4  # orders between two calls, and calls

    def __init__(self, world, flow, depth, hosted=False, held=False):
        self.world = world
        self.flow = flow
        self.depth = depth
        self.hosted = hosted
        self.held = held  # the interpreter, all the time
        self.section = Section()
        self.opened = []  # scopes
        self.pending = []  # (where, right) of the questions under way
        self.calls = 0

    def right(self):
        released = not (self.hosted or self.held)
        return self.flow.right(released=released, peek=self.world.peek)

    def expect(self, how, right):
        self.pending.append((f"{how} (step {self.world.taken})", right))

    def ask(self):
        how = "in C, the interpreter let go, in a section"
        if self.hosted or self.held:
            how = "in C without a thread state" if self.hosted else "in C, in a section"
        self.expect(how, self.right())
        return order(ASK)

    def verify(self, answers):
        assert len(answers) == len(self.pending)
        for (how, right), got in zip(self.pending, answers):
            self.world.hold(self.flow, how, got, right)
        self.pending = []

    # ---- Scopes ----

    def lifetime(self, node):
        blind = not (self.hosted or self.held or self.world.peek)
        return self.flow.lifetime(node, blind=blind)

    def open(self, node, handed, tag=None):
        if self.held:
            scope = self.flow.context.attach(node, handed)
        else:
            scope = self.world.push(self.flow, self.section, node, handed)
        scope.tag = tag
        self.opened.append(scope)
        return scope

    def close(self, scope):
        if self.held or hasattr(scope, "thread"):
            self.world.leave(self.flow, scope)
        else:
            self.world.leave_unreachable(scope)

    # ---- Orders ----

    def attach(self, a):
        world = self.world
        if len(world.tokens) >= TOKENS:
            return []
        node, slot = world.node(a), world.slot()
        world.log(self.flow, f"   cctx_attach({node.number}), token {slot}")
        world.tokens.append((slot, self.open(node, self.lifetime(node))))
        return [order(ATTACH, slot, context=node.context)]

    def detach(self, a):
        if not self.world.tokens:
            return []
        slot, scope = take_token(self.world, a)
        self.world.log(self.flow, f"   cctx_detach(token {slot})")
        self.close(scope)
        return [order(DETACH, slot)]

    def begin(self, a):
        world = self.world
        if len(world.requests) >= FREE_REQUESTS:
            return []
        parent = world.node(a)
        slot, node = new_request(world, parent)
        world.log(self.flow, f"   request {slot} begins with {node.number}")
        world.requests[slot] = node, self.open(node, False)
        return [order(BEGIN, slot, node.number, parent.context)]

    def end(self, a):
        if not self.world.requests:
            return []
        slot, node, scope = take_request(self.world, a)
        self.world.log(self.flow, f"   request {slot} ends")
        node.request.over = True
        self.close(scope)
        return [order(END, slot)]

    def leave_all(self):
        """Nothing of this section stays attached."""
        orders = []
        for slot, scope in [*self.world.tokens]:
            if scope in self.opened:
                self.world.tokens.remove((slot, scope))
                self.close(scope)
                orders.append(order(DETACH, slot))
        for slot, (node, scope) in [*self.world.requests.items()]:
            if scope in self.opened:
                del self.world.requests[slot]
                node.request.over = True
                self.close(scope)
                orders.append(order(END, slot))
        return orders

    def choose(self, code, a, b):
        """The orders that a number stands for; if no list, the call that ends a plan."""
        choice = CHOICES[code % len(CHOICES)]
        if choice >= CALL_RAW:
            return self.call(choice, a)
        make = (None, self.attach, self.detach, self.begin, self.end)[choice]
        return make(a) if make else []

    def may_end(self):
        return True

    def finish(self):
        """Before the last orders."""
        return []

    def release(self):
        """After them."""

    def plan(self):
        """Orders up to the next call, or to the end."""
        orders = [self.ask()]
        while len(orders) < self.LONG and self.calls < self.CALLS:
            number = self.world.next(self.flow)
            if number is None:
                break
            code, a, b = number & 255, number >> 8 & 255, number >> 16 & 255
            chosen = self.choose(code, a, b)
            if not isinstance(chosen, list):
                self.calls += 1
                return [*orders, chosen]
            orders += chosen
            orders.append(self.ask())
            if b < 40 and self.may_end():
                break
        orders += self.finish()
        orders += self.leave_all()
        orders.append(self.ask())
        self.world.log(self.flow, "   end of section")
        return orders

    # ---- Calls ----

    def call(self, choice, a):
        if choice == CALL_RAW:
            self.world.log(self.flow, "   calls Python raw:")
            return order(choice, callable=self.play_raw)
        node = self.world.node(a)
        self.world.log(self.flow, f"   cctx_py_call({node.number}):")
        return order(
            choice, context=node.context, callable=lambda got: self.play_called(got, node)
        )

    def enter_state(self):
        """A host's thread has been given a thread state, and with it a Context."""
        self.flow.thread.new_state()
        context = PyContext()
        context.entered = True
        self.flow.layers.append(context)
        return context

    def leave_state(self, context):
        self.world.end_thread(self.flow.thread)
        self.flow.thread.closing = False
        self.flow.layers.remove(context)
        self.flow.thread.state = 0

    def play_raw(self, answers):
        world, flow = self.world, self.flow
        context = self.enter_state() if self.hosted else None
        contextvars.copy_context()  # makes its Context: a call cannot come back to none
        self.verify(answers)
        world.fetch()
        world.play(flow, self.depth)
        if self.hosted:
            self.leave_state(context)
        return self.plan()

    def play_called(self, answers, node):
        world, flow = self.world, self.flow
        outer = self.enter_state() if self.hosted else None
        handed = False if self.hosted else flow.lifetime(node)
        mark = flow.thread.push(Mark(flow.thread))
        flow.layers.append(mark)
        if self.hosted:
            inner = PyContext()
            inner.entered = True
            flow.layers.append(inner)
        scope = flow.context.attach(node, handed)
        scope.tag = None
        self.verify(answers)
        world.fetch()
        world.play(flow, self.depth)
        flow.context.leave(scope)
        if self.hosted:
            flow.layers.remove(inner)
            flow.layers.remove(mark)
            flow.thread.unmark(mark)
            self.leave_state(outer)
        else:
            flow.layers.remove(mark)
            flow.thread.unmark(mark)
        return self.plan()


def carry_out(script, how):
    """Play a section or a host; `how` carries out the orders."""
    script.flow.layers.append(script.section)
    script.verify(how(script.plan()))
    script.flow.layers.remove(script.section)
    script.release()
    script.world.fetch()


def section(world, flow, depth, a, b, kind=Script):
    script = kind(world, flow, depth, held=a < 100)
    how = "holds" if script.held else "lets go"
    world.log(flow, f"C {how} the interpreter")
    carry_out(script, lambda orders: hunted.section(orders, script.held))


def host(world, flow, depth, a, b, kind=Script):
    actor = world.add_actor(Actor(world.name("host thread"), has_state=False))
    world.log(flow, f"{actor.name} runs")
    carry_out(kind(world, actor.flow, depth, hosted=True), hunted.host)
    world.actors.remove(actor)
