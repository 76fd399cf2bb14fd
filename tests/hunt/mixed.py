# SPDX-License-Identifier: Apache-2.0
"""What a schedule can do with Lua inside Python, and with Python inside that.

A section or a host enters a Lua state, whose code carries out the rest of the orders: in
coroutines that yield, and that a section of another task resumes; and from there it calls
Python, raw or through the boundary. See hunt_mixed.c.
"""

import blocks
import hunted
import sections
from model import BACKGROUND, Node, Scope, one_request
from sections import ATTACH, CALL_RAW, DETACH, Script, order

LUA = 7
ENTER, ENTER_RAW, LEAVE, YIELD, RUN, CREATE, RESUME, SAY = range(8)
STATES, COROUTINES, RUNS = 8, 2, 4
NOBODY = Node(0, None, None)


class Coroutine:
    def __init__(self, own):
        self.own = own  # what it was given, a Scope, or None
        self.idle = True
        self.inside = 0  # brackets on its behalf that are under way
        self.turns = 0
        self.runs = []  # frames
        self.scope = None  # of the managed resume under way
        self.resumer = None


class State:
    """A Lua state: of one greenlet, until its outermost section has ended."""

    def __init__(self, number):
        self.number = number
        self.users = 0  # sections, one inside the other
        self.running = []  # coroutines that have been resumed, each by the one before
        self.coroutines = {}

    def coroutine(self):
        return self.running[-1] if self.running else None

    def tag(self):
        return self.coroutine() or self


class Frame:
    def __init__(self, kind, scope=None, managed=False):
        self.kind = kind  # "call", "resume" or "run"
        self.scope = scope
        self.managed = managed


def state_of(world, flow):
    """The state of the greenlet that runs; None: there are none left."""
    key = (flow.thread, flow.thread.running if flow.thread.fibers else None)
    if key not in world.luas:
        if world.free_luas:
            world.luas[key] = world.free_luas.pop()
        elif world.new_luas < STATES:
            world.luas[key] = State(world.new_luas)
            world.new_luas += 1
        else:
            return None
    world.luas[key].users += 1
    return world.luas[key]


class LuaScript(Script):
    """The orders of a section that may enter Lua."""

    LONG, CALLS = 80, 8

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.state = state_of(self.world, self.flow)
        self.frames = []

    def lua(self, act, at=0, how=1, context=None):
        return order(LUA, act, at | how << 8 | self.state.number << 16, context)

    # ---- Questions ----

    def is_managed(self):
        scope, _ = self.flow.truth()
        tag = self.state.tag()
        inside = tag is self.state or tag.inside > 0
        # Without a tag it is what C attached inside, before it called back.
        return scope is not None and getattr(scope, "tag", None) in (tag, None) and inside

    def right_in_lua(self):
        """What Lua may be answered in the coroutine that runs."""
        co, right = self.state.coroutine(), self.right()
        if co is None or co.own is None:
            return right
        managed, called = self.is_managed(), co.inside > (co.scope is not None)
        if self.is_known():
            return right if managed else co.own.answers()
        brackets = [frame for frame in self.frames if frame.kind != "call" or frame.scope]
        if managed and called and brackets and brackets[-1].kind == "call":
            return right | {BACKGROUND}  # what it was called with is on the thread alone
        own = co.own.answers() | {BACKGROUND} if called else co.own.answers()
        return right | own if managed else own

    def is_known(self):
        """Whether the thread's answer is promised."""
        _, exact = self.flow.truth()
        return exact and (self.hosted or self.held or self.world.peek)

    def say(self):
        self.expect("in Lua", self.right_in_lua())
        return self.lua(SAY)

    def seen(self):
        """The scope that Lua works for now; False: it cannot be told."""
        if len(self.right_in_lua()) != 1 or not self.is_known():
            return False
        co = self.state.coroutine()
        if co is not None and co.own is not None and not self.is_managed():
            scope = co.own
        else:
            scope, _ = self.flow.truth()
        return scope

    def kept(self, scope):
        """A scope of the same, for a slot."""
        return Scope(scope.node, scope.handed)

    # ---- Frames ----

    def enter(self, a, b):
        if len(self.frames) > 3:
            return []
        if b < 110:
            self.world.log(self.flow, f"   lua_pcall in state {self.state.number}:")
            self.frames.append(Frame("call"))
            return [self.lua(ENTER_RAW), self.say()]
        node = self.world.node(a)
        self.world.log(
            self.flow, f"   cctx_lua_pcall({node.number}) in state {self.state.number}:"
        )
        co = self.state.coroutine()
        self.frames.append(Frame("call", self.open(node, False, self.state.tag())))
        if co:
            co.inside += 1
        return [self.lua(ENTER, context=node.context), self.say()]

    def leave(self):
        """The innermost function returns."""
        frame = self.frames.pop()
        co = self.state.coroutine()
        self.world.log(self.flow, f"   end of the {frame.kind} in Lua")
        if frame.kind == "call":
            if frame.scope:
                self.close(frame.scope)
                if co:
                    co.inside -= 1
        elif frame.kind == "run":
            self.end_run(frame)
        else:
            self.end_resume(False)
        return [self.lua(LEAVE)]

    def stands(self, scope):
        thread = getattr(scope, "thread", None)
        return not (scope.ended or scope.left) and (not thread or scope in thread.live())

    def end_resume(self, yielded):
        co = self.state.running.pop()
        if co.scope is not None:
            stood = self.stands(co.scope)
            self.close(co.scope)
            for run in co.runs if yielded and not stood else []:
                if run.scope and run.turns == co.turns:  # attached since
                    self.close(run.scope)
            co.scope = None
            co.inside = 0
            co.turns += 1
            if not yielded:
                co.own = None
        co.idle = yielded
        if not yielded:
            self.state.coroutines = {
                at: other for at, other in self.state.coroutines.items() if other is not co
            }

    def make_coroutine(self, a, b):
        at, how = a % COROUTINES, 1 if b < 150 else 2
        before = self.state.coroutines.get(at)
        seen = self.seen()
        if (before and not before.idle) or seen is False:
            return []
        if seen is not None and seen.node.ended():
            return []
        inherits = how == 1 and seen is not None and seen.node.number
        self.state.coroutines[at] = Coroutine(self.kept(seen) if inherits else None)
        by = "by cctx" if how == 1 else "raw"
        self.world.log(self.flow, f"   coroutine {at} is made {by}")
        return [self.lua(CREATE, at, how)]

    def resume(self, a, b):
        at, how = a % COROUTINES, 1 if b < 150 else 2
        co, seen = self.state.coroutines.get(at), self.seen()
        if co is None or not co.idle or len(self.frames) > 6 or seen is False:
            return []
        as_what = "" if how == 1 else ", unmanaged"
        self.world.log(self.flow, f"   resumes coroutine {at}{as_what}")
        if how == 1:
            ended = seen is None or seen.answers() == {0}
            co.resumer = Scope(NOBODY, True) if ended else self.kept(seen)
            hold = co.own or co.resumer
            co.scope = self.open(hold.node, hold.handed, co)
            co.inside = 1
            co.turns += 1
        co.idle = False
        self.state.running.append(co)
        self.frames += [Frame("resume", managed=how == 1), *co.runs]
        return [self.lua(RESUME, at, how), self.say()]

    def may_yield(self):
        for frame in reversed(self.frames):
            if frame.kind != "run":
                return frame.kind == "resume"
        return False

    def pause(self):
        """The coroutine that runs yields, from inside the runs that it has begun."""
        co = self.state.coroutine()
        co.runs = []
        while self.frames[-1].kind == "run":
            co.runs.insert(0, self.frames.pop())
        self.frames.pop()
        self.world.log(self.flow, "   yields")
        self.end_resume(True)
        return [self.lua(YIELD), self.say()]

    def run(self, a):
        runs = sum(frame.kind == "run" for frame in self.frames)
        seen = self.seen()
        if runs >= RUNS or seen is False:
            return []
        node, co = self.world.node(a), self.state.coroutine()
        frame = Frame("run")
        managed = co is None or self.is_managed()
        if not managed and len(self.right()) != 1:
            return []  # whether it is managed cannot be told
        handed = self.lifetime_of_run(node, seen, managed)
        if managed:
            frame.scope = self.open(node, handed, self.state.tag())
        if co is not None:
            frame.outer, frame.turns = co.own, co.turns
            co.own = Scope(node, handed)
        self.world.log(self.flow, f"   context {node.number}:run")
        self.frames.append(frame)
        return [self.lua(RUN, context=node.context), self.say()]

    def lifetime_of_run(self, node, seen, managed):
        co = self.state.coroutine()
        if managed or co.own is None:
            return self.lifetime(node)
        if node.ended():
            return True
        return seen.handed if one_request(node, seen.node) else True

    def end_run(self, frame):
        co = self.state.coroutine()
        if co is None:
            self.close(frame.scope)
            return
        co.own = frame.outer
        since = frame.turns != co.turns
        if not since and frame.scope:
            self.close(frame.scope)
        elif since and co.scope and not (co.scope.ended or co.scope.left):
            stood = self.stands(co.scope)
            self.close(co.scope)
            if not stood:  # it is inside what another thread has left
                return
            hold = co.own or co.resumer
            co.scope = self.open(hold.node, hold.handed, co)

    # ---- What a number stands for ----

    def attach(self, a):
        """In a coroutine for a moment only: Lua would go on with what that has."""
        if not self.frames or self.state.coroutine() is None:
            return super().attach(a)
        node, slot = self.world.node(a), self.world.slot()
        scope = self.open(node, self.lifetime(node))
        orders = [order(ATTACH, slot, context=node.context), self.ask()]
        self.close(scope)
        return [*orders, order(DETACH, slot)]

    def begin(self, a):
        if self.frames and self.state.coroutine() is not None:
            return []
        return super().begin(a)

    def choose(self, code, a, b):
        if self.frames and code < 25:
            return self.call(CALL_RAW, a)
        if self.state is None or code < 90:
            return super().choose(code, a, b)
        if not self.frames or code < 110:
            return self.enter(a, b)
        if code < 130:
            return self.make_coroutine(a, b)
        if code < 200:
            return self.resume(a, b)
        if code < 215:
            return self.pause() if self.may_yield() else []
        if code < 240:
            return self.run(a)
        orders = self.leave()
        return [*orders, self.say()] if self.frames else orders

    def play_raw(self, answers):
        """Copies of what a coroutine has attached outlive its resume: make some more."""
        if self.held and self.frames and self.world.taken & 1:
            blocks.save(self.world, self.flow, self.depth, 0, 0)
        return super().play_raw(answers)

    def may_end(self):
        return len(self.frames) < 2

    def finish(self):
        orders = []
        while self.frames:
            orders += self.pause() if self.may_yield() else self.leave()
            if self.frames:
                orders.append(self.say())
        return orders

    def release(self):
        if self.state is None:
            return
        self.state.users -= 1
        if self.state.users == 0:
            luas = self.world.luas
            mine = [key for key in luas if luas[key] is self.state]
            for key in mine:
                del luas[key]
            self.world.free_luas.append(self.state)


class Return(LuaScript):
    """Begins with a resume, not managed, of a given coroutine."""

    def __init__(self, at, *arguments, **options):
        super().__init__(*arguments, **options)
        self.at = at

    def plan(self):
        if self.at is None or self.state is None:
            return super().plan()
        orders = [self.ask(), *self.enter(0, 0), *self.resume(self.at, 255)]
        self.at = None
        return orders + super().plan()


def go_back(world, flow, depth, a, b):
    """Into a copy of the Context that was made inside a coroutine, which has yielded since,
    and resume that as code does that knows nothing of contexts."""
    for context in world.copies:
        co = getattr(context.in_force(), "tag", None)
        for state in world.free_luas:
            for at, idle in state.coroutines.items():
                if idle is co and co.idle and not context.entered:
                    world.free_luas.remove(state)
                    world.free_luas.append(state)
                    context.real.run(play_back, world, flow, depth, context, at)
                    flow.thread.switched()
                    return


def play_back(world, flow, depth, context, at):
    world.log(flow, "goes back into a copy made in a coroutine")
    context.entered = True
    flow.layers.append(context)
    flow.thread.switched()
    script = Return(at, world, flow, depth, held=True)
    sections.carry_out(script, lambda orders: hunted.section(orders, True))
    flow.layers.remove(context)
    context.entered = False


def section(world, flow, depth, a, b):
    sections.section(world, flow, depth, a, b, LuaScript)


def host(world, flow, depth, a, b):
    sections.host(world, flow, depth, a, b, LuaScript)
