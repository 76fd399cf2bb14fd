# SPDX-License-Identifier: Apache-2.0
"""Says that it has begun, waits, and says why it was stopped."""

import asyncio
import os

import cctx


def say(text):
    os.write(1, f"{text}\n".encode())  # in one piece: several threads say it


async def handler(request):
    if request.query == "quick":
        return "fine"
    say("begun")
    try:
        await asyncio.sleep(600)
    finally:
        say(f"{cctx.err()}: {cctx.cause().message}")
