"""Our rows as Arrow record batches, with the facts that other readers need beside them.

    feature   Arrow                          Hugging Face
    Image     struct {bytes, path}           Image, with its mode; raw pictures become PNG
    Audio     struct {bytes, path}           Audio
    Mask      struct {bytes, path}           Image
    Text      string                         Value("string")
    Label     int64                          ClassLabel with its names
    Int       int64                          Value("int64")
    Float     double                         Value("float64")
    Tokens    list of int32                  Sequence
    Boxes     list of float32 [4]            Sequence of Sequence
    Tensor    fixed-size lists, nested       Sequence of Sequence ...

The schema's metadata has the features twice: under ``huggingface`` in the form that the library
``datasets`` reads, and under ``domainkit`` so that nothing is lost on the way back.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from domainkit.dataset import Dataset
from domainkit.features import Boxes, Feature, Image, Label, Tensor, Tokens
from domainkit.progress import bar

__all__ = ["arrow_schema", "picture_bytes", "record_batches"]

MAX_ROWS = 10_000
MAX_BYTES = 64 << 20


def arrow_schema(ds: Dataset) -> Any:
    """The ``pyarrow.Schema`` of a dataset on its way out."""
    import pyarrow as pa

    hub = {name: _hub(feature) for name, feature in ds.features.items()}
    ours = {
        "features": {name: feature.spec() for name, feature in ds.features.items()},
        "info": ds.info,
    }
    return pa.schema(
        [pa.field(name, _arrow(feature)) for name, feature in ds.features.items()],
        metadata={
            b"domainkit": json.dumps(ours).encode(),
            b"huggingface": json.dumps({"info": {"features": hub}}).encode(),
        },
    )


def record_batches(ds: Dataset, schema: Any, title: str) -> Iterator[Any]:
    """All rows as ``pyarrow.RecordBatch``es of at most 10,000 rows or about 64 MB."""
    import pyarrow as pa

    convert = {name: _converter(feature) for name, feature in ds.features.items()}
    columns: dict[str, list[Any]] = {name: [] for name in convert}
    size = count = 0
    with bar(title, len(ds), unit="rows") as progress:
        for i in range(len(ds)):
            for name, raw in ds.raw(i, checked=True).items():
                columns[name].append(convert[name](raw))
                size += raw.nbytes if hasattr(raw, "nbytes") else 8
            count += 1
            if count == MAX_ROWS or size >= MAX_BYTES or i == len(ds) - 1:
                arrays = [pa.array(columns[f.name], type=f.type) for f in schema]
                yield pa.record_batch(arrays, schema=schema)
                progress.advance(count)
                columns = {name: [] for name in convert}
                size = count = 0


def picture_bytes(feature: Image, raw: Any) -> bytes:
    """The encoded bytes of a stored picture: as published, or a raw one as PNG (no loss)."""
    if not feature.shape:
        return bytes(raw)
    codec = importlib.import_module("domainkit.vision.codec")
    return codec.encode_png(feature.decode(raw))


def is_picture(feature: Feature) -> bool:
    """Whether an image file can hold the column: raw arrays of 1 or 3 channels can."""
    return isinstance(feature, Image) and (not feature.shape or feature.shape[0] in (1, 3))


def _converter(feature: Feature) -> Callable[[Any], Any]:
    kind = type(feature).__name__
    if is_picture(feature):
        return lambda raw: {"bytes": picture_bytes(feature, raw), "path": None}  # type: ignore[arg-type]
    if kind in ("Audio", "Mask"):
        return lambda raw: {"bytes": bytes(raw), "path": None}
    if kind == "Text":
        return lambda raw: str(raw, "utf-8")
    if isinstance(feature, Boxes):
        return lambda raw: raw.reshape(-1, 4).tolist()
    if isinstance(feature, (Tensor, Image)):
        return lambda raw: feature.decode(raw).tolist()
    return lambda raw: raw


def _arrow(feature: Feature) -> Any:
    import pyarrow as pa

    kind = type(feature).__name__
    if is_picture(feature) or kind in ("Audio", "Mask"):
        return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    if kind == "Text":
        return pa.string()
    if isinstance(feature, Tokens):
        return pa.list_(pa.int32())
    if isinstance(feature, Boxes):
        return pa.list_(pa.list_(pa.float32(), 4))
    dtype, shape = _array_of(feature)
    nested = pa.from_numpy_dtype(dtype)
    for side in reversed(shape):
        nested = pa.list_(nested, side)
    return nested


def _hub(feature: Feature) -> dict[str, Any]:
    kind = type(feature).__name__
    if isinstance(feature, Image) and is_picture(feature):
        mode = {1: "L", 3: "RGB"}[feature.shape[0]] if feature.shape else feature.mode
        return {"mode": mode, "_type": "Image"}
    if kind == "Audio":
        return {"sampling_rate": feature.sample_rate, "_type": "Audio"}  # type: ignore[attr-defined]
    if kind == "Mask":
        return {"mode": "L", "_type": "Image"}
    if isinstance(feature, Label) and feature.names:
        return {"names": list(feature.names), "_type": "ClassLabel"}
    if kind == "Text":
        return {"dtype": "string", "_type": "Value"}
    if isinstance(feature, Tokens):
        return _sequence({"dtype": "int32", "_type": "Value"})
    if isinstance(feature, Boxes):
        return _sequence(_sequence({"dtype": "float32", "_type": "Value"}, 4))
    dtype, shape = _array_of(feature)
    spec: dict[str, Any] = {"dtype": str(dtype), "_type": "Value"}
    for side in reversed(shape):
        spec = _sequence(spec, side)
    return spec


def _sequence(inner: dict[str, Any], length: int = -1) -> dict[str, Any]:
    # releases before 4 know no "List"; every release reads "Sequence"
    return {"feature": inner, "length": length, "_type": "Sequence"}


def _array_of(feature: Feature) -> tuple[np.dtype, tuple[int, ...]]:
    if isinstance(feature, Tensor):
        return np.dtype(feature.dtype), feature.shape
    if isinstance(feature, Image):
        return np.dtype(np.uint8), feature.shape or ()
    if isinstance(feature, Label):
        return np.dtype(np.int64), ()
    return np.dtype(feature.dtype_stored), ()
