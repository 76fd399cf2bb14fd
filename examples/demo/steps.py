# SPDX-License-Identifier: Apache-2.0
"""The Python steps of the chain: chain.lua calls them through the C extension `bridge`."""

import asyncio

import cctx
import seen


def row(where, tenant, user, trace_id, remaining):
    return f"{where}\t{tenant}\t{user}\t{trace_id}\t{remaining:.9f}"


def here():
    return (
        cctx.metadata("tenant"),
        cctx.metadata("user"),
        cctx.value("trace_id"),
        cctx.remaining(),
    )


def in_python(call_lua):
    return row("Python\tfunction called by C", *here()) + "\n" + call_lua()


async def task():
    mine = row("Python\tasyncio task", *here())
    return mine + "\n" + row("C\textension called by the task", *seen.seen())


async def main():
    return await asyncio.create_task(task())


def in_task(_call_lua):
    return asyncio.run(main())
