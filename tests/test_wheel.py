"""The wheel carries everything: code, cards, recipes, embedded files, weights, and works alone."""

from __future__ import annotations

import email
import hashlib
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import domainkit

ROOT = Path(domainkit.__file__).parent.parent
CLEAN = {k: v for k, v in os.environ.items() if k not in ("PYTHONWARNINGS", "PYTHONPATH")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    if not (ROOT / "pyproject.toml").is_file():
        pytest.skip("runs in the source tree only")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=CLEAN, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    with zipfile.ZipFile(made) as opened:
        yield opened


def source_files() -> dict[str, Path]:
    """Where each file of the tree must lie in the wheel."""
    expected = {}
    for folder, place in (
        ("domainkit", "domainkit"),
        ("datasets", "domainkit/_data/datasets"),
        ("transforms", "domainkit/_data/transforms"),
    ):
        for path in (ROOT / folder).rglob("*"):
            inside = path.relative_to(ROOT / folder)
            if path.is_file() and "__pycache__" not in inside.parts and "_data" not in inside.parts:
                expected[f"{place}/{inside.as_posix()}"] = path
    return expected


def test_every_file_is_in_it_unchanged(wheel):
    expected = source_files()
    names = set(wheel.namelist())
    inside = {name for name in names if name.startswith("domainkit/")}
    assert inside == set(expected)
    for name, path in expected.items():
        assert (
            hashlib.sha256(wheel.read(name)).digest() == hashlib.sha256(path.read_bytes()).digest()
        )


def test_it_holds_what_it_promises(wheel):
    names = set(wheel.namelist())
    data = "domainkit/_data"
    assert "domainkit/py.typed" in names
    for name in domainkit.list_datasets():
        assert f"{data}/datasets/{name}.toml" in names
        for file in domainkit.load_card(name).files.values():
            if file.path is not None:
                assert f"{data}/datasets/{name}/{file.path.name}" in names
    for name in domainkit.list_recipes():
        assert f"{data}/transforms/{name}.toml" in names
    for model in (ROOT / "domainkit").glob("*/models/*.toml"):
        card = tomllib.loads(model.read_text(encoding="utf-8"))
        place = model.relative_to(ROOT).as_posix()
        assert place in names
        weights = model.with_suffix(".safetensors")
        if weights.exists():
            assert weights.relative_to(ROOT).as_posix() in names
            assert card


def test_it_holds_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    (facts,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {"domainkit", facts}
    assert f"{facts}/licenses/LICENSE" in wheel.namelist()
    assert sum(info.compress_size for info in wheel.infolist()) < 12_000_000


def test_its_metadata(wheel):
    (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    facts = email.message_from_bytes(wheel.read(name))
    assert facts["Name"] == "domainkit"
    assert facts["Version"] == domainkit.__version__
    assert facts["License-Expression"] == "BSD-3-Clause"
    assert facts["Requires-Python"] == ">=3.11"
    assert set(facts.get_all("Provides-Extra")) >= {"torchaudio", "test", "docs", "all"}
    base = [r for r in facts.get_all("Requires-Dist") if "extra ==" not in r]
    (torch,) = (r for r in base if r.split(">")[0].strip() == "torch")
    assert "<" not in torch  # no upper cap on torch
    assert not [r for r in base if r.startswith(("torchaudio", "torchtext"))]
    (entry,) = (n for n in wheel.namelist() if n.endswith("entry_points.txt"))
    assert "domainkit = domainkit.cli.main:main" in wheel.read(entry).decode()


ALONE = """
import sys, domainkit as dk
from domainkit import cards
assert dk.__file__.startswith(sys.argv[1]), dk.__file__
assert cards.data_folder("datasets") == cards.Path(sys.argv[1], "domainkit/_data/datasets")
for name in dk.list_datasets():
    for file in dk.load_card(name).files.values():
        assert file.path is None or file.path.is_file(), file.path
sys.stdout.write(str(len(dk.list_datasets())))
sys.stdout.write(" " + str(len(dk.load_dataset("vision/fashion-mnist-mini", "test"))))
sys.stdout.write(" " + str(len(dk.load_recipe("text/sentiment-sentences-eval-1")) > 0))
"""


def test_it_works_away_from_the_source_tree(wheel, tmp_path):
    site = tmp_path / "site"
    wheel.extractall(site)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(site)],
        cwd=tmp_path,
        env={**CLEAN, "PYTHONPATH": str(site), "DOMAINKIT_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(len(domainkit.list_datasets())), "1000", "True"]
