# SPDX-License-Identifier: Apache-2.0
"""A C library three calls below a Lua script knows whose request it is, in every way in
which Lua runs code."""

import pathlib
import re

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parent / "audit.lua"
WAYS = re.findall(r"^function ways\.(\w+)", SCRIPT.read_text(), re.M)


@pytest.mark.parametrize("way", WAYS)
def test_each_line_is_of_the_request_that_wrote_it(way, run, tmp_path, requests):
    log = tmp_path / "audit.log"
    said = run("lua5.4", SCRIPT, way, log)
    assert said.returncode == 0, said.stderr
    expected = requests.expected(["begun", "half way", "done"])
    expected["-"] = ["tenant=- remaining=- after"]
    assert requests.said(log.read_text()) == expected


def test_a_log_that_cannot_be_opened_is_nil_and_why(run, tmp_path):
    said = run("lua5.4", "-e", f"print(require 'audit'.open('{tmp_path}/no/log'))")
    assert said.stdout == "nil\tNo such file or directory\t2\n", said.stderr
