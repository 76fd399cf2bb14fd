# SPDX-License-Identifier: Apache-2.0
"""Backups: a request's context, found again where it was lost."""

from collections import namedtuple

from cctx import _cctx

_SCOPES = {"hop": 1, "request": 2, "upstream": 4}
_DEADLINE, _CANCELLATION, _INVALID, _NO_METADATA = 1, 2, 4, 8


Recovered = namedtuple(
    "Recovered",
    "context reason pairs left_out values handled deadline cancellation",
)
Recovered.__doc__ = """What a recovery did: the context to go on with, why it is that one, how many
pairs of metadata and values were taken over, and what else was."""

SessionInfo = namedtuple("SessionInfo", "context state since file line id")
SessionInfo.__doc__ = """A session that is there: since when, made where; or one that is bound to
an id."""


def _scope_bits(scopes):
    bits = 0
    for scope in (scopes,) if isinstance(scopes, str) else scopes:
        if scope not in _SCOPES:
            raise ValueError(f"a scope is 'hop', 'request' or 'upstream', not {scope!r}")
        bits |= _SCOPES[scope]
    return bits


def recover(
    context,
    handler=None,
    *,
    previous=None,
    keys=(),
    scopes=("request",),
    deadline=False,
    cancellation=False,
    invalid=False,
):
    """Take over from a session what a context lacks; what it has wins: a Recovered.

    The session is previous, or what is current. handler(previous, context), if there is one,
    returns the context to recover to, or None not to recover. Besides the metadata of these
    scopes: values of these keys, the earlier deadline, cancellation; with invalid also from a
    session that has ended or is disabled."""
    if handler is not None and not callable(handler):
        raise TypeError(f"handler must be callable or None, not {type(handler).__name__}")
    if isinstance(keys, str):
        raise TypeError("keys must be a sequence of names, not one str")
    bits = _scope_bits(scopes)
    flags = (
        (_DEADLINE if deadline else 0)
        | (_CANCELLATION if cancellation else 0)
        | (_INVALID if invalid else 0)
        | (_NO_METADATA if bits == 0 else 0)
    )
    found = _cctx._recover(context, previous, handler, tuple(keys), bits, flags)
    return Recovered(*found)


def sessions(age=0.0):
    """All sessions that are so many seconds old, and bindings of managers: a list of
    SessionInfo."""
    return list(map(SessionInfo._make, _cctx._sessions(age)))


for _class in (Recovered, SessionInfo):
    _class.__module__ = "cctx"
