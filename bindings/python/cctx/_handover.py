# SPDX-License-Identifier: Apache-2.0
"""Handing over: functions that keep the context they were given, wherever they are called."""

import contextvars
import functools
import inspect

from cctx import _cctx
from cctx._vars import current


class _Awaitable:
    """Each step of an awaitable, in a contextvars.Context of its own."""

    __slots__ = ("_inside", "_awaitable")

    def __init__(self, inside, awaitable):
        self._inside = inside
        self._awaitable = awaitable

    def __await__(self):
        return _steps(self._inside, self._awaitable.__await__())


def _steps(inside, generator):
    """`generator`, each step of it in the contextvars.Context `inside`."""
    try:
        result = inside.run(generator.send, None)
        while True:
            try:
                value = yield result
            except GeneratorExit:
                inside.run(generator.close)
                raise
            except BaseException as error:
                result = inside.run(generator.throw, error)
            else:
                result = inside.run(generator.send, value)
    except StopIteration as stop:
        return stop.value


def _copy_under(context):
    """A copy of the running contextvars.Context in which `context` is current."""
    return _cctx._run_handed_over(context, contextvars.copy_context, (), {})


def _generator(function, context):
    def call(*args, **kwargs):
        inside = _copy_under(context)
        return (yield from _steps(inside, inside.run(function, *args, **kwargs)))

    return call


def _async_generator(function, context):
    async def call(*args, **kwargs):
        inside = _copy_under(context)
        steps = inside.run(function, *args, **kwargs)
        step = steps.asend(None)
        try:
            while True:
                result = await _Awaitable(inside, step)
                try:
                    value = yield result
                except GeneratorExit:
                    raise
                except BaseException as error:
                    step = steps.athrow(error)
                else:
                    step = steps.asend(value)
        except StopAsyncIteration:
            pass
        finally:
            await _Awaitable(inside, steps.aclose())

    return call


def _coroutine(function, context):
    async def call(*args, **kwargs):
        with _cctx.use(context, _handed_over=True):
            return await function(*args, **kwargs)

    return call


def _plain(function, context):
    def call(*args, **kwargs):
        return _cctx._run_handed_over(context, function, args, kwargs)

    return call


_KINDS = (
    (inspect.iscoroutinefunction, _coroutine),
    (inspect.isgeneratorfunction, _generator),
    (inspect.isasyncgenfunction, _async_generator),
)


def wrap(function, context=None):
    """Return `function` bound to a context: by default to the one current now.

    The result may be called on any thread, and keeps the context when its request has ended.
    A coroutine function stays one, and runs under the context whichever task awaits it. A
    generator, async or not, runs in a contextvars.Context of its own, a copy made at its
    first step."""
    if not callable(function):
        raise TypeError(f"function must be callable, not {type(function).__name__}")
    if context is None:
        context = current()
    elif not isinstance(context, _cctx.Context):
        raise TypeError(
            f"context must be a cctx.Context or None, not {type(context).__name__}"
        )
    method = getattr(type(function), "__call__", None)
    bind = next((b for is_kind, b in _KINDS if is_kind(function) or is_kind(method)), _plain)
    return functools.wraps(function)(bind(function, _cctx._capture(context)))
