# SPDX-License-Identifier: Apache-2.0
"""For tests: a clock that they drive, and a mode in which misuse fails them."""

from types import TracebackType
from typing import List, Optional, Type

from cctx import _cctx, _strict

__all__ = ["clock_set", "strict"]


def clock_set(now: Optional[float]) -> None:
    """Stop the process's clock at `now` (seconds of time.monotonic()) for all contexts,
    in every language; None lets time pass again."""
    _cctx._clock_set(now)


class strict:
    """A block in which misuse that cctx otherwise puts up with is an AssertionError.

    It lists, with both places: scopes that are not left in the order in which they were
    entered, a context of a request that has ended as parent, and a scope that a generator
    leaves in force at a yield. An exception of the block goes first. The library's
    log comes here meanwhile, from every thread."""

    def __init__(self) -> None:
        self._reports: Optional[List[str]] = None
        self._was_strict = False

    def __enter__(self) -> "strict":
        if self._reports is not None:
            raise RuntimeError("this strict() is entered already: make a new one")
        self._reports = []
        _cctx._log_fetch()  # what somebody else left
        _cctx._log_keep(True)
        _cctx._set_notice(_strict.noticer(self._reports))
        self._was_strict = _cctx._strict(1)
        return self

    def take(self) -> List[str]:
        """The reports so far: taken, they fail nothing."""
        if self._reports is None:
            return []
        taken = _cctx._log_fetch() + self._reports
        self._reports.clear()
        return taken

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        _cctx._strict(int(self._was_strict))
        _cctx._set_notice(None)
        _cctx._log_keep(False)
        reports = self.take()
        self._reports = None
        if kind is None and reports:
            raise AssertionError("\n".join(["cctx is used wrongly:", *reports]))
