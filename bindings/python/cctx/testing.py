# SPDX-License-Identifier: Apache-2.0
"""A clock that tests drive."""

from typing import Optional

from cctx import _cctx

__all__ = ["clock_set"]


def clock_set(now: Optional[float]) -> None:
    """Stop the process's clock at `now` (seconds of time.monotonic()) for all contexts,
    in every language; None lets time pass again."""
    _cctx._clock_set(now)
