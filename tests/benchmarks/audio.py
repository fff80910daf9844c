"""How fast sound is worked on: domainkit beside what people use today.

Run: ``python tests/benchmarks/audio.py`` (``--row biquad`` for one row, ``--threads 1 2``). Peers
that are not installed are left out.

All peers work in one process and take turns, round by round, as the speed of a machine changes from
minute to minute; a share is the median over the rounds of domainkit's time by a peer's in the same
round: below 1, domainkit is quicker.

The aims, with one thread, of torchaudio's time: biquad at most .15, room response at most .08,
pitch shift at most .13.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from domainkit.audio import functional as F  # noqa: E402

RATE, SECONDS, BATCH = 16000, 10, 8
Jobs = dict[str, Callable[[], Any]]


def sound(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) - 0.5


def biquad() -> Jobs:
    """A low-pass of 1 kHz on 8 recordings of 10 s."""
    x = sound(BATCH, RATE * SECONDS)
    jobs: Jobs = {"domainkit": lambda: F.lowpass_biquad(x, RATE, 1000.0)}
    try:
        import torchaudio.functional as theirs

        jobs["torchaudio"] = lambda: theirs.lowpass_biquad(x, RATE, 1000.0)
    except (ImportError, OSError):
        pass
    try:
        import scipy.signal

        b, a = scipy.signal.butter(2, 1000.0, fs=RATE)
        single = x.numpy(), b.astype("float32"), a.astype("float32")
        jobs["scipy float32"] = lambda: scipy.signal.lfilter(single[1], single[2], single[0])
    except ImportError:
        pass
    return jobs


def room_response() -> Jobs:
    """8 recordings of 10 s with a response of half a second."""
    x, response = sound(BATCH, RATE * SECONDS), sound(BATCH, 8000)
    jobs: Jobs = {"domainkit": lambda: F.fftconvolve(x, response)}
    try:
        import torchaudio.functional as theirs

        jobs["torchaudio"] = lambda: theirs.fftconvolve(x, response)
    except (ImportError, OSError):
        pass
    try:
        import scipy.signal

        arrays = x.numpy(), response.numpy()
        jobs["scipy overlap-add"] = lambda: scipy.signal.oaconvolve(*arrays, axes=-1)
    except ImportError:
        pass
    return jobs


def pitch_shift() -> Jobs:
    """8 recordings of 10 s, 4 semitones up."""
    x = sound(BATCH, RATE * SECONDS)
    single = x.numpy()
    jobs: Jobs = {"domainkit": lambda: F.pitch_shift(x, RATE, 4)}
    try:
        import torchaudio.functional as theirs

        jobs["torchaudio"] = lambda: theirs.pitch_shift(x, RATE, 4)
    except (ImportError, OSError):
        pass
    try:
        import librosa

        jobs["librosa"] = lambda: librosa.effects.pitch_shift(single, sr=RATE, n_steps=4)
    except ImportError:
        pass
    try:
        import audiomentations

        shift = audiomentations.PitchShift(4, 4, p=1.0)
        jobs["audiomentations"] = lambda: [shift(row, sample_rate=RATE) for row in single]
    except ImportError:
        pass
    return jobs


ROWS: dict[str, Callable[[], Jobs]] = {
    "biquad": biquad,
    "room response": room_response,
    "pitch shift": pitch_shift,
}


def seconds(job: Callable[[], Any]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def compare(jobs: Jobs, rounds: int) -> None:
    """Print the time of each peer, and domainkit's as a share of it."""
    for job in jobs.values():
        job()  # compilers, caches and lazy set-up are paid here
    names = list(jobs)
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds):
        for k in range(len(names)):
            name = names[(k + number) % len(names)]
            times[name].append(seconds(jobs[name]))
    for name, values in times.items():
        shares = [mine / theirs for mine, theirs in zip(times["domainkit"], values, strict=True)]
        share = ""
        if name != "domainkit":
            share = f"{statistics.median(shares):7.3f}  ({min(shares):.3f} to {max(shares):.3f})"
        print(f"    {name:20} {statistics.median(values) * 1e3:9.2f} ms  {share}", flush=True)


def main() -> None:
    """Run the rows that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", action="append", choices=ROWS, help="may be given several times")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    for threads in given.threads:
        torch.set_num_threads(threads)
        print(f"\n{threads} thread{'s' if threads > 1 else ''}; share of the peer's time")
        for row in given.row or ROWS:
            print(f"  {row}: {ROWS[row].__doc__}")
            compare(ROWS[row](), given.rounds)


if __name__ == "__main__":
    main()
