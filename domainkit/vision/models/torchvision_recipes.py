"""Torchvision's presets - what ``weights.transforms()`` does - as the recipes in ``transforms/``.

One file for each distinct preset, named after what it does. ``torchvision_table`` names them in the
table of weights and writes those that are not there yet; one that is there never changes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["recipe_name", "recipe_text", "steps_of", "write_missing"]

_IMAGENET, _KINETICS = (0.485, 0.456, 0.406), (0.43216, 0.394666, 0.37645)
# how a preset's name tells the means that are not the usual ones of its kind
_MEANS = {
    (0.5, 0.5, 0.5): "-centered",
    (0.48235, 0.45882, 0.40784): "-levels",
    (0.45, 0.45, 0.45): "-mean45",
    _IMAGENET: "-imagenet",
}
_TO_FLOAT = {"op": "ToDtype", "dtype": "float32", "scale": True}


def steps_of(preset: Any) -> list[dict[str, Any]]:
    """The steps that equal one of torchvision's presets."""
    kind = type(preset).__name__
    if kind == "ObjectDetection":
        return [_TO_FLOAT]
    if kind == "OpticalFlow":
        half = [0.5, 0.5, 0.5]
        return [_TO_FLOAT, {"op": "Normalize", "mean": half, "std": half}]
    video = kind == "VideoClassification"
    size = preset.resize_size
    resize = {
        "op": "Resize",
        "size": size[0] if len(size) == 1 else list(size),
        "interpolation": preset.interpolation.value,
    }
    steps = [{**resize, "antialias": False} if video else resize]
    if kind != "SemanticSegmentation":
        crop = list(preset.crop_size)
        steps.append({"op": "CenterCrop", "size": crop[0] if len(set(crop)) == 1 else crop})
    steps += [_TO_FLOAT, {"op": "Normalize", "mean": preset.mean, "std": preset.std}]
    return [*steps, {"op": "ChannelsBeforeTime"}] if video else steps


def recipe_name(steps: list[dict[str, Any]]) -> str:
    """Such as "vision/eval-bicubic-256-240-1": filter, length of the shorter side, crop."""
    ops = {step["op"]: step for step in steps}
    if "Resize" not in ops:
        return "vision/eval-centered-1" if "Normalize" in ops else "vision/detection-eval-1"
    video = "ChannelsBeforeTime" in ops
    size = ops["Resize"]["size"]
    parts = ["video" if video else ops["Resize"]["interpolation"]]
    parts.append("x".join(map(str, size)) if isinstance(size, list) else str(size))
    if "CenterCrop" in ops:
        parts.append(str(ops["CenterCrop"]["size"]))
    mean = tuple(ops["Normalize"]["mean"])
    usual = mean == (_KINETICS if video else _IMAGENET)
    name = "-".join(parts) + ("" if usual else _MEANS[mean])
    if name == "bilinear-256-224":  # it has a recipe of this name since before the others
        return "vision/imagenet-eval-1"
    return f"vision/eval-{name}-1"


def recipe_text(steps: list[dict[str, Any]]) -> str:
    """The recipe as a TOML file."""
    from domainkit.vision.models.torchvision_table import value

    ops = {step["op"]: step for step in steps}
    video = "ChannelsBeforeTime" in ops
    facts = {
        "name": recipe_name(steps),
        "summary": _summary(ops),
        "input": "image: uint8 [B, T, 3, H, W]"
        if video
        else "image: uint8 [B, 3, H, W] or Ragged [3, H, W]",
        "output": _output(ops),
        "source": "torchvision's presets of weights (weights.transforms())",
    }
    if len(steps) == 2:
        facts["input"] += "; a pair of frames as [B, 2, 3, H, W]"
    lines = [f"{key} = {value(text)}" for key, text in facts.items()]
    for step in steps:
        lines += ["", "[[steps]]", *(f"{key} = {value(v)}" for key, v in step.items())]
    return "\n".join(lines) + "\n"


def write_missing(steps: list[dict[str, Any]], folder: Path) -> None:
    """Write the recipe into ``folder`` (``transforms/``) if it is not there yet."""
    path = folder / f"{recipe_name(steps)}.toml"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(recipe_text(steps), encoding="utf-8")


def _summary(ops: dict[str, Any]) -> str:
    what = "Video clips" if "ChannelsBeforeTime" in ops else "Photographs"
    if "Resize" not in ops:
        if "Normalize" in ops:
            return f"{what} for optical flow: float numbers from -1 to 1."
        return f"{what} for detection: float numbers from 0 to 1, each picture in its own size."
    size = ops["Resize"]["size"]
    to = f"{size[0]} x {size[1]}" if isinstance(size, list) else f"shorter side to {size}"
    text = f"{what} for evaluation: {to} ({ops['Resize']['interpolation']}"
    text += ", without antialias)" if "antialias" in ops["Resize"] else ")"
    if "CenterCrop" in ops:
        crop = ops["CenterCrop"]["size"]
        text += f", the middle {crop} x {crop}"
    return text + ", normalise" + (", channels before time." if what == "Video clips" else ".")


def _output(ops: dict[str, Any]) -> str:
    if "Resize" not in ops:
        low = "-1" if "Normalize" in ops else "0"
        return f"image: float32 of the input's shape, {low} to 1"
    if "CenterCrop" not in ops:
        size = ops["Resize"]["size"]
        return f"image: float32 [B, 3, H, W] or Ragged [3, H, W], shorter side {size}, normalised"
    crop = ops["CenterCrop"]["size"]
    time = "T, " if "ChannelsBeforeTime" in ops else ""
    return f"image: float32 [B, 3, {time}{crop}, {crop}], normalised"
