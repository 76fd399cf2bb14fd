# SPDX-License-Identifier: Apache-2.0
"""The answer to one WSGI request: its application's, with the request's context around it."""

import contextvars
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

import cctx
from cctx.contrib._http import end_response, status_of

_Environ = Dict[str, Any]
_Start = Callable[..., Callable[[bytes], object]]


class Answer:
    """One request: the iterable that the server gets, which holds back the head of the
    answer until its body begins."""

    def __init__(self, start: _Start, request: cctx.request) -> None:
        self._start, self._request = start, request
        self._inside = contextvars.copy_context()
        self._context: cctx.Context = self._inside.run(request.__enter__)
        self._head: Optional[Tuple[Any, ...]] = None  # status, headers: not handed on yet
        self._write: Optional[Callable[[bytes], object]] = None
        self._sent = False  # a byte of the body, so the head as well
        self._body: Any = ()
        self._steps: Iterator[bytes] = iter(())

    def begin(self, app: Callable[..., Any], environ: _Environ) -> Iterable[bytes]:
        return self._guarded(self._call, app, environ) or self

    def _call(self, app: Callable[..., Any], environ: _Environ) -> None:
        self._context.check()
        self._body = app(environ, self._start_response)
        self._steps = iter(self._body)

    def _start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        if exc_info and self._sent:
            return self._start(status, headers, exc_info)  # raises it
        if self._head and not exc_info:
            raise AssertionError("start_response was called already, and without exc_info")
        self._head, self._write = (status, headers, exc_info), None
        return self._write_out

    def _flush(self) -> None:
        if self._head and self._write is None:
            status, headers, exc_info = self._head
            headers = [*headers, *end_response(self._context)]
            rest = (exc_info,) if exc_info else ()
            self._write = self._start(status, headers, *rest)

    def _write_out(self, data: bytes) -> object:
        self._flush()
        self._sent = self._sent or bool(data)
        return self._write(data) if self._write else None

    def _guarded(self, step: Callable[..., Any], *args: Any) -> Any:
        try:
            return self._inside.run(step, *args)
        except cctx.Canceled as error:
            self.close()
            if self._sent:
                raise  # the server cuts it off
            return self._refuse(error)
        except StopIteration:
            self._flush()
            raise
        except BaseException:
            self.close()
            raise

    def _refuse(self, error: cctx.Canceled) -> List[bytes]:
        status, words = status_of(error)
        headers = [("Content-Type", "text/plain; charset=utf-8")]
        headers.append(("Content-Length", str(len(words))))
        info = (type(error), error, error.__traceback__)
        rest = (info,) if self._write else ()
        self._start(f"{status} {words}", headers, *rest)
        self._steps, self._sent = iter(()), True
        return [words.encode()]

    def __iter__(self) -> "Answer":
        return self

    def __next__(self) -> bytes:
        chunk: Any = self._guarded(next, self._steps)
        if isinstance(chunk, list):
            return bytes(chunk[0])  # why it was refused
        self._flush()
        self._sent = self._sent or bool(chunk)
        return bytes(chunk)

    def close(self) -> None:
        """Ends the request, once, whatever the body's own close() does."""
        body, self._body = self._body, ()
        try:
            if hasattr(body, "close"):
                self._inside.run(body.close)
        finally:
            self._inside.run(self._request.__exit__, None, None, None)
