# SPDX-License-Identifier: Apache-2.0
"""Is late before its task has taken its first step."""

import time

import cctx


async def work():
    return "never"


def handler(request):
    while cctx.err() is None:
        time.sleep(0.001)
    return work()
