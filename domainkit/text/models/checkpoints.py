"""``read_checkpoint``: the tensors of a published file or folder, with nothing else unpickled.

Known are safetensors and torch files, single or in shards with an index, as Hugging Face lays them
out; torch files of torchtext (the state alone); and of fairseq (the state under "model", beside
the arguments of the training).
"""

from __future__ import annotations

import argparse
import json
import pickle
from pathlib import Path
from typing import Any

import torch

from domainkit.errors import DecodeError, NotFoundError

__all__ = ["read_checkpoint"]

# in a folder, the best first: safetensors cannot hold code
FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
INNER = ("model", "state_dict", "module")  # where other things stand beside the state


def read_checkpoint(path: str | Path) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint under the publisher's names, on the CPU.

    Args:
        path: a file (.safetensors; .bin, .pt, .pth; an index.json of shards), or a folder with one
            of the files that Hugging Face's models have.

    Raises:
        NotFoundError: no such file, no known one in the folder, or a shard is missing.
        DecodeError: a damaged file, or one that holds more than tensors and plain values.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     torch.save({"model": {"weight": torch.zeros(2)}}, f"{folder}/pytorch_model.bin")
        ...     read_checkpoint(folder)
        {'weight': tensor([0., 0.])}
    """
    path = Path(path)
    if path.is_dir():
        found = next((path / name for name in FILES if (path / name).is_file()), None)
        if found is None:
            raise NotFoundError(f"{path}: there is none of {', '.join(FILES)} in this folder")
        path = found
    if not path.is_file():
        raise NotFoundError(f"{path}: no such checkpoint")
    if path.name.endswith(".index.json"):
        return _sharded(path)
    if path.suffix == ".safetensors":
        return _safetensors(path)
    return _torch(path)


def _sharded(index: Path) -> dict[str, torch.Tensor]:
    try:
        places: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    except (ValueError, KeyError, UnicodeDecodeError) as error:
        raise DecodeError(f"{index}: no index of shards: {error!r}") from error
    state: dict[str, torch.Tensor] = {}
    for name in sorted({*places.values()}):
        if Path(name).name != name:  # an index may not lead out of its folder
            raise DecodeError(f"{index}: {name!r} is no file beside it")
        if not (index.parent / name).is_file():
            raise NotFoundError(f"{index.parent / name}: this shard is missing: fetch it again")
        state |= read_checkpoint(index.parent / name)
    if missing := places.keys() - state.keys():
        raise DecodeError(f"{index}: the shards lack {min(missing)} and {len(missing) - 1} more")
    return state


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise DecodeError(f"{path}: no safetensors file: {error}") from error


def _torch(path: Path) -> dict[str, torch.Tensor]:
    try:
        # fairseq keeps its arguments in a Namespace, which holds plain values
        with torch.serialization.safe_globals([argparse.Namespace]):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[:1] or [type(error).__name__]
        raise DecodeError(
            f"{path}: no torch file of tensors and plain values: {reason[0]}"
        ) from error
    state = _inner(loaded)
    if state is None:
        raise DecodeError(f"{path}: holds {type(loaded).__name__} and no table of tensors")
    return state


def _inner(loaded: Any) -> dict[str, torch.Tensor] | None:
    if not isinstance(loaded, dict):
        return None
    for key in INNER:
        if isinstance(loaded.get(key), dict):
            return _inner(loaded[key])
    state = {str(k): v for k, v in loaded.items() if isinstance(v, torch.Tensor)}
    return state or None
