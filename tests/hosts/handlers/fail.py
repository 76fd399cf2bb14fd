# SPDX-License-Identifier: Apache-2.0
"""Fails in the way that the query names."""

import asyncio
import sys

import cctx


def throw(error):
    raise error


def canceled():
    ctx = cctx.background().with_cancel()
    ctx.cancel("by hand")
    ctx.check()


async def later():
    await asyncio.sleep(0)
    raise ValueError("boom after a wait")


async def leave():
    await asyncio.sleep(0)
    sys.exit(3)


async def own_timeout():
    await asyncio.wait_for(asyncio.sleep(600), 0.01)


WAYS = {
    "raise": lambda: throw(ValueError("boom of Python")),
    "later": later,
    "exit": lambda: sys.exit(3),
    "leave": leave,
    "timeout": own_timeout,
    "number": lambda: 204,
    "status": lambda: (99, "body"),
    "headers": lambda: (200, "body", [1, 2]),
    "tuple": lambda: (200,),
    "deadline": lambda: cctx.background().with_timeout(0).check(),
    "canceled": canceled,
    "none": lambda: "fine",
}


def handler(request):
    return WAYS[request.query]()
