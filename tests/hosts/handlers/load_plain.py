# SPDX-License-Identifier: Apache-2.0
"""Tells at once for which request it works, or fails."""

import cctx
import whoami


def handler(request):
    seen = f"{cctx.value('trace_id')} {whoami.tenant()}"
    if request.query.startswith("fail"):
        raise ValueError("as it was asked to")
    return f"{seen} {seen} {request.query}"
