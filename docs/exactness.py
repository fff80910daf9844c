"""How exactly the vision transforms agree with torchvision, measured; writes a page.

Run ``python docs/exactness.py`` to write ``docs/exactness-vision.md`` again from what this machine
computes. ``tests/vision/test_exactness.py`` measures again and holds the page to it.

Each transform is made with arguments that leave nothing to chance (a range of one number, a
probability of 1), here and in ``torchvision.transforms.v2``, and both get the same pictures:
photographs of odd and even sizes, cut down to a column, a row and a single pixel, grey ones too.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

PAGE = Path(__file__).with_name("exactness-vision.md")
TITLE = """\
# How exact the vision transforms are

Largest difference between a transform here and the one of the same name in
`torchvision.transforms.v2` on the same pictures: photographs of {sizes} pixels (height x width),
in colour and grey. uint8 in levels of 255, against torchvision's uint8 path and against its path in
floating numbers, rounded; float32 in units of the range 0..1. `python docs/exactness.py` measures
again and writes this page; a test holds the page to what it measures.
"""
REMARKS = """\
Where torchvision draws at random and no argument can fix the draw (perspective, elastic, random
crops, erasing, the automatic policies, mixing), the tests hand what was drawn here to torchvision's
functions and compare the same way: see the transform's own entry under
[Vision transforms](api/transforms-vision.md), *Exactness*.

A warp without interpolation takes the nearest pixel, and where a point lies in the middle between
two, a rounding decides: a few values are those of the other pixel (table below).

torchvision's uint8 bicubic on a CPU clips between its two directions, which near sharp edges is
several levels off its own path in floating numbers; here the result is that of the latter.
"""


@dataclass(frozen=True)
class Case:
    """A transform with arguments that leave nothing to chance."""

    name: str
    args: dict[str, Any] = field(default_factory=dict)
    colors: tuple[int, ...] = (3, 1)
    smallest: int = 1  # shortest side that torchvision takes
    floats: bool = True
    bytes: bool = True

    @property
    def title(self) -> str:
        inner = ", ".join(f"{k}={_short(v)}" for k, v in self.args.items())
        return f"{self.name}({inner})"


CASES = (
    Case("Resize", {"size": (61, 83)}),
    Case("Resize", {"size": (700, 501)}),
    Case("Resize", {"size": (61, 83), "interpolation": "bicubic"}),
    Case("Resize", {"size": (61, 83), "interpolation": "nearest"}),
    Case("CenterCrop", {"size": (64, 57)}),
    Case("Pad", {"padding": (3, 1, 4, 2), "fill": 7}, floats=False),
    Case("Pad", {"padding": (3, 1, 4, 2), "padding_mode": "reflect"}, smallest=8),
    Case("Pad", {"padding": (3, 1, 4, 2), "padding_mode": "symmetric"}, smallest=8),
    Case("Pad", {"padding": (3, 1, 4, 2), "padding_mode": "edge"}),
    Case("RandomHorizontalFlip", {"p": 1.0}),
    Case("RandomVerticalFlip", {"p": 1.0}),
    Case("FiveCrop", {"size": (31, 40)}, smallest=64),
    Case("TenCrop", {"size": (31, 40)}, smallest=64),
    Case(
        "RandomAffine",
        {
            "degrees": (17, 17),
            "scale": (0.8, 0.8),
            "shear": (8, 8, -4, -4),
            "interpolation": "bilinear",
        },
    ),
    Case("RandomRotation", {"degrees": (30, 30), "interpolation": "bilinear"}),
    Case("RandomRotation", {"degrees": (30, 30), "interpolation": "bilinear", "expand": True}),
    Case("ColorJitter", {"brightness": (1.4, 1.4)}),
    Case("ColorJitter", {"contrast": (0.6, 0.6)}),
    Case("ColorJitter", {"saturation": (1.7, 1.7)}),
    Case("ColorJitter", {"hue": (0.2, 0.2)}),
    Case("Grayscale", {"num_output_channels": 1}, colors=(3,)),
    Case("RandomGrayscale", {"p": 1.0}, colors=(3,)),
    Case("RandomInvert", {"p": 1.0}),
    Case("RandomSolarize", {"threshold": 128, "p": 1.0}, floats=False),
    Case("RandomSolarize", {"threshold": 0.5, "p": 1.0}, bytes=False),
    Case("RandomPosterize", {"bits": 3, "p": 1.0}),
    Case("RandomAutocontrast", {"p": 1.0}),
    Case("RandomEqualize", {"p": 1.0}),
    Case("RandomAdjustSharpness", {"sharpness_factor": 1.7, "p": 1.0}),
    Case("GaussianBlur", {"kernel_size": 5, "sigma": (1.3, 1.3)}, smallest=8),
    Case("GaussianBlur", {"kernel_size": (3, 7), "sigma": (0.7, 0.7)}, smallest=8),
    Case("JPEG", {"quality": (60, 60)}, colors=(3,), floats=False),
    Case("Normalize", {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.25)}, (3,), bytes=False),
    Case("ToDtype", {"dtype": "float32", "scale": True}),
)
# a point midway between two pixels may fall to either: the share of values that differ is told
NEAREST = (
    Case("RandomAffine", {"degrees": (17, 17), "scale": (1.2, 1.2), "shear": (8, 8, -4, -4)}),
    Case("RandomRotation", {"degrees": (30, 30), "expand": True}),
)
SIZES = ((241, 320), (128, 96), (37, 53), (64, 1), (1, 9), (1, 1))


def photographs() -> Iterator[torch.Tensor]:
    """uint8 [1, C, H, W] of every size, in colour and grey."""
    from sklearn.datasets import load_sample_images

    for source in load_sample_images().images:
        whole = torch.from_numpy(source.copy()).permute(2, 0, 1)[None]
        for height, width in SIZES:
            picture = whole[:, :, 60 : 60 + height, 90 : 90 + width]
            yield picture
            yield picture[:, 1:2]


def measure(case: Case) -> dict[str, float]:
    """Largest differences: "uint8" and "rounded" (levels), "float32"; absent where not run."""
    from torchvision.transforms import v2

    from domainkit.vision import transforms as T

    ours = getattr(T, case.name)(**case.args)
    theirs = getattr(v2, case.name)(**_theirs(case.args))
    worst: dict[str, float] = {}
    for x in photographs():
        if x.shape[1] not in case.colors or min(x.shape[2:]) < case.smallest:
            continue
        floats = x / 255
        if case.bytes:
            mine = ours(x)
            with warnings.catch_warnings():
                # torchvision's own JPEG transform uses its own deprecated encoder
                warnings.filterwarnings("ignore", "The image decoding", DeprecationWarning)
                _note(worst, "uint8", mine, theirs(x))
            if case.floats and case.name != "ToDtype":
                _note(worst, "rounded", mine, _rounded(theirs(floats)))
        if case.floats:
            _note(worst, "float32", ours(floats), theirs(floats))
    return worst


def share(case: Case) -> float:
    """Of all values of all photographs, uint8, the share that differs from torchvision's."""
    from torchvision.transforms import v2

    from domainkit.vision import transforms as T

    ours = getattr(T, case.name)(**case.args)
    theirs = getattr(v2, case.name)(**_theirs(case.args))
    pairs = [(ours(x), theirs(x)) for x in photographs()]
    return sum(int((a != b).sum()) for a, b in pairs) / sum(a.numel() for a, _ in pairs)


def page() -> str:
    """The whole page."""
    sizes = ", ".join(f"{h} x {w}" for h, w in SIZES)
    lines = [
        *TITLE.format(sizes=sizes).splitlines(),
        "",
        "| Transform | uint8 | uint8 against float, rounded | float32 |",
        "|---|---|---|---|",
    ]
    for case in CASES:
        worst = measure(case)
        cells = [_number(worst.get(key)) for key in ("uint8", "rounded", "float32")]
        lines.append(f"| `{case.title}` | {' | '.join(cells)} |")
    lines += ["", *REMARKS.splitlines(), "", "| Warp to the nearest pixel | values that differ |"]
    lines += ["|---|---|"]
    lines += [f"| `{case.title}` | {share(case):.1e} |" for case in NEAREST]
    return "\n".join(lines) + "\n"


def _theirs(args: dict[str, Any]) -> dict[str, Any]:
    from torchvision.transforms import InterpolationMode

    changed = dict(args)
    if "interpolation" in changed:
        changed["interpolation"] = InterpolationMode(changed["interpolation"])
    if "dtype" in changed:
        changed["dtype"] = getattr(torch, changed["dtype"])
    return changed


def _note(worst: dict[str, float], key: str, mine: Any, theirs: Any) -> None:
    pairs = zip(mine, theirs, strict=True) if isinstance(theirs, tuple) else [(mine, theirs)]
    for a, b in pairs:
        assert a.shape == b.shape, (a.shape, b.shape)
        difference = (a.double() - b.double()).abs().max().item() if a.numel() else 0.0
        worst[key] = max(worst.get(key, 0.0), difference)


def _rounded(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(_rounded(part) for part in x)
    return (x.double() * 255).round().clamp(0, 255)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return "0" if value == 0 else f"{value:.0f}" if value >= 1 else f"{value:.1e}"


def _short(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
