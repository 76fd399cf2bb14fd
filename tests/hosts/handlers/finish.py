# SPDX-License-Identifier: Apache-2.0
"""Says that it has begun, and goes on until the file that the query names is there."""

import asyncio
import os


async def handler(request):
    os.write(1, b"begun\n")  # in one piece: several threads say it
    while not os.path.exists(request.query):
        await asyncio.sleep(0.001)
    return "finished"
