"""``domainkit cache``: who shares what, ``ls``, ``rm`` and ``verify``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.cache_verbs import aged, own, told
from support.command import invoke

import domainkit as dk
from domainkit import cache
from domainkit.cards import load_card
from domainkit.cli.held import all_prepared
from domainkit.errors import StoreError
from domainkit.prepared import check_store, find_prepared


def twin(small: Any, change: Any) -> str:
    """``vision/twin``: a card with the same files, as ``change`` writes them."""
    card = load_card("vision/small").source
    text = card.read_text().replace('name = "vision/small"', 'name = "vision/twin"')
    card.with_name("twin.toml").write_text(change(text))
    return "vision/twin"


def as_md5(small: Any) -> Any:
    """The files by md5, and from other addresses."""

    def change(text: str) -> str:
        served = small.server.folder / "example.org"
        shutil.copytree(served / "small", served / "twin")
        for file in (served / "twin").iterdir():
            data = file.read_bytes()
            sha, md5 = hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest()
            text = text.replace(f'sha256 = "{sha}"', f'md5 = "{md5}"\nsize = {len(data)}')
        return text.replace("example.org/small", "example.org/twin")

    return change


def test_ls_says_who_uses_what(small: Any) -> None:
    twin(small, lambda text: text)
    dk.cache.fetch("https://example.org/small/train-images.gz", name="by-hand.gz")
    invoke("download", "vision/small", "-q")
    files = {Path(f["path"]).name: f for f in told("cache", "ls")["files"]}
    assert files["train-labels.gz"]["used_by"] == ["vision/small", "vision/twin"]
    by_hand = files["by-hand.gz"]  # one content, under the name that it first came by
    assert by_hand["used_by"] == ["vision/small", "vision/twin"]
    assert not by_hand["trusted_on_first_use"]
    assert "train-labels.gz  vision/small, vision/twin" in invoke("cache", "ls").stdout


def test_ls_shows_own_data_shared_caches_and_manual_files(
    small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("download", "vision/small", "-q")
    monkeypatch.setenv("DOMAINKIT_SHARED", str(cache.home()))
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "mine"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("hello")
    own(tmp_path)
    manual = tmp_path / "mine" / "manual" / "vision" / "imagenet" / "train"
    manual.parent.mkdir(parents=True)
    manual.write_bytes(b"x" * 5000)
    found = told("cache", "ls")
    assert [p["name"] for p in found["prepared"]] == ["own/numbers"]
    assert [(m["used_by"], m["bytes"]) for m in found["manual"]] == [(["vision/imagenet"], 5000)]
    assert [(s["files"], s["there"]) for s in found["shared"]] == [(4, True)]
    text = invoke("cache", "ls").stdout
    assert "manual (put there by hand)" in text and "shared: 4 files" in text


def test_rm_of_own_data(small: Any, tmp_path: Path) -> None:
    own(tmp_path)
    assert "own/numbers" in invoke("cache", "ls").stdout
    assert invoke("cache", "rm", "own/numbers", "-y").exit_code == 0
    assert list(all_prepared()) == []
    result = invoke("cache", "rm", "own/numbers", "-y")
    assert result.exit_code == 2 and "domainkit cache ls" in result.stderr


def test_rm_keeps_what_another_dataset_uses(small: Any) -> None:
    name = twin(small, lambda text: text)
    invoke("download", "vision/small", name, "-q")
    result = invoke("cache", "rm", "vision/small", "-y")
    assert result.exit_code == 0
    assert "train-images.gz stays" in result.stdout and "vision/twin uses it too" in result.stdout
    assert len(list(cache.entries())) == 4
    assert {split.name for split in all_prepared()} == {name}
    assert invoke("cache", "rm", name, "-y").exit_code == 0
    assert list(cache.entries()) == []


def test_rm_of_all_who_share_takes_it(small: Any) -> None:
    name = twin(small, lambda text: text)
    invoke("download", "vision/small", name, "-q")
    result = invoke("cache", "rm", "vision/small", name, "-y")
    assert "stays" not in result.stdout
    assert list(cache.entries()) == [] and list(all_prepared()) == []


def test_rm_leaves_the_bytes_to_the_other_digest(small: Any) -> None:
    name = twin(small, as_md5(small))
    invoke("download", "vision/small", name, "-q")
    before = {entry.path for entry in cache.entries()}
    assert len(before) == 4 and len(list(cache.entries())) == 8
    result = invoke("cache", "rm", "vision/small", "-y")
    assert "whose bytes another entry has too" in result.stdout
    assert {entry.path for entry in cache.entries()} == before
    assert invoke("verify", name).exit_code == 0
    freed = sum(path.stat().st_size for path in before)
    assert freed + 1 and invoke("cache", "rm", name, "-y").exit_code == 0
    assert not any(path.exists() for path in before)


def test_rm_forgets_what_a_first_copy_was(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    aged(50)
    invoke("cache", "prune", "--older-than", "30d", "-y")
    (record,) = (cache.home() / "records").iterdir()  # of the file without a digest
    assert "whose bytes are gone" in invoke("cache", "rm", "vision/small", "-y").stdout
    assert not record.exists()


def test_ls_while_a_file_is_taken_away(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    invoke("download", "vision/small", "-q")
    import importlib

    items = vars(importlib.import_module("domainkit.cli.cache.items"))
    real = items["by_content"]

    def taking(entries: Any) -> Any:
        found = real(entries)
        next(s[0] for s in found if s[0].path.name == "test-images.gz").path.unlink()
        return found

    monkeypatch.setitem(items, "by_content", taking)
    found = told("cache", "ls")["files"]
    assert sorted(Path(f["path"]).name for f in found) == [
        "test-labels.gz",
        "train-images.gz",
        "train-labels.gz",
    ]


def test_verify_does_not_call_a_file_well_that_it_could_not_put_aside(
    small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("download", "vision/small", "-q")
    path = next(e.path for e in cache.entries() if e.path.name == "test-images.gz")
    path.write_bytes(path.read_bytes()[::-1])

    def refuse(*unused: Any) -> Any:
        raise FileNotFoundError(2, "No such file or directory", "the quarantine")

    monkeypatch.setitem(verify_globals(), "put_aside", refuse)
    found = told("cache", "verify")
    (bad,) = (f for f in found["findings"] if f["state"] != "ok")
    assert (bad["path"], bad["state"], bad["quarantined"]) == (str(path), "damaged", None)
    assert "it stays there" in bad["note"]
    advice = invoke("cache", "verify").stderr
    assert "nothing could be put aside" in advice and "brings back" not in advice
    refused = refuse

    def taken(*args: Any) -> Any:
        path.unlink()
        refused()

    monkeypatch.setitem(verify_globals(), "put_aside", taken)
    found = told("cache", "verify")
    assert found["ok"] and "was removed meanwhile" in str(found["findings"])


def test_verify_does_not_call_a_file_well_that_it_could_not_read(
    small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("download", "vision/small", "-q")

    def vanish(*unused: Any) -> Any:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setitem(verify_globals(), "fault_of", vanish)
    found = told("cache", "verify")
    assert [f["state"] for f in found["findings"]].count("damaged") == 4


def test_a_damaged_split_is_mended_by_a_command(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    folder = find_prepared(load_card("vision/small"), "train", used=False)
    assert folder is not None
    (folder / "part-00000.arrow").unlink()
    assert "run `domainkit cache rm vision/small` and prepare" in told_of(folder)
    assert "remove " + str(folder.parents[3]) in told_of(folder.parents[3])


def told_of(folder: Path) -> str:
    with pytest.raises(StoreError) as caught:
        check_store(folder)
    return str(caught.value)


def test_verify_says_all_is_well(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    result = invoke("cache", "verify")
    assert result.exit_code == 0 and "6 items ok" in result.stdout
    assert "trusted on first use" in result.stdout and "train-labels.gz" in result.stdout
    found = told("cache", "verify")
    assert found["ok"] and len(found["findings"]) == 6
    assert [f["trusted_on_first_use"] for f in found["findings"]].count(True) == 1


@pytest.mark.parametrize("how", ["flipped", "cut"])
def test_verify_puts_damaged_files_aside(small: Any, fresh_home: Path, how: str) -> None:
    invoke("download", "vision/small", "-q")
    path = next(e.path for e in cache.entries() if e.path.name == "train-images.gz")
    good = path.read_bytes()
    bad = good[:-1] + bytes([good[-1] ^ 1]) if how == "flipped" else good[:-3]
    path.write_bytes(bad)
    result = invoke("cache", "verify")
    assert result.exit_code == 1
    assert "damaged" in result.stdout and "expected" in result.stdout
    assert "`domainkit download vision/small` brings" in result.stderr
    aside = fresh_home / "quarantine" / path.parent.name
    assert (aside / path.name).read_bytes() == bad and not path.exists()
    why = json.loads((aside / "why.json").read_text())
    assert "expected" in why["why"] and why["used_by"] == ["vision/small"]
    assert invoke("cache", "verify").exit_code == 0
    assert [q["bytes"] > 0 for q in told("cache", "ls")["quarantined"]] == [True]
    shutil.rmtree(fresh_home / "prepared")
    assert invoke("download", "vision/small", "-q").exit_code == 0
    assert path.read_bytes() == good


def test_verify_puts_damaged_splits_aside(small: Any, fresh_home: Path) -> None:
    invoke("download", "vision/small", "-q")
    card = load_card("vision/small")
    folder = find_prepared(card, "train", used=False)
    assert folder is not None
    with (folder / "part-00000.arrow").open("r+b") as file:
        file.seek(2000)
        file.write(b"spoilt")
    found = told("cache", "verify", "vision/small")
    assert [f["state"] for f in found["findings"]].count("damaged") == 1
    assert not folder.exists()
    assert find_prepared(card, "test") is not None
    assert invoke("download", "vision/small", "-q").exit_code == 0
    assert told("cache", "verify")["ok"] and folder.exists()


def test_verify_of_some_names(small: Any, tmp_path: Path) -> None:
    invoke("download", "vision/small", "vision/fashion-mnist-mini", "-q")
    own(tmp_path)
    assert len(told("cache", "verify", "vision/small")["findings"]) == 6
    assert len(told("cache", "verify", "vision/fashion-mnist-mini")["findings"]) == 2
    assert len(told("cache", "verify", "own/numbers")["findings"]) == 1
    assert len(told("cache", "verify")["findings"]) == 9
    for name in ("vision/smal", "own/nothing"):
        assert invoke("cache", "verify", name).exit_code == 2


def test_a_file_that_is_fetched_anew_while_it_is_read_is_not_put_aside(
    small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("download", "vision/small", "-q")
    path = next(e.path for e in cache.entries() if e.path.name == "test-images.gz")
    good = path.read_bytes()
    path.write_bytes(good[::-1])
    import domainkit.cache.upkeep as upkeep

    real = upkeep.fault_of

    def mended(same: Any, advance: Any) -> Any:
        fault = real(same, advance)
        if same[0].path == path:
            (path.parent / "fresh").write_bytes(good)
            os.replace(path.parent / "fresh", path)
        return fault

    monkeypatch.setitem(verify_globals(), "fault_of", mended)
    result = invoke("cache", "verify")
    assert result.exit_code == 1 and "replaced it meanwhile" in result.stdout
    assert path.read_bytes() == good
    monkeypatch.undo()


def verify_globals() -> dict[str, Any]:
    import importlib

    return vars(importlib.import_module("domainkit.cli.cache.verify"))


def test_a_damaged_private_card_is_no_reason_to_stop(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    load_card("vision/small").source.write_text("name = ")
    result = invoke("cache", "ls")
    assert result.exit_code == 0 and "vision/small cannot be read" in result.stderr


def test_the_progress_of_verify_comes_to_its_end(small: Any) -> None:
    invoke("download", "vision/small", "-q")
    for command in (("cache", "verify"), ("verify", "vision/small")):
        lines = invoke(*command, "--json").stderr.splitlines()
        last = [event for line in lines if (event := json.loads(line))["event"] == "done"][-1]
        assert last["done"] == last["total"] > 0, command
