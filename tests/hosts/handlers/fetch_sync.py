# SPDX-License-Identifier: Apache-2.0
"""Asks the server that the query names, without a task."""

from cctx_fetch import fetch_sync


def handler(request):
    answer = fetch_sync(request.query)
    return answer.status, answer.body
