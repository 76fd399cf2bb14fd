# SPDX-License-Identifier: Apache-2.0
"""Logging: each record says for which request the code worked that logged it.

    handler.addFilter(Filter("tenant"))  # runs on the thread that logs
    handler.setFormatter(logging.Formatter("%(trace_id)s %(tenant)s %(message)s"))
"""

import logging
from typing import Any, Callable, Dict, MutableMapping

import cctx

__all__ = ["Filter", "Installation", "install", "processor"]

_ALWAYS = ("trace_id", "span_id")
_TAKEN = {*vars(logging.LogRecord("", 0, "", 0, "", (), None)), "message", "asctime"}
_Event = MutableMapping[str, Any]


def _one_line(value: Any) -> str:
    """Text that cannot pass for another line of the log: strangers may have sent it."""
    text = str(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _read(names: "tuple[str, ...]") -> Dict[str, Any]:
    """What the current context says: metadata first, then values, never a secret one."""
    context = cctx.current()
    shown = set(context.values)
    found: Dict[str, Any] = {n: context.value(n) for n in (*_ALWAYS, *names) if n in shown}
    found.update({n: context.metadata(n, found.get(n)) for n in names})
    found = {name: _one_line(value) for name, value in found.items() if value is not None}
    remaining = context.remaining()
    return found if remaining is None else {**found, "remaining": round(remaining, 3)}


class _Fields:
    """Puts the fields on records: all of them, so that a format may name them."""

    def __init__(self, names: "tuple[str, ...]", prefix: str, default: str) -> None:
        self._names = names
        self._targets = {n: prefix + n for n in (*_ALWAYS, *names, "remaining")}
        self._default = default
        for target in self._targets.values():
            if target in _TAKEN:
                raise ValueError(f"{target!r} is a LogRecord's own: give a prefix")

    def add(self, record: logging.LogRecord) -> None:
        found = _read(self._names)
        for name, target in self._targets.items():
            vars(record).setdefault(target, found.get(name, self._default))


class Filter(logging.Filter):
    """Adds trace_id, span_id, remaining (seconds), and of these names the metadata or value.

    What the record has already stays, so a later filter on another thread changes nothing."""

    def __init__(self, *names: str, prefix: str = "", default: str = "-") -> None:
        super().__init__()
        self._fields = _Fields(names, prefix, default)

    def filter(self, record: logging.LogRecord) -> bool:
        self._fields.add(record)
        return True


class Installation:
    """What install() returned: uninstall() undoes it, or only calls through under others."""

    def __init__(self, fields: _Fields) -> None:
        self._fields, self._is_on = fields, True
        self._inner: Callable[..., logging.LogRecord] = logging.getLogRecordFactory()
        logging.setLogRecordFactory(self)

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._inner(*args, **kwargs)
        if self._is_on:
            self._fields.add(record)
        return record

    def uninstall(self) -> None:
        self._is_on = False
        if logging.getLogRecordFactory() is self:
            logging.setLogRecordFactory(self._inner)


def install(*names: str, prefix: str = "", default: str = "-") -> Installation:
    """Let every record of the process have the fields of a Filter, whatever its handlers."""
    return Installation(_Fields(names, prefix, default))


def processor(*names: str) -> "Callable[[Any, str, _Event], _Event]":
    """A processor for structlog that adds those fields which there are."""

    def add(logger: Any, method: str, event: _Event) -> _Event:
        event.update({n: v for n, v in _read(names).items() if n not in event})
        return event

    return add
