# SPDX-License-Identifier: Apache-2.0
"""Two requests meet in one event loop, and take turns: each counts the tenants it sees."""

import asyncio
import collections

import cctx
import seen

TURNS = 50
present = 0  # handlers that have begun


async def handler(request):
    global present
    counts = collections.Counter()
    present += 1
    while present < 2:  # wait for the other one
        cctx.check()
        await asyncio.sleep(0.001)
    for _ in range(TURNS):
        counts[cctx.metadata("tenant")] += 1
        counts[seen.seen()[0]] += 1
        await asyncio.sleep(0)
    return "".join(f"{tenant}\t{n}\n" for tenant, n in sorted(counts.items()))
