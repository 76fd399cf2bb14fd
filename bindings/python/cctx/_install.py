# SPDX-License-Identifier: Apache-2.0
"""Installing: every thread and thread pool of the process inherits the context.

Each patch calls through what it found, so it may be put over others and others over it.
Removed, it puts back what it found if nobody is over it; else it stays and only calls
through.
"""

import concurrent.futures
import contextvars
import functools
import os
import threading

from cctx import _cctx
from cctx._threads import start_under
from cctx._vars import current

_lock = threading.RLock()
_installed = 0
_patches: dict = {}  # (owner, name) -> the function that was put there


# Threads that these start serve everybody, not whoever happened to need the first of them.
_SERVICES = ("concurrent.futures", "multiprocessing", "logging")


def _is_service(thread):
    target = getattr(thread, "_target", None)
    for owner in (type(thread), target):
        module = getattr(owner, "__module__", None) or ""
        if any(module == name or module.startswith(name + ".") for name in _SERVICES):
            return True
    return False


def _renew_lock():
    """In the child of a fork: a thread that is not there may have held it."""
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)


def _inherit_at_start(inner):
    @functools.wraps(inner)
    def start(self):
        if not _installed:
            return inner(self)
        if _is_service(self):
            return contextvars.Context().run(inner, self)
        return start_under(self, _cctx._run_inherited, functools.partial(inner, self))

    return start


def _inherit_at_submit(inner):
    @functools.wraps(inner)
    def submit(self, fn, /, *args, **kwargs):
        context = current() if _installed else None
        if context is None or context == _cctx.background():
            return inner(self, fn, *args, **kwargs)
        context = _cctx._capture(context)
        return inner(self, _cctx._run_inherited, context, fn, args, kwargs)

    return submit


def _inherit_nothing(inner):
    """A pool's thread is started by whoever happens to submit when one is missing."""

    @functools.wraps(inner)
    def start_worker(self, *args, **kwargs):
        if not _installed:
            return inner(self, *args, **kwargs)
        return contextvars.Context().run(inner, self, *args, **kwargs)

    return start_worker


_PLACES = (
    (threading.Thread, "start", _inherit_at_start),
    (concurrent.futures.ThreadPoolExecutor, "submit", _inherit_at_submit),
    (concurrent.futures.ThreadPoolExecutor, "_adjust_thread_count", _inherit_nothing),
)


def _is_in_place(owner, name):
    ours, at = _patches.get((owner, name)), vars(owner).get(name)
    while ours is not None and at is not None and at is not ours:
        at = getattr(at, "__wrapped__", None)
    return ours is not None and at is ours


def _put_in_place():
    for owner, name, make in _PLACES:
        if not _is_in_place(owner, name) and name in vars(owner):
            _patches[owner, name] = make(vars(owner)[name])
            setattr(owner, name, _patches[owner, name])


def _put_back():
    for owner, name in list(_patches):
        if vars(owner)[name] is _patches[owner, name]:
            setattr(owner, name, _patches.pop((owner, name)).__wrapped__)


class Installation:
    """What install() returned: uninstall() undoes it, once; or use it in a with statement."""

    __slots__ = ("_is_on",)

    def __init__(self):
        self._is_on = True

    def uninstall(self):
        """Undo the install() that returned this; the patches go with the last of them."""
        global _installed
        with _lock:
            if self._is_on:
                self._is_on = False
                _installed -= 1
                if not _installed:
                    _put_back()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.uninstall()
        return False


Installation.__module__ = "cctx"


def install():
    """Let every threading.Thread and ThreadPoolExecutor of the process, asyncio's among
    them, inherit the context of whoever starts the thread or submits the job, until its
    request ends. Returns an Installation."""
    global _installed
    with _lock:
        _put_in_place()
        _installed += 1
    return Installation()
