"""IDX files, the format of the MNIST family.

A header of big-endian numbers - two zero bytes, a type (8 = uint8), the number of dimensions, the
sizes - and then the values. The format is Y. LeCun's; files may be compressed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from domainkit.archive import open_stream
from domainkit.errors import ReaderError

__all__ = ["read_idx"]

_UINT8 = 8
_CHUNK = 1 << 20  # bytes of pictures held at a time
_LARGEST = 1 << 26  # pixels of one picture: more than that is a damaged header


def read_idx(files: Mapping[str, Path], split: str) -> Iterator[dict[str, Any]]:
    """The rows of an IDX file of pictures and one of labels, in the order of the files.

    Args:
        files: "images" (uint8 [N, H, W]) and "labels" (uint8 [N]).
        split: not used: each split has files of its own.

    Yields:
        ``image`` np.uint8 [1, H, W] and ``label`` int. A few megabytes are held at a time.

    Raises:
        ReaderError: not IDX, other types or sizes, or the two files do not agree.
        ArchiveError: a compressed file is damaged.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     images, labels = Path(name, "images"), Path(name, "labels")
        ...     one, two = bytes([0, 0, 0, 1]), bytes([0, 0, 0, 2])
        ...     _ = images.write_bytes(bytes([0, 0, 8, 3]) + one + one + two + bytes([9, 7]))
        ...     _ = labels.write_bytes(bytes([0, 0, 8, 1]) + one + bytes([5]))
        ...     list(read_idx({"images": images, "labels": labels}, "train"))
        [{'image': array([[[9, 7]]], dtype=uint8), 'label': 5}]
    """
    with open_stream(files["images"]) as images, open_stream(files["labels"]) as labels:
        shape = _header(images, files["images"], dims=3)
        (count,) = _header(labels, files["labels"], dims=1)
        if count != shape[0]:
            raise ReaderError(
                f"{files['images']} has {shape[0]:,} pictures and {files['labels']} has {count:,} "
                "labels: they do not belong together"
            )
        size = math.prod(shape[1:])
        if not 0 < size <= _LARGEST:
            raise ReaderError(
                f"{files['images']}: its header gives pictures of {shape[1]:,} x {shape[2]:,} "
                f"pixels; expected 1 to {_LARGEST:,} pixels"
            )
        step = max(1, _CHUNK // size)
        for start in range(0, count, step):
            n = min(step, count - start)
            pixels = np.frombuffer(_exactly(images, n * size, files["images"]), np.uint8)
            classes = _exactly(labels, n, files["labels"])
            for image, label in zip(pixels.reshape(n, 1, *shape[1:]), classes, strict=True):
                yield {"image": image, "label": label}
        for stream, role in ((images, "images"), (labels, "labels")):
            if stream.read(1):
                raise ReaderError(f"{files[role]} goes on after the last of its {count:,} rows")


def _header(stream: BinaryIO, path: Path, dims: int) -> tuple[int, ...]:
    magic = _exactly(stream, 4, path)
    if magic != bytes([0, 0, _UINT8, dims]):
        raise ReaderError(
            f"{path} is not an IDX file of uint8 with {dims} dimension(s): expected it to start "
            f"with 00 00 08 {dims:02x}, got {magic.hex(' ')}"
        )
    sizes = np.frombuffer(_exactly(stream, 4 * dims, path), ">u4")
    return tuple(int(n) for n in sizes)


def _exactly(stream: BinaryIO, n: int, path: Path) -> bytes:
    data = stream.read(n)
    if len(data) != n:
        raise ReaderError(f"{path} ends too early: {n - len(data):,} bytes are missing")
    return data
