# SPDX-License-Identifier: Apache-2.0
"""The hunt for a wrong context in Python: random schedules against the model.

Usage: hunt_python.py [--seed N] [--steps N] [--round N] [--no-shrink]
       [--no-greenlets]

Prints what it did and exits 0; or the seed, the step and the shortest schedule it
could find that still gives a wrong answer, and exits 1.
"""

import argparse
import contextvars
import faulthandler
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import blocks  # noqa: E402
import cctx  # noqa: E402
import fibers  # noqa: E402
import hunted  # noqa: E402
import mixed  # noqa: E402
import sections  # noqa: E402
import tasks  # noqa: E402
from shrink import shrink  # noqa: E402
from world import World  # noqa: E402


def operations():
    """All operations, as often as they are to come, and what is left out."""
    with_lua = hasattr(hunted, "close_luas")
    c = mixed if with_lua else sections
    table = [
        (None, 14),
        (blocks.use, 7),
        (blocks.run, 3),
        (blocks.wrapped, 3),
        (blocks.save, 9 if with_lua else 4),
        (blocks.enter, 12 if with_lua else 6),
        (blocks.attach, 5),
        (blocks.detach, 5),
        (blocks.begin, 4),
        (blocks.end, 4),
        (blocks.derive, 4),
        (blocks.collect, 1),
        *([] if with_lua else [(blocks.use_while_collecting, 1)]),
        (blocks.start, 2),
        (blocks.start_handing, 2),
        (blocks.job_handing, 2),
        (blocks.switch_thread, 7),
        (blocks.job, 3),
        (blocks.generator, 5),
        (c.section, 20 if with_lua else 7),
        (c.host, 8 if with_lua else 4),
        (tasks.run_loop, 3),
        (tasks.call_soon_threadsafe, 2),
    ]
    if with_lua:
        table.append((mixed.go_back, 8))
    missing = []
    if fibers.greenlet:
        table += [(fibers.create, 4), (fibers.switch, 8)]
    else:
        missing.append("greenlet")
    if fibers.gevent:
        table += [(fibers.spawn, 2), (fibers.sleep, 3)]
    else:
        missing.append("gevent")
    if tasks.uvloop is None:
        missing.append("uvloop")
    return table, missing


def choose_operations(table, seed, number):
    """A round does only some of what there is, and of that some often: together with all
    the rest few things would ever come twice."""
    numbers = random.Random(f"{seed}/{number}/operations")
    often = [times * numbers.choice((0, 1, 1, 4)) for _, times in table]
    often[0] = table[0][1]  # blocks end in every round
    return [
        operation
        for (operation, _), times in zip(table, often)
        for _ in range(times)
    ]


def switch_peek(on):
    """Whether a thread that has let the interpreter go can be answered from its variable,
    which not all versions of Python allow."""
    cctx._cctx._peek_switch(on)
    with cctx.use(cctx.background().with_metadata("hunt", "1")):
        return hunted.ask_released() == 1


def play_round(world):
    wrong = world.run()
    if not wrong and (hunted.ask() or hunted.ask_released()):
        wrong = f"all has ended, and the main thread still works for {hunted.ask()}"
    return wrong


class Hunt:
    def __init__(self):
        self.table, self.missing = operations()
        self.peek = switch_peek(True)
        self.questions = 0

    def play(self, steps, choice, peek, trace=False):
        peek = switch_peek(peek)
        end = fibers.end_thread if fibers.greenlet else lambda actor: None
        world = World(steps, peek, choice, end, trace)
        wrong = contextvars.Context().run(play_round, world)  # one for each round
        self.questions += world.questions
        return wrong, world

    def report(self, seed, number, steps, choice, peek, wrong, shrinking):
        how = "" if peek else ", no peek"
        print(f"WRONG CONTEXT: seed {seed}, round {number}{how}: {wrong}")
        if shrinking:
            steps = shrink(steps, lambda shorter: self.play(shorter, choice, peek)[0])
        _, world = self.play(steps, choice, peek, trace=True)
        print("\n".join(world.trace))
        print(world.wrong or "all has ended, and a context is current still")
        return 1


def schedule(seed, number, length):
    numbers = random.Random(f"{seed}/{number}")
    return [numbers.getrandbits(24) for _ in range(length)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--round", type=int, default=400)
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--no-greenlets", action="store_true")
    asked = parser.parse_args()
    if asked.no_greenlets:
        fibers.greenlet = fibers.gevent = None
    faulthandler.enable()
    hunt = Hunt()
    for number in range(max(1, asked.steps // asked.round)):
        steps = schedule(asked.seed, number, asked.round)
        choice = choose_operations(hunt.table, asked.seed, number)
        peek = number % 4 != 3
        wrong, _ = hunt.play(steps, choice, peek)
        if wrong:
            shrinking = not asked.no_shrink
            return hunt.report(asked.seed, number, steps, choice, peek, wrong, shrinking)
    left = f"; left out: {', '.join(hunt.missing)}" if hunt.missing else ""
    print(
        f"seed {asked.seed}: {asked.steps} steps, {hunt.questions} answers right"
        f"{'' if hunt.peek else '; no peek'}{left}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
