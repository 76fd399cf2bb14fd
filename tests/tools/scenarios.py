# SPDX-License-Identifier: Apache-2.0
"""Fails if a behaviour of tests/scenarios.md lacks its test in C, Lua or Python.

A test carries the mark "S1:" in a comment, or begins its name with it ("S1_" in C).
"""

import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
LANGUAGES = {
    "C": ["core/test_*.c", "hosts/test_*.c"],
    "Lua": ["lua/**/test_*.lua"],
    "Python": ["python/**/test_*.py"],
}


def rows():
    """Each behaviour: (its number such as "S1", {language: reason it needs no test})."""
    for line in (TESTS / "scenarios.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        if not re.fullmatch(r"S\d+", cells[0]):
            continue
        without = re.findall(r"(C|Lua|Python): ([^;]+)", cells[2] if len(cells) > 2 else "")
        yield cells[0], dict(without)


def marks(patterns):
    found = set()
    for pattern in patterns:
        for path in TESTS.glob(pattern):
            found |= set(re.findall(r"\bS\d+(?=[:_])", path.read_text()))
    return found


def main():
    known, numbers = dict(rows()), [number for number, _ in rows()]
    wrong = [f"{number}: two behaviours" for number in known if numbers.count(number) > 1]
    for language, patterns in LANGUAGES.items():
        have = marks(patterns)
        for mark in sorted(have - known.keys()):
            wrong.append(f"{mark}: marked in {language}, not in scenarios.md")
        for number, without in known.items():
            if number not in have and language not in without:
                wrong.append(f"{number}: no test in {language}")
            if number in have and language in without:
                wrong.append(f"{number}: excused in {language}, yet it has a test")
    print("\n".join(wrong) or f"{len(known)} behaviours, each tested in every language")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
