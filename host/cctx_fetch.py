# SPDX-License-Identifier: Apache-2.0
"""Calls to other HTTP servers, under the current context: what it says goes along, and
where it ends the call does.
"""

import asyncio

__all__ = ["BODY_MAX", "FetchError", "FetchTimeout", "Response", "fetch", "fetch_sync"]

BODY_MAX = 16 << 20


class FetchError(Exception):
    """The call brought no answer: its text names the URL and the reason."""


class FetchTimeout(FetchError, TimeoutError):
    """No answer within the timeout that was asked for; the context had time left."""


class Response:
    """What was answered: status, dict of headers by lower-case name, body of bytes."""

    __slots__ = ("status", "headers", "body")

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self):
        return f"<cctx_fetch.Response {self.status}, {len(self.body)} bytes>"


def _to_bytes(what, text):
    try:
        return text if isinstance(text, bytes) else str(text).encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"{what} of fetch is not in Latin-1") from None


def _begin(url, method, headers, body, timeout, body_max, context, format):
    pairs = headers.items() if hasattr(headers, "items") else headers or ()
    lines = [
        (_to_bytes("the name of a header", name), _to_bytes("the value of a header", value))
        for name, value in pairs
    ]
    if isinstance(body, str):
        body = body.encode()
    return _start(url, method, lines, body, timeout, body_max, context, format)


def _conclude(transfer):
    result = _result(transfer)
    if len(result) == 3:
        return Response(*result)
    late, reason = result
    raise (FetchTimeout if late else FetchError)(reason)


def _set(future):
    if not future.done():
        future.set_result(None)


async def _wait_readable(loop, fd):
    future = loop.create_future()
    loop.add_reader(fd, _set, future)
    try:
        await future
    finally:
        loop.remove_reader(fd)


async def fetch(
    url,
    *,
    method=None,
    headers=None,
    body=None,
    timeout=None,
    body_max=BODY_MAX,
    context=None,
    format="http",
):
    """Call `url`, and wait for the Response while the event loop goes on. Canceling the
    task aborts the call.

    `timeout` is in seconds, beside what the context (default: the current one) has left.
    `format` says what goes along of the context: "http", "stranger" (no metadata), or None.
    Raises cctx.DeadlineExceeded or cctx.Canceled if the context is done, else FetchError.
    """
    loop = asyncio.get_running_loop()
    transfer = _begin(url, method, headers, body, timeout, body_max, context, format)
    try:
        fd = _fd(transfer)
        if fd is not None:
            await _wait_readable(loop, fd)
        return _conclude(transfer)
    finally:
        _drop(transfer)


def fetch_sync(
    url,
    *,
    method=None,
    headers=None,
    body=None,
    timeout=None,
    body_max=BODY_MAX,
    context=None,
    format="http",
):
    """The same, for code that is not `async`: it blocks this thread, and no other."""
    transfer = _begin(url, method, headers, body, timeout, body_max, context, format)
    try:
        _wait(transfer)
        return _conclude(transfer)
    finally:
        _drop(transfer)
