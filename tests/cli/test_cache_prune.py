"""``domainkit cache prune``: what goes, what stays, and what was never ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.cache_verbs import aged, told, use
from support.command import invoke

from domainkit import cache
from domainkit.cards import load_card
from domainkit.cli.held import all_prepared
from domainkit.prepare import prepare
from domainkit.prepared import find_prepared, store_lock


def test_prune_by_age(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    aged(50)
    use("test-images.gz", 2)
    prepare(load_card("vision/small"), "test")  # opened today
    shown = invoke("cache", "prune", "--older-than", "30d", "--dry-run")
    assert "not used for 50 days" in shown.stdout and "would remove 4 items" in shown.stdout
    assert len(list(cache.entries())) == 4
    assert invoke("cache", "prune", "--older-than", "30d").exit_code == 2  # nobody can be asked
    done = invoke("cache", "prune", "--older-than", "30d", "--yes")
    assert done.exit_code == 0 and "removed 4 items" in done.stdout
    assert [entry.path.name for entry in cache.entries()] == ["test-images.gz"]
    assert [split.split for split in all_prepared()] == ["test"]
    small.server.requests.clear()
    assert invoke("download", "vision/small", "-q").exit_code == 0
    assert sorted(small.gets()) == ["train-images.gz", "train-labels.gz"]


def test_prune_by_size_takes_the_longest_unused_first(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    aged(1)
    for index, name in enumerate(("train-images.gz", "train-labels.gz", "test-images.gz")):
        use(name, 9 - index)
    sizes = {entry.path.name: entry.size for entry in cache.entries()}
    total = told("cache", "ls")["bytes"]
    most = total - sizes["train-images.gz"] - 1
    done = told("cache", "prune", "--max-size", most, "-y")
    assert [Path(item["path"]).name for item in done["items"]] == [
        "train-images.gz",
        "train-labels.gz",
    ]
    assert done["left"] == told("cache", "ls")["bytes"] <= most
    assert "nothing to remove" in invoke("cache", "prune", "--max-size", most).stdout
    assert invoke("cache", "prune", "--max-size", "0", "-y").exit_code == 0
    assert told("cache", "ls")["bytes"] == 0


def test_prune_takes_unfinished_and_quarantined_and_leaves_manual_files(
    small: Any, fresh_home: Path
) -> None:
    aside = f"quarantine/{'ab' * 32}"
    with cache.lock("anything"):  # the cache is made
        pass
    for name in ("partial/md5-00.part", f"{aside}/a.bin", "manual/vision/small/a.bin"):
        (fresh_home / name).parent.mkdir(parents=True)
        (fresh_home / name).write_bytes(b"x" * 9000)
    aged(40)
    os.utime(fresh_home / aside, (1, 1))
    done = invoke("cache", "prune", "--older-than", "30d", "-y")
    assert done.exit_code == 0 and "9.0 kB put there by hand stay" in done.stdout
    assert (fresh_home / "manual/vision/small/a.bin").exists()
    assert not (fresh_home / "partial/md5-00.part").exists()
    assert not (fresh_home / aside).exists()


def test_prune_leaves_what_is_in_use(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    aged(50)
    card = load_card("vision/small")
    folder = find_prepared(card, "train", used=False)
    assert folder is not None
    with cache.lock(store_lock(folder)):  # a split is being made of these files
        done = invoke("cache", "prune", "--max-size", "0", "-y")
        assert "in use now" in done.stdout and "still more than" in done.stderr
        assert {e.path.name for e in cache.entries()} == {"train-images.gz", "train-labels.gz"}
        assert [split.split for split in all_prepared()] == ["train"]


def test_prune_cleans_up_after_kills_and_nothing_else(small: Any, fresh_home: Path) -> None:
    invoke("download", "vision/small", "-q")
    place = fresh_home / "prepared" / "vision" / "small"
    name = "train-0123456789ab"
    left = [place / f".{name}.a_1xyz09", fresh_home / "prepared" / "own" / "a" / name]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "part-00000.arrow").write_bytes(b"x" * 1000)
    shown = invoke("cache", "prune", "--dry-run").stdout
    assert "of a stopped run" in shown and "without its record" in shown
    assert all(folder.exists() for folder in left)
    with cache.lock(f"prepare-vision/small-{name}"):  # it is being written
        invoke("cache", "prune", "-y")
    assert [folder.exists() for folder in left] == [True, False]
    invoke("cache", "prune", "-y")
    assert not left[0].exists()
    assert len(list(cache.entries())) == 4 and len(list(all_prepared())) == 2
    assert "nothing to remove" in invoke("cache", "prune").stdout


THEIRS = (
    *("thesis.new", "records/my-experiment.json", "partial/song.json", "partial/song.part"),
    *("quarantine/old/letters.txt", "files/2020/summer/a.jpg", "prepared/for/the/talk/a.txt"),
)


def put_theirs(home: Path) -> None:
    for name in THEIRS:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("mine")
    aged(50)


def test_prune_leaves_what_is_not_of_the_cache(small: Any, fresh_home: Path) -> None:
    invoke("download", "vision/small", "-q")
    put_theirs(fresh_home)
    done = invoke("cache", "prune", "--max-size", "0", "-y")
    assert done.exit_code == 0, done.stderr
    assert [name for name in THEIRS if not (fresh_home / name).exists()] == []
    assert list(cache.entries()) == [] and list(all_prepared()) == []


def test_prune_refuses_a_folder_that_is_no_cache(small: Any, fresh_home: Path) -> None:
    fresh_home.mkdir(exist_ok=True)
    assert "nothing to remove" in invoke("cache", "prune", "-y").stdout
    put_theirs(fresh_home)
    before = sorted(fresh_home.rglob("*"))
    for args in (("-y",), ("--max-size", "0", "-y"), ("--dry-run",)):
        result = invoke("cache", "prune", *args)
        assert result.exit_code == 1 and "is not known to be a cache" in result.stderr
    assert sorted(fresh_home.rglob("*")) == before


def test_prune_makes_room_on_a_full_disk(small: Any, fresh_home: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(fresh_home)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("this user may not mount a small file system")
    try:
        invoke("download", "vision/small", "-q")
        filler = fresh_home / "filler"
        with pytest.raises(OSError, match="No space left"), filler.open("wb", 0) as file:
            while True:
                file.write(bytes(4096))
        done = invoke("cache", "prune", "--max-size", "0", "-y")
        assert done.exit_code == 0, done.stderr
        assert list(cache.entries()) == [] and list(all_prepared()) == []
    finally:
        subprocess.run(["umount", str(fresh_home)], check=True)


@pytest.mark.parametrize("args", [("--older-than", "soon"), ("--max-size", "20 apples")])
def test_prune_refuses_what_it_does_not_understand(small: Any, args: tuple[str, str]) -> None:
    result = invoke("cache", "prune", *args)
    assert result.exit_code == 2 and "write it like" in result.stderr
