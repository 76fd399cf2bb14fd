# SPDX-License-Identifier: Apache-2.0
"""Asks the server that the query names, and puts what it knows itself before the answer."""

import cctx
from cctx_fetch import FetchError, fetch


async def handler(request):
    known = (cctx.value("trace_id"), cctx.metadata("tenant"), cctx.remaining())
    own = "py %s %s %.6f" % known
    if not request.query:
        return own
    timeout = request.headers.get("x-timeout")
    try:
        answer = await fetch(request.query, timeout=timeout and float(timeout))
    except FetchError as error:
        return 502, str(error)
    return answer.status, own + "\n" + answer.body.decode()
