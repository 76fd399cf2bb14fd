# SPDX-License-Identifier: Apache-2.0
"""The model: what each question may be answered, by the words of docs/current.md.

It knows nothing of the library. A flow is what runs as one: a thread, a task, a greenlet.
What a flow works for is the innermost bracket that is in force in it. Where the rule
promises that, one answer is right; where it says that it cannot be known, background is
right too; any other is a wrong context.
"""

BACKGROUND = 0
EITHER = None  # whether a scope is inherited or handed over: the documents leave it open


class Request:
    """The mark of a request."""

    def __init__(self, outer):
        self.outer = outer
        self.over = False

    def ended(self):
        return self.over or (self.outer is not None and self.outer.ended())

    def bears(self, other):
        return self is other or (self.outer is not None and self.outer.bears(other))


class Node:
    """A context: its id, and the request that it belongs to."""

    def __init__(self, number, request, context):
        self.number = number
        self.request = request
        self.context = context  # a cctx.Context; None: not to be had any more

    def ended(self):
        return self.request is not None and self.request.ended()


def one_request(a, b):
    """Whether two contexts are of one request, or one of a request inside the other's."""
    if a.request is None or b.request is None:
        return False
    return a.request.bears(b.request) or b.request.bears(a.request)


class Scope:
    """What one attach makes."""

    clock = 0

    def __init__(self, node, handed):
        Scope.clock += 1
        self.serial = Scope.clock
        self.node = node
        self.handed = handed
        self.ended = self.left = False

    def answers(self):
        if not self.node.ended() or self.handed is True:
            return {self.node.number}
        return {BACKGROUND} if self.handed is False else {self.node.number, BACKGROUND}


class VariableScope(Scope):
    def __init__(self, node, handed, context):
        super().__init__(node, handed)
        self.inside = context
        self.outer = context.in_force()


class StackScope(Scope):
    def __init__(self, node, handed, thread, context=None):
        super().__init__(node, handed)
        self.thread = thread
        self.context = context  # the running one
        self.state, self.version = thread.place()
        self.sure = True  # whether that is its place


class Mark(StackScope):
    """ASK."""

    def __init__(self, thread):
        super().__init__(None, False, thread)


class PyContext:
    """A contextvars.Context, and where its variable points."""

    def __init__(self, head=None, real=None):
        self.head = head
        self.real = real
        self.entered = False

    def in_force(self):
        scope = self.head
        while scope and scope.left:
            scope = scope.outer
        return scope

    def answers(self):
        """Of the variable. What is inside a scope left elsewhere may be skipped."""
        scope = self.in_force()
        result = scope.answers() if scope else {BACKGROUND}
        at = scope
        while at:
            if at.left:
                result = result | (at.outer.answers() if at.outer else {BACKGROUND})
            at = at.outer
        return result

    def attach(self, node, handed):
        self.head = VariableScope(node, handed, self)
        return self.head

    def leave(self, scope):
        """Leave `scope` while this is the running Context; None: none is."""
        if scope.ended:
            return
        scope.ended = True
        if self is not scope.inside or not self.holds(scope):
            scope.left = True
            return
        while self.head is not scope:
            self.head.ended = True
            self.head = self.head.outer
        self.head = scope.outer
        self.head = self.in_force()

    def holds(self, scope):
        at = self.head
        while at and at is not scope:
            at = at.outer
        return at is scope


class Thread:
    """A thread of the system, and its stack of scopes."""

    states = 0

    def __init__(self, name, has_state=True):
        self.name = name
        self.stack = []
        self.state = 0
        self.version = 0
        if has_state:
            self.new_state()

    def new_state(self):
        Thread.states += 1
        self.state = Thread.states
        self.version += 1

    def place(self):
        return self.state, self.version if self.state else 0

    def switched(self):
        """The interpreter of this thread has entered or left a Context."""
        self.version += 1

    def live(self):
        for at, scope in enumerate(self.stack):
            if scope.left:
                return self.stack[:at]
        return self.stack

    def cut(self, stack):
        for scope in self.stack[len(stack) :]:
            scope.ended = True
        self.stack = list(stack)

    def push(self, scope):
        self.cut(self.live())
        self.stack.append(scope)
        return scope

    def end(self, scope, here):
        """Detach `scope` of this stack while thread `here` runs."""
        if scope.ended:
            return
        scope.ended = True
        if here is not self:
            scope.left = True
            return
        self.cut(self.stack[: self.stack.index(scope)])
        self.cut(self.live())

    def unmark(self, mark):
        if mark in self.stack:
            sure = mark in self.live()  # else it may have been taken off already
            place = mark.state, mark.version
            for scope in self.stack:
                if scope.state and (scope.state, scope.version) == place:
                    scope.sure = scope.sure and (sure or scope.version == self.version)
                    scope.version = self.version
            self.stack.remove(mark)
            self.cut(self.live())


class Section:
    """C code of a flow that has let go of the interpreter, or never had it."""

    def __init__(self):
        self.scopes = []

    def innermost(self):
        for scope in reversed(self.scopes):
            if not scope.ended and scope in scope.thread.live():
                return scope
        return None


class Flow:
    """What runs as one: its layers are, from the outside in, the Contexts that it entered,
    its sections, and its marks."""

    def __init__(self, name, thread, layers):
        self.name = name
        self.thread = thread
        self.layers = list(layers)

    @property
    def context(self):
        for layer in reversed(self.layers):
            if isinstance(layer, PyContext):
                return layer
        return None

    def bracket(self):
        """The innermost C scope or mark, and whether a Context was entered since."""
        crossed = False
        for layer in reversed(self.layers):
            if isinstance(layer, Mark):
                if not layer.ended and layer in self.thread.live():
                    return layer, False
            elif isinstance(layer, Section):
                scope = layer.innermost()
                if scope:
                    return scope, crossed
            else:
                crossed = True
        return None, False

    def truth(self):
        """(the scope that this flow works for or None, whether the rule promises it)."""
        thread = self.thread
        variable = self.context.in_force() if thread.state else None
        bracket, crossed = self.bracket()
        stack = thread.live()
        top = stack[-1] if stack else None
        if bracket is None or isinstance(bracket, Mark):
            scope = variable
            exact = top is None or newer(variable, top)
            if isinstance(top, Mark):
                exact = not self.seems_anothers(variable)
            if not exact and top.state == 0:  # it is the thread's default
                exact = variable is not None
            return scope, exact
        if bracket.state == 0:
            exact = top is bracket or (variable is not None and newer(variable, top))
            return variable or bracket, exact
        if variable and (newer(variable, bracket) or crossed):
            return variable, newer(variable, top)
        if crossed:
            return None, False
        here = (bracket.state, bracket.version) == thread.place()
        return bracket, here and top is bracket and bracket.sure

    def seems_anothers(self, variable):
        """Whether the mark on top may be taken for another greenlet's: the variable is
        older than what was pushed below the mark, in this Context."""
        return variable is not None and any(
            scope.serial > variable.serial and scope.context is self.context
            for scope in self.thread.live()
            if not isinstance(scope, Mark)
        )

    def right(self, released=False, peek=True):
        """The ids that a question may be answered with."""
        scope, exact = self.truth()
        variable = self.context.in_force() if self.thread.state else None
        if scope is not None and scope is variable:
            result = self.context.answers()
        else:
            result = scope.answers() if scope else {BACKGROUND}
        if released and not peek and self.thread.state:
            exact = False
        if not exact:
            result = result | {BACKGROUND}
            stack = self.thread.live()
            if scope is None and stack and stack[-1].state == 0 and stack[-1].node:
                result = result | stack[-1].answers()
        return result

    def lifetime(self, node, blind=False):
        """Of a scope of `node` that is attached here: handed over, or EITHER; `blind`: by C
        that cannot read the variable."""
        scope, exact = self.truth()
        exact = exact and not (blind and self.thread.state)
        if node.ended():
            return True
        stack = [at for at in self.thread.live() if not isinstance(at, Mark)]
        marked = len(stack) < len(self.thread.live())
        if not exact or (marked and stack and not newer(scope, stack[-1])):
            return EITHER  # it is judged by what the caller sees, who may not know
        if scope is not None and one_request(node, scope.node):
            return scope.handed
        return True

    def may_copy(self):
        """Whether a copy of the running Context carries what this flow works for: with a
        raw call in between it cannot."""
        bracket, _ = self.bracket()
        if bracket is None or isinstance(bracket, Mark):
            return True
        variable = self.context.in_force()
        return newer(variable, bracket) or (bracket.state == 0 and variable is not None)


def newer(variable, scope):
    """Whether a variable's scope, or None, is newer than one of the stack."""
    if scope is None or isinstance(scope, Mark):
        return True
    return variable is not None and variable.serial > scope.serial
