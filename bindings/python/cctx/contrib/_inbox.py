# SPDX-License-Identifier: Apache-2.0
"""An inbox: what an ASGI server hands in, read ahead by a task of its own.

The server says that a client left only to who receives. The task receives as long as what
waits for the app is below a bound, and keeps the order; no message is lost or made up.
"""

import asyncio
import collections
from typing import Any, Awaitable, Callable, Deque, MutableMapping, Optional

_Message = MutableMapping[str, Any]
_AHEAD = 65536  # bytes that wait for the app, at most, before a last message
_OVERHEAD = 64  # of a message, in the same bytes


def _size(message: _Message) -> int:
    content = message.get("body") or message.get("bytes") or message.get("text") or b""
    return _OVERHEAD + len(content)


class Inbox:
    """`async with` it: the task ends with the block, and nothing receives any more."""

    def __init__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        on_leave: Callable[[], None],
    ) -> None:
        self._receive, self._on_leave = receive, on_leave
        self._messages: Deque[_Message] = collections.deque()
        self._bytes = 0
        self._last: Optional[_Message] = None  # that the client left: given again and again
        self._came, self._wanted = asyncio.Event(), asyncio.Event()
        # Receiving is what tells such a client to send its body: that is for the app to do.
        if not any(name.lower() == b"expect" for name, _ in scope["headers"]):
            self._wanted.set()

    async def __aenter__(self) -> "Inbox":
        # Here, before the request begins: the task works for nobody.
        self._task = asyncio.ensure_future(self._pump())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # seen, whether or not the app asked

    async def _pump(self) -> None:
        try:
            while self._last is None:
                await self._wanted.wait()
                message = await self._receive()
                if message["type"] in ("http.disconnect", "websocket.disconnect"):
                    self._last = message
                    self._on_leave()
                else:
                    self._put(message)
                self._came.set()
        finally:
            self._came.set()

    def _put(self, message: _Message) -> None:
        self._messages.append(message)
        self._bytes += _size(message)
        if self._bytes >= _AHEAD:
            self._wanted.clear()

    async def get(self) -> _Message:
        """The next message, as the app's receive()."""
        while not self._messages:
            if self._last is not None:
                return self._last
            if self._task.done():
                self._task.result()  # raises what the server raised
            self._wanted.set()
            self._came.clear()
            await self._came.wait()
        message = self._messages.popleft()
        self._bytes -= _size(message)
        if self._bytes < _AHEAD:
            self._wanted.set()
        return message
