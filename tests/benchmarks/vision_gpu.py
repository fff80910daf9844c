"""How fast a GPU transforms pictures: domainkit beside torchvision, kornia and a plain copy.

Run: ``python tests/benchmarks/vision_gpu.py`` on a machine with CUDA (``--batch``, ``--rounds``,
``--row "whole chain"``, ``--json FILE``); without CUDA it says so and ends with exit code 2. It
needs torch, torchvision, Triton and numpy; kornia takes part where it can be imported.

Pictures are uint8 [B, 3, 375, 500] on the GPU. All peers work in one process and take turns; a time
is the median over the rounds, by CUDA events, and a ratio the median over the rounds of a peer's
time by domainkit's in the same round: above 1, domainkit is quicker. "copy" is the floor: uint8
pictures of the result's size read once, and written once in the result's dtype.

Before a row is measured, domainkit's result is compared with that of its torch form on the same
GPU with the same draws; where they differ by more than a row allows, the row ends with "WRONG" and
the run with exit code 1. The torch form is measured too.
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

Job = Callable[[], Any]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
JITTER = (0.4, 0.4, 0.4, 0.1)
# row -> how far the two forms may be apart: a level in pixels is 1 / 255 / 0.225 once normalised,
# and colour steps may double it
ROWS = {
    "whole chain": 8 / 255 / 0.224,
    "flip + jitter + normalize": 2 / 255 / 0.224,
    "random resized crop": 1.0,
    "affine": 1.0,
}


def ours(row: str) -> Any:
    from domainkit.vision import transforms as d

    crop, flip = d.RandomResizedCrop(224), d.RandomHorizontalFlip(0.5)
    finish = [d.ColorJitter(*JITTER), d.ToDtype("float32", scale=True), d.Normalize(MEAN, STD)]
    steps = {
        "whole chain": [crop, flip, *finish],
        "flip + jitter + normalize": [flip, *finish],
        "random resized crop": [crop],
        "affine": [d.RandomAffine(15, translate=(0.1, 0.1), scale=(0.8, 1.2))],
    }[row]
    return d.Compose(steps)


def torchvision_job(row: str, x: torch.Tensor) -> Job:
    """A transform called for one picture after the other, as its parameters are drawn per call."""
    from torchvision.transforms import v2

    crop, flip = v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip(0.5)
    finish = [
        v2.ColorJitter(*JITTER),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, STD),
    ]
    linear = v2.InterpolationMode.BILINEAR
    step = v2.Compose(
        {
            "whole chain": [crop, flip, *finish],
            "flip + jitter + normalize": [flip, *finish],
            "random resized crop": [crop],
            "affine": [v2.RandomAffine(15, (0.1, 0.1), (0.8, 1.2), interpolation=linear)],
        }[row]
    )
    return lambda: torch.stack([step(picture) for picture in x])


def kornia_jobs(row: str, x: torch.Tensor) -> dict[str, Job]:
    """kornia draws per sample too; it works on float32 pictures and so converts first."""
    try:
        import kornia.augmentation as k
    except Exception:  # not there, or not for this torch
        return {}
    crop, flip = k.RandomResizedCrop((224, 224)), k.RandomHorizontalFlip(0.5)
    finish = [k.ColorJitter(*JITTER), k.Normalize(torch.tensor(MEAN), torch.tensor(STD))]
    steps = {
        "whole chain": [crop, flip, *finish],
        "flip + jitter + normalize": [flip, *finish],
        "random resized crop": [crop],
        "affine": [k.RandomAffine(15, (0.1, 0.1), (0.8, 1.2), p=1.0)],
    }[row]
    sequence = torch.nn.Sequential(*steps).to(x.device)

    def run() -> torch.Tensor:
        done: torch.Tensor = sequence(x.float() / 255)
        return done

    return {"kornia": run, "kornia, compiled": torch.compile(run)}


def pictures(batch: int, device: str) -> torch.Tensor:
    """Smooth pictures with some noise: both the filters and the colour steps have work to do."""
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(batch, 3, 12, 16, generator=generator).to(device)
    x = torch.nn.functional.interpolate(small, (375, 500), mode="bicubic")
    x = x + 0.1 * torch.rand(x.shape[1:], generator=generator).to(device)
    return (x * 255).clamp_(0, 255).to(torch.uint8)


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


def compare(row: str, chain: Any, x: torch.Tensor) -> dict[str, float | bool]:
    """How far domainkit's quickest form is from its torch form."""
    from domainkit.draws import Draws
    from domainkit.vision.transforms.kernels.forms import use_form

    worst, total, right = 0.0, 0.0, True
    for epoch in range(3):
        draws = Draws(1, epoch, torch.arange(len(x)))
        got = chain(x, draws)
        with use_form("torch"):
            want = chain(x, draws)
        off = (got.double() - want.double()).abs()
        right &= got.dtype == want.dtype and got.shape == want.shape
        worst, total = max(worst, off.max().item()), total + off.mean().item() / 3
    return {"max": worst, "mean": total, "right": right and worst <= ROWS[row] * 1.0001}


def run_row(row: str, batch: int, rounds: int) -> dict[str, Any]:
    from domainkit.draws import Draws
    from domainkit.vision.transforms.kernels.forms import use_form

    x, chain, ids = pictures(batch, "cuda"), ours(row), torch.arange(batch)
    difference = compare(row, chain, x)
    verdict = "" if difference["right"] else "   WRONG"
    print(
        f"\n{row}, {batch} pictures\n    from the torch form: at most {difference['max']:.3g}, "
        f"mean {difference['mean']:.3g}{verdict}"
    )
    epoch = iter(range(1 << 30))

    def domainkit() -> Any:
        return chain(x, Draws(1, next(epoch), ids))

    def torch_form() -> Any:
        with use_form("torch"):
            return domainkit()

    out = domainkit()
    floor = torch.zeros(out.shape, dtype=torch.uint8, device="cuda")
    jobs: dict[str, Job] = {"domainkit": domainkit, "domainkit, torch form": torch_form}
    jobs |= {"torchvision, one by one": torchvision_job(row, x), **kornia_jobs(row, x)}
    jobs["copy"] = lambda: out.copy_(floor)
    times = measure(jobs, rounds)
    result: dict[str, Any] = {"difference": difference}
    for name, values in times.items():
        result[name] = {"ms": statistics.median(values)}
        line = f"    {name:26} {result[name]['ms']:10.3f} ms"
        if "domainkit" in times and name != "domainkit":
            pairs = [a / b for a, b in zip(values, times["domainkit"], strict=True)]
            result[name]["x"] = statistics.median(pairs)
            line += f" {result[name]['x']:9.3f} x  ({min(pairs):.3f} to {max(pairs):.3f})"
        print(line, flush=True)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--row", action="append", choices=ROWS, help="one row (again for more)")
    parser.add_argument("--batch", type=int, default=256, help="pictures a round")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("vision_gpu.py needs a GPU with CUDA, and torch sees none here.", file=sys.stderr)
        return 2
    import torchvision

    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, torchvision", end=" ")
    print(torchvision.__version__)
    results = {row: run_row(row, given.batch, given.rounds) for row in given.row or ROWS}
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0 if all(r["difference"]["right"] for r in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
