# SPDX-License-Identifier: Apache-2.0
"""Keys: names of values that know the type of what they name."""

from typing import Generic, TypeVar

from cctx import _cctx

T = TypeVar("T")
_ABSENT = object()


class Key(str, Generic[T]):
    """The name of a value, with its type and its default.

    It is a str: the same name is the same key, here and in C and Lua, and whatever takes
    the name of a value takes a Key. The values of a secret key are never shown."""

    __slots__ = ("_default",)

    def __new__(cls, name, *, default=_ABSENT, secret=False):
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {type(name).__name__}")
        if not isinstance(secret, bool):
            raise TypeError(f"secret must be a bool, not {type(secret).__name__}")
        _cctx._key_named(name, secret)
        self = super().__new__(cls, name)
        self._default = default
        return self

    def get(self, context=None):
        """The value in a context, by default the current one; if it has none, the key's
        default, and LookupError without one."""
        if context is None:
            value = _cctx.value(self, self._default)
        elif isinstance(context, _cctx.Context):
            value = context.value(self, self._default)
        else:
            raise TypeError(
                f"context must be a cctx.Context or None, not {type(context).__name__}"
            )
        if value is _ABSENT:
            raise LookupError(f"there is no value for {self!r}, and it has no default")
        return value

    def __repr__(self):
        return f"cctx.Key({str(self)!r})"

    def __reduce__(self):
        default = {} if self._default is _ABSENT else {"default": self._default}
        return _restore, (str(self), default)


Key.__module__ = "cctx"


def _restore(name, default):
    return Key(name, **default)
