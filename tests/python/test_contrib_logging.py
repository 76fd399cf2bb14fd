# SPDX-License-Identifier: Apache-2.0
"""cctx.contrib.logging: records say for which request the code worked that logged them."""

import logging
import logging.handlers
import queue
import threading

import cctx
import pytest
from cctx.contrib import logging as contrib

TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture
def logger():
    made = logging.Logger("contrib")
    made.kept = Kept()
    made.addHandler(made.kept)
    return made


@pytest.fixture
def acme(clock):
    """A request of acme is current. The fixture gives none: pytest would keep it."""
    with cctx.use(cctx.extract(TRACE).with_metadata("tenant", "acme").with_timeout(2.5)):
        yield


def test_record_has_the_trace_the_names_and_what_is_left(logger, acme):
    logger.kept.addFilter(contrib.Filter("tenant"))
    logger.kept.setFormatter(
        logging.Formatter("%(trace_id)s %(span_id)s %(tenant)s %(remaining)s %(message)s")
    )
    logger.error("hello")
    (record,) = logger.kept.records
    ids = "4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7"
    assert logger.kept.format(record) == f"{ids} acme 2.5 hello"


def test_record_of_no_request_has_the_default(logger):
    logger.kept.addFilter(contrib.Filter("tenant", default="none"))
    logger.error("hello")
    (record,) = logger.kept.records
    fields = [record.trace_id, record.span_id, record.tenant, record.remaining]
    assert fields == ["none"] * 4


def test_value_is_shown_where_there_is_no_metadata(logger, root):
    logger.kept.addFilter(contrib.Filter("user"))
    with cctx.use(root.with_value("user", 7)):
        logger.error("hello")
    assert logger.kept.records[0].user == "7"


def test_secret_value_is_never_shown(logger, root):
    key = cctx.Key("contrib_password", secret=True)
    logger.kept.addFilter(contrib.Filter("contrib_password"))
    with cctx.use(root.with_value(key, "hunter2")):
        logger.error("hello")
        assert contrib.processor("contrib_password")(None, "info", {}) == {}
    assert logger.kept.records[0].contrib_password == "-"


def test_value_of_a_stranger_cannot_begin_a_line(logger, root):
    logger.kept.addFilter(contrib.Filter("tenant"))
    with cctx.use(root.with_metadata("tenant", "a\nERROR forged")):
        logger.error("hello")
    assert logger.kept.records[0].tenant == "a\\nERROR forged"


def test_installed_factory_serves_every_logger_until_it_is_uninstalled(logger, acme):
    installation = contrib.install("tenant", prefix="cctx_")
    try:
        logger.error("hello")
    finally:
        installation.uninstall()
    logger.error("hello")
    inside, after = logger.kept.records
    assert inside.cctx_tenant == "acme" and not hasattr(after, "cctx_tenant")


def test_factory_under_that_of_somebody_else_only_calls_through(logger, acme):
    before = logging.getLogRecordFactory()
    installation = contrib.install("tenant")
    logging.setLogRecordFactory(lambda *a, **k: installation(*a, **k))
    try:
        installation.uninstall()
        logger.error("hello")
    finally:
        logging.setLogRecordFactory(before)
    assert not hasattr(logger.kept.records[0], "tenant")


def test_record_of_a_thread_has_the_context_of_the_thread(logger, acme):
    logger.kept.addFilter(contrib.Filter("tenant"))
    for thread in (threading.Thread(target=logger.error, args=("bare",)),
                   cctx.Thread(target=logger.error, args=("handed over",))):  # fmt: skip
        thread.start()
        thread.join()
    assert [r.tenant for r in logger.kept.records] == ["-", "acme"]


def test_record_through_a_queue_has_the_context_of_who_logged(acme):
    records, kept, logger = queue.Queue(), Kept(), logging.Logger("queued")
    handler = logging.handlers.QueueHandler(records)
    handler.addFilter(contrib.Filter("tenant"))
    kept.addFilter(contrib.Filter("tenant"))  # on the listener's thread: changes nothing
    logger.addHandler(handler)
    listener = logging.handlers.QueueListener(records, kept)
    listener.start()
    logger.error("hello")
    listener.stop()
    assert kept.records[0].tenant == "acme"


def test_what_the_caller_passes_as_extra_stays(logger, acme):
    logger.kept.addFilter(contrib.Filter("tenant"))
    logger.error("hello", extra={"tenant": "globex"})
    assert logger.kept.records[0].tenant == "globex"


@pytest.mark.parametrize("name", ["msg", "message", "levelname"])
def test_name_of_a_records_own_is_refused_without_a_prefix(name):
    with pytest.raises(ValueError, match="give a prefix"):
        contrib.Filter(name)
    contrib.Filter(name, prefix="cctx_")


def test_structlog_event_has_what_there_is(acme):
    structlog = pytest.importorskip("structlog", reason="structlog is not installed")
    with structlog.testing.capture_logs(
        processors=[contrib.processor("tenant", "user")]
    ) as events:
        structlog.get_logger().info("hello")
        structlog.get_logger().info("hello", tenant="globex")
    assert events[0]["tenant"] == "acme" and events[0]["remaining"] == 2.5
    assert events[0]["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert "user" not in events[0] and events[1]["tenant"] == "globex"
