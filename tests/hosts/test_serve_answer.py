# SPDX-License-Identifier: Apache-2.0
"""`cctx serve` and answers that cannot be sent as the handler returned them."""

import os
import platform
import subprocess

import pytest
from serving import ENVIRONMENT, LANGUAGES, serve  # noqa: F401

# By the query: a name and a value of a header, a length of the body.
ODD = {
    "lua": r"""
return function(request)
  local ways = {
    blank = {"content-length ", "1", 4}, colon = {"content-length:", "1", 4},
    nul = {"x-a", "a\0b", 4}, name = {"x\0-a", "a", 4},
    body = {"x-a", "a", 7001}, header = {"x-a", ("a"):rep(7000), 4},
  }
  local name, value, len = table.unpack(ways[request.query] or {"x-a", "a", 4})
  return 200, ("b"):rep(len), {[name] = value}
end
""",
    "py": r"""
WAYS = {
    "blank": ("content-length ", "1", 4), "colon": ("content-length:", "1", 4),
    "nul": ("x-a", "a\0b", 4),
    "name": ("x\0-a", "a", 4), "body": ("x-a", "a", 7001), "header": ("x-a", "a" * 7000, 4),
}

def handler(request):
    name, value, length = WAYS.get(request.query, ("x-a", "a", 4))
    return 200, "b" * length, {name: value}
""",
}

# No piece of memory of 7001 bytes can be had.
SHIM = r"""
#include <stddef.h>
void *__libc_malloc(size_t size);
void *malloc(size_t size) { return size == 7001 ? NULL : __libc_malloc(size); }
"""


@pytest.fixture
def odd(tmp_path):
    """odd(language): options for /a."""

    def options(language):
        file = tmp_path / f"odd.{language}"
        file.write_text(ODD[language])
        return ["--route", f"/a={file}"]

    return options


@pytest.fixture
def short_of_memory(tmp_path, monkeypatch, unsanitized):
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("the allocator of this libc is not replaced so")
    (tmp_path / "shim.c").write_text(SHIM)
    shim = tmp_path / "shim.so"
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-shared", "-fPIC", "-o", shim, tmp_path / "shim.c"]
    subprocess.run(command, check=True)
    monkeypatch.setitem(ENVIRONMENT, "LD_PRELOAD", str(shim))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("way", ["blank", "colon"])
def test_a_name_that_is_no_token_frames_no_message(serve, odd, language, way):
    server = serve(*odd(language))
    status, body, headers = server.get(f"/a?{way}")
    assert (status, body) == (200, "bbbb")
    assert [name for name in headers if name.lower().startswith("content-length")] == [
        "Content-Length"
    ]
    assert headers["Content-Length"] == "4"
    assert "a header of the answer was left out" in server.log()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("way", ["nul", "name"])
def test_a_header_with_a_zero_byte_is_an_error_and_never_cut(serve, odd, language, way):
    server = serve(*odd(language))
    assert server.get(f"/a?{way}")[0] == 500
    assert {"lua": "a zero byte", "py": "null character"}[language] in server.log()
    assert server.get("/a")[:2] == (200, "bbbb")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("way", ["body", "header"])
def test_an_answer_that_does_not_fit_into_memory_is_500_and_nothing_of_it(
    short_of_memory, serve, odd, language, way
):
    server = serve(*odd(language))
    status, body, headers = server.get(f"/a?{way}")
    assert (status, body, headers.get("x-a")) == (500, "", None)
    assert server.get("/a")[:2] == (200, "bbbb")


def test_a_request_is_not_served_without_one_of_its_headers(short_of_memory, serve, odd):
    server = serve(*odd("lua"))
    assert server.get("/a", {"x-long": "a" * 7000})[:2] == (500, "out of memory\n")
    assert server.get("/a", {"x-long": "a" * 6999})[:2] == (200, "bbbb")
