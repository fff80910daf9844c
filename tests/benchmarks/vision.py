"""How fast pictures are transformed: domainkit beside what people use today.

Run: ``python tests/benchmarks/vision.py`` (``--row "color jitter"`` for one row, ``--threads 1 2``,
``--json FILE``). Peers that are not installed are left out: kornia, timm, albumentations (with
albucore, opencv-python-headless, stringzilla, simsimd). To keep them out of an environment, install
them by ``pip install --no-deps --target SITE ...`` and set ``PYTHONPATH=SITE``.

All peers work in one process and take turns, round by round, as the speed of a machine changes from
minute to minute; a ratio is the median over the rounds of a peer's time by domainkit's in the same
round: above 1, domainkit is quicker. What each peer does is in ``tests/support/vision_peers.py``; a
note in brackets says where that is not the same work.

The claims, with one thread: flip + affine + jitter + normalize at least 6 times torchvision's loop,
flip + jitter + normalize 20 times, every single step at least level with the best; from JPEG files
1.25 times torchvision in training and 1.35 in evaluation; two threads 1.8 times one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import torch  # noqa: E402
from support import vision_peers as peers  # noqa: E402

ROWS = (*peers.FILE_ROWS, *peers.BATCH_ROWS, *peers.FLOAT_ROWS)


def seconds(job: Callable[[], Any]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def measure(jobs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Peer -> seconds of each round. One that fails is told and left out."""
    times: dict[str, list[float]] = {}
    for name, job in jobs.items():
        try:
            job()  # compilers, caches and lazy set-up are paid here
            times[name] = []
        except Exception as error:  # a peer that fails must not stop the others
            print(f"    {name}: left out, {type(error).__name__}: {error}"[:150])
    names = list(times)
    for number in range(rounds):
        for k in range(len(names)):
            name = names[(k + number) % len(names)]
            times[name].append(seconds(jobs[name]))
    return times


def report(row: str, times: dict[str, list[float]], size: int) -> dict[str, Any]:
    """Print a row's table; median milliseconds per picture and ratios."""
    result: dict[str, Any] = {}
    ours = times.get("domainkit")
    for name, values in times.items():
        each = statistics.median(values) / size * 1e3
        result[name] = {"ms": each}
        ratio = ""
        if ours and name != "domainkit":
            pairs = [theirs / mine for theirs, mine in zip(values, ours, strict=True)]
            result[name]["x"] = statistics.median(pairs)
            ratio = f"{result[name]['x']:7.2f} x  ({min(pairs):.2f} to {max(pairs):.2f})"
        print(f"    {name:44} {each:8.3f} ms each {ratio}", flush=True)
    return result


def run(given: argparse.Namespace) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for threads in given.threads:
        torch.set_num_threads(threads)
        print(f"\n{threads} thread{'s' if threads > 1 else ''}, {given.batch} pictures a round")
        for row in given.row or ROWS:
            print(f"  {row}")
            try:
                make = peers.file_jobs if row in peers.FILE_ROWS else peers.batch_jobs
                jobs = make(row, given.batch)
            except AttributeError as error:  # a transform that is not there
                print(f"    left out: {error}")
                continue
            times = measure(jobs, given.rounds)
            results[f"{row}, {threads} threads"] = report(row, times, given.batch)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--row", action="append", choices=ROWS, help="one row (again for more)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, default=64, help="pictures a round")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    given = parser.parse_args()
    results = run(given)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
