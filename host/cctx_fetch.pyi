# SPDX-License-Identifier: Apache-2.0
"""Calls to other HTTP servers, under the current context; a module of the program cctx."""

from collections.abc import Iterable, Mapping
from typing import Union

from cctx import Context

__all__ = ["BODY_MAX", "FetchError", "FetchTimeout", "Response", "fetch", "fetch_sync"]

BODY_MAX: int

_Text = Union[str, bytes]
_Headers = Union[Mapping[str, object], Iterable[tuple[_Text, object]]]

class FetchError(Exception): ...
class FetchTimeout(FetchError, TimeoutError): ...

class Response:
    status: int
    headers: dict[str, str]
    body: bytes
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None: ...

async def fetch(
    url: str,
    *,
    method: str | None = None,
    headers: _Headers | None = None,
    body: str | bytes | None = None,
    timeout: float | None = None,
    body_max: int = ...,
    context: Context | None = None,
    format: str | None = "http",
) -> Response: ...
def fetch_sync(
    url: str,
    *,
    method: str | None = None,
    headers: _Headers | None = None,
    body: str | bytes | None = None,
    timeout: float | None = None,
    body_max: int = ...,
    context: Context | None = None,
    format: str | None = "http",
) -> Response: ...
