# SPDX-License-Identifier: Apache-2.0
"""Loses its context, and tells what it got back, and why."""

import cctx


def handler(request):
    found = cctx.recover(cctx.background())
    return f"{found.reason} {found.context.metadata('tenant', 'nil')}"
