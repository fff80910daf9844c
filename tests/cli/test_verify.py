"""``domainkit verify``: each kind of damage is found, and what is merely absent is no damage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.command import invoke

from domainkit import cache
from domainkit.cards import data_folder, load_card
from domainkit.prepare import prepared_folder


def verify(*names: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and part -> (state, note)."""
    result = invoke("verify", *names, "--json")
    told = json.loads(result.stdout)
    assert told["ok"] == (result.exit_code == 0)
    return result.exit_code, {f["part"]: (f["state"], f["note"]) for f in told["findings"]}


def cached(name: str) -> Path:
    return next(entry.path for entry in cache.entries() if entry.path.name == name)


def test_nothing_downloaded_is_no_damage(small: Any) -> None:
    code, parts = verify("vision/small")
    assert code == 0 and {state for state, _ in parts.values()} == {"absent"}
    assert parts["file train-images"][1] == "not downloaded"
    assert small.gets() == []


def test_all_is_well(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    code, parts = verify("vision/small")
    assert code == 0 and {state for state, _ in parts.values()} == {"ok"}
    assert "sha256 as the card has it" in parts["file train-images"][1]
    assert "trusted on first use" in parts["file train-labels"][1]
    assert parts["split train"][1].startswith("600 rows")


@pytest.mark.parametrize("file", ["train-images", "train-labels"])
@pytest.mark.parametrize("how", ["flipped", "cut"])
def test_damaged_files(small: Any, file: str, how: str) -> None:
    invoke("download", "vision/small", "-q")
    path = cached(f"{file}.gz")
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data if how == "flipped" else data[:-5])
    code, parts = verify("vision/small")
    assert code == 1
    assert [p for p, (state, _) in parts.items() if state == "damaged"] == [f"file {file}"]
    told = invoke("verify", "vision/small")
    assert told.exit_code == 1 and "domainkit cache verify vision/small" in told.stderr


def test_a_removed_file_is_absent(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    cached("train-images.gz").unlink()
    code, parts = verify("vision/small")
    assert code == 0 and parts["file train-images"][0] == "absent"


@pytest.mark.parametrize("how", ["cut", "flipped", "gone", "record", "rows"])
def test_damaged_splits(small: Any, how: str) -> None:
    invoke("download", "vision/small", "-q")
    folder = prepared_folder(load_card("vision/small"), "train")
    part, record = folder / "part-00000.arrow", folder / "store.json"
    if how == "cut":
        part.write_bytes(part.read_bytes()[:-100])
    elif how == "flipped":  # within the rows: nothing but the checksum tells
        data = bytearray(part.read_bytes())
        data[len(data) // 2] ^= 1
        part.write_bytes(data)
    elif how == "gone":
        part.unlink()
    elif how == "record":
        record.write_text("{")
    else:
        facts = json.loads(record.read_text())
        record.write_text(json.dumps({**facts, "part_rows": [599]}))
    code, parts = verify("vision/small")
    assert code == 1
    assert parts["split train"][0] == "damaged" and parts["split test"][0] == "ok"


def test_what_it_advises_mends(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    path = cached("test-images.gz")
    path.write_bytes(b"\0" * path.stat().st_size)
    assert verify("vision/small")[0] == 1
    assert path.exists()  # nothing was changed yet
    assert invoke("cache", "verify", "vision/small").exit_code == 1
    assert not path.exists()
    assert invoke("download", "vision/small", "-q").exit_code == 0
    assert verify("vision/small")[0] == 0


def test_embedded_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "vision/fashion-mnist-mini"
    assert verify(name)[0] == 0
    cards = tmp_path / "cards" / "vision"
    cards.mkdir(parents=True)
    shutil.copy(data_folder("datasets") / f"{name}.toml", cards)
    shutil.copytree(data_folder("datasets") / name, cards / "fashion-mnist-mini")
    monkeypatch.setenv("DOMAINKIT_CARDS", str(cards.parent))
    with (cards / "fashion-mnist-mini" / "t10k-labels-idx1-ubyte.gz").open("r+b") as file:
        file.write(b"\0")
    (cards / "fashion-mnist-mini" / "train-labels-idx1-ubyte.gz").unlink()
    code, parts = verify(name)
    assert code == 1
    assert parts["file test-labels"][0] == parts["file train-labels"][0] == "damaged"
    assert parts["file train-images"][0] == "ok"


def test_weights_and_several_names(small: Any) -> None:
    code, parts = verify("vision/fashion-cnn", "vision/small")
    (weights,) = (part for part in parts if part.startswith("weights"))
    assert code == 0 and parts[weights][0] == "ok" and len(parts) == 7


def test_an_unknown_name() -> None:
    assert invoke("verify", "vision/smal", "vision/mnist").exit_code == 2


def test_a_manual_file(small: Any, fresh_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = load_card("vision/small").source
    text = card.read_text().replace('url = "train-images.gz"', 'manual = "Ask nobody."')
    card.write_text(text)
    assert verify("vision/small")[1]["file train-images"][0] == "absent"
    place = fresh_home / "manual" / "vision" / "small" / "train-images"
    place.parent.mkdir(parents=True)
    place.write_bytes((small.server.folder / "example.org/small/train-images.gz").read_bytes())
    assert verify("vision/small")[1]["file train-images"][0] == "ok"
    place.write_bytes(b"something else")
    assert verify("vision/small")[1]["file train-images"][0] == "damaged"
