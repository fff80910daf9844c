"""Caches that nobody may write, and those of a team: all that only reads works with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.command import invoke

import domainkit as dk
from domainkit import cache
from domainkit.cards import load_card
from domainkit.cli.held import all_prepared
from domainkit.prepared import find_manual, find_prepared


@pytest.fixture
def read_only(fresh_home: Path) -> Iterator[Any]:
    """``read_only()``: from then on nobody can write the cache folder."""
    mounted = []

    def lock_up() -> None:
        if os.geteuid():
            for path in [fresh_home, *fresh_home.rglob("*")]:
                path.chmod(0o555 if path.is_dir() else 0o444)
            return
        bind = ["mount", "--bind", str(fresh_home), str(fresh_home)]
        if not shutil.which("mount") or subprocess.run(bind, check=False).returncode:
            pytest.skip("this user may write everywhere, and not mount a read-only file system")
        mounted.append(fresh_home)
        subprocess.run(["mount", "-o", "remount,ro,bind", str(fresh_home)], check=True)

    yield lock_up
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)
    if not mounted:
        for path in [fresh_home, *fresh_home.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)


def test_everything_that_reads_works_in_a_read_only_cache(
    small: Any, fresh_home: Path, read_only: Any
) -> None:
    invoke("download", "vision/small", "-q")
    for path in cache.home().rglob("*"):
        os.utime(path, (time.time() - 50 * 86400,) * 2)
    path = next(e.path for e in cache.entries() if e.path.name == "test-images.gz")
    read_only()
    assert len(dk.load_dataset("vision/small", "train")) == 600
    assert dk.cache.fetch("https://example.org/small/test-labels.gz", digest=labels_digest())
    assert invoke("cache", "ls").exit_code == 0
    assert invoke("cache", "verify").exit_code == 0
    assert invoke("verify", "vision/small").exit_code == 0
    assert invoke("info", "vision/small").exit_code == 0
    assert invoke("download", "vision/small", "-q").exit_code == 0
    assert invoke("cache", "prune", "--older-than", "30d", "--dry-run").exit_code == 0
    for verb in (("rm", "vision/small"), ("prune", "--older-than", "30d")):
        result = invoke("cache", *verb, "-y")
        assert result.exit_code == 1 and "cannot be written" in result.stderr, verb
    assert path.exists()


def labels_digest() -> str:
    return str(load_card("vision/small").files["test-labels"].digest)


def test_a_damaged_file_in_a_read_only_cache_is_told(
    small: Any, fresh_home: Path, read_only: Any
) -> None:
    invoke("download", "vision/small", "-q")
    path = next(e.path for e in cache.entries() if e.path.name == "test-images.gz")
    path.write_bytes(path.read_bytes()[::-1])
    read_only()
    result = invoke("cache", "verify")
    assert result.exit_code == 1 and "it stays there" in result.stdout
    assert path.exists()


def test_prepared_splits_of_a_shared_cache_are_used(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("download", "vision/small", "-q")
    team = cache.home()
    before = {path: path.stat().st_mtime_ns for path in team.rglob("*")}
    monkeypatch.setenv("DOMAINKIT_SHARED", str(team))
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "mine"))
    small.server.requests.clear()
    assert len(dk.load_dataset("vision/small", "train")) == 600
    assert invoke("verify", "vision/small").exit_code == 0
    assert small.gets() == [] and not (tmp_path / "mine").exists()
    shutil.rmtree(team / "prepared" / "vision" / "small")
    assert len(dk.load_dataset("vision/small", "train")) == 600  # of the shared files
    assert small.gets() == []
    assert next(all_prepared()).folder.is_relative_to(tmp_path / "mine")
    after = {path: path.stat().st_mtime_ns for path in team.rglob("*") if path.is_file()}
    assert after.items() <= before.items()


def test_manual_files_of_a_shared_cache_are_used(
    small: Any, fresh_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = load_card("vision/small").source
    manual = 'manual = "Ask nobody."'
    source.write_text(source.read_text().replace('url = "train-labels.gz"', manual))
    file = load_card("vision/small").files["train-labels"]
    assert find_manual("vision/small", file) is None
    place = fresh_home / "manual" / "vision" / "small" / "train-labels"
    place.parent.mkdir(parents=True)
    shutil.copy(small.server.folder / "example.org/small/train-labels.gz", place)
    assert len(dk.load_dataset("vision/small", "train")) == 600
    monkeypatch.setenv("DOMAINKIT_SHARED", str(fresh_home))
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "mine"))
    assert find_manual("vision/small", file) == place
    found = find_prepared(load_card("vision/small"), "train")
    assert found is not None and found.is_relative_to(fresh_home)
    shutil.rmtree(fresh_home / "prepared")
    assert len(dk.load_dataset("vision/small", "train")) == 600
