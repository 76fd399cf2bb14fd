# SPDX-License-Identifier: Apache-2.0
"""The answer of hello.py, by a task."""


async def handler(request):
    return "hello, " + request.headers.get("x-name", "stranger")
