# SPDX-License-Identifier: Apache-2.0
"""A C library three calls below the script knows whose request it is, in every way in
which Python runs code, with the lock and without it."""

import asyncio
import concurrent.futures
import contextvars
import gc
import threading

import audit
import cctx
import pytest
from cctx import testing

EVENTS = ["begun", "half way", "done"]


class Log:
    """The file that libaudit writes to."""

    def __init__(self, path, requests):
        self.path = path
        self.requests = requests

    def said(self):
        return self.requests.said(self.path.read_text())


@pytest.fixture
def log(tmp_path, requests):
    gc.collect()
    before = cctx.alive()
    testing.clock_set(1000.0)
    path = tmp_path / "audit.log"
    path.touch()
    audit.open(str(path))
    yield Log(path, requests)
    audit.open(None)
    testing.clock_set(None)
    assert cctx.current() == cctx.background()
    gc.collect()
    assert cctx.alive() == before


# ---- The layers between a handler and the library -----------------------------------


def write(event):
    audit.write(event)  # which has let go of the GIL when libaudit asks


def line(event):
    with open_log() as file:  # asked with the GIL held, and written by Python
        file.write(audit.line(event) + "\n")


open_log = None


def save(store, event):
    return store(event)


class Order:
    def __init__(self, store):
        self.store = store

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)
        if name == "state":
            save(self.store, value)


def handle(store):
    order = Order(store)
    for event in EVENTS:
        order.state = event


async def handle_async(store):
    order = Order(store)
    for event in EVENTS:
        await asyncio.sleep(0)
        order.state = event


@pytest.fixture(params=[line, write], ids=["lock held", "lock released"])
def store(request, log):
    global open_log
    open_log = lambda: open(log.path, "a")  # noqa: E731
    return request.param


# ---- Ways to run the handler, for three requests at once where that can be -----------


def plainly(store, contexts):
    for ctx in contexts:
        ctx.run(handle, store)


def in_blocks(store, contexts):
    for ctx in contexts:
        with cctx.use(ctx):
            handle(store)


def in_each_other(store, contexts):
    """Each request begins while the one before runs, and goes on when it has ended."""

    def begin(todo):
        if not todo:
            return
        with cctx.use(todo[0]):
            save(store, EVENTS[0])
            begin(todo[1:])
            save(store, EVENTS[1])
            save(store, EVENTS[2])

    begin(list(contexts))


def in_tasks(store, contexts):
    async def main():
        tasks = []
        for ctx in contexts:
            with cctx.use(ctx):
                tasks.append(asyncio.ensure_future(handle_async(store)))
        await asyncio.gather(*tasks)

    asyncio.run(main())


def in_tasks_of_a_request(store, contexts):
    async def one(ctx):
        with cctx.use(ctx):
            await asyncio.gather(handle_async(store))

    async def main():
        await asyncio.gather(*map(one, contexts))

    asyncio.run(main())


def in_callbacks_of_the_loop(store, contexts):
    async def main():
        loop = asyncio.get_running_loop()
        for ctx in contexts:
            with cctx.use(ctx):
                for event in EVENTS:
                    loop.call_soon(save, store, event)
                    await asyncio.sleep(0)

    asyncio.run(main())


def in_to_thread(store, contexts):
    async def one(ctx):
        with cctx.use(ctx):
            await asyncio.to_thread(handle, store)

    async def main():
        await asyncio.gather(*map(one, contexts))

    asyncio.run(main())


def in_the_executor_of_the_loop(store, contexts):
    async def one(ctx):
        with cctx.use(ctx):
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, cctx.wrap(handle), store)

    async def main():
        await asyncio.gather(*map(one, contexts))

    asyncio.run(main())


def in_threads(store, contexts):
    threads = []
    for ctx in contexts:
        with cctx.use(ctx):
            threads.append(threading.Thread(target=cctx.wrap(handle), args=(store,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_an_executor(store, contexts):
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        for ctx in contexts:
            with cctx.use(ctx):
                executor.submit(cctx.wrap(handle), store)


def in_threads_of_the_package(store, contexts):
    threads = []
    for ctx in contexts:
        with cctx.use(ctx):
            threads.append(cctx.Thread(target=handle, args=(store,)))
            threads[-1].start()
    for thread in threads:
        thread.join()


def in_an_executor_of_the_package(store, contexts):
    with cctx.Executor(2) as executor:
        for ctx in contexts:
            with cctx.use(ctx):
                executor.submit(handle, store)


def in_plain_threads_after_install(store, contexts):
    threads = []
    with cctx.install():
        for ctx in contexts:
            with cctx.use(ctx):
                threads.append(threading.Thread(target=handle, args=(store,)))
                threads[-1].start()
        for thread in threads:
            thread.join()


def in_a_plain_executor_after_install(store, contexts):
    with cctx.install(), concurrent.futures.ThreadPoolExecutor(2) as executor:
        for ctx in contexts:
            with cctx.use(ctx):
                executor.submit(handle, store)


def in_generators(store, contexts):
    """A generator works for whoever takes its next item."""

    def generate():
        for event in EVENTS:
            yield save(store, event)

    for ctx in contexts:
        generator = generate()
        for _ in EVENTS:
            with cctx.use(ctx):
                next(generator)


def in_requests(store, contexts):
    async def one(ctx):
        with cctx.request(parent=ctx):
            await handle_async(store)

    async def main():
        await asyncio.gather(*map(one, contexts))

    asyncio.run(main())


def in_copies_of_a_context(store, contexts):
    copies = []
    for ctx in contexts:
        with cctx.use(ctx):
            copies.append(contextvars.copy_context())
    for copy in copies:
        copy.run(handle, store)


def in_a_thread_that_asks_in_a_copy(store, contexts):
    for ctx in contexts:
        with cctx.use(ctx):
            copy = contextvars.copy_context()
        thread = threading.Thread(target=copy.run, args=(handle, store))
        thread.start()
        thread.join()


WAYS = [
    plainly,
    in_blocks,
    in_each_other,
    in_tasks,
    in_tasks_of_a_request,
    in_callbacks_of_the_loop,
    in_to_thread,
    in_the_executor_of_the_loop,
    in_threads,
    in_an_executor,
    in_threads_of_the_package,
    in_an_executor_of_the_package,
    in_plain_threads_after_install,
    in_a_plain_executor_after_install,
    in_generators,
    in_requests,
    in_copies_of_a_context,
    in_a_thread_that_asks_in_a_copy,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_each_line_is_of_the_request_that_wrote_it(way, store, log, requests):
    way(store, requests.contexts())
    assert log.said() == requests.expected(EVENTS)


# ---- Where there is no request ---------------------------------------------------------


def test_a_thread_that_nobody_handed_a_context_writes_for_nobody(store, log, requests):
    for ctx in requests.contexts():
        with cctx.use(ctx):
            thread = threading.Thread(target=handle, args=(store,))
            thread.start()
            thread.join()
    assert log.said() == {"-": [f"tenant=- remaining=- {e}" for e in EVENTS] * 3}


def test_a_pool_does_not_keep_the_request_that_started_its_threads(store, log, requests):
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        for ctx in requests.contexts():
            with cctx.use(ctx):
                executor.submit(cctx.wrap(handle), store).result()
            executor.submit(save, store, "after").result()
    of_nobody = {"-": ["tenant=- remaining=- after"] * 3}
    assert log.said() == {**requests.expected(EVENTS), **of_nobody}


def test_what_is_late_writes_for_nobody_once_the_request_has_ended(store, log, requests):
    async def main():
        go_on = asyncio.Event()

        async def late():
            await go_on.wait()
            save(store, "late")

        with cctx.request(parent=next(requests.contexts())):
            save(store, "in time")
            task = asyncio.ensure_future(late())
            wrapped = cctx.wrap(save)
            await asyncio.sleep(0)
        go_on.set()
        await task
        wrapped(store, "handed over")

    asyncio.run(main())
    line = "tenant=acme remaining=1500ms"
    assert log.said() == {
        "r1": [f"{line} in time", f"{line} handed over"],
        "-": ["tenant=- remaining=- late"],
    }


def test_the_deadline_is_seen_to_pass(store, log, requests):
    with cctx.use(next(requests.contexts())):
        save(store, "in time")
        testing.clock_set(1001.0)
        save(store, "late")
        testing.clock_set(1002.0)
        save(store, "too late")
    said = [(1500, "in time"), (500, "late"), (0, "too late")]
    assert log.said() == {"r1": [f"tenant=acme remaining={ms}ms {e}" for ms, e in said]}


def test_a_tenant_cannot_forge_a_line(log):
    ctx = cctx.background().with_value("trace_id", "r1\nforged")
    ctx.run(audit.write, "an event\r\nand another")
    text = "tenant=- trace=r1?forged remaining=- an event??and another\n"
    assert log.path.read_text() == text


def test_a_log_that_cannot_be_opened_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        audit.open(str(tmp_path / "no directory" / "log"))
