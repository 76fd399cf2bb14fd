# SPDX-License-Identifier: Apache-2.0
"""Keeps the context of the first request, and answers with how that is."""

import cctx

kept = None


def handler(request):
    global kept
    kept = kept or cctx.current()
    return f"{kept.metadata('tenant')} {kept.err()}"
