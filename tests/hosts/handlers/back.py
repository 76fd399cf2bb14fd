# SPDX-License-Identifier: Apache-2.0
"""Answers with metadata that goes back, beside headers of its own."""

import cctx


def handler(request):
    cctx.response_set({"x-cost": "3", "X-Own": "lost", "content-length": "7"})
    cctx.response_set("x-split", "a\r\nx-evil: 1")
    cctx.response_set("x-nul", "a\0b")
    if request.query == "raise":
        raise ValueError("no answer")
    return 200, "body", {"x-own": "python"}
