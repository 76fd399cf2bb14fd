# SPDX-License-Identifier: Apache-2.0
"""Work that stops when its request should, in C++."""

import cctx  # noqa: F401  first: it brings the library that the extension links

from render._work import describe, render

__all__ = ["describe", "render"]
