# SPDX-License-Identifier: Apache-2.0
"""The part of a Python worker that is written in Python: a loop, a task for a request."""

import asyncio
import contextvars
import functools
import gc
import importlib.util
import inspect
import sys
import traceback

import cctx
import _cctx_host as host

# A timer of the event loop may come this much too early, in seconds.
_TICK = 0.001

_STOPS = (asyncio.TimeoutError, TimeoutError, asyncio.CancelledError)


class Request:
    """What came: strings, a dict of headers by lower-case name, and a body of bytes."""

    __slots__ = ("method", "path", "query", "headers", "body")

    def __init__(self, method, path, query, headers, body):
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body


class Worker:
    """One thread's: its own copy of each handler's module, and its own event loop."""

    def __init__(self, routes):
        """Load what `routes`, pairs of an index and a file, name."""
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.handlers = {}
        self.roots = {}  # by route: the Context in which the module was loaded
        self.tasks = set()
        self.closed = False
        try:
            for index, file in routes:
                root = contextvars.copy_context()
                self.handlers[index] = root.run(self._load, index, file)
                self.roots[index] = root
        except BaseException:
            self.loop.close()  # else the interpreter's exit would, when its files are gone
            raise

    def _load(self, index, file):
        name = f"_cctx_route_{index}_{id(self):x}"  # several workers load the same file
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        handler = getattr(module, "handler", None)
        if not callable(handler):
            raise TypeError(f"{file} defines no function named handler")
        return handler

    # ---- Requests ----

    def _take(self):
        """Called by the loop while there is something in the queue, or it is closed."""
        job = host.take()
        if job is not None:
            ticket, context, index, parts = job
            # A fresh copy: nothing that one request sets is there for the next one.
            root = self.roots[index].copy()
            request = Request(*parts)
            root.run(host.begin, ticket, self._begin, ticket, context, index, request)
        elif host.closed():
            self._close()

    def _begin(self, ticket, context, index, request):
        try:
            result = self.handlers[index](request)
            if not inspect.isawaitable(result):
                _answer(ticket, result)
                return
        except BaseException as error:
            _fail(ticket, context, error)
            return
        task = self.loop.create_task(_finish(ticket, context, result))
        self.tasks.add(task)
        task.add_done_callback(functools.partial(self._end_task, result))

    # ---- The end ----

    def _end_task(self, awaitable, task):
        """Close a handler that was stopped before its first step: nobody will await it."""
        if inspect.iscoroutine(awaitable):
            if inspect.getcoroutinestate(awaitable) == inspect.CORO_CREATED:
                awaitable.close()
        self.tasks.discard(task)
        if self.closed and not self.tasks:
            self.loop.stop()

    def _close(self):
        """Nothing more will come: what still runs has been canceled."""
        self.loop.remove_reader(host.fd())
        self.closed = True
        for task in self.tasks:
            task.cancel()
        if not self.tasks:
            self.loop.stop()

    def run(self):
        self.loop.add_reader(host.fd(), self._take)
        while not self.closed or self.tasks:
            try:
                self.loop.run_forever()
            except BaseException:  # of a task that a handler left behind
                traceback.print_exc()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        gc.collect()  # contexts that only cycles keep


# ---- The work on a request ----


async def _guard(awaitable):
    """These two would stop the event loop, and with it every other request."""
    try:
        return await awaitable
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError(f"the handler raised {type(error).__name__}") from error


async def _finish(ticket, context, awaitable):
    try:
        # Once the context is done, for whatever reason, the handler is cancelled.
        task = asyncio.ensure_future(_guard(awaitable))
        observer = context.on_done(lambda _: task.cancel())
        if context.err() is not None:
            task.cancel()  # before its first step, which the observer may come after
        try:
            result = await task
        finally:
            observer.off()
        _answer(ticket, result)
    except BaseException as error:
        _fail(ticket, context, error)


def _answer(ticket, result):
    status, headers = 200, None
    if isinstance(result, tuple):
        if len(result) not in (2, 3):
            raise TypeError("the handler returned a tuple that is not of 2 or 3 items")
        status, result, headers = (*result, None)[:3]
    if isinstance(result, str):
        result = result.encode(errors="surrogateescape")  # as it came, as Lua would
    if not isinstance(result, bytes):
        kind = type(result).__name__
        raise TypeError(f"the handler returned {kind} where str or bytes should be")
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise ValueError("the handler returned a status that is not from 200 to 599")
    pairs = [(str(name), str(value)) for name, value in dict(headers or {}).items()]
    host.answer(ticket, status, result, pairs)


def _fail(ticket, context, error):
    if isinstance(error, cctx.Canceled):
        host.stop(ticket, isinstance(error, cctx.DeadlineExceeded))
    elif isinstance(error, _STOPS) and context.remaining() <= _TICK:
        host.stop(ticket, True)
    elif isinstance(error, _STOPS) and context.err() is not None:
        host.stop(ticket, False)
    else:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals is globals():
            trace = trace.tb_next
        lines = traceback.format_exception(type(error), error, trace)
        host.fail(ticket, "".join(lines).rstrip())
