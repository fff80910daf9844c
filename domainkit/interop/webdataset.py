"""``from_webdataset`` and ``to_webdataset``: tar files whose members of one name are one sample.

    0001.jpg   a picture: the column "image"        0001.mask.png   the column "mask"
    0001.wav   a recording: the column "audio"      0001.rir.wav    the column "rir"
    0001.txt   UTF-8: the column "text"             0001.title.txt  the column "title"
    0001.cls   a class: the column "label"          0001.group.cls  the column "group"
    0001.npy   an array: the column "array"         0001.pose.npy   the column "pose"
    0001.json  an object: a column per key whose value is a string, a number or a list of whole
               numbers; a member of the same name goes first

The name ends at its first dot, and the members of a sample follow each other, as the webdataset
library has it. That library, and Hugging Face's reader, pass over the member ``__domainkit__``, in
which ``to_webdataset`` keeps what a tar has no place for: class names, shapes, sample rates.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from domainkit.dataset import Dataset
from domainkit.errors import ReaderError
from domainkit.features import Audio, Boxes, Feature, Image, Label, Mask, Tensor, Text
from domainkit.interop.export import is_picture, picture_bytes
from domainkit.interop.media import kind_of_bytes
from domainkit.interop.own import (
    Rows,
    expand,
    file_facts,
    override_facts,
    overrides,
    own_dataset,
    whole_file,
)
from domainkit.interop.tars import FACTS, bare_column, survey
from domainkit.progress import bar

__all__ = ["from_webdataset", "to_webdataset"]


def from_webdataset(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    features: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Dataset:
    """One or more webdataset tars (plain or compressed) as a dataset; columns as told above.

    The tars are read twice, once for the columns and once for the rows; what a plain tar holds
    besides .cls and .json is skipped the first time.

    Args:
        path: a tar, a list of tars, or a name with ``*`` or ``{000..031}``.
        features: column -> what it is instead: a ``Feature``, a card's spec of one, or None to
            leave the column out.
        name: what messages call the data; None takes the name of the first tar.

    Raises:
        NotFoundError: no such file.
        ArchiveError: a tar is damaged or not safe.
        ReaderError: samples with different columns, or a member of a type we do not know.

    Example:
        >>> import os, tempfile, unittest.mock
        >>> with tempfile.TemporaryDirectory() as home:
        ...     with tarfile.open(f"{home}/notes.tar", "w") as tar:
        ...         for key, data in {"1.txt": b"good", "1.cls": b"0"}.items():
        ...             info = tarfile.TarInfo(key)
        ...             info.size = len(data)
        ...             tar.addfile(info, io.BytesIO(data))
        ...     with unittest.mock.patch.dict(os.environ, {"DOMAINKIT_HOME": home}):
        ...         ds = from_webdataset(f"{home}/notes.tar")
        ...     ds, ds[0]
        (Dataset(notes: 1 rows; text: Text, label: Label), {'text': 'good', 'label': 0})
    """
    given = overrides(features)
    files = expand(path)
    facts = {
        "format": "webdataset",
        "files": file_facts(files),
        "features": override_facts(given),
    }

    def make() -> Rows:
        seen = survey(files, given)
        columns = seen.features(given)
        return Rows(columns, seen.records(files, columns), seen.samples, seen.info)

    return own_dataset(
        facts, make, name=name or files[0].name.partition(".")[0], place=str(files[0].resolve())
    )


def to_webdataset(ds: Dataset, path: str | os.PathLike[str]) -> None:
    """Write all rows to one webdataset tar, which appears when it is complete.

    Media is written as stored, raw pictures as PNG. Columns that have no member type of their own
    go into one .json per sample.

    Example:
        >>> import tempfile
        >>> from domainkit.dataset import load_dataset
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ds = load_dataset("text/sentiment-sentences", "test[:2]")
        ...     to_webdataset(ds, f"{folder}/t.tar")
        ...     with tarfile.open(f"{folder}/t.tar") as tar:
        ...         tar.getnames()[:3]
        ['__domainkit__', '00000.txt', '00000.cls']
    """
    digits = max(5, len(str(len(ds) - 1)))
    facts = {
        "features": {name: feature.spec() for name, feature in ds.features.items()},
        "info": ds.info,
    }
    for column in ds.columns:
        if "/" in column:
            raise ReaderError(f"column {column!r}: a webdataset column has no '/' in its name")
    with (
        whole_file(path) as temporary,
        tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar,
        bar(f"write {Path(path).name}", len(ds), unit="rows") as progress,
    ):
        _add(tar, FACTS, json.dumps(facts).encode())
        for i in range(len(ds)):
            rest: dict[str, Any] = {}
            for column, raw in ds.raw(i, checked=True).items():
                feature = ds.features[column]
                member = _member(feature, raw)
                if member is None:
                    rest[column] = _plain(feature, raw)
                else:
                    _add(tar, f"{i:0{digits}d}.{_suffix(column, member[0])}", member[1])
            if rest:
                _add(tar, f"{i:0{digits}d}.json", json.dumps(rest).encode())
            progress.advance(1)


def _member(feature: Feature, raw: Any) -> tuple[str, bytes] | None:
    """The extension and bytes of a value that is a member of its own; None for the .json."""
    if isinstance(feature, Image) and is_picture(feature):
        data = picture_bytes(feature, raw)
        return _extension(data, "image"), data
    if isinstance(feature, (Audio, Mask)):
        data = bytes(raw)
        return _extension(data, "audio" if isinstance(feature, Audio) else "image"), data
    if isinstance(feature, Text):
        return "txt", bytes(raw)
    if isinstance(feature, Label):
        return "cls", str(raw).encode()
    if isinstance(feature, (Tensor, Image)):
        out = io.BytesIO()
        np.save(out, feature.decode(raw).numpy(), allow_pickle=False)
        return "npy", out.getvalue()
    return None


def _extension(data: bytes, kind: str) -> str:
    found = kind_of_bytes(data[:16])
    if found is None or found[0] != kind:  # damaged, or a format that we do not know by its start
        return {"image": "png", "audio": "wav"}[kind]
    return found[1]


def _plain(feature: Feature, raw: Any) -> Any:
    if feature.storage == "list":
        return raw.reshape(-1, 4).tolist() if isinstance(feature, Boxes) else raw.tolist()
    return raw


def _suffix(column: str, extension: str) -> str:
    return extension if column == bare_column(extension) else f"{column}.{extension}"


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o644
    tar.addfile(info, io.BytesIO(data))
