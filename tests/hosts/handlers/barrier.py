# SPDX-License-Identifier: Apache-2.0
"""Waits until 64 requests are here, and checks who it works for around every wait."""

import asyncio

import cctx
import whoami

arrived = 0
everybody = None


async def handler(request):
    global arrived, everybody
    mine = request.query

    def check():
        assert cctx.metadata("tenant") == mine, "Python sees another request"
        assert whoami.tenant() == mine, "C sees another request"

    check()
    if everybody is None:
        everybody = asyncio.Event()
    arrived += 1
    if arrived == 64:
        everybody.set()
    await everybody.wait()
    check()
    for _ in range(5):
        await asyncio.sleep(0)
        check()
    return mine
