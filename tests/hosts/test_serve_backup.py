# SPDX-License-Identifier: Apache-2.0
"""Backups in `cctx serve`: what a handler that has lost its context finds of it."""

import importlib.util
import pathlib

import pytest

_FILE = pathlib.Path(__file__).resolve().with_name("fetching.py")
_spec = importlib.util.spec_from_file_location("fetching", _FILE)
_fetching = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fetching)
serve, route, LANGUAGES = _fetching.serve, _fetching.route, _fetching.LANGUAGES
ACME = {"baggage": "tenant=acme"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "options, found",
    [
        ([], "recovered acme"),
        (["--backup", "true,7,1m"], "recovered acme"),
        (["--backup", "off"], "off nil"),
    ],
)
def test_a_handler_recovers_its_own_request_unless_backups_are_off(
    serve, language, options, found
):
    server = serve(*options, *route("recover", language))
    assert server.get(f"/{language}", ACME)[1] == found
    assert server.get(f"/{language}", {})[1] == found.replace("recovered acme", "complete nil")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("log", ["text", "json"])
def test_what_is_malformed_in_the_environment_is_a_line_of_the_log(
    serve, monkeypatch, language, log
):
    monkeypatch.setitem(_fetching.ENVIRONMENT, "CCTX_SESSION_CONFIG_KEY", ",0")
    server = serve("--log-format", log, *route("recover", language))
    assert server.get(f"/{language}", ACME)[1] == "recovered acme"
    assert 'CCTX_SESSION_CONFIG_KEY: the field shards is ' in server.log()
