"""The page of pictures: one photo, and what eight samples of a batch become under each transform.

``hooks.py`` calls it while the site is built, so the pictures are those of the code as it is. The
photo, ``pictures/cat.jpg``, is scikit-image's Chelsea (Stefan van der Walt, CC0), made smaller.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

from domainkit import Draws, Ragged
from domainkit.vision import transforms as T
from domainkit.vision.codec import decode_image

__all__ = ["DEMOS", "contact_sheet", "demo", "pages", "photo"]

PHOTO = Path(__file__).with_name("pictures") / "cat.jpg"
TILE = 112  # pixels
DRAWS = 8
FACE = (56.0, 30.0, 190.0, 172.0)  # xyxy of the cat's face in the photo
TITLE = """\
# Vision transforms in pictures

One photo eight times in a batch: every sample has a draw of its own. The title links to what the
arguments mean. Where boxes are drawn, they followed the picture.
"""

# heading -> (name, arguments) of what is shown under it; each is tried once per entry
DEMOS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "Size and place": [
        ("Resize", {"size": 64}),
        ("CenterCrop", {"size": 128}),
        ("Pad", {"padding": 20, "padding_mode": "reflect"}),
        ("RandomCrop", {"size": 140}),
        ("RandomResizedCrop", {"size": 112}),
        ("RandomResize", {"min_size": 40, "max_size": 160}),
        ("RandomShortestSize", {"min_size": [48, 96, 144]}),
        ("ScaleJitter", {"target_size": (112, 112)}),
        ("RandomZoomOut", {"p": 1.0, "side_range": (1.0, 2.5), "fill": 128}),
        ("RandomIoUCrop", {}),
        ("RandomHorizontalFlip", {}),
        ("RandomVerticalFlip", {}),
        ("RandomRotation", {"degrees": 45, "interpolation": "bilinear"}),
        (
            "RandomAffine",
            {"degrees": 20, "translate": (0.1, 0.1), "scale": (0.7, 1.2), "shear": 15},
        ),
        ("RandomPerspective", {"p": 1.0}),
        ("ElasticTransform", {"alpha": 80.0}),
    ],
    "Colour": [
        ("ColorJitter", {"brightness": 0.4, "contrast": 0.4, "saturation": 0.6, "hue": 0.2}),
        ("RandomPhotometricDistort", {}),
        ("Grayscale", {"num_output_channels": 3}),
        ("RandomGrayscale", {"p": 0.5}),
        ("RandomChannelPermutation", {}),
        ("RandomInvert", {}),
        ("RandomSolarize", {"threshold": 128}),
        ("RandomPosterize", {"bits": 2}),
        ("RandomAutocontrast", {}),
        ("RandomEqualize", {}),
    ],
    "Filters and noise": [
        ("RandomAdjustSharpness", {"sharpness_factor": 6.0}),
        ("GaussianBlur", {"kernel_size": 9, "sigma": (0.1, 4.0)}),
        ("GaussianNoise", {"sigma": 0.15}),
        ("JPEG", {"quality": (2, 40)}),
        ("RandomErasing", {"p": 1.0}),
    ],
    "Automatic": [
        ("AutoAugment", {}),
        ("RandAugment", {}),
        ("TrivialAugmentWide", {}),
        ("AugMix", {}),
    ],
    "Mixing": [
        ("MixUp", {"num_classes": 8}),
        ("CutMix", {"num_classes": 8}),
    ],
}


def photo() -> torch.Tensor:
    """uint8 [3, 210, 245]."""
    return decode_image(PHOTO.read_bytes())


def demo(name: str, args: dict[str, Any]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Eight pictures [3, H, W] and their boxes [1, 4] after the transform."""
    op = getattr(T, name)(**args)
    batch: dict[str, Any] = {"image": photo().expand(DRAWS, -1, -1, -1).contiguous()}
    if isinstance(op, T.MixUp | T.CutMix):  # two different pictures make a mixture visible
        batch["image"][1::2] = batch["image"][1::2].flip(1)
        batch = {"image": batch["image"] / 255, "label": torch.arange(DRAWS)}
    elif op.kind == "geometry" and name != "ElasticTransform":
        boxes = torch.tensor(FACE).expand(DRAWS, 1, 4).reshape(DRAWS, 4)
        batch["boxes"] = Ragged.from_shapes(boxes.contiguous(), [1] * DRAWS)
    done = op(batch, Draws(seed=3, epoch=0, ids=torch.arange(DRAWS)))
    shown = [p if p.dtype == torch.uint8 else (p * 255).round().byte() for p in done["image"]]
    pictures = [p.expand(3, -1, -1) for p in shown]
    return pictures, list(done.get("boxes", []))


def contact_sheet(pictures: list[torch.Tensor], boxes: list[torch.Tensor]) -> Image.Image:
    """The pictures side by side, all to one scale, boxes drawn in."""
    columns = 4
    largest = max(max(p.shape[1:]) for p in pictures)
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (columns * (TILE + 4), rows * (TILE + 4)), "white")
    for i, picture in enumerate(pictures):
        tile = Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())
        draw = ImageDraw.Draw(tile)
        for box in boxes[i].tolist() if i < len(boxes) else []:
            draw.rectangle(box, outline=(255, 60, 0), width=max(2, largest // 80))
        scale = TILE / largest
        size = (max(1, round(tile.width * scale)), max(1, round(tile.height * scale)))
        corner = (i % columns * (TILE + 4) + 2, i // columns * (TILE + 4) + 2)
        sheet.paste(tile.resize(size, Image.Resampling.LANCZOS), corner)
    return sheet


def pages() -> dict[str, str | bytes]:
    """The page and its pictures: their places in ``docs/`` and their content."""
    lines, files = [*TITLE.splitlines(), "", "![the photo](pictures/cat.jpg)"], {}
    for heading, demos in DEMOS.items():
        lines += ["", f"## {heading}"]
        for name, args in demos:
            out = io.BytesIO()
            contact_sheet(*demo(name, args)).save(out, "JPEG", quality=85)
            place = f"pictures/transforms/{name}.jpg"
            files[place] = out.getvalue()
            anchor = f"api/transforms-vision.md#{getattr(T, name).__module__}.{name}"
            inner = ", ".join(f"{k}={v!r}" for k, v in args.items())
            lines += ["", f"### [{name}]({anchor})", "", f"`{name}({inner})`", ""]
            lines += [f"![eight samples of {name}]({place})"]
    return {"vision-gallery.md": "\n".join(lines) + "\n", **files}
