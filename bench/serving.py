# SPDX-License-Identifier: Apache-2.0
"""Requests a second of `cctx serve`, beside the same handler under uWSGI, by wrk.

Usage: serving.py BUILD-TREE [SECONDS]; each server runs two workers on a loopback port, and they
take turns, three times each. Fails with a sentence where wrk or uWSGI is missing.
"""

import contextlib
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent / "serving"
TURNS = 3
CLIENTS = ["-t", "1", "-c", "16"]
TRACE = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def wait_for(port, process):
    for _ in range(200):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended with {process.returncode} and did not listen.")
        time.sleep(0.05)
    sys.exit(f"{process.args[0]} does not listen after 10 seconds.")


@contextlib.contextmanager
def running(command, port):
    process = subprocess.Popen(
        command, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait()


def cctx_serve(tree, file, port):
    program = pathlib.Path(tree).resolve() / "bin" / "cctx"
    where = f"127.0.0.1:{port}"
    return [program, "serve", "--listen", where, "--workers", "2", f"--route=/={file}"]


def uwsgi(_, file, port):
    """With keep-alive, as ours; HTTP by its own router."""
    options = ["--master", "--die-on-term", "--processes", "2", "--disable-logging"]
    http = ["--http", f"127.0.0.1:{port}", "--http-keepalive", "--tcp-nodelay"]
    head = ["--add-header", "Connection: Keep-Alive"]
    return ["uwsgi", "--plugin", "python3,http", *options, *http, *head, "--wsgi-file", file]


SERVERS = [
    ("cctx serve, Lua", cctx_serve, "hello.lua"),
    ("cctx serve, Python, async", cctx_serve, "hello_async.py"),
    ("cctx serve, Python, plain", cctx_serve, "hello.py"),
    ("uWSGI, Python", uwsgi, "hello.py"),
]


def requests_a_second(port, seconds):
    said = subprocess.run(
        ["wrk", *CLIENTS, "-d", str(seconds), "-H", TRACE, f"http://127.0.0.1:{port}/"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit("a server did not answer as it should: " + said)
    return float(re.search(r"Requests/sec:\s*([\d.]+)", said)[1])


def main(tree, seconds="3"):
    for program in ("wrk", "uwsgi"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing, so cctx serve is compared with nothing.")
    rates = {name: [] for name, _, _ in SERVERS}
    for _ in range(TURNS):
        for name, command, file in SERVERS:
            port = free_port()
            with running(command(tree, file, port), port):
                rates[name].append(requests_a_second(port, seconds))
    rival = statistics.median(rates[SERVERS[-1][0]])
    print(f"\n{'16 connections, 2 workers':<28}{'requests/s':>12}{'beside uWSGI':>14}")
    for name, each in rates.items():
        rate = statistics.median(each)
        print(f"{name:<28}{rate:>12,.0f}{rate / rival:>13.2f}x")


if __name__ == "__main__":
    main(*sys.argv[1:])
