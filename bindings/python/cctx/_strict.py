# SPDX-License-Identifier: Apache-2.0
"""Strict mode: noticing that a generator was left with a scope in force.

A generator has no contextvars.Context of its own: a scope around a `yield` is in force for
whoever resumes it, while the generator is suspended. (That of a context manager made by
contextlib is meant to be: it is left alone.) The extension calls notice() when a
scope is entered or left, and when somebody asks for the current context.
"""

import contextvars
import inspect
import sys

from cctx import _cctx

_GENERATORS = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_innermost = contextvars.ContextVar("cctx.strict", default=None)


class _Entered:
    """A scope that was entered, by which frame, and in which contextvars.Context."""

    __slots__ = ("scope", "frame", "is_generator", "line", "place", "outer", "is_left")

    def __init__(self, scope, frame, outer):
        self.scope = id(scope)
        self.frame = frame
        self.is_generator = _is_generator(frame)
        self.line = frame.f_lineno
        self.place = _cctx._place()
        self.outer = outer
        self.is_left = False


def _is_generator(frame):
    starter = frame.f_back
    is_manager = starter is not None and starter.f_globals.get("__name__") == "contextlib"
    return bool(frame.f_code.co_flags & _GENERATORS) and not is_manager


def _is_own(frame):
    return frame.f_globals.get("__name__", "").startswith("cctx._")


def _asking_frame():
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_own(frame):
        frame = frame.f_back
    return frame


def _in_force():
    entered = _innermost.get()
    while entered is not None and entered.is_left:
        entered = entered.outer
    return entered


def _enter(scope):
    _innermost.set(_Entered(scope, _asking_frame(), _in_force()))


def _exit(scope):
    entered = _innermost.get()
    while entered is not None and entered.scope != id(scope):
        entered = entered.outer
    if entered is not None:
        entered.is_left = True
        _innermost.set(_in_force())


def _is_suspended(frame, asking):
    while asking is not None and asking is not frame:
        asking = asking.f_back
    return asking is None


def _ask(reports):
    entered, asking = _in_force(), _asking_frame()
    if entered is None or not entered.is_generator:
        return
    if entered.place != _cctx._place() or not _is_suspended(entered.frame, asking):
        return
    code = entered.frame.f_code
    reports.append(
        f"the scope that the generator {code.co_name} entered at {code.co_filename}:"
        f"{entered.line} is in force at {asking.f_code.co_filename}:{asking.f_lineno} while "
        "the generator is suspended: leave it before the yield, or wrap the generator"
    )


def noticer(reports):
    """What the extension is to call; it adds to the list `reports`."""

    def notice(event, scope):
        if event == "enter":
            _enter(scope)
        elif event == "exit":
            _exit(scope)
        else:
            _ask(reports)

    return notice
