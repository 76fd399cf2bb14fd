# SPDX-License-Identifier: Apache-2.0
"""Many requests of all kinds at once: each has its own answer, and nothing is left of them.

CCTX_LOAD_REQUESTS: how many in all; ./dev check sends a hundred thousand, under ASan.
"""

import asyncio
import os
import time

from serving import serve  # noqa: F401

REQUESTS = int(os.environ.get("CCTX_LOAD_REQUESTS", 3000))
CLIENTS = 32
ROUTES = ("lua", "py", "plain")
STATUS = {"echo": b"200", "fail": b"500", "late": b"504"}


def kind_of(number, path):
    """Of a hundred requests, most are answered; on a plain handler, which cannot be stopped,
    none waits."""
    place = number % 100
    if place == 7:
        return "fail"
    if path == "plain":
        return "echo"
    return {13: "late", 42: "leave"}.get(place, "echo")


def ask(number, path, kind):
    query = {"late": "wait", "leave": "wait"}.get(kind, kind)
    timeout = "30m" if kind == "late" else "20S"
    return (
        f"GET /{path}?{query}-{number} HTTP/1.1\r\nHost: a\r\n"
        f"traceparent: 00-{number + 1:032x}-b7ad6b7169203331-01\r\n"
        f"baggage: tenant=t{number}\r\ngrpc-timeout: {timeout}\r\n\r\n"
    ).encode()


async def read_answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    return head[9:12], await reader.readexactly(int(fields[b"content-length"]))


async def client(port, numbers):
    """How many were answered; each with what is its own."""
    answered, reader, writer = 0, None, None
    for number in numbers:
        path = ROUTES[number % len(ROUTES)]
        kind = kind_of(number // len(ROUTES), path)
        if writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ask(number, path, kind))
        if kind == "leave":
            await asyncio.sleep(0.002)
            writer.close()
            writer = None
            continue
        status, body = await asyncio.wait_for(read_answer(reader), 60)
        assert status == STATUS[kind], (number, path, kind, status, body)
        if kind == "echo":
            seen = f"{number + 1:032x} t{number}"
            assert body.decode() == f"{seen} {seen} echo-{number}"
        answered += 1
    if writer is not None:
        writer.close()
    return answered


async def clients(port, numbers):
    parts = [numbers[i::CLIENTS] for i in range(CLIENTS)]
    return sum(await asyncio.gather(*(client(port, part) for part in parts)))


def resident(process):
    """MiB"""
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def settled(look):
    """What `look` says once it has said the same for half a second: others may close."""
    seen = [look()]
    while len(seen) < 50 or len(set(seen[-50:])) > 1:
        assert len(seen) < 1000, f"it does not settle: {seen[-50:]}"
        time.sleep(0.01)
        seen.append(look())
    return seen[-1]


def test_many_requests_each_have_their_own_answer_and_leave_nothing(serve, build):
    routes = ["--route=/lua=load.lua", "--route=/py=load.py", "--route=/plain=load_plain.py"]
    server = serve(*routes, "--workers", "2")
    quarter = REQUESTS // 4
    asyncio.run(clients(server.port, range(quarter)))
    open_before = settled(lambda: descriptors(server.process))
    middle = resident(server.process)
    answered = asyncio.run(clients(server.port, range(quarter, REQUESTS)))
    left = [kind_of(n // 3, ROUTES[n % 3]) for n in range(quarter, REQUESTS)].count("leave")
    assert answered == REQUESTS - quarter - left
    sanitized = (build / "sanitize.txt").read_text().strip()
    if not sanitized:  # a sanitizer's quarantine and shadow grow
        assert resident(server.process) - middle < 8
    assert settled(lambda: descriptors(server.process)) <= open_before
    assert server.stop() == 0
    assert "Sanitizer" not in server.log()
