# SPDX-License-Identifier: Apache-2.0
"""Answers with what Python, and C below it, know of the request, and what it brought."""

import cctx
import whoami


def handler(request):
    lines = [
        f"tenant={cctx.metadata('tenant')}",
        f"tenant in C={whoami.tenant()}",
        f"trace={cctx.value('trace_id')}",
        f"deadline={cctx.remaining() is not None and cctx.remaining() <= 30}",
        f"short={cctx.remaining() <= 5}",
        f"request={request.method} {request.path}?{request.query}",
        f"header={request.headers.get('x-test')}",
        f"body={request.body.decode()}",
    ]
    return 201, "\n".join(lines), {"X-Answer": "python"}
