# SPDX-License-Identifier: Apache-2.0
"""Values: what is stored comes back, as it was, and is let go in time."""

import contextvars
import ctypes
import enum
import gc
import pathlib
import sys
import threading
import weakref

import cctx
import pytest

MISSING = object()


class Thing:
    pass


class Color(enum.IntEnum):
    RED = 1


class Word(str):
    pass


class Variant(ctypes.Structure):
    """struct cctx_variant, as far as this file reads it."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("bytes", ctypes.c_char_p),
        ("len", ctypes.c_size_t),
        ("rest", ctypes.c_void_p * 2),
    ]


@pytest.fixture
def core():
    """The path of the core that this process has loaded, for calls as C makes them."""
    maps = pathlib.Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("no /proc to find the library in")
    lines = [line for line in maps.read_text().splitlines() if "libcctx" in line]
    (path,) = {line.split()[-1] for line in lines}
    return path


def current_ref(core):
    function = ctypes.PyDLL(core).cctx_current_ref
    function.restype = ctypes.c_void_p
    return function()


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, 1, -1, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 10**40,
     0.0, -0.0, 1.5, float("inf"), "", "text", "gr\u00fc\u00df \U0001f600", "a\0b", b"",
     b"by\0tes", (1, 2), [], Color.RED, Word("w"), 1j, frozenset()],
    ids=repr,
)  # fmt: skip
def test_value_comes_back_equal_and_of_its_type(root, value):
    found = root.with_value("k", value).value("k", MISSING)
    assert type(found) is type(value)
    assert repr(found) == repr(value)
    assert found == value


def test_nan_comes_back(root):
    found = root.with_value("k", float("nan")).value("k")
    assert isinstance(found, float)
    assert found != found


@pytest.mark.parametrize("text", ["\ud800", "a\udcffb", "\udfff\ud800"], ids=ascii)
def test_text_without_utf8_form_comes_back(root, text):
    assert root.with_value("k", text).value("k") == text


@pytest.mark.parametrize(
    "value",
    [{}, [], Thing(), b"x", len, lambda: 0, Thing, 2**70],
    ids=lambda value: type(value).__name__,
)
def test_object_comes_back_as_itself(root, value):
    assert root.with_value("k", value).value("k") is value


def test_nearest_value_wins(root):
    """S6: the nearest hides the others."""
    outer = root.with_value("k", 1)
    inner = outer.with_cancel().with_value("other", 0).with_value("k", 2)
    assert (outer.value("k"), inner.value("k")) == (1, 2)


def test_stored_none_is_not_absence(root):
    """S6: neither the default nor an outer value shows through."""
    ctx = root.with_value("k", 1).with_value("k", None)
    assert ctx.value("k", MISSING) is None
    assert root.value("k", MISSING) is MISSING
    assert root.value("k") is None


def test_name_is_the_key(root):
    """S7: however the str was made, here or in C."""
    name = "test_value_" + str(len("abc"))
    ctx = root.with_value(name, "v")
    assert ctx.value("".join(["test_value", "_3"])) == "v"
    assert ctx.value(Word("test_value_3")) == "v"
    assert ctx.value("Test_value_3", MISSING) is MISSING


def test_c_reads_by_name_what_python_stored(root, core):
    """S7: a text is a text in every language."""
    lib = ctypes.PyDLL(core)
    for function in (lib.cctx_current, lib.cctx_key_find):
        function.restype = ctypes.c_void_p
    found = Variant()
    with cctx.use(root.with_value("test_value_c", "gr\u00fcn")):
        key = ctypes.c_void_p(lib.cctx_key_find(b"test_value_c"))
        current = ctypes.c_void_p(lib.cctx_current())
        assert lib.cctx_value(current, key, ctypes.byref(found)) == 0
        assert ctypes.string_at(found.bytes, found.len) == "gr\u00fcn".encode()


@pytest.mark.parametrize(
    "name", ["", "a\0b", "k" * 256, "never stored", "\ud800"], ids=ascii
)
def test_reading_a_name_that_nobody_stored_gives_the_default(root, name):
    assert root.value(name) is None
    assert root.value(name, default=MISSING) is MISSING


def test_reading_never_adds_a_name(script):
    assert script("""
        import cctx
        root = cctx.background()
        for i in range(3000):
            root.value("read" + str(i))
        stored = 0
        try:
            while True:
                root.with_value("stored" + str(stored), 1)
                stored += 1
        except ValueError as error:
            print(stored, error)
        assert root.with_value("stored7", 2).value("stored7") == 2
    """).startswith("1024 'stored1024' cannot be a key")  # fmt: skip


def test_many_values_at_once(root):
    thing = Thing()
    ctx = root.with_values({"test_a": 1, "test_b": None, "test_c": thing})
    assert (ctx.value("test_a"), ctx.value("test_b", 0)) == (1, None)
    assert ctx.value("test_c") is thing
    assert root.with_values({}).value("test_a") is None


def test_any_mapping_gives_values(root):
    from collections import ChainMap
    from types import MappingProxyType

    assert root.with_values(MappingProxyType({"k": 1})).value("k") == 1
    assert root.with_values(ChainMap({"k": 2}, {"k": 3})).value("k") == 2


def test_exception_of_a_mapping_comes_through(root):
    class Broken(dict):
        def items(self):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        root.with_values(Broken(k=1))


@pytest.mark.parametrize(
    "take",
    [
        lambda what: cctx.background().with_values(what),
        lambda what: cctx.background().with_metadata(what),
        lambda what: cctx.extract(what),
        lambda what: cctx.inject(what),
    ],
    ids=["with_values", "with_metadata", "extract", "inject"],
)
def test_exception_in_asking_whether_it_is_a_mapping_comes_through(take):
    class Broken:
        @property
        def items(self):
            raise RuntimeError("no items today")

    with pytest.raises(RuntimeError, match="no items today"):
        take(Broken())


def test_refused_entry_leaves_no_reference_behind(root):
    thing = Thing()
    before = sys.getrefcount(thing)
    for values in ({"k": thing, 5: 1}, {"k": thing, "": 1}):
        with pytest.raises((TypeError, ValueError)):
            root.with_values(values)
    with pytest.raises(ValueError):
        root.with_value("", thing)
    del values
    cctx.alive()
    assert sys.getrefcount(thing) == before


def test_object_is_released_with_the_last_context(root):
    thing = Thing()
    seen = weakref.ref(thing)
    ctx = root.with_value("k", thing)
    child = ctx.with_cancel()
    del thing, ctx
    assert seen() is child.value("k") is not None
    del child
    assert seen() is None


def test_object_in_a_detached_context_lives_on(root):
    thing = Thing()
    seen = weakref.ref(thing)
    ctx = root.with_value("k", thing)
    free = ctx.detached()
    del ctx, thing
    assert free.value("k") is seen() is not None
    del free
    assert seen() is None


def test_object_is_released_when_another_thread_drops_the_context(root):
    thing = Thing()
    seen = weakref.ref(thing)
    held = [root.with_value("k", thing)]
    del thing
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert seen() is None


def test_object_dropped_without_the_lock_is_released_by_the_next_call(root, core):
    thing = Thing()
    seen = weakref.ref(thing)
    with cctx.use(root.with_value("k", thing)):
        pointer = current_ref(core)
    del thing
    assert seen() is not None
    ctypes.CDLL(core).cctx_unref(ctypes.c_void_p(pointer))  # lets go of the lock first
    cctx.current()
    assert seen() is None


def test_object_goes_with_the_last_copy_that_inherited_it(root):
    thing = Thing()
    seen = weakref.ref(thing)
    with cctx.use(root.with_value("k", thing)):
        inherited = contextvars.copy_context()
    del thing
    assert seen() is not None
    del inherited
    assert seen() is None


def test_finalizer_may_use_the_package(root):
    said = []

    class Loud:
        def __del__(self):
            with cctx.use(root.with_value("k", Thing())):
                said.append(cctx.value("k"))

    ctx = root.with_value("loud", Loud())
    del ctx
    assert len(said) == 1
    assert cctx.current() == root


def test_finalizer_of_a_stored_object_sees_no_other_request(root):
    said = []

    class Loud:
        def __del__(self):
            said.append(cctx.value("request"))

    ended = root.with_value("request", "ended").with_value("loud", Loud())
    with cctx.use(root.with_value("request", "next")):
        del ended
        assert said == [None]


def test_object_stored_in_its_own_context_is_collected(root):
    request = Thing()
    request.ctx = root.with_value("request", request)
    seen = weakref.ref(request)
    del request
    gc.collect()
    cctx.alive()
    assert seen() is None


def test_long_chain_of_contexts_held_by_values_is_freed(script):
    assert script("""
        import cctx
        ctx = None
        for _ in range(200_000):
            ctx = cctx.background().with_value("previous", ctx)
        del ctx
        print(cctx.alive())
    """) == "0\n"  # fmt: skip
