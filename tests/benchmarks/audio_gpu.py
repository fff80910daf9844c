"""How fast a GPU works on sound: domainkit beside torchaudio on the same GPU.

Run: ``python tests/benchmarks/audio_gpu.py`` on a machine with CUDA (``--batch``, ``--rounds``,
``--row "log-mel"``, ``--json FILE``); without CUDA it says so and ends with exit code 2. It needs
torch, Triton and numpy; torchaudio and torch-audiomentations take part where they can be imported.

Recordings are float32 [B, 1, T], 10 s, on the GPU. All peers work in one process and take turns; a
time is the median over the rounds, by CUDA events, and a ratio the median over the rounds of a
peer's time by domainkit's in the same round: above 1, domainkit is quicker.

Before a row is measured, domainkit's result is compared with that of the same transform on the
CPU with the same draws; where they differ by more than a row allows, the row ends with "WRONG" and
the run with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from domainkit.audio import transforms as d  # noqa: E402
from domainkit.draws import Draws  # noqa: E402
from domainkit.ragged import Ragged  # noqa: E402
from domainkit.recipe import load_recipe  # noqa: E402

Job = Callable[[], Any]
RATE, SECONDS = 16000, 10

# row -> the transform, the rate of its recordings, and how far GPU and CPU may be apart
ROWS: dict[str, tuple[Any, int, float]] = {
    "log-mel": (d.LogMel(RATE), RATE, 1e-3),
    "resample 48k, long filter": (
        d.Resample(48000, RATE, resampling_method="high_quality"),
        48000,
        1e-5,
    ),
    "random filter": (d.RandomFilter(RATE, p=1.0), RATE, 1e-3),
    "random noise": (d.RandomNoise(p=1.0), RATE, 1e-4),
    "random speed": (d.RandomSpeed(p=1.0), RATE, 1e-4),
    "speech-augment-1": (load_recipe("audio/speech-augment-1"), RATE, 5e-2),
}


def sound(batch: int, rate: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(batch, 1, rate * SECONDS, generator=generator)


def values(x: Any) -> torch.Tensor:
    return (x.values if isinstance(x, Ragged) else x).cpu()


def peers(row: str, x: torch.Tensor) -> dict[str, Job]:
    """What torchaudio and torch-audiomentations have for a row."""
    jobs: dict[str, Job] = {}
    try:
        import torchaudio
    except (ImportError, OSError):
        pass
    else:
        t, f = torchaudio.transforms, torchaudio.functional
        if row == "log-mel":
            mel = t.MelSpectrogram(RATE, 400, 400, 160, n_mels=80).to(x.device)
            jobs["torchaudio"] = lambda: mel(x[:, 0]).clamp(min=1e-10).log()
        elif row == "resample 48k, long filter":
            jobs["torchaudio, short filter"] = lambda: f.resample(x, 48000, RATE)
        elif row == "random filter":
            jobs["torchaudio, one for all"] = lambda: f.lowpass_biquad(x, RATE, 1000.0)
        elif row == "random noise":
            snr = torch.full(x.shape[:2], 10.0, device=x.device)
            jobs["torchaudio, one ratio"] = lambda: f.add_noise(x, torch.randn_like(x), snr)
        elif row == "random speed":
            jobs["torchaudio, one by one"] = lambda: [
                f.speed(v, RATE, 0.9 + 0.02 * (i % 10))[0] for i, v in enumerate(x)
            ]
    try:
        import torch_audiomentations as a
    except Exception:  # not there, or not for this torch
        return jobs
    if row == "random filter":
        low = a.LowPassFilter(p=1.0, output_type="dict", sample_rate=RATE)
        jobs["torch-audiomentations"] = lambda: low(x)
    elif row == "random noise":
        noise = a.AddColoredNoise(p=1.0, output_type="dict", sample_rate=RATE)
        jobs["torch-audiomentations"] = lambda: noise(x)
    return jobs


def milliseconds(job: Job) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    job()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


def measure(jobs: dict[str, Job], rounds: int) -> dict[str, list[float]]:
    """Peer -> milliseconds of each round. One that fails is told and left out."""
    times: dict[str, list[float]] = {}
    for name, job in jobs.items():
        try:
            for _ in range(3):  # compilers, caches and lazy set-up are paid here
                job()
            torch.cuda.synchronize()
            times[name] = []
        except Exception as error:  # a peer that fails must not stop the others
            print(f"    {name}: left out, {type(error).__name__}: {error}"[:150])
    names = list(times)
    for number in range(rounds):
        for k in range(len(names)):
            name = names[(k + number) % len(names)]
            times[name].append(milliseconds(jobs[name]))
    return times


def run_row(row: str, batch: int, rounds: int) -> dict[str, Any]:
    """Compare and measure a row, and print it."""
    transform, rate, allowed = ROWS[row]
    x = sound(batch, rate)
    few, draws = x[:4], Draws(1, 0, torch.arange(4))
    got, want = values(transform(few.cuda(), draws)), values(transform(few, draws))
    apart = float((got - want).abs().max()) if got.shape == want.shape else float("inf")
    right = apart <= allowed
    print(f"  {row}: GPU and CPU are {apart:.2g} apart, {allowed:g} allowed")
    there = x.cuda()
    jobs: dict[str, Job] = {"domainkit": lambda: transform(there), **peers(row, there)}
    times = measure(jobs, rounds)
    mine = times.get("domainkit", [])
    for name, each in times.items():
        ratio = ""
        if name != "domainkit" and mine:
            ratios = [theirs / own for theirs, own in zip(each, mine, strict=True)]
            ratio = f"{statistics.median(ratios):8.2f} x"
        print(f"    {name:28} {statistics.median(each):9.3f} ms {ratio}", flush=True)
    if not right:
        print("    WRONG")
    return {"row": row, "apart": apart, "right": right, "ms": times}


def main() -> int:
    """Run the rows that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", action="append", choices=ROWS, help="may be given several times")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="write the times here as well")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("there is no CUDA here")
        return 2
    name = torch.cuda.get_device_name()
    print(f"{name}, torch {torch.__version__}, {given.batch} recordings of {SECONDS} s")
    rows = [run_row(row, given.batch, given.rounds) for row in given.row or ROWS]
    if given.json:
        given.json.write_text(json.dumps({"device": name, "rows": rows}, indent=1))
    return 0 if all(row["right"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
