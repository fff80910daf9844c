"""What recording costs: of a span, and of an epoch over the smallest samples that come with us.

Run: ``python tests/benchmarks/recorder.py [ROUNDS]``.

The claim: less than 2 % of the time of a loader over vision/fashion-mnist-mini, whose samples
(28x28 pixels, nothing to decode) are the cheapest: over pictures and recordings it is far less.
Told twice, since either can mislead: spans of an epoch times the cost of one, over the epoch's time
(an upper bound, as if all of it were on the critical path); and epochs with the recorder and with
one whose ``add`` does nothing, turn by turn, best of all rounds and median of the rounds' ratios.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import torch

import domainkit as dk
from domainkit.loader.recorder import Recorder

SPANS = 50_000


class Mute(Recorder):
    def add(self, *args: Any, **kwargs: Any) -> None:
        pass


def cost_of_a_span(kind: type[Recorder]) -> float:
    """CPU seconds of one ``add``, the loop around it left out; best of nine."""
    best = []
    for _ in range(9):
        recorder = kind()
        add, numbers = recorder.add, range(SPANS)
        start = time.thread_time()
        for k in numbers:
            add("decode", 0, 1_000, 8, k)
        middle = time.thread_time()
        for _ in numbers:
            pass
        end = time.thread_time()
        best.append((middle - start - (end - middle)) / SPANS)
    return min(best)


def epoch(loader: dk.Loader, recorder: Recorder) -> float:
    loader.recorder = recorder
    start = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - start


def main() -> None:
    torch.set_num_threads(1)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    span = cost_of_a_span(Recorder)
    print(f"a span: {1e9 * span:.0f} ns, of which {1e9 * cost_of_a_span(Mute):.0f} ns for the call")
    ds = dk.load_dataset("vision/fashion-mnist-mini", "train")
    for size, threads in ((32, 0), (32, 2), (256, 0), (256, 2)):
        loader = dk.Loader(ds, size, shuffle=True, num_threads=threads)
        epoch(loader, Recorder())  # warm
        ours, mute, ratios, counted = [], [], [], 0
        for number in range(rounds):
            recorder = Recorder()
            if number % 2:
                ours.append(epoch(loader, recorder))
                mute.append(epoch(loader, Mute()))
            else:
                mute.append(epoch(loader, Mute()))
                ours.append(epoch(loader, recorder))
            ratios.append(ours[-1] / mute[-1])
            counted = sum(stage.spans for stage in recorder.stats().stages.values())
        bound = counted * span / min(ours)
        print(
            f"batches of {size:3d}, {threads} threads: {counted:5,} spans in "
            f"{1e3 * min(ours):6.1f} ms; at most {100 * bound:.2f} %; against none: "
            f"best {100 * (min(ours) / min(mute) - 1):+.2f} %, "
            f"median {100 * (statistics.median(ratios) - 1):+.2f} %"
        )


if __name__ == "__main__":
    main()
