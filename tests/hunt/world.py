# SPDX-License-Identifier: Apache-2.0
"""One round of the Python hunt: a schedule is played, and each answer held against the
model.

A schedule is a list of numbers. Whatever runs takes the next number and does what it says,
so the same list gives the same round: threads hand a baton to each other, loops are first
in, first out. A number is an operation and two operands, taken modulo what there is.
"""

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import cctx
import hunted
from model import BACKGROUND, EITHER, Flow, Node, PyContext, StackScope, Thread

DEPTH = 9  # of nested blocks in one flow
NODES, TOKENS, COPIES, THREADS = 6, 8, 4, 4


class Actor(Thread):
    """A thread that takes its turns by baton."""

    def __init__(self, name, has_state=True):
        super().__init__(name, has_state)
        self.gate = threading.Semaphore(0)
        self.parked = False
        self.context = PyContext()  # what the thread begins in
        self.context.entered = True
        self.flow = Flow(name, self, [self.context] if has_state else [])
        self.fibers = []  # its greenlets, and which of them runs
        self.running = None
        self.looping = False  # an event loop runs on it
        self.busy = False  # with a job
        self.closing = False  # it comes to its end


class World:
    def __init__(self, steps, peek, operations, end_thread, trace=False):
        self.steps = steps
        self.taken = 0
        self.peek = peek
        self.wrong = None
        self.trace = [] if trace else None
        self.operations = operations
        self.nodes = []
        self.requests = {}  # slot: (node, scope)
        self.tokens = []  # (slot, scope)
        self.copies = []
        self.generators = []
        self.loops = []
        self.luas, self.free_luas, self.new_luas = {}, [], 0
        self.numbers = self.slots = self.names = 0
        self.actors = []
        self.pools = {}
        self.questions = 0
        self.threads = []
        self.error = None
        self.end_thread = end_thread
        for _ in range(3):
            self.new_node(None, cctx.background())

    # ---- The schedule ----

    def next(self, flow):
        """The next number; None: the round is over or the thread is, come to an end."""
        if self.taken >= len(self.steps) or self.wrong or flow.thread.closing:
            return None
        self.taken += 1
        return self.steps[self.taken - 1]

    def log(self, flow, text):
        if self.trace is not None:
            self.trace.append(f"{self.taken:4} {flow.name}: {text}")

    def name(self, kind):
        self.names += 1
        return f"{kind} {self.names}"

    def play(self, flow, depth=0):
        """Do what the schedule says, until it says that this block ends."""
        while True:
            self.ask(flow)
            number = self.next(flow)
            if number is None:
                return
            code, a, b = number & 255, number >> 8 & 255, number >> 16 & 255
            operation = self.operations[code % len(self.operations)]
            if operation is None:
                if depth > 0 and a < 160:
                    self.log(flow, "end of block")
                    return
            elif depth < DEPTH:
                operation(self, flow, depth + 1, a, b)
            elif code & 1:
                return

    # ---- Questions ----

    def fail(self, flow, how, got, right):
        if self.wrong is None:
            asked = "a wrong context" if got != BACKGROUND else "background"
            self.wrong = (
                f"step {self.taken}: {flow.name} asked {how}: got {got} ({asked}), "
                f"right is {' or '.join(map(str, sorted(right)))}"
            )
            self.log(flow, f"WRONG: {self.wrong}")

    def hold(self, flow, how, got, right):
        self.questions += 1
        if got not in right:
            self.fail(flow, how, got, right)

    def ask(self, flow):
        if self.wrong:
            return
        right = flow.right(released=True, peek=self.peek)  # first: nobody has looked since
        self.hold(flow, "in C, the interpreter let go", hunted.ask_released(), right)
        right = flow.right()
        self.hold(flow, "in C", hunted.ask(), right)
        self.hold(flow, "in Python", int(cctx.metadata("hunt", "0")), right)

    # ---- Contexts ----

    def new_node(self, parent, context):
        self.numbers += 1
        context = context.with_metadata("hunt", str(self.numbers))
        node = Node(self.numbers, parent.request if parent else None, context)
        self.keep(node)
        return node

    def keep(self, node):
        self.nodes.append(node)
        if len(self.nodes) > NODES:
            self.nodes.pop(0)

    def node(self, number):
        """One of the contexts that can be had; Python keeps those of ended requests."""
        for at in range(len(self.nodes)):
            node = self.nodes[(number + at) % len(self.nodes)]
            if node.context is not None:
                return node
        return self.new_node(None, cctx.background())

    def fetch(self):
        """Get hold of the contexts of requests that began in C."""
        for slot, (node, _) in self.requests.items():
            if node.context is None:
                node.context = hunted.context_of(slot)

    def slot(self):
        self.slots += 1
        return self.slots

    # ---- Scopes ----

    def attach(self, flow, node):
        """The scope that an attach makes of which Python's variable is told."""
        return flow.context.attach(node, flow.lifetime(node))

    def leave(self, flow, scope):
        """What a detach in `flow` does to a scope, wherever that is."""
        if isinstance(scope, StackScope):
            scope.thread.end(scope, flow.thread)
        elif flow.context is None:
            self.leave_unreachable(scope)
        else:
            flow.context.leave(scope)

    def leave_unreachable(self, scope):
        if not scope.ended:
            scope.ended = scope.left = True

    def push(self, flow, section, node, handed=EITHER):
        scope = StackScope(node, handed, flow.thread, flow.context)
        flow.thread.push(scope)
        section.scopes.append(scope)
        return scope

    # ---- Threads ----

    def add_actor(self, actor):
        self.actors.append(actor)
        return actor

    def start_thread(self, actor, body, kind=threading.Thread):
        """Run `body` on a thread of its own, once somebody passes it the baton."""

        running = threading.Event()

        def run():
            running.set()
            actor.gate.acquire()
            actor.parked = False
            contextvars.copy_context()  # makes its Context: a call cannot come back to none
            try:
                body()
            except BaseException as error:
                self.error = self.error or error
            self.actors.remove(actor)
            next(other for other in self.actors if other.parked).gate.release()

        actor.parked = True
        self.add_actor(actor)
        thread = kind(target=run, daemon=True)
        self.threads.append(thread)
        thread.start()
        running.wait()  # by then it has attached what it was handed

    def pass_to(self, actor, other):
        actor.parked = True
        other.gate.release()
        actor.gate.acquire()
        actor.parked = False

    def pool(self, number, kind=ThreadPoolExecutor):
        """A pool of one worker, which is used again and again."""
        if number not in self.pools:
            pool = kind(max_workers=1, initializer=contextvars.copy_context)
            actor = self.add_actor(Actor(self.name("worker")))
            self.pools[number] = pool, actor
        return self.pools[number]

    # ---- The round ----

    def run(self):
        main = self.add_actor(Actor("main thread"))
        self.play(main.flow)
        self.taken = len(self.steps)
        while any(actor.parked for actor in self.actors):
            self.pass_to(main, next(actor for actor in self.actors if actor.parked))
        self.end_thread(main)
        for generator in self.generators:
            generator.flow = main.flow
            generator.steps.close()
        for thread in self.threads:
            thread.join()
        for pool, actor in self.pools.values():
            run_job(pool, lambda actor=actor: self.end_thread(actor))
            getattr(pool, "end", pool.shutdown)()
        if self.new_luas:
            hunted.close_luas()
        for slot in self.requests:
            hunted.end(slot)
        for slot, _ in self.tokens:
            hunted.detach(slot)
        if self.error:
            raise self.error
        return self.wrong


def run_job(pool, function):
    """Run `function` on the worker of a pool to its end, while this thread waits."""
    future = pool.submit(function)
    wait([future])
    return future.result()
