# SPDX-License-Identifier: Apache-2.0
"""The second node, whose clock is not that of the others."""

import time

import cctx
from cctx_fetch import fetch


async def handler(request):
    known = cctx.value("trace_id"), cctx.metadata("tenant"), cctx.remaining()
    own = "b %s %s %.6f %.3f\n" % (*known, time.monotonic())
    answer = await fetch("http://10.77.0.13:8080" + request.path)
    return answer.status, own.encode() + answer.body
