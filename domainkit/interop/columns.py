"""Arrow columns into our values: which feature a column is, and its values row by row.

What a column is comes from, in this order: the user's ``features=``; the facts that domainkit wrote
along (schema metadata ``domainkit``); those of Hugging Face (``huggingface``); the Arrow type; and
for bytes, the first bytes of the first value.
"""

from __future__ import annotations

import functools
import importlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from domainkit.errors import ReaderError
from domainkit.features import (
    Audio,
    Boxes,
    Feature,
    Float,
    Image,
    Int,
    Label,
    Mask,
    Tensor,
    Text,
    Tokens,
    feature_from_spec,
)
from domainkit.interop.media import kind_of_bytes
from domainkit.interop.own import Overrides

__all__ = ["features_of", "info_of", "told_features", "values"]

HELP = (
    "Say what it is with features={{{0!r}: {{'type': 'Tensor', 'shape': [...]}}}} (or Image, "
    "Audio, Text, Label, Int, Float, Tokens, Boxes), or leave it out with features={{{0!r}: None}}"
)


def features_of(schema: Any, given: Overrides, first: Callable[[str], Any]) -> dict[str, Feature]:
    """The features of the columns of an Arrow schema that are not left out.

    Args:
        schema: a ``pyarrow.Schema``.
        given: the user's overrides.
        first: column name -> the first value of it that is not null (bytes), or None.

    Raises:
        ReaderError: a column that we have no feature for, or an override for no column.
    """
    missing = [name for name in given if name not in schema.names]
    if missing:
        raise ReaderError(
            f"features names {missing[0]!r}; the columns are {', '.join(schema.names)}"
        )
    if twice := [name for name in set(schema.names) if schema.names.count(name) > 1]:
        raise ReaderError(f"two columns are called {twice[0]!r}: rename one")
    ours, hub = told_features(schema)
    found: dict[str, Feature] = {}
    for field in schema:
        name = field.name
        if name in given:
            feature = given[name]
        elif name in ours:
            feature = feature_from_spec(ours[name], f"column {name!r}")
        else:
            peek = functools.partial(first, name)
            feature = _of_hub(hub.get(name), peek) or _of_type(field.type, peek)
            if feature is None:
                raise ReaderError(
                    f"column {name!r} is {field.type}, which is no feature by itself. "
                    + HELP.format(name)
                )
        if feature is not None:
            found[name] = feature
    return found


def told_features(schema: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a schema's metadata says of its columns: domainkit's specs, Hugging Face's specs."""
    ours = _metadata(schema, b"domainkit").get("features", {})
    hub = _metadata(schema, b"huggingface").get("info", {}).get("features") or {}
    return ours, hub


def info_of(schema: Any) -> dict[str, Any]:
    """The facts that domainkit wrote along: dataset name, split, licence."""
    info = _metadata(schema, b"domainkit").get("info", {})
    return info if isinstance(info, dict) else {}


def _metadata(schema: Any, key: bytes) -> dict[str, Any]:
    try:
        facts = json.loads((schema.metadata or {}).get(key, b"{}"))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _of_hub(spec: Any, first: Callable[[], Any]) -> Feature | None:
    """The feature of a Hugging Face spec where it says more than the Arrow type does."""
    kind = spec.get("_type") if isinstance(spec, dict) else None
    if kind == "ClassLabel" and spec.get("names"):
        return Label(tuple(spec["names"]))
    if kind == "Image":
        return Image(spec["mode"] if spec.get("mode") in ("L", "LA", "RGBA") else "RGB")
    if kind == "Audio":
        return Audio(_true_rate(spec.get("sampling_rate"), first()))
    if kind in ("Array2D", "Array3D", "Array4D", "Array5D") and None not in spec["shape"]:
        return Tensor(spec["dtype"], tuple(spec["shape"]))
    return None


def _true_rate(rate: int | None, data: bytes | None) -> int | None:
    """The rate, if a recording has it: to the hub it is what to resample to on decoding."""
    import soundfile

    try:
        return (
            rate if rate and data and soundfile.info(io.BytesIO(data)).samplerate == rate else None
        )
    except soundfile.SoundFileError:
        return None


def _of_type(kind: Any, first: Callable[[], Any]) -> Feature | None:
    import pyarrow as pa

    t = pa.types
    if isinstance(kind, pa.FixedShapeTensorType):
        return Tensor(_numpy_name(kind.value_type), tuple(kind.shape))
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if t.is_dictionary(kind):
        kind = kind.value_type
    if t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
        return Text()
    if t.is_boolean(kind) or t.is_integer(kind):
        return Int()
    if t.is_floating(kind) or t.is_decimal(kind):
        return Float()
    if _is_bytes(kind) or (t.is_struct(kind) and kind.get_field_index("bytes") >= 0):
        found = kind_of_bytes(first() or b"")
        return None if found is None else Image() if found[0] == "image" else Audio()
    shape = []
    inner = kind
    while t.is_fixed_size_list(inner):
        shape.append(inner.list_size)
        inner = inner.value_type
    if shape and (t.is_integer(inner) or t.is_floating(inner)):
        return Tensor(_numpy_name(inner), tuple(shape))
    if (t.is_list(kind) or t.is_large_list(kind)) and t.is_integer(kind.value_type):
        return Tokens()
    return None


def _is_bytes(kind: Any) -> bool:
    import pyarrow as pa

    t = pa.types
    return (
        t.is_binary(kind) or t.is_large_binary(kind) or t.is_binary_view(kind)
        or t.is_fixed_size_binary(kind)
    )  # fmt: skip


def _numpy_name(kind: Any) -> str:
    return str(np.dtype(kind.to_pandas_dtype()))


def values(array: Any, feature: Feature, *, where: str, files: bool = False) -> Iterable[Any]:
    """The values of one Arrow array, one per row, in the form that ``feature.encode`` takes.

    Args:
        array: a ``pyarrow.Array``.
        feature: what the column is.
        where: begins the messages: which rows of which column these are.
        files: whether Hugging Face's ``{bytes: null, path: "..."}`` may read that local file. Not
            for files from strangers: they would choose which of your files to read.

    Raises:
        ReaderError: a null, or a type that does not become the feature.
    """
    import pyarrow as pa

    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.null_count and not isinstance(feature, Float):
        raise ReaderError(
            f"{where} has {array.null_count} nulls: fill or drop these rows, or leave the column "
            "out with features={...: None}"
        )
    try:
        return _convert(array, feature, files)
    except (pa.ArrowException, ValueError, TypeError, OSError) as error:
        raise ReaderError(
            f"{where} is {array.type}, which does not become {type(feature).__name__}: {error}"
        ) from error


def _convert(array: Any, feature: Feature, files: bool) -> Iterable[Any]:  # noqa: PLR0911
    import pyarrow as pa

    if isinstance(feature, Float):  # a null number is "not a number"
        return array.cast(pa.float64()).to_numpy(zero_copy_only=False).tolist()
    if isinstance(feature, Int):
        return array.cast(pa.int64()).to_pylist()
    if isinstance(feature, (Text, Label)):
        return array.to_pylist()
    if isinstance(feature, Tokens):
        return _rows(array, np.int32)
    if isinstance(feature, Boxes):
        rows = _rows(array, np.float32)
        return [row.reshape(-1, 4) if row.size % 4 == 0 else row for row in rows]
    if isinstance(feature, Tensor):
        rows = _rows(array, np.dtype(feature.dtype))
        return [row.reshape(feature.shape) for row in rows]
    raw_shape = feature.shape if isinstance(feature, Image) else None
    listed = pa.types.is_nested(array.type) and not pa.types.is_struct(array.type)
    if raw_shape and listed:
        return [row.reshape(raw_shape) for row in _rows(array, np.uint8)]
    encoded = _bytes(array, files)
    if raw_shape:
        codec = importlib.import_module("domainkit.vision.codec")
        mode = "L" if raw_shape[0] == 1 else "RGB"
        return [codec.decode_image(data, mode=mode).numpy() for data in encoded]
    assert isinstance(feature, (Image, Audio, Mask))
    return encoded


def _rows(array: Any, dtype: Any) -> list[np.ndarray]:
    """The numbers of each row of (nested) lists, flat; refused where they do not fit."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_nested(array.type):
        flat, ends = array, np.arange(1, len(array) + 1)
    else:
        flat, ends = array.flatten(), np.cumsum(pc.list_value_length(array).to_numpy())
        while pa.types.is_nested(flat.type):
            inner = np.concatenate([[0], np.cumsum(pc.list_value_length(flat).to_numpy())])
            flat, ends = flat.flatten(), inner[ends]
    if flat.null_count:
        raise ValueError(f"{flat.null_count} of the numbers are null")
    numbers = flat.cast(pa.from_numpy_dtype(dtype))
    return np.split(numbers.to_numpy(zero_copy_only=False), ends[:-1])


def _bytes(array: Any, files: bool) -> list[bytes]:
    import pyarrow as pa

    if _is_bytes(array.type):
        return array.to_pylist()
    if not pa.types.is_struct(array.type) or array.type.get_field_index("bytes") < 0:
        raise TypeError("expected bytes, or a struct of bytes and path")
    rows = array.to_pylist()
    return [row["bytes"] if row["bytes"] is not None else _read(row, files) for row in rows]


def _read(row: Mapping[str, Any], files: bool) -> bytes:
    path = row.get("path")
    if path and files:
        return Path(path).read_bytes()
    raise ValueError(
        f"a row holds no bytes, only the path {path!r}: embed the files when writing, or load it "
        "with the library that wrote it and use from_hf"
    )
