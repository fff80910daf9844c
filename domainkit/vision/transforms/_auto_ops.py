"""The operations of the automatic augmentations, by number, and what their magnitudes mean.

Operations, magnitudes and signs are torchvision's (v2).
"""

from __future__ import annotations

import torch

from domainkit.vision.transforms._images import constants
from domainkit.vision.transforms._program import Code

__all__ = ["AT", "CODES", "OPS", "amounts_of", "bends", "codes_of", "matrices"]

OPS = (
    *("Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"),
    *("Brightness", "Color", "Contrast", "Sharpness"),
    *("Posterize", "Solarize", "AutoContrast", "Equalize", "Invert"),
)
AT = {name: number for number, name in enumerate(OPS)}
CODES = {
    "Brightness": Code.BRIGHTNESS,
    "Color": Code.SATURATION,
    "Contrast": Code.CONTRAST,
    "Posterize": Code.POSTERIZE,
    "Solarize": Code.SOLARIZE,
    "AutoContrast": Code.AUTOCONTRAST,
    "Equalize": Code.EQUALIZE,
    "Invert": Code.INVERT,
}


def bends(op: torch.Tensor) -> torch.Tensor:
    """bool [B]: whether an operation moves pixels."""
    return (op >= AT["ShearX"]) & (op <= AT["Rotate"])


def codes_of(op: torch.Tensor) -> torch.Tensor:
    """int64 [B]: which step of a ``Program`` an operation is."""
    codes = [int(CODES.get(name, Code.NONE)) for name in OPS]
    return constants(codes, torch.int64, op.device)[op]


def amounts_of(op: torch.Tensor, value: torch.Tensor, bound: float) -> torch.Tensor:
    """float32 [B]: magnitudes as ``Program`` takes them."""
    blends = (op >= AT["Brightness"]) & (op <= AT["Contrast"])
    out = torch.where(blends, 1.0 + value, value)
    return torch.where(op == AT["Solarize"], bound * value, out).to(torch.float32)


def matrices(op: torch.Tensor, value: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """float64 [n, 3, 3]: from the output to the input, in continuous pixel coordinates."""
    matrix = torch.eye(3, dtype=torch.float64, device=op.device).repeat(len(op), 1, 1)
    # shears keep the upper left corner where it is
    matrix[:, 0, 1] = torch.where(op == AT["ShearX"], value, 0.0)
    matrix[:, 1, 0] = torch.where(op == AT["ShearY"], value, 0.0)
    # shifts are whole pixels, cut towards 0
    matrix[:, 0, 2] = torch.where(op == AT["TranslateX"], -value.trunc(), 0.0)
    matrix[:, 1, 2] = torch.where(op == AT["TranslateY"], -value.trunc(), 0.0)
    # turns are about the centre c, anticlockwise to the eye: p -> R (p - c) + c
    turn = op == AT["Rotate"]
    angle = torch.where(turn, value, 0.0).deg2rad()
    cos, sin = angle.cos(), angle.sin()
    y, x = (sizes.to(torch.float64) / 2).unbind(1)
    rows = (
        (torch.stack([cos, -sin, x - cos * x + sin * y], 1)),
        (torch.stack([sin, cos, y - sin * x - cos * y], 1)),
    )
    for i, row in enumerate(rows):
        matrix[:, i] = torch.where(turn[:, None], row, matrix[:, i])
    return matrix
