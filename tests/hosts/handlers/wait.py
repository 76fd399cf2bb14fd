# SPDX-License-Identifier: Apache-2.0
"""Says that it has begun, and sleeps for far longer than any deadline."""

import asyncio
import os


async def handler(request):
    os.write(1, b"begun\n")  # in one piece: several threads say it
    await asyncio.sleep(600)
    return "slept"
