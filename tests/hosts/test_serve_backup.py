# SPDX-License-Identifier: Apache-2.0
"""Backups in `cctx serve`: what a handler that has lost its context finds of it."""


import pytest
from serving import ENVIRONMENT, LANGUAGES, route, serve  # noqa: F401
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
    monkeypatch.setitem(ENVIRONMENT, "CCTX_SESSION_CONFIG_KEY", ",0")
    server = serve("--log-format", log, *route("recover", language))
    assert server.get(f"/{language}", ACME)[1] == "recovered acme"
    assert 'CCTX_SESSION_CONFIG_KEY: the field shards is ' in server.log()
