# SPDX-License-Identifier: Apache-2.0
"""ASGI: each HTTP request and WebSocket has a context, by which it is stopped.

    app = cctx.contrib.asgi.Middleware(app, timeout=30)

What comes in is read ahead, within bounds: a client that leaves shows while the app works.
"""

from typing import Any, Awaitable, Callable, MutableMapping, Optional

import cctx
from cctx.contrib._http import check_policy, end_response, status_of
from cctx.contrib._inbox import Inbox

__all__ = ["Middleware"]

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class _Exchange:
    """One request: what was sent of its answer, and whether its client is there."""

    def __init__(self, scope: _Message, send: _Send) -> None:
        self.is_websocket = scope["type"] == "websocket"
        self.started = self.complete = self.left = False
        self.context: Optional[cctx.Context] = None
        self.request: Any = None
        self._send = send

    def leave(self) -> None:
        """The client has gone. Once all is sent a server says so too: it means nothing."""
        if not self.complete:
            self.left = True
            if self.context is not None:
                self.context.cancel("the client has left")

    async def send(self, message: _Message) -> None:
        kind = message["type"]
        if kind == "http.response.start" and self.context is not None:
            pairs = [(n.encode(), v.encode("latin-1")) for n, v in end_response(self.context)]
            message = {**message, "headers": [*message.get("headers", ()), *pairs]}
        # From here on it cannot be answered otherwise, even if sending fails.
        self.started = self.started or kind in ("http.response.start", "websocket.accept")
        if kind == "websocket.close" or (
            kind == "http.response.body" and not message.get("more_body")
        ):
            self.complete = True
            self.request._guard.off()  # what an app does after its answer is not stopped
        await self._send(message)

    async def refuse(self, error: cctx.Canceled) -> None:
        """Say why, where nothing was said yet; else the server must cut it off."""
        if self.left or self.complete:
            return
        if self.is_websocket:
            await self._send({"type": "websocket.close", "code": 1011})
        elif self.started:
            raise error
        else:
            status, words = status_of(error)
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            headers.append((b"content-length", b"%d" % len(words)))
            start = {"type": "http.response.start", "status": status, "headers": headers}
            await self._send(start)
            await self._send({"type": "http.response.body", "body": words.encode()})


class Middleware:
    """Begins a request for what the headers say, of which `policy` says what is believed: by
    default that of a stranger. `timeout` (seconds) holds besides."""

    def __init__(
        self, app: _App, *, policy: Optional[cctx.Policy] = None, timeout: Optional[float] = None
    ) -> None:
        self.app, self.policy, self.timeout = app, check_policy(policy), timeout

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        parent = cctx.extract(scope["headers"], policy=self.policy)
        async with Inbox(scope, receive, exchange.leave) as inbox:
            exchange.request = cctx.request(parent=parent, timeout=self.timeout, response=True)
            try:
                async with exchange.request as context:
                    exchange.context = context
                    context.check()
                    await self.app(scope, inbox.get, exchange.send)
            except cctx.Canceled as error:
                await exchange.refuse(error)
