# SPDX-License-Identifier: Apache-2.0
"""The debug page of `cctx serve` in a browser, while requests are worked on."""

import html
import os
import re
import shutil
import subprocess

import pytest

from test_debug import debugged, held  # noqa: F401
from serving import TRACE_ID, TRACEPARENT, serve  # noqa: F401

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
    --disable-dev-shm-usage --window-size=1000,900 --virtual-time-budget=3000""".split()
EVIL = "<script>document.title='taken'</script>"
PATH = "/<script>document.write('taken')</script>"
HOLD = b"""
local cctx = require "cctx"
return function()
  local ctx <close> = cctx.current():with_value("<b onclick=x>", 1)
  while not cctx.err() do coroutine.yield() end
  return ""
end
"""

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(
        not os.environ.get("CCTX_THOROUGH"), reason="it is long: ./dev check runs it"
    ),
    pytest.mark.skipif(not BROWSER, reason="chromium is not on this machine"),
]


@pytest.fixture
def browse(tmp_path):
    """browse(URL, OPTION): what the browser printed of the page, after a while."""

    def run(url, option="--dump-dom"):
        profile = f"--user-data-dir={tmp_path}/profile"
        command = [BROWSER, *FLAGS, profile, option, url]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert said.returncode == 0, said.stderr
        return said.stdout

    return run


def text_of(dom):
    """What a reader sees, in one line."""
    body = dom.partition("<body>")[2]
    body = re.sub(r"<(script|noscript).*?</\1>", "", body, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_the_page_shows_the_requests_that_are_worked_on(
    debugged, browse, tmp_path  # noqa: F811
):
    (tmp_path / "hold.lua").write_bytes(HOLD)
    server, debug = debugged(f"--route=/hold={tmp_path}/hold.lua")
    sent = {"Traceparent": TRACEPARENT, "Baggage": "tenant=acme", "Grpc-Timeout": "20S"}
    with held(server, debug, "/hold", "/hold", headers=sent):
        dom = browse(f"http://127.0.0.1:{debug.port}/")
        picture = tmp_path / "page.png"
        browse(f"http://127.0.0.1:{debug.port}/", f"--screenshot={picture}")
        server.process.terminate()
    seen = text_of(dom)
    assert "2 in flight" in seen
    assert re.search(r"#1 GET /hold lua live for \d+(\.\d+)? s, \d+(\.\d+)? s left", seen)
    assert "#2 GET /hold" in seen
    assert seen.count(f"trace {TRACE_ID}") == 2
    assert re.search(r"background.*deadline.*left.*metadata tenant.*request", seen)
    assert "acme" not in dom
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_what_strangers_send_runs_no_script_on_the_page(
    debugged, browse, tmp_path  # noqa: F811
):
    (tmp_path / "hold.lua").write_bytes(HOLD)
    server, debug = debugged(f"--route={PATH}={tmp_path}/hold.lua", "--debug-values")
    tenant = EVIL.translate({ord(c): f"%{ord(c):02X}" for c in "<>='"})
    sent = {"Grpc-Timeout": "20S", "Baggage": f"tenant={tenant}"}
    with held(server, debug, PATH.replace("<", "%3C").replace(">", "%3E"), headers=sent):
        dom = browse(f"http://127.0.0.1:{debug.port}/")
        server.process.terminate()
    seen = text_of(dom)
    assert re.search(r"<title>(.*?)</title>", dom)[1] == "cctx serve"
    assert dom.count("<script") == 1
    assert PATH in seen
    assert f'tenant = "{EVIL}"' in seen
