# SPDX-License-Identifier: Apache-2.0
"""WSGI: each request has a context, also while its body is iterated.

    app = cctx.contrib.wsgi.Middleware(app, timeout=30)

The application runs in a contextvars.Context of its own, a copy: what it leaves behind there
no later request on the thread sees, nor does the server between two steps.
"""

from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import cctx
from cctx.contrib._answer import Answer
from cctx.contrib._http import check_policy

__all__ = ["Middleware"]

_Environ = Dict[str, Any]


def _headers(environ: _Environ) -> List[Tuple[bytes, bytes]]:
    """As they came: WSGI has each byte as a character."""
    return [
        (name[5:].replace("_", "-").encode(), value.encode("latin-1", "replace"))
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str) and name.isascii()
    ]


class Middleware:
    """Begins a request for what the headers say, of which `policy` says what is believed: by
    default that of a stranger. `timeout` (seconds) holds besides."""

    def __init__(
        self,
        app: Callable[..., Any],
        *,
        policy: Optional[cctx.Policy] = None,
        timeout: Optional[float] = None,
    ) -> None:
        self.app, self.policy, self.timeout = app, check_policy(policy), timeout

    def __call__(self, environ: _Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        parent = cctx.extract(_headers(environ), policy=self.policy)
        request = cctx.request(parent=parent, timeout=self.timeout, response=True)
        return Answer(start_response, request).begin(self.app, environ)
