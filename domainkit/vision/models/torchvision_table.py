"""Torchvision's registry of models and weights, as the facts of ``torchvision.toml``.

Run ``python -m domainkit.vision.models.torchvision_table`` to write the file again from the
installed torchvision; a test compares the two. The names, URLs, metrics, classes and preprocessing
are torchvision's own (BSD-3-Clause); its file names carry the first 8 hex digits of the sha256.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

__all__ = ["facts", "write"]

TABLE = Path(__file__).with_name("torchvision.toml")
LABEL_LISTS = {1000: "imagenet-1k", 21: "voc", 91: "coco", 400: "kinetics-400", 2: "person"}
TASKS = {
    "torchvision.models.detection": "object-detection",
    "torchvision.models.segmentation": "semantic-segmentation",
    "torchvision.models.video": "video-classification",
    "torchvision.models.optical_flow": "optical-flow",
}


def facts() -> dict[str, Any]:
    """The table: ``homepage, license, labels, recipes, models``."""
    from torchvision import models

    table: dict[str, Any] = {"labels": {}, "recipes": {}, "models": {}}
    for name in sorted(models.list_models()):
        enum = models.get_model_weights(name)
        weights = {_key(w.name): _weights(w, table) for w in enum}
        builder = models.get_model_builder(name)
        task = next((t for m, t in TASKS.items() if builder.__module__.startswith(m)), None)
        entry: dict[str, Any] = {
            "task": task or "image-classification",
            "summary": f"torchvision's {name}.",
            "builder": "domainkit.vision.models.torchvision_builder:build",
            "args": {"name": name},
            "weights": weights,
        }
        if hasattr(enum, "DEFAULT"):
            entry["default"] = _key(enum.DEFAULT.name)
        table["models"][name] = entry
    return table


def write(path: Path = TABLE) -> None:
    """Write the table as TOML."""
    table = facts()
    lines = [
        "# torchvision's models and weights; written by torchvision_table.py, not by hand",
        'homepage = "https://docs.pytorch.org/vision/stable/models.html"',
        'license = "BSD-3-Clause code; the weights carry the terms of the data they learned from"',
        "",
        "[labels]",
        *(f"{_quote(k)} = {_value(v)}" for k, v in table["labels"].items()),
        "",
        "[recipes]",
        *(f"{_quote(k)} = {_value(v)}" for k, v in table["recipes"].items()),
    ]
    for name, entry in table["models"].items():
        weights = entry.pop("weights")
        lines += ["", f"[models.{name}]", *(f"{k} = {_value(v)}" for k, v in entry.items())]
        if not weights:
            lines.append("weights = {}")
        for key, spec in weights.items():
            lines += [f"[models.{name}.weights.{key}]"]
            lines += [f"{k} = {_value(v)}" for k, v in spec.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _weights(w: Any, table: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {"url": w.url}
    digits = re.search(r"-([0-9a-f]{8})\.pth", w.url)
    if digits:
        spec["sha256"] = digits[1]
    classes = w.meta.get("categories")
    if classes:
        spec["labels"] = LABEL_LISTS[len(classes)]
        table["labels"].setdefault(spec["labels"], list(classes))
    steps = _steps(w.transforms())
    if steps:
        spec["recipe"] = _recipe_name(steps)
        table["recipes"].setdefault(spec["recipe"], steps)
    if "license" in w.meta:
        spec["license"] = w.meta["license"]
    spec["metrics"] = {
        f"{data}, {metric}": value
        for data, values in w.meta.get("_metrics", {}).items()
        for metric, value in values.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    }
    return spec


def _steps(preset: Any) -> list[dict[str, Any]] | None:
    """The steps that equal torchvision's preset; None for video and optical flow."""
    kind = type(preset).__name__
    to_float = {"op": "ToDtype", "dtype": "float32", "scale": True}
    if kind == "ObjectDetection":
        return [to_float]
    if kind not in ("ImageClassification", "SemanticSegmentation"):
        return None
    size = preset.resize_size
    steps = [
        {
            "op": "Resize",
            "size": size[0] if len(size) == 1 else list(size),
            "interpolation": preset.interpolation.value,
        }
    ]
    if kind == "ImageClassification":
        crop = preset.crop_size
        steps.append({"op": "CenterCrop", "size": crop[0] if len(crop) == 1 else list(crop)})
    return [*steps, to_float, {"op": "Normalize", "mean": preset.mean, "std": preset.std}]


def _recipe_name(steps: list[dict[str, Any]]) -> str:
    parts = []
    for step in steps:
        if step["op"] == "Resize":
            parts.append(f"resize-{step['size']}-{step['interpolation']}")
        elif step["op"] == "CenterCrop":
            parts.append(f"crop-{step['size']}")
        elif step["op"] == "Normalize" and step["mean"] != [0.485, 0.456, 0.406]:
            parts.append(f"mean-{step['mean'][0]}")
    return "-".join(parts) or "float"


def _key(member: str) -> str:
    return member.lower().replace("_", "-")


def _quote(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key) else f'"{key}"'


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_quote(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, (int, float)):
        return repr(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    write()
