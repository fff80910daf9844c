"""``decode``: many picture files to one ``Ragged``, by threads, or by nvJPEG on a GPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from domainkit.errors import DecodeError
from domainkit.ragged import Ragged
from domainkit.vision.codec.orientation import JPEG, orientation, turn
from domainkit.vision.codec.single import MODES, decode_image, decode_image_into, image_shape

__all__ = ["decode"]

_NVJPEG_MODES = {"L": 1, "RGB": 3}  # -> torchvision's ImageReadMode


def decode(
    files: Sequence[str | Path | bytes | memoryview],
    mode: str = "RGB",
    *,
    device: Any = "cpu",
    threads: int | None = None,
    orient: bool = True,
) -> Ragged:
    """Decode many pictures at once.

    Args:
        files: paths, or the bytes of files, of any format that ``decode_image`` knows.
        mode: "RGB", "L", "RGBA", "LA" or "index", as for ``decode_image``.
        device: where the pictures shall be. On CUDA, JPEGs ("RGB" and "L") are decoded by nvJPEG
            where torchvision has it; its pixels differ from libjpeg's by a few levels. Everything
            else is decoded on the CPU and copied. The CUDA way has been tested by its logic only,
            never yet on a GPU.
        threads: how many decode on the CPU; None for one per core.
        orient: as for ``decode_image``.

    Returns:
        ``Ragged`` of uint8 pictures [C, H_i, W_i], channels last in memory when decoded on the CPU.

    Raises:
        DecodeError: a file is missing or damaged; the message names it by its path or its place.

    Example:
        >>> from domainkit.vision.codec import encode_png
        >>> files = [encode_png(torch.zeros(3, 2, n, dtype=torch.uint8)) for n in (4, 6)]
        >>> decode(files)
        Ragged(B=2, items=[3, 2, 4..6], dtype=uint8, device=cpu)
    """
    if mode not in MODES[:5]:
        raise DecodeError(f"mode must be one of {', '.join(map(repr, MODES[:5]))}, got {mode!r}")
    if isinstance(files, (str, Path, bytes, memoryview)):
        raise DecodeError(f"decode takes a list of files, got one {type(files).__name__}: [file]")
    if threads is not None and threads < 1:
        raise DecodeError(f"threads must be at least 1, got {threads}")
    device = torch.device(device)
    count = min(threads or os.cpu_count() or 1, max(1, len(files)))
    crew: _Alone | ThreadPoolExecutor = _Alone() if count == 1 else ThreadPoolExecutor(count)
    with crew as pool:
        datas = list(pool.map(_read, range(len(files)), files))
        nvjpeg = _nvjpeg() if device.type == "cuda" and mode in _NVJPEG_MODES else None
        if nvjpeg is None:
            return _on_host(pool, datas, files, mode, orient).to(device)
        return _by_nvjpeg(pool, datas, files, mode, orient, device=device, nvjpeg=nvjpeg)


class _Alone:
    """The calling thread in the place of a pool: handing one picture over costs .05 ms."""

    def __enter__(self) -> _Alone:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def map(self, work: Callable[..., Any], *each: Iterable[Any]) -> Iterator[Any]:
        return map(work, *each)


def _on_host(
    pool: ThreadPoolExecutor | _Alone,
    datas: list[Any],
    files: Sequence[Any],
    mode: str,
    orient: bool,
) -> Ragged:
    """Every picture decoded straight into its place in one buffer."""

    def shape(index: int) -> tuple[int, int, int]:
        found = image_shape(datas[index], mode, orient=orient)
        if found is None:  # decoding tells why, or finds the shape
            with _Named(index, files[index]):
                channels, height, width = decode_image(datas[index], mode, orient=orient).shape
            return channels, height, width
        return found

    def fill(index: int) -> None:
        height, width = int(shapes[index, 1]), int(shapes[index, 2])
        flat = values[offsets[index] : offsets[index + 1]]
        with _Named(index, files[index]):
            place = flat.view(height, width, -1).permute(2, 0, 1)
            decode_image_into(datas[index], place, mode, orient=orient)

    indices = range(len(datas))
    shapes = np.array(list(pool.map(shape, indices)), dtype=np.int64).reshape(-1, 3)
    offsets = [0, *shapes.prod(axis=1).cumsum().tolist()]
    # numpy asks the system for large pages, torch does not: new memory costs a sixth
    values = torch.from_numpy(np.empty(offsets[-1], dtype=np.uint8))
    list(pool.map(fill, indices))  # list: the first error comes out
    return Ragged.from_shapes(values, shapes, channels_last=True)


def _by_nvjpeg(
    pool: ThreadPoolExecutor | _Alone,
    datas: list[Any],
    files: Sequence[Any],
    mode: str,
    orient: bool,
    *,
    device: torch.device,
    nvjpeg: Callable[..., list[torch.Tensor]],
) -> Ragged:
    """Plain JPEGs by one call of nvJPEG, the others on the host, and all in their order."""
    plain = [i for i, data in enumerate(datas) if _is_plain(data)]
    others = [i for i in range(len(datas)) if i not in set(plain)]
    pictures: list[Any] = [None] * len(datas)
    if plain:
        encoded = [torch.frombuffer(bytearray(datas[i]), dtype=torch.uint8) for i in plain]
        try:
            found = nvjpeg(encoded, _NVJPEG_MODES[mode], device)
        except RuntimeError:  # one that nvJPEG does not do fails the whole call
            plain, others, found = [], list(range(len(datas))), []
        for i, picture in zip(plain, found, strict=True):
            pictures[i] = _turned(picture, orientation(datas[i]) if orient else 1)
    rest = _on_host(pool, [datas[i] for i in others], [files[i] for i in others], mode, orient)
    for i, picture in zip(others, rest.to(device), strict=True):
        pictures[i] = picture
    return Ragged.from_list(pictures) if pictures else rest.to(device)


def _turned(picture: torch.Tensor, found: int) -> torch.Tensor:
    """``turn`` for a tensor [C, H, W] on any device."""
    if found == 1:
        return picture
    height, width = picture.shape[1:]
    index = torch.arange(height * width).view(height, width).numpy()
    upright = torch.from_numpy(turn(index, found).copy()).to(picture.device)
    return picture.flatten(1)[:, upright]


def _is_plain(data: Any) -> bool:
    """Whether nvJPEG can be asked: a grey or YCbCr JPEG."""
    import simplejpeg

    if bytes(data[:3]) != JPEG:
        return False
    try:
        return simplejpeg.decode_jpeg_header(data)[2] not in ("CMYK", "YCCK")
    except (ValueError, KeyError, MemoryError):
        return False


def _nvjpeg() -> Callable[..., list[torch.Tensor]] | None:
    """Torchvision's op itself: its Python function warns that it will move to TorchCodec."""
    import torchvision  # noqa: F401  # registers the op

    return getattr(torch.ops.image, "decode_jpegs_cuda", None)


def _read(index: int, file: Any) -> Any:
    if isinstance(file, memoryview):
        return file.cast("B")
    if isinstance(file, bytes):
        return file
    if not isinstance(file, (str, Path)):
        raise DecodeError(f"decode takes paths or bytes, got {type(file).__name__} at {index}")
    try:
        return Path(file).read_bytes()
    except FileNotFoundError as error:
        raise DecodeError(f"{file}: no such file") from error
    except OSError as error:
        raise DecodeError(f"{file}: {error.strerror or error}") from error


class _Named:
    """Says in a ``DecodeError`` which file it was."""

    def __init__(self, index: int, file: Any) -> None:
        self._name = str(file) if isinstance(file, (str, Path)) else f"picture {index}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, DecodeError):
            raise DecodeError(f"{self._name}: {error}") from error
