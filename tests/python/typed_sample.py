# SPDX-License-Identifier: Apache-2.0
"""Never run, only typed: a line that ends in "# wrong" must be an error, and no other."""

import asyncio
from contextvars import ContextVar
from typing import AsyncIterator, Iterator, Mapping, Optional

import cctx
from cctx import testing

TENANT: cctx.Key[str] = cctx.Key("tenant", default="nobody")
COUNT: cctx.Key[int] = cctx.Key("count", secret=True)
BAD: cctx.Key[int] = cctx.Key("bad", default="text")  # wrong

ctx: cctx.Context = cctx.current()
tenant: str = TENANT.get()
count: int = COUNT.get(ctx)
maybe: Optional[str] = ctx.value(TENANT)
surely: str = ctx.value(TENANT)  # wrong
either: "str | int" = cctx.value(TENANT, 0)
number: int = TENANT.get()  # wrong
child: cctx.Context = ctx.with_value(TENANT, "acme").with_values({"a": 1, TENANT: "b"})
child.with_value(1, "acme")  # wrong
child.with_metadata("a", "b", "hop").with_metadata({"a": "b"})
child.with_metadata("a", "b", "everywhere")  # wrong
child.with_metadata([("a", "b"), ("c", "d", "hop")]).without_metadata("a", "c")
child.with_metadata([("a", 1)])  # wrong
child.with_metadata(child.metadata_pairs("hop"))
child.metadata_pairs("everywhere")  # wrong
in_hop: Optional[str] = child.metadata("a", scope="hop")
where: Optional[str] = cctx.metadata_scope("a")
call = ctx.with_response("append")
taken: bool = call.response_receive("a", "b") and cctx.response_set({"a": "b"})
call.response_set("a", 1)  # wrong
cost: Optional[str] = call.response().metadata("cost")
ctx.with_response("newest")  # wrong
values: Mapping[str, object] = ctx.values
metadata: Mapping[str, str] = ctx.metadata_map
ctx.values = {}  # wrong
status: Optional[str] = ctx.wait(0.5) or ctx.err()
ctx.wait("1")  # wrong


def work(a: int, *, b: str = "") -> float:
    return 0.5


bound: float = cctx.wrap(work)(1, b="c")
cctx.wrap(work)("1")  # wrong
ran: float = ctx.run(work, 1, b="c")
ctx.run(work, "1")  # wrong
cctx.wrap(1)  # wrong


def generate() -> Iterator[int]:
    yield 1


async def stream() -> AsyncIterator[int]:
    yield 1


for item in cctx.wrap(generate)():
    whole: int = item

with cctx.use(ctx) as used, cctx.timeout(1, "slow") as limited:
    both: "list[cctx.Context]" = [used, limited]
with cctx.timeout_at(None), cctx.cancel_scope(), cctx.detached(keep_deadline=True):
    cctx.check()
with cctx.request(parent=ctx, timeout=1, metadata={"a": "b"}, response=True) as served:
    served.cancel("enough")
cctx.use(1)  # wrong
cctx.timeout("1")  # wrong
cctx.request(ctx)  # wrong
cctx.request(metadata={"a": 1})  # wrong


async def main() -> None:
    async with cctx.timeout(1) as limited:
        reason: str = await limited.done()
    async with cctx.use(ctx), cctx.request():
        observer: cctx.Observer = ctx.on_done(lambda done: print(done.cause()))
        prevented: bool = observer.off()
    ctx.on_done(lambda: None)  # wrong
    async for item in cctx.wrap(stream)():
        print(item + 1, prevented, reason)


asyncio.run(main())

thread = cctx.Thread(target=work, args=(1,), daemon=True)
thread.start()
with cctx.Executor(2) as pool:
    result: float = pool.submit(work, 1, b="c").result()
    pool.submit(work, "1")  # wrong
with cctx.install() as installation:
    installation.uninstall()
variable: ContextVar[str] = ContextVar("variable")
cctx.bind_var(variable, TENANT).unbind()
cctx.bind_var("variable", TENANT)  # wrong

try:
    cctx.check()
except cctx.DeadlineExceeded as error:
    when: float = error.cause.time
    late: TimeoutError = error
except cctx.Canceled as error:
    message: str = error.cause.message

policy = cctx.Policy("stranger", read=["baggage"], timeout_max=None, allow={"tenant"})
sent: "dict[str, str]" = cctx.inject({"a": "b"}, ctx, policy=policy)
came: cctx.Context = cctx.extract([(b"baggage", b"a=1")], format="grpc")
refused: int = policy.counts["malformed"]
cctx.Policy("https")  # wrong
cctx.Policy(read=["baggages"])  # wrong
cctx.extract({}, policy="http")  # wrong
cctx.inject([("a", "b")])  # wrong

word: str = cctx.current_status()
testing.clock_set(1.0)
testing.clock_set("1")  # wrong
with testing.strict() as strict:
    reports: "list[str]" = strict.take()
