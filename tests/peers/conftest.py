# SPDX-License-Identifier: Apache-2.0
"""Tests against other implementations of the same fields, which are skipped where they are not."""

import gc

import cctx
import cctx.testing
import pytest


@pytest.fixture(autouse=True)
def everything_given_back():
    gc.collect()
    before = cctx.alive()
    yield
    cctx.testing.clock_set(None)
    gc.collect()
    assert cctx.alive() == before
