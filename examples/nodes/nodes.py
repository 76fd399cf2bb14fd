# SPDX-License-Identifier: Apache-2.0
"""Three machines on one: three `cctx serve`, each in a network namespace of its own,
HAProxy before them, and a client; the second has a clock of its own.

    client -> HAProxy -> a.lua -> b.py -> c.lua

Shows what each of them sees of one request, and what its deadline, its cancellation and the
client's leaving do to all of them. What is not as it must be ends this with a sentence and
exit status 1. Needs root, or the right to make namespaces (exit status 77 where there is
none). CCTX_BUILD names the build tree (default: build).
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("CCTX_BUILD") or HERE.parents[1] / "build").resolve()
PROGRAM = BUILD / "bin" / "cctx"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SKEW = 1_000_000  # seconds by which the clock of the second node is ahead
FRONT = "http://10.77.0.1:8080"
NODES = {
    "a": ("10.77.0.11", "a.lua"),
    "b": ("10.77.0.12", "b.py"),
    "c": ("10.77.0.13", "c.lua"),
}
WAIT = 10  # seconds that anything may take on a slow machine
CANNOT = 77


def check(true, sentence):
    if not true:
        sys.exit(f"nodes: {sentence}")


def wait_until(what, sentence):
    end = time.monotonic() + WAIT
    while not what():
        check(time.monotonic() < end, sentence)
        time.sleep(0.01)


# ---- Namespaces ----


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT)


def cannot():
    """Why this machine or user cannot do it; None if it can."""
    for program in ("ip", "unshare", "haproxy", "curl"):
        if not shutil.which(program):
            return f"{program} is not installed"
    for kind in ("net", "time"):
        said = run("unshare", f"--{kind}", "true")
        if said.returncode != 0:
            return f"a {kind} namespace is not permitted here: {said.stderr.strip()}"
    return None


class Machines:
    """A namespace for each node, and one, "front", with the bridge between them."""

    def __init__(self):
        self.names = {}
        for machine in ("front", *NODES):
            name = f"cctx-{os.getpid()}-{machine}"
            self._ip("netns", "add", name)
            self.names[machine] = name
            self._ip("-n", name, "link", "set", "dev", "lo", "up")

    @staticmethod
    def _ip(*words):
        said = run("ip", *words)
        if said.returncode != 0:
            print(f"nodes: ip {' '.join(words)}: {said.stderr.strip()}", file=sys.stderr)
            sys.exit(CANNOT)

    def connect(self):
        front = self.names["front"]
        self._ip("-n", front, "link", "add", "bridge", "type", "bridge")
        self._ip("-n", front, "addr", "add", "10.77.0.1/24", "dev", "bridge")
        self._ip("-n", front, "link", "set", "dev", "bridge", "up")
        for node, (address, _) in NODES.items():
            mine = self.names[node]
            ends = ["eth0", "type", "veth", "peer", "name", node, "netns", front]
            self._ip("-n", mine, "link", "add", *ends)
            self._ip("-n", front, "link", "set", "dev", node, "master", "bridge", "up")
            self._ip("-n", mine, "addr", "add", f"{address}/24", "dev", "eth0")
            self._ip("-n", mine, "link", "set", "dev", "eth0", "up")

    def enter(self, machine):
        """What a command there begins with."""
        return ["ip", "netns", "exec", self.names[machine]]

    def close(self):
        for name in self.names.values():
            run("ip", "netns", "del", name)


# ---- Programs ----


class Program:
    """One that runs on a machine, and whose output goes to a file."""

    def __init__(self, machines, machine, command, directory):
        self.output = directory / f"{machine}-{pathlib.Path(command[0]).name}"
        with open(self.output, "w") as file:
            self.process = subprocess.Popen(
                [*machines.enter(machine), *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    def said(self):
        return self.output.read_text()

    def pid(self):
        """That of the program itself, which unshare starts as a child."""
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else pid

    def signal(self, number):
        os.kill(self.pid(), number)

    def stop(self):
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.process.wait(WAIT)


def serve(machines, node, directory):
    address, handler = NODES[node]
    file = str(HERE / handler)
    command = [str(PROGRAM), "serve", "--listen", f"{address}:8080", "--trust", "baggage"]
    command += ["--route", f"/={file}", "--route", f"/slow={file}"]
    if node == "b":
        ahead = ["--monotonic", str(SKEW), "--boottime", str(SKEW)]
        command = ["unshare", "--time", *ahead, "--fork", *command]
    program = Program(machines, node, command, directory)
    wait_until(lambda: "listening on" in program.said(), f"{node} does not start")
    return program


class Client:
    """curl, in front of HAProxy: one request at a time."""

    def __init__(self, machines, url, timeout, *options):
        headers = [
            f"traceparent: 00-{TRACE_ID}-00f067aa0ba902b7-01",
            "baggage: tenant=acme",
            f"grpc-timeout: {timeout}",
        ]
        command = [*machines.enter("front"), "curl", "-s", "--noproxy", "*"]
        command += ["-w", "%{http_code}", url]
        for header in headers:
            command += ["-H", header]
        self.begin = time.monotonic()
        self.process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, text=True
        )

    def answer(self):
        """(status, lines, seconds); the status is 0 if the client left."""
        output = self.process.communicate(timeout=WAIT)[0]
        lines = output[:-3].splitlines()
        return int(output[-3:]), lines, time.monotonic() - self.begin


# ---- What is shown ----


def show(title, *lines):
    print(f"\n{title}")
    for line in lines:
        print("  ", line)


def show_chain(machines):
    status, lines, _ = Client(machines, FRONT + "/", "5S").answer()
    check(status == 200, f"the chain answered {status}: {lines}")
    show("One request: node, trace, tenant, seconds left, its clock", *lines)
    fields = [line.split() for line in lines]
    told = [field[:3] for field in fields]
    check(told == [[node, TRACE_ID, "acme"] for node in NODES], "it was lost on the way")
    left = [float(f[3]) for f in fields]
    check(5 > left[0] > left[1] > left[2] > 0, f"the time left does not shrink: {left}")
    clocks = [float(f[4]) for f in fields]
    check(abs(clocks[1] - clocks[0] - SKEW) < WAIT, f"b's clock is not ahead: {clocks}")
    check(abs(clocks[2] - clocks[0]) < WAIT, f"c's clock is not a's: {clocks}")


def begin_slow(machines, last, timeout, *options):
    """A request that hangs in the last node, and how often that has said its end before."""
    begun = last.said().count("c begun")
    client = Client(machines, FRONT + "/slow", timeout, *options)
    wait_until(lambda: last.said().count("c begun") > begun, "the last node is not asked")
    return client


def ends_of(last):
    return [line for line in last.said().splitlines() if "c ended" in line]


def wait_for_end(last, before, *hows):
    wait_until(lambda: len(ends_of(last)) > before, f"the last node was not told: {hows}")
    end = ends_of(last)[-1]
    check(end in [f"c ended: {how}" for how in hows], f"the last node was told {end}")


def show_deadline(machines, last):
    before = len(ends_of(last))
    client = begin_slow(machines, last, "500m")
    status, _, seconds = client.answer()
    check(status == 504, f"the deadline was answered by {status}")
    check(0.5 <= seconds < WAIT, f"the deadline was answered after {seconds} s")
    # Its own is a little later than that of its caller, which leaves it then.
    wait_for_end(last, before, "deadline_exceeded", "canceled")
    show("A deadline of 0.5 s", f"the client has {status} after {seconds:.3f} s", "c ends")


def show_client_gone(machines, last):
    before = len(ends_of(last))
    client = begin_slow(machines, last, "20S")
    client.process.kill()
    gone = time.monotonic()
    client.process.communicate()
    wait_for_end(last, before, "canceled")
    milliseconds = (time.monotonic() - gone) * 1000
    show("A client that leaves", f"c is canceled {milliseconds:.0f} ms later, 3 nodes away")


def show_cancel(machines, first, last):
    before = len(ends_of(last))
    client = begin_slow(machines, last, "20S")
    first.signal(signal.SIGTERM)
    status, _, _ = client.answer()
    check(status == 503, f"the end of a was answered by {status}")
    wait_for_end(last, before, "canceled")
    show("A first node that is told to end", f"the client has {status}", "c is canceled")


def show_all(machines, directory):
    programs = {node: serve(machines, node, directory) for node in NODES}
    haproxy = ["haproxy", "-db", "-f", str(HERE / "haproxy.cfg")]
    front = Program(machines, "front", haproxy, directory)
    try:
        absent = FRONT + "/absent"
        wait_until(
            lambda: Client(machines, absent, "5S").answer()[0] == 404,
            "HAProxy does not come up",
        )
        show_chain(machines)
        show_deadline(machines, programs["c"])
        show_client_gone(machines, programs["c"])
        show_cancel(machines, programs["a"], programs["c"])
    finally:
        status = {node: program.stop() for node, program in programs.items()}
        front.stop()
    check(not any(status.values()), f"a node did not end well: {status}")
    alive = [node for node, p in programs.items() if "contexts alive: 0" not in p.said()]
    check(not alive, f"contexts are left in {alive}")
    show("The end", "contexts alive: 0 in each")


def main():
    why = cannot()
    if why:
        print(f"nodes: {why}", file=sys.stderr)
        return CANNOT
    machines = Machines()
    try:
        machines.connect()
        with tempfile.TemporaryDirectory() as directory:
            show_all(machines, pathlib.Path(directory))
    finally:
        machines.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
