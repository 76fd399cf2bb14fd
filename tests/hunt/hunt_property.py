# SPDX-License-Identifier: Apache-2.0
"""The hunt with schedules that hypothesis thinks of, which looks for odd ones, keeps those
that showed something new, and shortens what fails.

Usage: hunt_property.py [--examples N] [--no-greenlets]
"""

import argparse

import fibers
from hunt_python import Hunt, choose_operations
from hypothesis import HealthCheck, given, settings, strategies

NUMBERS = strategies.lists(strategies.integers(0, (1 << 24) - 1), min_size=20, max_size=120)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, default=300)
    parser.add_argument("--no-greenlets", action="store_true")
    asked = parser.parse_args()
    if asked.no_greenlets:
        fibers.greenlet = fibers.gevent = None
    hunt = Hunt()

    @settings(max_examples=asked.examples, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))
    @given(steps=NUMBERS, choice=strategies.integers(0, 1000), peek=strategies.booleans())
    def answers_are_right(steps, choice, peek):
        operations = choose_operations(hunt.table, "hypothesis", choice)
        wrong, _ = hunt.play(steps, operations, peek and hunt.peek)
        assert not wrong, wrong

    answers_are_right()
    print(f"{asked.examples} examples, {hunt.questions} answers right")


if __name__ == "__main__":
    main()
