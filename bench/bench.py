# SPDX-License-Identifier: Apache-2.0
"""Times what Python code calls most, beside a ContextVar and an empty call."""

import contextvars
import timeit

import cctx

variable = contextvars.ContextVar("variable", default=None)
CASES = [
    ("an empty C call", int, "f()"),
    ("ContextVar.get", variable.get, "f()"),
    ("cctx.current", cctx.current, "f()"),
]


def measure(call, statement):
    timer = timeit.Timer(statement, globals={"f": call})
    count, _ = timer.autorange()
    return min(timer.repeat(5, count)) / count * 1e9


if __name__ == "__main__":
    print("Python                        ns")
    for name, call, statement in CASES:
        print(f"  {name:24}{measure(call, statement):9.1f}")
