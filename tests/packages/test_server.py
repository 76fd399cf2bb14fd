# SPDX-License-Identifier: Apache-2.0
"""The commands of docs/server.md, as a stranger types them in an empty folder."""

import pathlib
import re
import socket
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/server.md").read_text()
SET_UP, *SERVERS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S)
SHOWN = re.findall(r"^```text\n(.*?)^```$", PAGE, re.M | re.S)
NEEDED = re.compile(r"pkg-config --cflags --libs cctx ?([\w. -]*)\)")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


def cases():
    assert len(SERVERS) == len(SHOWN) == 4
    for commands, shown in zip(SERVERS, SHOWN):
        name, port = re.search(r"^\./(\w+) (\d+)", commands, re.M).groups()
        yield pytest.param(commands, shown, port, id=name)


@pytest.fixture(scope="module")
def folder(install, environment, tmp_path_factory):
    """Empty, but for the virtual environment. The prefix is beside it."""
    tmp = tmp_path_factory.mktemp("stranger")
    install(tmp / "prefix")
    (tmp / "folder").mkdir()
    (tmp / "folder/env").symlink_to(environment.python.parents[1])
    return tmp / "folder"


@pytest.mark.parametrize("commands, shown, port", cases())
def test_commands_of_the_page_say_what_is_shown(folder, run, commands, shown, port):
    for library in NEEDED.search(commands)[1].split():
        if subprocess.run(["pkg-config", "--exists", library]).returncode:
            pytest.skip(f"there is no {library} here to compile against")
    script = (SET_UP + commands).replace("/usr/local", str(folder.parent / "prefix"))
    script = script.replace("~/cctx", str(ROOT))
    # Who types waits for the server by nature, and sees what it prints.
    script = re.sub(r" &$", r" >said &\nuntil grep -qs listening said; do sleep 0.01; done",
                    script, flags=re.M)  # fmt: skip
    free = free_port()
    script = script.replace(port, free) + "wait $!; cat said\n"
    said = run("sh", "-c", script, cwd=folder, timeout=120)
    assert sorted(said.splitlines()) == sorted(shown.replace(port, free).splitlines())
