"""Copies of published cards for small stand-in files, and the folder a mirror serves them from."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domainkit.cards import data_folder, load_card

__all__ = ["publish"]


def publish(name: str, files: Mapping[str, Path], cards: Path, root: Path) -> None:
    """Write ``cards/<name>.toml`` for stand-in files and lay them out below ``root``.

    The copy keeps everything of the published card but digests, sizes and row counts.
    ``DOMAINKIT_CARDS=cards`` and a mirror that serves ``root`` then give the stand-ins.
    """
    card = load_card(name)
    data = tomllib.loads((data_folder("datasets") / f"{name}.toml").read_text(encoding="utf-8"))
    assert set(files) == set(card.files), "a stand-in is needed for every file of the card"
    for key, path in files.items():
        url = card.files[key].urls[0]
        place = root / url.split("://", 1)[1]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
        data["files"][key] = {
            "urls": list(card.files[key].urls),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
        }
    data.pop("base", None)
    for split in data["splits"].values():
        split.pop("rows", None)
    target = cards / f"{name}.toml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(_tables(data)) + "\n", encoding="utf-8")


def _tables(data: Mapping[str, Any]) -> list[str]:
    lines = [f"{k} = {_value(v)}" for k, v in data.items() if not isinstance(v, dict)]
    for section in ("files", "features", "splits"):
        lines += ["", f"[{section}]", *(f"{k} = {_value(v)}" for k, v in data[section].items())]
    return lines


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return json.dumps(value)  # JSON's strings, numbers and booleans are TOML's too
