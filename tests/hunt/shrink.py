# SPDX-License-Identifier: Apache-2.0
"""Makes a schedule that fails shorter, for as long as it still fails."""

import time


def without_parts(steps, fails, end):
    """Take away parts, from halves down to single numbers."""
    size = len(steps) // 2
    while size and time.monotonic() < end:
        at, before = 0, len(steps)
        while at < len(steps):
            shorter = steps[:at] + steps[at + size :]
            if shorter and fails(shorter):
                steps = shorter
            else:
                at += size
        if size > 1 or len(steps) == before:
            size //= 2
    return steps


def with_less(steps, fails, end):
    """Make operands 0 where that changes nothing."""
    for at, number in enumerate(steps):
        if time.monotonic() > end:
            break
        for smaller in (number & 0xFF, number & 0xFFFF, number & 0xFF00FF):
            if smaller < steps[at]:
                other = [*steps[:at], smaller, *steps[at + 1 :]]
                if fails(other):
                    steps = other
                    break
    return steps


def shrink(steps, fails, seconds=60):
    """The shortest list that could be found for which `fails` is still true."""
    end = time.monotonic() + seconds
    while True:
        before = list(steps)
        steps = with_less(without_parts(steps, fails, end), fails, end)
        if steps == before or time.monotonic() > end:
            return steps
