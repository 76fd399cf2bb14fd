# SPDX-License-Identifier: Apache-2.0
"""What the middlewares of contrib share: policies, statuses, the response as headers."""

import re
from typing import List, Optional, Tuple

import cctx

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FRAMING = {"connection", "content-length", "trailer", "transfer-encoding", "upgrade"}


def check_policy(policy: Optional[cctx.Policy]) -> cctx.Policy:
    if policy is not None and not isinstance(policy, cctx.Policy):
        raise TypeError(f"policy must be a cctx.Policy, not {type(policy).__name__}")
    return policy if policy is not None else cctx.Policy("stranger")


def status_of(error: cctx.Canceled) -> Tuple[int, str]:
    if isinstance(error, cctx.DeadlineExceeded):
        return 504, "Gateway Timeout"
    return 503, "Service Unavailable"


def end_response(context: cctx.Context) -> List[Tuple[str, str]]:
    """What the response has, and nothing more comes in. What a header cannot say, and what
    would change how the message is framed, is left out."""
    context.response_end()
    pairs = [(name, value) for name, value, _ in context.response().metadata_pairs()]
    return [
        (name, value)
        for name, value in pairs
        if _NAME.fullmatch(name) and _VALUE.fullmatch(value) and name.lower() not in _FRAMING
    ]
