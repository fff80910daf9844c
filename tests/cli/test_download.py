"""``domainkit download``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from support.command import COMMAND, invoke, run
from support.faults import hold_after, status

from domainkit import cache
from domainkit.cards import load_card
from domainkit.dataset import load_dataset
from domainkit.model_cards import load_model_card

IMAGES = "/example.org/small/train-images.gz"
ALL = ["test-images.gz", "test-labels.gz", "train-images.gz", "train-labels.gz"]


def test_a_line_for_each_split(small: Any) -> None:
    done = run("download", "vision/small", env=small.env)
    assert done.returncode == 0, done.stderr
    train, test = done.stdout.splitlines()
    assert train.startswith("vision/small, train: 600 rows, ")
    assert test.startswith("vision/small, test: 40 rows, ")
    for line in (train, test):
        assert Path(line.rpartition(", ")[2], "store.json").is_file()
    assert sorted(small.gets()) == ALL
    assert "\x1b" not in done.stdout + done.stderr and "600/600 rows" in done.stderr


def test_what_is_here_is_not_fetched_again(small: Any) -> None:
    assert invoke("download", "vision/small", "-q").exit_code == 0
    again = invoke("-q", "download", "vision/small")
    assert again.exit_code == 0 and again.stderr == ""
    assert sorted(small.gets()) == ALL
    assert len(load_dataset("vision/small", "train")) == 600


def test_one_split_fetches_only_its_files(small: Any) -> None:
    result = invoke("download", "vision/small", "--split", "test", "--json")
    (item,) = json.loads(result.stdout)["done"]
    assert (item["name"], item["split"], item["rows"]) == ("vision/small", "test", 40)
    assert sorted(small.gets()) == ["test-images.gz", "test-labels.gz"]


def test_an_unknown_split_fetches_nothing(small: Any) -> None:
    result = invoke("download", "vision/small", "--split", "tset")
    assert result.exit_code == 2 and "'test'" in result.stderr
    assert small.gets() == []


def test_one_failure_does_not_stop_the_others(small: Any) -> None:
    result = invoke("download", "vision/nothing", "vision/small", "text/nothing", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert [item["split"] for item in told["done"]] == ["train", "test"]
    assert [item["name"] for item in told["errors"]] == ["vision/nothing", "text/nothing"]
    assert "2 of 3 failed" in result.stderr


def test_an_unknown_name_alone_is_wrong_use(small: Any) -> None:
    result = invoke("download", "vision/smal")
    assert result.exit_code == 2 and "'vision/small'" in result.stderr


def test_nothing_but_wrong_names_is_wrong_use(small: Any) -> None:
    result = invoke("download", "vision/smal", "vision/smol")
    assert result.exit_code == 2 and "2 of 2 failed" in result.stderr
    result = invoke("download", "vision/small", "vision/fashion-mnist-mini", "--split", "tset")
    assert result.exit_code == 2
    assert small.gets() == []


def test_a_wrong_name_is_told_before_the_work(small: Any) -> None:
    told = run("download", "vision/small", "vision/nothing", env=small.env).stderr
    assert 0 <= told.index("'vision/nothing'") < told.index("train-images.gz: ")


def test_json_is_a_document_whatever_happens(small: Any) -> None:
    for name, code in (("vision/nothing", 2), ("vision/small", 1)):
        small.server.always[IMAGES] = status(404)
        result = invoke("download", name, "--split", "train", "--json")
        told = json.loads(result.stdout)
        assert (result.exit_code, told["done"]) == (code, [])
        assert [item["name"] for item in told["errors"]] == [name]
        assert told["errors"][0]["error"].splitlines()[0] in result.stderr


def test_a_server_that_lacks_the_file_is_a_failure(small: Any) -> None:
    card = load_card("vision/small").source  # straight to the server: one address, no mirror
    card.write_text(card.read_text().replace("https:/", small.server.url))
    small.server.faults[IMAGES] = [status(404)]
    result = invoke("download", "vision/small", "-q")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "train-images.gz could not be fetched" in result.stderr and "404" in result.stderr


def test_offline_is_told(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOMAINKIT_OFFLINE", "1")
    result = invoke("download", "vision/small")
    assert result.exit_code == 1 and "DOMAINKIT_OFFLINE" in result.stderr
    assert small.gets() == []


def test_weights(fresh_home: Path) -> None:
    result = invoke("download", "vision/fashion-cnn", "--json")
    spec = load_model_card("vision/fashion-cnn").weights_spec("default")
    (item,) = json.loads(result.stdout)["done"]
    assert (item["weights"], item["file"]) == (spec.name, str(spec.file.path))
    assert invoke("download", "vision/fashion-cnn", "--weights", "none").exit_code == 2


def test_ctrl_c_stops_at_once_and_the_next_run_goes_on(small: Any) -> None:
    reached = threading.Event()
    small.server.faults[IMAGES] = [hold_after(500, reached)]
    process = subprocess.Popen(
        [*COMMAND, "download", "vision/small", "--split", "train"],
        env={**os.environ, **small.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reached.wait(timeout=60)
    part = small.home / "partial"
    while not any(p.stat().st_size for p in part.glob("*.part")):  # until the bytes are on disk
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=20)  # the server would hold for ever
    assert (process.returncode, out) == (130, "")
    assert errors.endswith("stopped; run the same command again to go on\n")
    assert "Traceback" not in errors
    assert not list(small.home.glob("prepared/vision/small/*/store.json"))

    again = invoke("download", "vision/small", "--split", "train")
    assert again.exit_code == 0
    ranges = [r.range for r in small.server.requests if r.path == IMAGES]
    assert ranges == [None, "bytes=500-"]


def test_the_options_make_the_policy(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    real = cache.fetch

    def fetch(*args: Any, policy: Any = None, **kwargs: Any) -> Path:
        seen.append(policy)
        return real(*args, policy=policy, **kwargs)

    monkeypatch.setattr(cache, "fetch", fetch)
    monkeypatch.setenv("DOMAINKIT_JOBS", "3")
    monkeypatch.setenv("DOMAINKIT_DEADLINE", "500")
    options = ("--limit-rate", "50MB", "--deadline", "60.5")
    assert invoke("download", "vision/small", "--split", "test", *options).exit_code == 0
    assert len(seen) == 2 and seen[0] is seen[1]  # one limit for all of them
    assert (seen[0].jobs, seen[0].bandwidth, seen[0].deadline) == (3, 50e6, 60.5)
    assert invoke("download", "vision/small", "--split", "train", "--jobs", "1").exit_code == 0
    assert (seen[-1].jobs, seen[-1].bandwidth, seen[-1].deadline) == (1, None, 500)


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--limit-rate", "fast", "is not a bandwidth"),
        ("--limit-rate", "0", "is not a bandwidth"),
        ("--deadline", "0", "more than 0 seconds"),
        ("--deadline", "soon", "Invalid value"),
        ("--jobs", "0", "Invalid value"),
    ],
)
def test_wrong_options_are_wrong_use(small: Any, option: str, value: str, told: str) -> None:
    result = invoke("download", "vision/small", option, value)
    assert result.exit_code == 2 and told in result.stderr and option in result.stderr
    assert small.gets() == []


def test_weights_are_fetched_under_the_same_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def fetch(*_: Any, policy: Any = None, **__: Any) -> Path:
        seen.append(policy)
        return Path(__file__)

    monkeypatch.setattr(cache, "fetch", fetch)
    assert invoke("download", "vision/resnet50", "--jobs", "7").exit_code == 0
    assert seen[0].jobs == 7


def test_help_shows_examples() -> None:
    text = invoke("download", "--help").stdout
    assert "domainkit download vision/cifar10 --from ~/Downloads" in text
    for option in ("--from", "--jobs", "--limit-rate", "--deadline"):
        assert option in text
