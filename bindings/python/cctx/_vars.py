# SPDX-License-Identifier: Apache-2.0
"""Bindings: plain ContextVars that mirror values of the current context.

The extension sets and puts back the variables; see there. Here is the other way: what was
set in a variable becomes part of the next context that is derived from the current one, or
handed over.
"""

import contextvars
import os
import threading

from cctx import _cctx

_ABSENT = object()
_PLAIN = (bool, int, float, str)
_bindings: tuple = ()
_lock = threading.Lock()


def _renew_lock():
    """In the child of a fork: a thread that is not there may have held it."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


class Binding:
    """What bind_var() returned: unbind() undoes it."""

    __slots__ = ("_entry",)

    def __init__(self, entry):
        self._entry = entry

    def unbind(self):
        """Mirror no more; scopes that are entered still put back what they found."""
        with _lock:
            _set(tuple(entry for entry in _bindings if entry is not self._entry))


Binding.__module__ = "cctx"


def _set(bindings):
    global _bindings
    _cctx._set_bound(bindings)
    _bindings = bindings


def _default_of(var):
    try:
        return contextvars.Context().run(var.get)
    except LookupError:
        return None


def bind_var(var, key):
    """Let the ContextVar `var` and the value named `key` mirror each other.

    Entering a context in which the value is another sets the variable, and leaving puts
    back what it had; cctx.value(key), and what is derived or handed over, have what the
    variable was set to since. Returns a Binding."""
    if not isinstance(var, contextvars.ContextVar):
        raise TypeError(f"var must be a contextvars.ContextVar, not {type(var).__name__}")
    if not isinstance(key, str):
        raise TypeError(f"key must be a str or a cctx.Key, not {type(key).__name__}")
    _cctx._key_named(key, False)
    entry = (str(key), var, _default_of(var))
    with _lock:
        for name, other, _ in _bindings:
            if name == entry[0] or other is var:
                raise ValueError(f"{other!r} and {name!r} are bound already: unbind first")
        _set((*_bindings, entry))
    return Binding(entry)


def _is_same(a, b):
    return a is b or (type(a) is type(b) and isinstance(a, _PLAIN) and a == b)


def current():
    """The current context, with what bound variables were set to since it was entered."""
    context = _cctx.current()
    changed = {}
    for name, _, _ in _bindings:
        value = _cctx.value(name, _ABSENT)
        if not _is_same(value, context.value(name, _ABSENT)):
            changed[name] = value
    return context.with_values(changed) if changed else context
