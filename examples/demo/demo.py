# SPDX-License-Identifier: Apache-2.0
"""Sends real requests through C, Lua and Python, and shows what each of them saw.

Everything that is printed is checked: what is not as it must be ends the demo with a
sentence and exit status 1. CCTX_BUILD names the build tree (default: build).
"""

import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("CCTX_BUILD") or ROOT / "build").resolve()
CCTX = BUILD / "bin" / "cctx"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ROUTES = {
    "/chain": "chain.lua",
    "/slow": "slow.lua",
    "/slow-py": "slow.py",
    "/hello-py": "hello.py",
    "/meet": "meet.lua",
    "/meet-py": "meet.py",
}
PATIENCE = 10  # seconds that any one step may take
CURL = ["curl", "-sS", "--noproxy", "*", "--max-time", "5", "-w", "%{http_code}"]


class Wrong(Exception):
    """What is not as it must be, in a sentence."""


def must(condition, sentence):
    if not condition:
        raise Wrong(sentence)


# ---- What is printed ----

PLAIN = not sys.stdout.isatty() or "NO_COLOR" in os.environ


def paint(code, text):
    return text if PLAIN else f"\033[{code}m{text}\033[0m"


def title(text):
    print("\n" + paint("1", text), flush=True)


def good(text):
    print(f"  {paint('32', 'ok')}  {text}", flush=True)


LANGUAGE_COLORS = {"C": "33", "Lua": "34", "Python": "36"}


def print_table(head, rows):
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    print("  " + paint("2", "  ".join(c.ljust(w) for c, w in zip(head, widths)).rstrip()))
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        cells[-1] = row[-1].rjust(widths[-1])
        color = LANGUAGE_COLORS.get(row[0], "0")
        print("  " + paint(color, cells[0]) + "  " + "  ".join(cells[1:]))
    sys.stdout.flush()


# ---- The server, and requests to it ----


class Server:
    """`cctx serve` with one worker for each language."""

    def __init__(self):
        routes = [f"--route={path}={HERE / file}" for path, file in ROUTES.items()]
        self.log = tempfile.TemporaryFile(mode="w+")
        command = [CCTX, "serve", "--listen", "127.0.0.1:0", "--workers", "1"]
        command += ["--trust", "baggage", "--debug", "127.0.0.1:0"]
        command += ["--lua-path", HERE, "--python-path", HERE, *routes]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log, bufsize=0
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def find_address(self):
        line = self.read_line()
        match = re.fullmatch(r"listening on (127\.0\.0\.1:\d+)", line)
        must(match, f"The server's first line is {line!r}, not its address.")
        self.address = match[1]
        line = self.read_line()
        match = re.fullmatch(r"debugging on (127\.0\.0\.1:\d+)", line)
        must(match, f"The server's second line is {line!r}, not its debug page's address.")
        self.debug = match[1]

    def read_line(self):
        """A line of the server's stdout; "" at its end."""
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        must(ready, f"The server said nothing for {PATIENCE} seconds.")
        return self.process.stdout.readline().decode().rstrip("\n")

    def logged(self):
        log = self.log.fileno()  # the server writes where it stands: it must not be moved
        return os.pread(log, os.fstat(log).st_size, 0).decode()

    def start(self, path, tenant, timeout, trace=TRACE):
        headers = {
            "traceparent": f"00-{trace}-00f067aa0ba902b7-01",
            "baggage": f"tenant={tenant},user=ada",
            "grpc-timeout": timeout,
        }
        options = [word for item in headers.items() for word in ("-H", ": ".join(item))]
        url = f"http://{self.address}{path}"
        return subprocess.Popen([*CURL, *options, url], stdout=subprocess.PIPE, text=True)

    def get(self, path, tenant, timeout):
        """(status, body)"""
        return finish(self.start(path, tenant, timeout))

    def look(self, path):
        """What the debug listener says."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{self.debug}{path}", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def stop(self):
        """The lines that the server prints after SIGTERM, and its exit status."""
        self.process.send_signal(signal.SIGTERM)
        lines = []
        while line := self.read_line():
            lines.append(line)
        return lines, self.process.wait(PATIENCE)


def finish(request):
    answer, _ = request.communicate(timeout=PATIENCE)
    must(request.returncode == 0, f"curl ended with exit status {request.returncode}.")
    return int(answer[-3:]), answer[:-3]


# ---- The steps ----

CHAIN = [
    ("C", "server's worker, on arrival"),
    ("Lua", "request handler"),
    ("C", "extension called by Lua"),
    ("Python", "function called by C"),
    ("Lua", "coroutine called by Python"),
    ("Python", "asyncio task"),
    ("C", "extension called by the task"),
]


def show_chain(server):
    title("One request, down a chain of calls that pass no context")
    status, body = server.get("/chain", "acme", "500m")
    must(status == 200, f"GET /chain was answered with {status}: {body.strip()}")
    rows = [line.split("\t") for line in body.splitlines()]
    must(all(len(row) == 6 for row in rows), f"GET /chain gave no table: {body!r}")
    left = [float(row[5]) for row in rows]
    shown = [[*row[:5], f"{1000 * s:.4f} ms"] for row, s in zip(rows, left)]
    print_table(["who", "where", "tenant", "user", "trace id", "time left"], shown)
    must([(r[0], r[1]) for r in rows] == CHAIN, "The chain did not go through every step.")
    for row in rows:
        who = f"{row[0]} ({row[1]})"
        must(row[2] == "acme", f"{who} saw the tenant {row[2]}, not acme.")
        must(row[3] == "ada", f"{who} saw the user {row[3]}, not ada.")
        must(row[4] == TRACE, f"{who} saw the trace id {row[4]}, not {TRACE}.")
    must(left[0] <= 0.5, f"{left[0]} s were left of 0.5 s.")
    must(left[-1] > 0, "No time was left at the end of the chain.")
    must(
        all(a > b for a, b in zip(left, left[1:])),
        "The time that is left did not shrink at each step.",
    )
    good("C, Lua and Python saw one tenant, user and trace; the time only shrinks")
    line = f"trace={TRACE} GET /chain 200"
    must(line in server.logged(), f"The server's log has no line with {line!r}.")
    good("the server's log has the request under the same trace id")


def show_hello(server):
    title("A handler in Python alone")
    status, body = server.get("/hello-py", "acme", "500m")
    print(f"  GET /hello-py: {status} {body.strip()}")
    must((status, body) == (200, "hello, ada of acme\n"), "That is not its greeting.")
    good("the caller's metadata is there, and the handler took no argument for it")


def show_deadline(server):
    title("A request that meets its deadline of 100 ms")
    for language, path in [("Lua", "/slow"), ("Python", "/slow-py")]:
        begin = time.monotonic()
        status, _ = server.get(path, "acme", "100m")
        took = time.monotonic() - begin
        print(f"  GET {path} ({language}): {status} after {1000 * took:.0f} ms")
        must(status == 504, f"{language} was answered with {status}, not 504.")
        must(took >= 0.1, f"{language} was stopped before its deadline.")
        must(took < 1, f"{language} was stopped long after its deadline.")
    good("each handler loops for ever; the deadline stopped it")


def show_meeting(server):
    title("Two requests of different tenants, at once on one thread")
    for language, path in [("Lua", "/meet"), ("Python", "/meet-py")]:
        traces = {"acme": TRACE, "globex": TRACE[::-1]}
        both = {t: server.start(path, t, "3S", trace) for t, trace in traces.items()}
        for tenant, request in both.items():
            status, body = finish(request)
            must(status == 200, f"{path} for {tenant} was answered with {status}.")
            counts = dict(line.split("\t") for line in body.splitlines())
            said = ", ".join(f"{name} {n} times" for name, n in counts.items())
            print(f"  {language}, request of {tenant}: saw {said}")
            must(
                counts == {tenant: "100"},
                f"The request of {tenant} did not see {tenant} alone, 100 times.",
            )
    good("each saw its own tenant alone, asking as a script and as C, turn by turn")


def look_at(server, n):
    """The debug tree, once `n` requests are worked on."""
    end = time.monotonic() + PATIENCE
    while True:
        tree = json.loads(server.look("/tree.json"))
        if tree["in_flight"] == n:
            return tree["requests"]
        running = tree["in_flight"]
        must(time.monotonic() < end, f"{running} requests are worked on, not {n}.")
        time.sleep(0.01)


def describe(node):
    """A node of the tree in words: its kind, and the names that it sets."""
    names = [item["name"] for item in node.get("values", []) + node.get("metadata", [])]
    left = f" {node['remaining']:.2f} s left" if "remaining" in node else ""
    return node["kind"] + left + (f" ({', '.join(names)})" if names else "")


def show_tree(server):
    title("What an operator sees of two requests while they run: cctx serve --debug")
    running = [server.start(path, "acme", "1S") for path in ("/slow", "/slow-py")]
    requests = sorted(look_at(server, 2), key=lambda request: request["path"])
    for request in requests:
        context = request["context"]
        left = f"{context['remaining']:.2f} s left"
        print(f"  {request['method']} {request['path']} ({request['language']}): "
              f"{context['status']}, {left}")
        for depth, node in enumerate(context["path"]):
            print("    " + "  " * depth + paint("2", describe(node)))
        must(request["trace"] == TRACE, f"{request['path']} has another trace id.")
        must(context["status"] == "live", f"{request['path']} is {context['status']}.")
        must(0 < context["remaining"] <= 1, f"{left} of 1 s.")
        said = " ".join(map(describe, context["path"]))
        must("metadata (tenant, user)" in said, "The tree has no tenant and user.")
    paths = [request["path"] for request in requests]
    must(paths == ["/slow", "/slow-py"], f"It shows the requests {paths}.")
    must("acme" not in json.dumps(requests), "The tree shows values that nobody asked for.")
    good("names, and no values unless asked; it is a page for a browser, too")
    for request in running:
        must(finish(request)[0] == 504, "A request that waits for ever met no deadline.")


def show_leaving(server):
    title("A client that leaves")
    for language, path in [("Lua", "/slow"), ("Python", "/slow-py")]:
        client = server.start(path, "acme", "9S")
        look_at(server, 1)
        client.kill()
        begin = time.monotonic()
        client.communicate()
        while f"GET {path} 499 " not in server.logged():
            late = time.monotonic() - begin > PATIENCE
            must(not late, f"The log has no 499 for {path}.")
            time.sleep(0.001)
        took = time.monotonic() - begin
        print(f"  GET {path} ({language}): canceled {1000 * took:.0f} ms later")
        must(took < 1, f"{language} went on for long after its client had left.")
    good("each handler loops for ever; its client's leaving stopped it")


def show_metrics(server):
    title("What it counts, for Prometheus")
    lines = server.look("/metrics").splitlines()
    for name, least in [
        ('cctx_requests_total{route="/chain",language="lua",status="2xx"}', 1),
        ('cctx_requests_total{route="/slow-py",language="python",status="5xx"}', 1),
        ("cctx_requests_deadline_exceeded_total", 4),
        ('cctx_requests_canceled_total{cause="client_left"}', 2),
        ("cctx_requests_in_flight", 0),
    ]:
        found = [line for line in lines if line.startswith(name + " ")]
        must(len(found) == 1, f"There is no {name}.")
        print(f"  {found[0]}")
        must(int(found[0].split()[-1]) >= least, f"It should be {least} at least.")
    good("what was answered, what met its deadline, what runs now")


DETACHED = re.compile(
    r"DETACHED: no deadline, no error, one-key=one-value, two-key=two-value\n"
    r"ORIGINAL: deadline \d+\.\d{3}, deadline_exceeded, "
    r"one-key=one-value, two-key=two-value\n"
)


def show_detached():
    title("After a deadline of 1 ms: a detached context goes on, its original does not")
    for language, command in [
        ("C", [BUILD / "examples" / "detached"]),
        ("Lua", [CCTX, "run", ROOT / "examples" / "detached.lua"]),
        ("Python", [CCTX, "run", ROOT / "examples" / "detached.py"]),
    ]:
        said = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        for line in said.stdout.splitlines():
            print(f"  {language.ljust(6)}  {line}")
        must(
            said.returncode == 0,
            f"The example in {language} ended with {said.returncode}: {said.stderr}",
        )
        must(DETACHED.fullmatch(said.stdout), f"{language} printed something else.")
    good("the values stay, deadline and error do not")


def show_end(server):
    title("SIGTERM")
    lines, status = server.stop()
    for line in lines:
        print(f"  {line}")
    must(lines, "The server said nothing at its end.")
    must(lines[-1] == "contexts alive: 0", "Contexts were left alive in the server.")
    must(status == 0, f"The server ended with exit status {status}.")
    good("every context was given back")


def main():
    must(CCTX.exists(), f"{CCTX} is not built; ./dev demo builds it.")
    began = time.monotonic()
    with Server() as server:
        try:
            server.find_address()
            show_chain(server)
            show_hello(server)
            show_deadline(server)
            show_meeting(server)
            show_tree(server)
            show_leaving(server)
            show_metrics(server)
            show_detached()
            show_end(server)
        except Wrong:
            sys.stderr.write(server.logged())
            raise
    print(f"\nAll as it should be, in {time.monotonic() - began:.1f} s.")


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.stdout.flush()
        sys.exit(f"demo: {wrong}")
