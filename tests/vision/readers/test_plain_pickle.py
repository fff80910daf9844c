"""Hostile pickles: nothing that they name is looked up or called, and nothing large is made."""

from __future__ import annotations

import builtins
import collections
import contextlib
import copyreg
import datetime
import importlib
import io
import os
import pickle
import struct
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainkit.vision.readers import plain_pickle
from domainkit.vision.readers.plain_pickle import RecordedArray, load_plain

PROTOCOLS = range(5)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.binary() | st.integers(), inner)
    ),
    max_leaves=20,
)


@given(plain, st.sampled_from(PROTOCOLS))
def test_plain_containers_are_read_as_python_reads_them(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    read = load_plain(data)
    assert read == value == pickle.loads(data)
    assert repr(read) == repr(value)  # types too: True is not 1


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\x80\x02", b"\x80\x04]", b"}(", b"cnumpy\n"])
)
def test_noise_ends_in_one_kind_of_error(noise: bytes, start: bytes) -> None:
    with contextlib.suppress(pickle.UnpicklingError):
        load_plain(start + noise + b".")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_shared_and_what_holds_itself(protocol: int) -> None:
    inner: list[Any] = [1]
    inner.append(inner)
    first, second = load_plain(pickle.dumps([inner, inner], protocol))
    assert first is second and first[1] is first and first[0] == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        np.asfortranarray(np.arange(12, dtype=np.uint8).reshape(3, 4)),
        np.arange(3.0),
        np.zeros((0, 3072), np.uint8),
    ],
)
def test_arrays_are_recorded(array: np.ndarray, protocol: int) -> None:
    read = load_plain(pickle.dumps({"data": array}, protocol))["data"]
    assert type(read) is RecordedArray
    version, shape, dtype, fortran, data = read.state
    assert (version, shape, fortran) == (1, array.shape, array.flags.fnc)
    again = np.frombuffer(data, dtype.code).reshape(shape, order="F" if fortran else "C")
    assert np.array_equal(again, array)


class _Reduce:
    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


class _WithState:
    def __init__(self) -> None:
        self.x = 1


OBJECTS = {
    "system": _Reduce(os.system, "exit 3"),
    "exec": _Reduce(builtins.exec, "raise SystemExit"),
    "import": _Reduce(importlib.import_module, "antigravity"),
    "getattr": _Reduce(getattr, "", "join"),
    "numpy.load": _Reduce(np.load, "x.npy", None, True),
    "numpy.fromfile": _Reduce(np.fromfile, "/etc/hostname"),
    "bytearray": _Reduce(bytearray, 1 << 40),
    "object": _WithState(),
    "class": collections.OrderedDict,
    "ordered dict": collections.OrderedDict(a=1),
    "set": {1, 2},
    "date": datetime.date(2020, 1, 1),
    "range": range(5),
    "complex": 1j,
    "exception": ValueError("x"),
    "numpy scalar": np.float64(1.5),
    "masked array": np.ma.masked_array([1, 2]),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", OBJECTS)
def test_no_object_but_arrays(name: str, protocol: int) -> None:
    data = pickle.dumps({"good": [1], "bad": OBJECTS[name]}, protocol)
    with pytest.raises(pickle.UnpicklingError, match=r"it (names|has the instruction) .*hostile"):
        load_plain(data)


def test_an_array_of_objects_runs_nothing() -> None:
    ran = pickle.dumps(np.array([_Reduce(os.getcwd)], dtype=object), 2)
    with pytest.raises(pickle.UnpicklingError, match=r"it names .*getcwd"):
        load_plain(ran)
    read = load_plain(pickle.dumps(np.array([[1], "x"], dtype=object), 2))
    assert read.state[2].code == "O8" and type(read.state[4]) is list  # the reader refuses it


# Instructions that no honest batch has


def test_every_other_instruction_is_refused_by_name() -> None:
    short = lambda *args: b"\x80\x04" + b"".join(args) + b"."  # noqa: E731
    hostile = {
        "PERSID": short(b"Psecret\n"),
        "BINPERSID": short(b"]Q"),
        "INST": short(b"(ios\ngetcwd\n"),
        "OBJ": short(b"(cnumpy\nndarray\no"),
        "NEWOBJ": short(b"cnumpy\nndarray\n)\x81"),
        "NEWOBJ_EX": short(b"cnumpy\nndarray\n)}\x92"),
        "BYTEARRAY8": short(b"\x96" + struct.pack("<Q", 2) + b"ab"),
        "NEXT_BUFFER": short(b"\x97"),
        "READONLY_BUFFER": short(b"]\x98"),
        "EMPTY_SET": short(b"\x8f"),
        "FROZENSET": short(b"(\x91"),
    }
    for name, data in hostile.items():
        with pytest.raises(
            pickle.UnpicklingError, match=f"instruction {name}|pickle exhausted|Value"
        ):
            load_plain(data)
    for name in set(hostile) - {"BYTEARRAY8"}:
        with pytest.raises(pickle.UnpicklingError, match=f"it has the instruction {name},"):
            load_plain(hostile[name])


def test_the_registry_of_extensions_is_not_asked() -> None:
    # a code that was used once is kept in a cache, which find_class never sees
    copyreg.add_extension("os", "getcwd", 200)
    try:
        call = b"\x80\x02\x82\xc8)R."
        assert pickle.loads(call) == os.getcwd()  # it works, and fills the cache
        with pytest.raises(pickle.UnpicklingError, match="it has the instruction EXT1"):
            load_plain(call)
    finally:
        copyreg.remove_extension("os", "getcwd", 200)


@pytest.mark.parametrize(
    "data",
    [
        b"cnumpy\ndtype\n}b.",  # a state for a name
        b"cnumpy\ndtype\n(N}X\x08\x00\x00\x00__call__K\x01stb.",
        b"c_codecs\nencode\n}X\x0c\x00\x00\x00__defaults__K\x01sb.",
        b"cnumpy\nndarray\n)R.",  # the class is an argument, never called
        b"K\x01)R.",
        b"]K\x01R.",
        b"cnumpy\ndtype\n]R.",
        b"cnumpy\ndtype\n)R.",
        b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x04\x00\x00\x00zlibtR.",
        b"c_codecs\nencode\n(]X\x06\x00\x00\x00latin1tR.",
        b"c_codecs\nencode\n(X\x01\x00\x00\x00a](tR.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0dndarray.dumps\x93.",
        b"\x80\x04K\x01K\x02\x93.",
        b"\x80\x04]]\x93.",
        b"K\x01K\x02a.",
        b"}K\x01a.",
        b"]K\x01K\x02s.",
        b"}(K\x01u.",
        b"](.",
        b"(K\x01",
        b"K\x01",
        b".",
        b"0.",
        b"(2.",
        b"(q\x00.",
        b"h\x07.",
        b"c__builtin__\nbytes\n(K\x7ftR.",
        b"",
    ],
)  # fmt: skip
def test_broken_and_hostile_programs(data: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError):
        load_plain(data)


def test_names_are_only_themselves() -> None:
    name = load_plain(b"cnumpy\nndarray\n.")
    assert not callable(name) and not isinstance(name, type)


# A few bytes that cost much elsewhere


@pytest.fixture
def cheap():
    """Little memory and little time."""
    tracemalloc.start()
    start = time.perf_counter()
    yield
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20 and seconds < 20


@pytest.mark.usefixtures("cheap")
class TestBombs:
    def test_a_memo_of_four_billion(self) -> None:
        # Python's own unpickler makes a table up to twice that index
        assert load_plain(b"Nr" + struct.pack("<I", 0xFFFFFFF0) + b".") is None
        assert load_plain(b"Np99999999999999\n.") is None

    @pytest.mark.parametrize("code", [b"B", b"T", b"X", b"\x8b", b"\x8d", b"\x8e", b"\x95"])
    def test_a_length_that_is_not_there(self, code: bytes) -> None:
        wide = code in (b"\x8d", b"\x8e", b"\x95")
        size = struct.pack("<Q", 1 << 46) if wide else struct.pack("<I", 0x7FFFFFFF)
        with pytest.raises(pickle.UnpicklingError):
            load_plain(b"\x80\x04" + code + size + b"short.")

    def test_a_tuple_that_takes_forever_to_hash(self) -> None:
        program = b"\x80\x02)" + b"2\x86" * 80 + b"}"  # (x, x) of (x, x) of ...
        assert type(load_plain(program + b"0.")) is tuple
        with pytest.raises(pickle.UnpicklingError, match="a key of type tuple"):
            load_plain(b"\x80\x02})" + b"2\x86" * 80 + b"K\x01s.")

    def test_a_tuple_too_deep_to_hash(self) -> None:
        with pytest.raises(pickle.UnpicklingError, match="a key of type tuple"):
            load_plain(b"\x80\x02})" + b"\x85" * 200_000 + b"K\x01s.")

    def test_deep_nests_are_let_go(self) -> None:
        assert load_plain(b"]" + b"]" * 50_000 + b"a" * 50_000 + b".") is not None

    def test_one_text_encoded_again_and_again(self) -> None:
        text = b"X" + struct.pack("<I", 1_000_000) + b"x" * 1_000_000
        start = b"\x80\x02](c_codecs\nencode\nq\x00" + text + b"\x85q\x01R"
        assert load_plain(start + b"e.") == [b"x" * 1_000_000]
        with pytest.raises(pickle.UnpicklingError, match="more bytes than it has"):
            load_plain(start + b"h\x00h\x01R" * 1000 + b"e.")

    def test_keys_of_one_hash(self) -> None:
        keys = [b"\x8a\x0a" + (i * (2**61 - 1)).to_bytes(10, "little") for i in range(10_001)]
        assert {hash(i * (2**61 - 1)) for i in range(10_001)} == {0}
        few = b"\x80\x02}(" + b"".join(key + b"N" for key in keys[:500]) + b"u."
        assert len(load_plain(few)) == 500
        with pytest.raises(pickle.UnpicklingError, match="more than 10,000 int keys"):
            load_plain(b"\x80\x02}(" + b"".join(key + b"N" for key in keys) + b"u.")

    def test_a_shape_of_terabytes(self) -> None:
        data = pickle.dumps(np.zeros((2, 3072), np.uint8), 2)
        data = data.replace(b"K\x02M\x00\x0c\x86", b"\x8a\x05\x00\x00\x00\x00\x10M\x00\x0c\x86")
        assert load_plain(data).state[1] == (1 << 36, 3072)  # said, never made

    def test_an_argument_of_reconstruct(self) -> None:
        call = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n\x8a\x06" + b"\xff" * 5
        read = load_plain(b"\x80\x02" + call + b"\x00\x85U\x01btR.")
        assert type(read) is RecordedArray and read.state is None

    def test_too_many_instructions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(plain_pickle, "MAX_STEPS", 1000)
        assert len(load_plain(b"](" + b"]" * 990 + b"e.")) == 990
        with pytest.raises(pickle.UnpicklingError, match="more than 1,000 instructions"):
            load_plain(b"](" + b"]" * 1000 + b"e.")


def test_pickles_of_python_2_have_bytes() -> None:
    assert load_plain(b"\x80\x02}U\x01aU\x03\xff\x00\x01s.") == {b"a": b"\xff\x00\x01"}
    assert load_plain(b"(dp0\nS'a'\np1\nI01\ns.") == {b"a": True}
    assert load_plain(io.BytesIO(b"L12L\n.").read()) == 12
