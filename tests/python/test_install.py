# SPDX-License-Identifier: Apache-2.0
"""install(): threads and pools that inherit the context, among the patches of others."""

import asyncio
import concurrent.futures
import functools
import logging.handlers
import multiprocessing.pool
import queue
import threading

import cctx
import pytest

Pool = concurrent.futures.ThreadPoolExecutor
PATCHED = [(threading.Thread, "start"), (Pool, "submit"), (Pool, "_adjust_thread_count")]


@pytest.fixture(autouse=True)
def everything_put_back():
    found = [vars(owner)[name] for owner, name in PATCHED]
    yield
    assert [vars(owner)[name] for owner, name in PATCHED] == found


def ask():
    return cctx.value("k")


def under(number):
    return cctx.use(cctx.background().with_value("k", number))


def on_thread(function=ask):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(function()))
    thread.start()
    thread.join()
    return seen[0]


def test_installed_threads_inherit(root):
    with under(1):
        assert on_thread() is None
        with cctx.install():
            assert on_thread() == 1
        assert on_thread() is None
    with cctx.install():
        assert on_thread(cctx.current) == root


def test_installed_pools_inherit_job_by_job(root):
    with cctx.install(), Pool(1) as pool:
        with under(1):
            first = pool.submit(ask)
        with under(2):
            second = list(pool.map(lambda _: ask(), range(2)))
        assert (first.result(), second) == (1, [2, 2])
        assert pool.submit(cctx.current).result() == root


def test_worker_of_an_installed_pool_keeps_nothing_of_who_was_first(root):
    with cctx.install(), Pool(1) as pool:
        with under(1):
            assert pool.submit(ask).result() == 1
        cctx.install().uninstall()
        assert pool.submit(cctx.current).result() == root
        assert pool.submit(cctx.current_status).result() == "none"


def test_installed_run_in_executor_inherits(root):
    async def main():
        loop = asyncio.get_running_loop()
        with under(1):
            return await loop.run_in_executor(None, ask), await asyncio.to_thread(ask)

    with cctx.install():
        assert asyncio.run(main()) == (1, 1)


def test_installed_thread_inherits_until_its_request_ends(root):
    gate, seen = threading.Event(), []

    def work():
        seen.append(ask())
        gate.wait()
        seen.append((cctx.current(), cctx.current_status()))

    with cctx.install():
        with cctx.request() as ctx, cctx.use(ctx.with_value("k", 1)):
            thread = threading.Thread(target=work)
            thread.start()
        gate.set()
        thread.join()
    assert seen == [1, (root, "ended")]


def test_handed_over_stays_so_where_all_threads_inherit():
    gate = threading.Event()

    def work():
        gate.wait()
        return ask(), cctx.current_status()

    seen = []
    with cctx.install(), cctx.Executor(1) as pool:
        with cctx.request() as ctx, cctx.use(ctx.with_value("k", 1)):
            job = pool.submit(work)
            thread = cctx.Thread(target=lambda: seen.append(work()))
            thread.start()
        gate.set()
        thread.join()
        assert job.result() == (1, "attached")
    assert seen == [(1, "attached")]


def test_installations_count():
    first, second = cctx.install(), cctx.install()
    with under(1):
        assert on_thread() == 1
        second.uninstall()
        second.uninstall()  # once is all that it can do
        assert on_thread() == 1
        first.uninstall()
        assert on_thread() is None


def test_subclass_that_has_a_start_or_a_submit_of_its_own_is_left_to_it():
    class Own(threading.Thread):
        def start(self):
            threading.Thread.start(self)

        def run(self):
            self.seen = ask()

    with cctx.install(), under(1):
        thread = Own()
        thread.start()
        thread.join()
    assert thread.seen == 1


# ---- Among others ----------------------------------------------------------------------


def patch(calls, name):
    """Somebody else's patch of Thread.start: (what is there now, how to remove it)."""
    inner = threading.Thread.start

    @functools.wraps(inner)
    def start(self):
        calls.append(name)
        return inner(self)

    threading.Thread.start = start

    def remove():
        threading.Thread.start = inner

    return start, remove


def test_patch_that_was_there_before_is_called_and_kept():
    calls = []
    start, remove = patch(calls, "theirs")
    with cctx.install(), under(1):
        assert on_thread() == 1
        assert calls == ["theirs"]
    assert threading.Thread.start is start
    remove()


def test_patch_that_came_after_is_not_removed():
    """Ours stays below it, and only calls through."""
    calls, installation = [], cctx.install()
    start, remove = patch(calls, "theirs")
    installation.uninstall()
    assert threading.Thread.start is start
    with under(1):
        assert on_thread() is None
    assert calls == ["theirs"]
    with cctx.install(), under(1):
        assert on_thread() == 1
    remove()
    with cctx.install(), under(1):
        assert on_thread() == 1


def test_installing_under_the_patch_of_another_adds_nothing_each_time():
    installation = cctx.install()
    _, remove = patch([], "theirs")
    installation.uninstall()

    def depth():
        at, count = threading.Thread.start, 0
        while at is not None:
            at, count = getattr(at, "__wrapped__", None), count + 1
        return count

    before = depth()
    for _ in range(3):
        with cctx.install(), under(1):
            assert on_thread() == 1
    assert depth() == before
    remove()
    cctx.install().uninstall()


def test_process_pools_are_left_alone():
    submit = concurrent.futures.ProcessPoolExecutor.submit
    with cctx.install():
        assert concurrent.futures.ProcessPoolExecutor.submit is submit


def test_context_says_how_it_gets_to_another_process(root):
    import pickle

    with pytest.raises(TypeError, match="cannot be pickled.*inject.*extract"):
        pickle.dumps(root)


def test_service_threads_of_the_standard_library_inherit_nothing():
    """Whoever needs the first of them starts them, and they serve everybody."""
    with cctx.install(), under(1):
        pool = multiprocessing.pool.ThreadPool(1)
    assert pool.apply(ask) is None
    pool.terminate()
    pool.join()
    records = queue.SimpleQueue()
    handler = logging.Handler()
    seen = []
    handler.emit = lambda record: seen.append(ask())
    listener = logging.handlers.QueueListener(records, handler)
    with cctx.install(), under(1):
        listener.start()
    records.put(logging.makeLogRecord({}))
    listener.stop()
    assert seen == [None]
