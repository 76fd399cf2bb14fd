# SPDX-License-Identifier: Apache-2.0
"""Tells, after some turns of others, for which request it works; or fails, or waits for ever."""

import asyncio

import cctx
import whoami


def seen():
    return f"{cctx.value('trace_id')} {whoami.tenant()}"


async def handler(request):
    what, first = request.query.split("-")[0], seen()
    if what == "fail":
        raise ValueError("as it was asked to")
    for _ in range(3):
        await asyncio.sleep(0)
    if what == "wait":
        await asyncio.sleep(600)
    return f"{first} {seen()} {request.query}"
