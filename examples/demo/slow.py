# SPDX-License-Identifier: Apache-2.0
"""A handler that never ends by itself: it asks now and then whether it should."""

import asyncio

import cctx


async def handler(request):
    while True:
        cctx.check()  # raises once the deadline has passed; the server answers 504
        await asyncio.sleep(0.001)
