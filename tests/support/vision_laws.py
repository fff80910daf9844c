"""The law of every random transform: what is drawn, how it is read, how it is to be distributed.

One line per drawn quantity. A new random transform needs its lines here; ``test_laws.py`` holds
all of them to the same rules.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.stats
import torch
from support import vision_looks as see
from support.laws import Law, alike, coin, rounded, uniform
from support.vision_looks import degrees, order_of
from torchvision.transforms import v2

from domainkit.vision import transforms as T

__all__ = ["LAWS"]


def place(start: np.ndarray, room: np.ndarray) -> np.ndarray:
    """In (0, 1): a place among the ``room + 1`` whole ones; nan where these are few."""
    return np.where(room < 30, np.nan, (start + 0.5) / (room + 1))


def cut_shares(alpha: float, n: int = 20000) -> np.ndarray:
    """Shares of a sample's own label after CutMix of 20 x 30 pictures: Yun et al., algorithm 1."""
    random = np.random.default_rng(0)
    half = 0.5 * np.sqrt(1 - random.beta(alpha, alpha, n))
    y, x = random.integers(0, 20, n), random.integers(0, 30, n)
    up, across = (half * 20).astype(int), (half * 30).astype(int)
    high = np.minimum(y + up, 20) - np.maximum(y - up, 0)
    wide = np.minimum(x + across, 30) - np.maximum(x - across, 0)
    return 1 - high * wide / 600


def first_ops() -> dict[float, float]:
    """torchvision's share of each operation as the first of AutoAugment's pair."""
    policies = v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)._policies
    shares = dict.fromkeys(range(15), 0.0)
    for (name, p, _), _ in policies:
        shares[OPS.index(name)] += p / len(policies)
    shares[0] = 1 - sum(shares.values())
    return {number: share for number, share in shares.items() if share > 1e-9}


OPS = (
    *("Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"),
    *("Brightness", "Color", "Contrast", "Sharpness"),
    *("Posterize", "Solarize", "AutoContrast", "Equalize", "Invert"),
)
STILL = (1.0, 1.0)
GREY = see.own(0.4, 0.4, 0.4)
RED = see.own(0.6, 0.2, 0.2)
PURE = see.own(1.0, 0.0, 0.0)
TWO = torch.tensor([[[0.4, 0.6]]] * 3)
AFFINE: dict[str, Any] = {"degrees": 0, "interpolation": "bilinear"}
PALE: dict[str, Any] = {"brightness": STILL, "contrast": STILL, "saturation": STILL, "hue": (0, 0)}
BLANK = torch.zeros(1, 1, 1, 1, dtype=torch.uint8)


def spread(out: torch.Tensor) -> torch.Tensor:
    flat = out.flatten(1)
    return flat.amax(1) - flat.amin(1)


def shift_of_red(out: torch.Tensor) -> torch.Tensor:
    """Turns: beside red, green grows by 6 per turn one way and blue the other way."""
    return (out[:, 1] - out[:, 2]).flatten() / 6


def blank(op: Any, draws: Any) -> Any:
    return op.drawn(BLANK.expand(len(draws), 1, 50, 50), draws)


def slot(number: int) -> see.Look:
    return see.parameter(lambda op, draws: blank(op, draws)[0][:, number])


def drawn_step(op: Any, draws: Any) -> Any:
    """TrivialAugment's step, signed, where it is told by a turn of 4.5 degrees each; else nan."""
    ops, values = blank(op, draws)
    return torch.where(ops == OPS.index("Rotate"), values / 135, torch.nan)[:, 0]


WEIGH = torch.tensor([1, 256])
FLIP, TURN = T.RandomInvert(1.0), T.RandomSolarize(100, 1.0)
LAWS: tuple[Law, ...] = (
    Law("coin", T.RandomHorizontalFlip(0.3), see.changed([[1, 2]]), coin(0.3)),
    Law("coin", T.RandomVerticalFlip(0.7), see.changed([[1], [2]]), coin(0.7)),
    Law("coin", T.RandomGrayscale(0.2), see.changed([[9]], [[1]], [[1]]), coin(0.2)),
    Law("coin", T.RandomInvert(0.3), see.changed([[9]]), coin(0.3)),
    Law("coin", T.RandomSolarize(100, 0.6), see.changed([[99, 100]]), coin(0.6)),
    Law("coin", T.RandomPosterize(3, 0.6), see.changed([[31]]), coin(0.6)),
    Law("coin", T.RandomAutocontrast(0.4), see.changed([[9, 99]]), coin(0.4)),
    Law("coin", T.RandomEqualize(0.4), see.changed([[9] * 9, [8] * 9] * 99), coin(0.4), 1000),
    Law("coin", T.RandomAdjustSharpness(2, 0.7), see.changed([[9, 99] * 2] * 4), coin(0.7)),
    Law("coin", T.RandomPerspective(0.5, 0.3), see.changed(*[[[*range(20)]] * 20]), coin(0.3), 800),
    Law("coin", T.RandomErasing(0.3), see.changed([[1] * 8] * 8), coin(0.3)),
    Law(
        "coin", T.RandomZoomOut(0, (2, 2), 0.3), see.sizes(4, 4, lambda s: s[0] / 4 - 1), coin(0.3)
    ),
    Law("coin", T.RandomApply([FLIP], 0.3), see.changed([[9]]), coin(0.3)),
    Law(
        "choice",
        T.RandomChoice([T.Identity(), FLIP, TURN], [1, 2, 5]),
        see.pixel(torch.tensor([[[9, 109]]]).byte(), lambda out: out[:, 0, 0].long() @ WEIGH),
        {9 + 109 * 256: 1 / 8, 246 + 146 * 256: 2 / 8, 9 + 146 * 256: 5 / 8},
    ),
    Law(
        "order",
        T.RandomOrder([FLIP, TURN, T.RandomHorizontalFlip(1.0)]),
        see.parameter(lambda op, draws: order_of(op.order(draws))),
        alike(*range(6)),
    ),
    Law(
        "place",
        T.RandomCrop(4, padding=1, fill=99),
        # the window's second pixel always lies in the picture
        see.pixel(torch.arange(16).view(1, 4, 4).byte(), lambda out: out[:, 0, 1, 1]),
        alike(0, 1, 2, 4, 5, 6, 8, 9, 10),
    ),
    *(
        Law(what, T.RandomResizedCrop(2, (0.1, 0.3), antialias=False), see.crop_window(read), law)
        for what, read, law in (
            ("area", lambda box: see.area(box) / 120000, uniform(0.1, 0.3)),
            (
                "ratio",
                lambda box: np.log(box[3] / box[2]),
                uniform(math.log(3 / 4), math.log(4 / 3)),
            ),
            ("top", lambda box: place(box[0], 300 - box[2]), uniform(0, 1)),
            ("left", lambda box: place(box[1], 400 - box[3]), uniform(0, 1)),
        )
    ),
    *(
        Law(what, T.RandomErasing(1.0, (0.05, 0.15), (0.5, 2.0)), see.erased(read), law, 1500)
        for what, read, law in (
            ("area", lambda box: see.area(box) / 12000, uniform(0.05, 0.15)),
            ("ratio", lambda box: np.log(box[2] / box[3]), uniform(-math.log(2), math.log(2))),
            ("top", lambda box: place(box[0], 120 - box[2]), uniform(0, 1)),
            ("left", lambda box: place(box[1], 100 - box[3]), uniform(0, 1)),
        )
    ),
    Law(
        "angle",
        T.RandomAffine(**{**AFFINE, "degrees": 30}),
        # clockwise, with y downwards
        see.affine(lambda a, t: degrees(a[:, 0, 1], a[:, 0, 0])),
        uniform(-30, 30),
    ),
    Law(
        "scale",
        T.RandomAffine(**AFFINE, scale=(0.7, 1.3)),
        see.affine(lambda a, t: 1 / np.sqrt(np.linalg.det(a))),
        uniform(0.7, 1.3),
    ),
    Law(
        "shift along x",
        T.RandomAffine(**AFFINE, translate=(0.1, 0.2)),
        see.affine(lambda a, t: -t[:, 0].round(3)),
        rounded(4),
    ),
    Law(
        "shift along y",
        T.RandomAffine(**AFFINE, translate=(0.1, 0.2)),
        see.affine(lambda a, t: -t[:, 1].round(3)),
        rounded(6),
    ),
    Law(
        "shear along x",
        T.RandomAffine(**AFFINE, shear=(-8, 5, -3, 4)),
        see.affine(lambda a, t: degrees(a[:, 0, 1], a[:, 1, 1])),
        uniform(-8, 5),
    ),
    Law(
        "shear along y",
        T.RandomAffine(**AFFINE, shear=(-8, 5, -3, 4)),
        see.affine(lambda a, t: degrees(a[:, 1, 0], a[:, 1, 1])),
        uniform(-3, 4),
    ),
    Law(
        "angle",
        T.RandomRotation((10, 50), "bilinear"),
        see.affine(lambda a, t: degrees(-a[:, 0, 1], a[:, 0, 0])),  # counter-clockwise
        uniform(10, 50),
    ),
    *(
        Law(
            f"corner {number} along {'xy'[axis]}",
            T.RandomPerspective(0.3, 1.0),
            see.corner(number, axis),
            # torchvision: as far as 0.3 of half of 40 and of 30, from the corner inwards
            alike(*(abs(end - k) for k in range((7, 5)[axis]))),
            1000,
        )
        for number, ends in enumerate([(0, 0), (39, 0), (39, 29), (0, 29)])
        for axis, end in enumerate(ends)
    ),
    Law(
        "side",
        T.RandomZoomOut(0, (1.5, 3.0), 1.0),
        see.zoom(lambda box: (box[2] + 0.5) / 50),
        uniform(1.5, 3.0),
        800,
    ),
    Law(
        "top",
        T.RandomZoomOut(0, (2.0, 4.0), 1.0),
        see.zoom(lambda box: place(box[0], box[2] - 51)),
        uniform(0, 1),
        500,
    ),
    Law(
        "left",
        T.RandomZoomOut(0, (2.0, 4.0), 1.0),
        see.zoom(lambda box: place(box[1], box[3] - 51)),
        uniform(0, 1),
        500,
    ),
    Law(
        "scale",
        T.ScaleJitter((100, 100), (0.5, 2.0), "nearest"),
        see.sizes(4, 4, lambda s: (s[0] + 0.5) / 100),
        uniform(0.5, 2.0),
        800,
    ),
    Law(
        "side",
        T.RandomResize(8, 16, "nearest"),
        see.sizes(10, 20, lambda s: s[0]),
        alike(*range(8, 16)),
    ),
    Law(
        "side",
        T.RandomShortestSize((8, 11, 14), None, "nearest"),
        see.sizes(20, 10, lambda s: s[1]),
        alike(8, 11, 14),
    ),
    Law("side", T.RandomIoUCrop(0.6, 1.0, 0.1, 10.0, (0.0,)), see.iou_crop, uniform(0.6, 1.0), 800),
    Law(
        "brightness",
        T.ColorJitter(brightness=0.4),
        see.pixel(GREY, lambda out: out[:, 0] / 0.4),
        uniform(0.6, 1.4),
    ),
    Law(
        "contrast",
        T.ColorJitter(contrast=0.4),
        see.pixel(TWO, lambda out: spread(out) / 0.2),
        uniform(0.6, 1.4),
    ),
    Law(
        "saturation",
        T.ColorJitter(saturation=(0.2, 1.5)),
        see.pixel(RED, lambda out: spread(out) / 0.4),
        uniform(0.2, 1.5),
    ),
    Law("hue", T.ColorJitter(hue=0.1), see.pixel(PURE, shift_of_red), uniform(-0.1, 0.1)),
    Law(
        "order",
        T.ColorJitter(0.4, 0.4, 0.4, 0.1),
        see.parameter(lambda op, draws: order_of(op.amounts(draws)[1])),
        alike(*range(24)),
        4000,
    ),
    Law(
        "order of channels",
        T.RandomChannelPermutation(),
        see.pixel(
            torch.tensor([0, 1, 2]).byte().view(3, 1, 1), lambda out: order_of(out.flatten(1))
        ),
        alike(*range(6)),
    ),
    # the channels come in another order as well: what is read is the same for all of them
    Law(
        "brightness",
        T.RandomPhotometricDistort(**{**PALE, "brightness": (0.5, 1.5)}, p=1.0),
        see.pixel(GREY, lambda out: out[:, 0] / 0.4),
        uniform(0.5, 1.5),
    ),
    Law(
        "contrast",
        T.RandomPhotometricDistort(**{**PALE, "contrast": (0.5, 1.5)}, p=1.0),
        see.pixel(TWO, lambda out: spread(out) / 0.2),
        uniform(0.5, 1.5),
    ),
    Law(
        "saturation",
        T.RandomPhotometricDistort(**{**PALE, "saturation": (0.5, 1.5)}, p=1.0),
        see.pixel(RED, lambda out: spread(out) / 0.4),
        uniform(0.5, 1.5),
    ),
    Law(
        "hue",
        T.RandomPhotometricDistort(**{**PALE, "hue": (-0.05, 0.05)}, p=1.0),
        see.pixel(PURE, lambda out: out.flatten(1).median(1).values / 6),
        uniform(0, 0.05),
    ),
    Law(
        "coin of brightness",
        T.RandomPhotometricDistort(**{**PALE, "brightness": (2.0, 2.0)}, p=0.3),
        see.changed(*[[[0.4]]] * 3, dtype=torch.float32),
        coin(0.3),
    ),
    Law(
        "order of channels",
        T.RandomPhotometricDistort(**PALE, p=1.0),
        see.pixel(
            torch.tensor([0, 1, 2]).byte().view(3, 1, 1), lambda out: order_of(out.flatten(1))
        ),
        alike(*range(6)),
    ),
    Law("sigma", T.GaussianBlur(9, (0.5, 2.0)), see.blur_sigma, uniform(0.5, 2.0)),
    Law(
        "a pixel's noise",
        T.GaussianNoise(0.1, 0.2, clip=False),
        see.pixel(torch.zeros(1, 24, 24), lambda out: out[:, 0, 7, 11]),
        scipy.stats.norm(0.1, 0.2),
        2000,
    ),
    Law("quality", T.JPEG((10, 19)), see.jpeg_quality, alike(*range(10, 20))),
    *(
        Law(
            f"a pixel's shift along {'xy'[axis]}",
            T.ElasticTransform((6.0, 4.0), 0.0),
            see.pixel(see.ramps(9, 9), lambda out, a=axis: out[:, a, 4, 4] - 4.5),
            uniform(*((-3, 3), (-2, 2))[axis]),
        )
        for axis in (0, 1)
    ),
    Law("first operation", T.AutoAugment("cifar10"), slot(0), first_ops()),
    *(
        Law(f"operation {number}", T.RandAugment(2, 9), slot(number), alike(*range(14)))
        for number in (0, 1)
    ),
    Law("operation", T.TrivialAugmentWide(), slot(0), alike(*range(14))),
    Law(
        "strength",
        T.TrivialAugmentWide(1001),
        see.parameter(drawn_step),
        uniform(-1, 1),
        8000,
    ),
    Law(
        "operation",
        T.AugMix(chain_depth=2),
        see.parameter(lambda op, draws: blank(op, draws)[0][:, 1, 1]),
        alike(*range(1, 14)),
    ),
    Law(
        "length of a chain",
        T.AugMix(),
        see.parameter(lambda op, draws: (blank(op, draws)[0][:, 2] != 0).sum(1)),
        alike(1, 2, 3),
    ),
    Law(
        "own share",
        T.AugMix(alpha=0.5),
        see.parameter(lambda op, draws: blank(op, draws)[2][:, 0]),
        scipy.stats.beta(0.5, 0.5),
    ),
    Law(
        "share",
        T.MixUp(0.4, num_classes=2),
        see.mixing(lambda share, x: share),
        scipy.stats.beta(0.4, 0.4),
    ),
    Law("coin", T.MixUp(2.0, 2, p=0.3), see.mixing(lambda share, x: share < 1), coin(0.3)),
    Law("share", T.CutMix(0.4, 2), see.mixing(lambda share, x: share), cut_shares(0.4)),
    Law(
        "kind",
        T.RandomMixUpCutMix(5.0, 5.0, num_classes=2, p=0.6, switch_p=0.3),
        # 0: as it was, 1: blended, 2: a box (which, at alpha 5, is never nothing)
        see.mixing(
            lambda share, x: np.where(share == 1, 0, np.where(np.ptp(x, (1, 2)) < 0.5, 1, 2))
        ),
        {0: 0.4, 1: 0.42, 2: 0.18},
    ),
)
