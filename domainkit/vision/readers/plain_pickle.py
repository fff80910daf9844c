"""Pickles of arrays and plain containers, read by a small machine that can do nothing else.

A pickle is a program for Python's unpickler, which calls what the program names. This machine has
the instructions for numbers, strings, lists, tuples, dicts with plain keys and numpy's arrays, and
no other: no classes, no persistent ids, no extension codes, no buffers from outside. Nothing that a
pickle names is looked up or called: of an array it is recorded what the pickle says of it, for the
reader to check before it uses the bytes. So it is no matter where numpy keeps its functions, and a
few bytes can neither allocate much nor keep the machine busy (a memo index of four billion, a tuple
of tuples of tuples as a key, one long text encoded again and again).

The instructions are told apart by the standard library's ``pickletools``. Arrays are read as numpy
writes them up to protocol 4, bytes also as Python 3 writes them up to protocol 2.
"""

from __future__ import annotations

import enum
import pickle
import pickletools
from typing import Any, NoReturn

__all__ = ["RecordedArray", "load_plain"]

MAX_STEPS = 5_000_000  # a batch of CIFAR has about 50,000
MAX_INT_KEYS = 10_000  # their hashes can be chosen alike: a dict of them takes quadratic time


class RecordedDtype:
    """What a pickle says of a dtype: ``code`` is ``"u1"`` for uint8."""

    def __init__(self, code: Any) -> None:
        self.code = code.decode("ascii", "replace") if isinstance(code, bytes) else code


class RecordedArray:
    """What a pickle says of an array.

    Attributes:
        state: (version, shape, RecordedDtype, Fortran order, bytes) in an honest pickle, and
            anything in another; None if it never said.
    """

    def __init__(self) -> None:
        self.state: Any = None


class _Name(enum.Enum):
    """The names that an array needs."""

    DTYPE = enum.auto()
    NDARRAY = enum.auto()
    RECONSTRUCT = enum.auto()
    ENCODE = enum.auto()
    BYTES = enum.auto()


_NAMES = {
    ("numpy", "dtype"): _Name.DTYPE,
    ("numpy", "ndarray"): _Name.NDARRAY,
    ("numpy.core.multiarray", "_reconstruct"): _Name.RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _Name.RECONSTRUCT,  # since numpy 2
    ("_codecs", "encode"): _Name.ENCODE,
    ("__builtin__", "bytes"): _Name.BYTES,  # with no argument: how empty ones are written
}
_VALUES = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
        *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    )
)
_STRINGS = frozenset(("STRING", "BINSTRING", "SHORT_BINSTRING"))  # the str of Python 2
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS = frozenset(("PUT", "BINPUT", "LONG_BINPUT"))
_GETS = frozenset(("GET", "BINGET", "LONG_BINGET"))
_IGNORED = frozenset(("PROTO", "FRAME", "STOP"))
_RARE = frozenset(  # each has a method
    (
        *("POP", "POP_MARK", "DUP", "TUPLE", "LIST", "APPEND", "APPENDS"),
        *("DICT", "SETITEM", "SETITEMS", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),
    )
)


def load_plain(data: bytes) -> Any:
    """What ``data`` holds: containers, numbers, strings, bytes (also for the ``str`` of Python 2)
    and ``RecordedArray``.

    Raises:
        pickle.UnpicklingError: it is damaged, or holds or does anything else.

    Example:
        >>> load_plain(pickle.dumps({"labels": [6, 9]}))
        {'labels': [6, 9]}
        >>> load_plain(pickle.dumps(print))
        Traceback (most recent call last):
        _pickle.UnpicklingError: it names builtins.print, and a batch of pictures needs only arrays,
        lists, numbers and strings: the file is not the publisher's and may be hostile
    """
    machine = _Machine(len(data))
    try:
        for count, (code, arg, _) in enumerate(pickletools.genops(data), 1):
            if count > MAX_STEPS:
                raise pickle.UnpicklingError(f"it has more than {MAX_STEPS:,} instructions")
            machine.step(code.name, arg)
        return machine.pop()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a broken pickle can fail in any way
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error


class _Mark:
    """Where the items of a container begin on the stack."""


_MARK = _Mark()


class _Machine:
    def __init__(self, size: int) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.left = size  # bytes that may still be encoded; all texts together are in the pickle
        self.int_keys = 0

    def step(self, name: str, arg: Any) -> None:
        """One instruction, the frequent ones first."""
        push = self.stack.append
        if name in _VALUES:
            push(arg)
        elif name in _STRINGS:
            push(arg.encode("latin1"))
        elif name in _PUTS or name == "MEMOIZE":
            self.memo[len(self.memo) if arg is None else arg] = self.top()
        elif name in _GETS:
            push(self.memo[arg])
        elif name in _CONSTANTS:
            push(_CONSTANTS[name])
        elif name == "MARK":
            push(_MARK)
        elif name in _EMPTY:
            push(_EMPTY[name]())
        elif name in _TUPLES:
            push(tuple(reversed([self.pop() for _ in range(_TUPLES[name])])))
        elif name in _RARE:
            getattr(self, f"_{name.lower()}")(*(() if arg is None else (arg,)))
        elif name not in _IGNORED:
            _refuse(f"has the instruction {name}")

    def top(self) -> Any:
        if self.stack[-1] is _MARK:
            raise pickle.UnpicklingError("it takes a mark for a value")
        return self.stack[-1]

    def pop(self) -> Any:
        self.top()
        return self.stack.pop()

    def items(self) -> list[Any]:
        """What lies above the last mark."""
        found = []
        while (item := self.stack.pop()) is not _MARK:
            found.append(item)
        return found[::-1]

    def _pop(self) -> None:
        self.stack.pop()

    def _pop_mark(self) -> None:
        self.items()

    def _dup(self) -> None:
        self.stack.append(self.top())

    def _tuple(self) -> None:
        self.stack.append(tuple(self.items()))

    def _list(self) -> None:
        self.stack.append(self.items())

    def _append(self) -> None:
        self._extend([self.pop()])

    def _appends(self) -> None:
        self._extend(self.items())

    def _extend(self, values: list[Any]) -> None:
        into = self.top()
        if type(into) is not list:
            raise pickle.UnpicklingError(f"it appends to a {type(into).__name__}")
        into.extend(values)

    def _dict(self) -> None:
        items = self.items()
        self.stack.append({})
        self._update(items)

    def _setitem(self) -> None:
        value, key = self.pop(), self.pop()
        self._update([key, value])

    def _setitems(self) -> None:
        self._update(self.items())

    def _update(self, items: list[Any]) -> None:
        into = self.top()
        if type(into) is not dict:
            raise pickle.UnpicklingError(f"it sets items of a {type(into).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, bytes, int):
                raise pickle.UnpicklingError(f"it has a key of type {type(key).__name__}")
            if type(key) is int:
                self.int_keys += 1
                if self.int_keys > MAX_INT_KEYS:
                    raise pickle.UnpicklingError(f"it has more than {MAX_INT_KEYS:,} int keys")
            into[key] = value

    def _global(self, names: str) -> None:
        module, _, name = names.partition(" ")
        self._named(module, name)

    def _stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        self._named(module, name)

    def _named(self, module: Any, name: Any) -> None:
        if (type(module), type(name)) != (str, str):
            raise pickle.UnpicklingError("it names what is no name")
        if (module, name) not in _NAMES:
            _refuse(f"names {module}.{name}")
        self.stack.append(_NAMES[module, name])

    def _reduce(self) -> None:
        args, function = self.pop(), self.pop()
        if type(args) is not tuple:
            raise pickle.UnpicklingError(f"it calls with a {type(args).__name__}")
        if function is _Name.RECONSTRUCT:
            self.stack.append(RecordedArray())
        elif function is _Name.DTYPE:
            self.stack.append(RecordedDtype(args[0]))
        elif function is _Name.ENCODE:
            self.stack.append(self._encoded(*args))
        elif function is _Name.BYTES and not args:
            self.stack.append(b"")
        else:
            _refuse(f"calls a {type(function).__name__}")

    def _encoded(self, text: Any, encoding: Any = "latin1") -> bytes:
        if type(text) is not str or encoding not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError("it encodes something else than a text as latin1")
        self.left -= len(text)
        if self.left < 0:
            raise pickle.UnpicklingError("it makes more bytes than it has: a bomb?")
        return text.encode("latin1")

    def _build(self) -> None:
        state, into = self.pop(), self.top()
        if type(into) is RecordedArray:
            into.state = state
        elif type(into) is not RecordedDtype:  # whose state is byte order and such
            _refuse(f"sets the state of a {type(into).__name__}")


def _refuse(what: str) -> NoReturn:
    raise pickle.UnpicklingError(
        f"it {what}, and a batch of pictures needs only arrays, lists, numbers and strings: the "
        "file is not the publisher's and may be hostile"
    )
