"""What one row costs in a store, beside other keepers of rows: ``loader.py --what store``.

Four measures, each the same for all: the bytes of a picture's file (about 110 KB) at a random
place, a decoded row of 28 x 28 pixels and a label at a random place, 256 such rows as one batch,
and opening. A view is not the bytes: so domainkit stands there with and without the copy that a
file or HF datasets make. webdataset cannot reach a random row and gives the next one. All files
are in the page cache. Keepers take turns, round by round, each in a short run.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from support import loader_data
from support.loader_jobs import median

__all__ = ["run"]

BATCH = 256
MEASURES = {  # measure -> what is measured, and the calls of one run
    "raw": ("bytes of a picture's file", 300),
    "row": ("a decoded row of 28 x 28 and its label", 300),
    "batch": (f"{BATCH} such rows as a batch", 8),
    "open": ("opening", 3),
}


@dataclass(frozen=True)
class Way:
    """One way to do what is measured: ``make`` gives a call that takes a row, or rows."""

    measure: str
    name: str
    make: Callable[[Path], Callable[[Any], Any]]
    package: str = "domainkit"
    in_order: bool = False  # gives the next row, whichever is asked for


# --- the ways -------------------------------------------------------------------------------------


def _store(folder: Path, name: str) -> Any:
    from domainkit.store import Store

    return Store(folder / name)


def _rows(folder: Path) -> Any:
    from domainkit.dataset import Dataset

    return Dataset(_store(folder, "small-store"))


def _hf(folder: Path, name: str, form: str | None = None) -> Any:
    from datasets import load_from_disk

    return load_from_disk(str(folder / name)).with_format(form)


def _view(folder: Path) -> Callable[[int], Any]:
    raw = _store(folder, "pictures-store").raw
    return lambda i: raw(i)["image"]


def _copied(folder: Path) -> Callable[[int], Any]:
    raw = _store(folder, "pictures-store").raw
    return lambda i: bytes(raw(i)["image"])


def _hf_raw(folder: Path) -> Callable[[int], Any]:
    rows = _hf(folder, "pictures-hf")
    return lambda i: rows[i]["image"]


def _hf_arrow(folder: Path) -> Callable[[int], Any]:
    rows = _hf(folder, "pictures-hf", "arrow")
    return lambda i: rows[i]["image"][0].as_buffer()


def _file(folder: Path) -> Callable[[int], Any]:
    paths = [str(folder / "pictures" / f"{i:06d}.jpg") for i in range(loader_data.PICTURES)]

    def read(i: int) -> bytes:
        with open(paths[i], "rb") as opened:
            return opened.read()

    return read


def _shards(folder: Path, name: str) -> Iterator[Any]:
    import webdataset

    return iter(webdataset.WebDataset(str(folder / name), shardshuffle=False).repeat())


def _tar_raw(folder: Path) -> Callable[[int], Any]:
    rows = _shards(folder, "pictures.tar")
    return lambda i: next(rows)["jpg"]


def _small_row(row: Any) -> tuple[torch.Tensor, int]:
    """From a row of webdataset or of loose files: the image's bytes, then the label's."""
    pixels = np.frombuffer(bytearray(row[0]), np.uint8).reshape(1, 28, 28)
    return torch.from_numpy(pixels), int(row[1])


def _tar_row(folder: Path) -> Callable[[int], Any]:
    rows = _shards(folder, "small.tar")

    def read(i: int) -> Any:
        row = next(rows)
        return _small_row((row["bin"], row["cls"]))

    return read


def _file_row(folder: Path) -> Callable[[int], Any]:
    here = folder / "small-loose"
    paths = [str(here / f"{i:06d}.bin") for i in range(len(list(here.glob("*.bin"))))]

    def read(i: int) -> Any:
        with open(paths[i], "rb") as opened:
            return _small_row((opened.read(), i % 10))

    return read


def _stacked(make: Callable[[Path], Callable[[int], Any]]) -> Any:
    def made(folder: Path) -> Callable[[Any], Any]:
        read = make(folder)

        def batch(rows: Any) -> Any:
            found = [read(i) for i in rows]
            return torch.stack([f[0] for f in found]), torch.tensor([f[1] for f in found])

        return batch

    return made


def _hf_bytes(folder: Path) -> Callable[[int], Any]:
    rows = _hf(folder, "small-hf-bytes")
    return lambda i: _small_row(tuple(rows[i].values()))


def _hf_bytes_batch(folder: Path) -> Callable[[Any], Any]:
    rows = _hf(folder, "small-hf-bytes")

    def batch(wanted: Any) -> Any:
        found = rows[wanted]
        pixels = np.frombuffer(bytearray(b"".join(found["image"])), np.uint8)
        return torch.from_numpy(pixels.reshape(-1, 1, 28, 28)), torch.tensor(found["label"])

    return batch


def _hf_rows(form: str | None) -> Any:
    return lambda folder: _hf(folder, "small-hf", form).__getitem__


def _in_memory(folder: Path) -> Callable[[Any], Any]:
    rows = _rows(folder)
    whole = rows.batch(range(len(rows)))
    return lambda rows: (whole["image"][rows], whole["label"][rows])


def _list_folder(folder: Path) -> Callable[[Any], Any]:
    import os

    return lambda _: sorted(entry.path for entry in os.scandir(folder / "small-loose"))


WAYS = [
    Way("raw", "domainkit, Store.raw, a view", _view),
    Way("raw", "domainkit, Store.raw, copied", _copied),
    Way("raw", "datasets, plain", _hf_raw, "datasets"),
    Way("raw", "datasets, Arrow format, a view", _hf_arrow, "datasets"),
    Way("raw", "loose files", _file),
    Way("raw", "webdataset, the next", _tar_raw, "webdataset", True),
    Way("row", "domainkit, Dataset", lambda folder: _rows(folder).__getitem__),
    Way("row", "datasets, torch format", _hf_rows("torch"), "datasets"),
    Way("row", "datasets, numpy format", _hf_rows("numpy"), "datasets"),
    Way("row", "datasets, pixels as bytes", _hf_bytes, "datasets"),
    Way("row", "loose files", _file_row),
    Way("row", "webdataset, the next", _tar_row, "webdataset", True),
    Way("batch", "domainkit, Dataset.batch", lambda folder: _rows(folder).batch),
    Way("batch", "datasets, torch format", _hf_rows("torch"), "datasets"),
    Way("batch", "datasets, numpy format", _hf_rows("numpy"), "datasets"),
    Way("batch", "datasets, pixels as bytes", _hf_bytes_batch, "datasets"),
    Way("batch", "loose files, stacked", _stacked(_file_row)),
    Way("batch", "webdataset, the next, stacked", _stacked(_tar_row), "webdataset", True),
    Way("batch", "tensors in memory", _in_memory),
    Way("open", "domainkit, Dataset(Store)", lambda folder: lambda _: _rows(folder)),
    Way("open", "domainkit, and the first row", lambda folder: lambda _: _rows(folder)[0]),
    Way("open", "datasets, load_from_disk",
        lambda folder: lambda _: _hf(folder, "small-hf"), "datasets"),
    Way("open", "datasets, and the first row",
        lambda folder: lambda _: _hf(folder, "small-hf", "torch")[0], "datasets"),
    Way("open", "loose files, listed", _list_folder),
    Way("open", "webdataset, and the first row",
        lambda folder: lambda _: next(_shards(folder, "small.tar")), "webdataset"),
]  # fmt: skip


# --- measuring ------------------------------------------------------------------------------------


def run(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Measures all ways, prints them, and gives measure -> a row for each."""
    torch.set_num_threads(given.threads)
    loader_data.small(folder, given.count)
    results: dict[str, Any] = {}
    for measure, (what, calls) in MEASURES.items():
        rows = _compared([w for w in WAYS if w.measure == measure], folder, given, calls)
        _show(f"store: {what}, {given.rounds} rounds", rows)
        results[measure] = rows
    return results


def _compared(
    ways: Sequence[Way], folder: Path, given: argparse.Namespace, calls: int
) -> list[dict[str, Any]]:
    ready: dict[str, Callable[[Any], Any]] = {}
    times: dict[str, list[float]] = {}
    table: list[dict[str, Any]] = []
    count = loader_data.PICTURES if ways[0].measure == "raw" else given.count
    draw = np.random.default_rng(given.seed)
    for way in ways:
        try:
            importlib.import_module(way.package)
            ready[way.name] = way.make(folder)
            _check(way, ready[way.name], folder, count, draw)
            times[way.name] = []
        except Exception as error:  # told in the table, and the others go on
            ready.pop(way.name, None)
            table.append({"name": way.name, "error": f"{type(error).__name__}: {error}"})
    names = list(times)
    for number in range(given.rounds):
        if ways[0].measure == "batch":
            keys: Any = [draw.integers(0, count, BATCH).tolist() for _ in range(calls)]
        else:
            keys = draw.integers(0, count, calls).tolist()
        for k in range(len(names)):
            name = names[(k + number) % len(names)]
            times[name].append(_seconds(ready[name], keys))
    for name in names:
        own = times[names[0]]
        ratios = [theirs / mine for theirs, mine in zip(times[name], own, strict=True)]
        row = {"us": median(times[name]) * 1e6, "least_us": min(times[name]) * 1e6}
        spread = [min(ratios), max(ratios)]
        table.append({"name": name, **row, "ratio": median(ratios), "spread": spread})
    return table


def _seconds(call: Callable[[Any], Any], keys: Sequence[Any]) -> float:
    """Of one call, after one round that is not counted."""
    for key in keys:
        call(key)
    start = time.perf_counter()
    for key in keys:
        call(key)
    return (time.perf_counter() - start) / len(keys)


def _check(way: Way, call: Callable[[Any], Any], folder: Path, count: int, draw: Any) -> None:
    """That it gives what was written."""
    if way.measure == "raw":
        row = 0 if way.in_order else int(draw.integers(count))
        truth = (folder / "pictures" / f"{row:06d}.jpg").read_bytes()
        assert bytes(call(row)) == truth
    elif way.measure == "open":
        call(0)
    else:
        asked = range(BATCH) if way.in_order else draw.integers(0, count, BATCH).tolist()
        rows = list(asked) if way.measure == "batch" else [asked[0]]
        found = call(rows if way.measure == "batch" else rows[0])
        image, label = found.values() if isinstance(found, dict) else found
        pixels, labels = loader_data.small_rows(count)
        image = np.asarray(image).reshape(len(rows), 1, 28, 28)
        assert (image == pixels[rows]).all()
        assert (np.asarray(label).reshape(-1) == labels[rows]).all()


def _show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("way")
    for column in ("us", "least us", "x the first"):
        table.add_column(column, justify="right")
    for row in rows:
        if "error" in row:
            table.add_row(row["name"], str(row["error"])[:60])
            continue
        low, high = row["spread"]
        ratio = f"{row['ratio']:,.2f} ({low:,.2f}-{high:,.2f})"
        table.add_row(row["name"], f"{row['us']:,.2f}", f"{row['least_us']:,.2f}", ratio)
    Console(width=110).print(table)
