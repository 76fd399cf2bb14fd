# SPDX-License-Identifier: Apache-2.0
"""The first request leaves a task and a wrapped function behind, the second asks them for
whom they work now."""

import asyncio

import cctx
import whoami

left = wrapped = None
go_on = None


def see():
    return f"{cctx.metadata('tenant')} {whoami.tenant()} {cctx.err()}"


async def late():
    await go_on.wait()
    return see()


async def handler(request):
    global left, wrapped, go_on
    if left is None:
        go_on = asyncio.Event()
        left = asyncio.ensure_future(late())
        wrapped = cctx.wrap(see)
        return see()
    go_on.set()
    return f"{await left}, {wrapped()}"
