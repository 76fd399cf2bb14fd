# SPDX-License-Identifier: Apache-2.0
"""Leaves a context variable behind, and answers with what it found in it."""

import contextvars

mark = contextvars.ContextVar("mark", default="nothing")
mark.set("the module")


def handler(request):
    found = mark.get()
    mark.set(request.query)
    return found
