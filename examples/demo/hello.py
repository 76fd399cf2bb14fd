# SPDX-License-Identifier: Apache-2.0
"""The smallest handler: nobody passes it a context."""

import cctx


def handler(request):
    return f"hello, {cctx.metadata('user', 'stranger')} of {cctx.metadata('tenant', '?')}\n"
