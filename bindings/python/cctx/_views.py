# SPDX-License-Identifier: Apache-2.0
"""Views: what a context shows, as mappings."""

from collections.abc import Mapping

from cctx import _cctx

_ABSENT = object()


class Values(Mapping):
    """The values of a context whose key has a name, nearest first.

    Those of a secret key are not here, so that no copy or log of a view has them; the
    repr says that there are some."""

    __slots__ = ("_context",)

    def __init__(self, context):
        self._context = context

    def _names(self):
        return _cctx._key_names(self._context)

    def __getitem__(self, key):
        if isinstance(key, str) and key in list(self):
            value = self._context.value(key, _ABSENT)
            if value is not _ABSENT:
                return value
        raise KeyError(key)

    def __iter__(self):
        return (name for name, secret in self._names() if not secret)

    def __len__(self):
        return sum(not secret for _, secret in self._names())

    def __repr__(self):
        shown = (
            f"{name!r}: {'<secret>' if secret else repr(self[name])}"
            for name, secret in self._names()
        )
        return f"<cctx values {{{', '.join(shown)}}}>"


class Metadata(Mapping):
    """The metadata of a context over all scopes, in the order in which the names were first
    set."""

    __slots__ = ("_context",)

    def __init__(self, context):
        self._context = context

    def __getitem__(self, name):
        value = self._context.metadata(name, None) if isinstance(name, str) else None
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self):
        return (name for name, _, _ in self._context.metadata_pairs())

    def __len__(self):
        return len(self._context.metadata_pairs())

    def __repr__(self):
        return f"<cctx metadata {dict(self)!r}>"
