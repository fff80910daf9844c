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

from domainkit.vision.models.torchvision_recipes import recipe_name, steps_of, write_missing

__all__ = ["facts", "value", "write"]

RECIPES = Path(__file__).parents[3] / "transforms"
TABLE = Path(__file__).with_name("torchvision.toml")
LABEL_LISTS = {1000: "imagenet-1k", 21: "voc", 91: "coco", 400: "kinetics-400", 2: "person"}
TASKS = {
    "torchvision.models.detection": "object-detection",
    "torchvision.models.segmentation": "semantic-segmentation",
    "torchvision.models.video": "video-classification",
    "torchvision.models.optical_flow": "optical-flow",
}


def facts() -> dict[str, Any]:
    """The table: ``labels`` and ``models``, and the steps of the ``recipes`` that they name."""
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


def write(path: Path = TABLE, recipes: Path = RECIPES) -> None:
    """Write the table as TOML, and the recipes that are not there yet."""
    table = facts()
    for steps in table["recipes"].values():
        write_missing(steps, recipes)
    lines = [
        "# torchvision's models and weights; written by torchvision_table.py, not by hand",
        'homepage = "https://docs.pytorch.org/vision/stable/models.html"',
        'license = "BSD-3-Clause code; the weights carry the terms of the data they learned from"',
        "",
        "[labels]",
        *(f"{_quote(k)} = {value(v)}" for k, v in table["labels"].items()),
    ]
    for name, entry in table["models"].items():
        weights = entry.pop("weights")
        lines += ["", f"[models.{name}]", *(f"{k} = {value(v)}" for k, v in entry.items())]
        if not weights:
            lines.append("weights = {}")
        for key, spec in weights.items():
            lines += [f"[models.{name}.weights.{key}]"]
            lines += [f"{k} = {value(v)}" for k, v in spec.items()]
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
    steps = steps_of(w.transforms())
    spec["recipe"] = recipe_name(steps)
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


def _key(member: str) -> str:
    return member.lower().replace("_", "-")


def _quote(key: str) -> str:
    return key if re.fullmatch(r"[\w-]+", key) else f'"{key}"'


def value(x: Any) -> str:
    """``x`` as TOML writes it."""
    if isinstance(x, bool):
        return "true" if x else "false"
    if isinstance(x, dict):
        return "{ " + ", ".join(f"{_quote(k)} = {value(v)}" for k, v in x.items()) + " }"
    if isinstance(x, (list, tuple)):
        return "[" + ", ".join(value(v) for v in x) + "]"
    if isinstance(x, (int, float)):
        return repr(x)
    return '"' + str(x).replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    write()
