"""What listing a zip costs, against ``zipfile``. Run: ``python tests/benchmarks/archive_index.py``.

The claims: the names and sizes of a zip with 10,000 members are listed without extracting anything
and with every member checked on the way (its name, its kind, its compression, no overlap, limits),
in at most 1.5 times the time of ``zipfile.ZipFile(...).infolist()``, which checks nothing, and in
less memory; reading all members costs at most 1.5 times what it costs with ``zipfile``. Prints
medians of interleaved runs and their ratio, so that a busy machine is busy for both.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from domainkit.archive import walk

ROUNDS = 15


def make(path: Path, members: int) -> None:
    draw = random.Random(0)
    data = [draw.randbytes(2000) + bytes(2000) for _ in range(64)]  # half of it packs
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for i in range(members):
            file.writestr(f"set/train/class{i % 100:03}/picture_{i:06}.jpg", data[i % 64])


def ours(path: Path) -> list[tuple[str, int]]:
    return [(member.name, member.size) for member in walk(path)]


def theirs(path: Path) -> list[tuple[str, int]]:
    with zipfile.ZipFile(path) as file:
        return [(info.filename, info.file_size) for info in file.infolist()]


def ours_streamed(path: Path) -> int:
    return sum(1 for _ in walk(path))


def theirs_streamed(path: Path) -> int:
    with zipfile.ZipFile(path) as file:
        return sum(1 for _ in file.infolist())


def ours_read(path: Path) -> int:
    return sum(len(member.read()) for member in walk(path))


def theirs_read(path: Path) -> int:
    with zipfile.ZipFile(path) as file:
        return sum(len(file.read(info)) for info in file.infolist())


def seconds(call: Callable[[Path], Any], path: Path) -> float:
    start = time.perf_counter()
    call(path)
    return time.perf_counter() - start


def peak(call: Callable[[Path], Any], path: Path) -> int:
    """Most bytes that Python held at a time."""
    tracemalloc.start()
    call(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=10_000)
    count = parser.parse_args().members
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.zip"
        make(path, count)
        print(f"{count:,} members, {path.stat().st_size:,} bytes, {ROUNDS} rounds")
        assert ours(path) == theirs(path)
        pairs = {
            "list of names and sizes": (ours, theirs),
            "pass over all members": (ours_streamed, theirs_streamed),
            "read all data": (ours_read, theirs_read),
        }
        print(f"{'':26}{'walk':>12}{'zipfile':>12}{'ratio':>8}")
        for name, (mine, other) in pairs.items():
            times = [(seconds(mine, path), seconds(other, path)) for _ in range(ROUNDS)]
            a, b = (statistics.median(each) for each in zip(*times, strict=True))
            print(f"{name:26}{a * 1e3:9.1f} ms{b * 1e3:9.1f} ms{a / b:8.2f}")
            a, b = peak(mine, path), peak(other, path)
            print(f"{'  peak memory':26}{a / 1e6:9.2f} MB{b / 1e6:9.2f} MB{a / b:8.2f}")


if __name__ == "__main__":
    main()
