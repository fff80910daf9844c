"""The ten published datasets, the whole way: card, HTTP, cache, archive, reader, store, sample.

Each test makes small files in the publisher's exact layout, serves them on 127.0.0.1 as a mirror,
opens the dataset by name and compares every sample with an independent reading of the same files:
torchvision's and torchaudio's own dataset classes, and for text Python's csv and tarfile.
"""

from __future__ import annotations

import csv
import tarfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import publishers_audio, publishers_text, publishers_vision
from support.fake_card import publish
from support.peers import scipy_load, torchaudio_or_skip
from support.server import FileServer

import domainkit as dk
from domainkit.cards import load_card

MAKERS: dict[str, Callable[[Path], dict[str, Path]]] = {
    "audio/ljspeech": publishers_audio.make_ljspeech,
    "audio/speech-commands": publishers_audio.make_speech_commands,
    "audio/yesno": publishers_audio.make_yesno,
    "text/ag-news": publishers_text.make_ag_news,
    "text/imdb": publishers_text.make_imdb,
    "vision/cifar10": publishers_vision.make_cifar10,
    "vision/cifar100": publishers_vision.make_cifar100,
    "vision/fashion-mnist": publishers_vision.make_fashion_mnist,
    "vision/imagenette": publishers_vision.make_imagenette,
    "vision/mnist": publishers_vision.make_mnist,
}

Opened = tuple[dict[str, dk.Dataset], dict[str, Path]]


@pytest.fixture
def opened(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_home: Path) -> Opened:
    """Every split of a dataset, opened by name over HTTP, and the files that were served."""
    name = request.param
    (tmp_path / "made").mkdir()
    made = MAKERS[name](tmp_path / "made")
    publish(name, made, tmp_path / "cards", tmp_path / "root")
    monkeypatch.setenv("DOMAINKIT_CARDS", str(tmp_path / "cards"))
    with FileServer(tmp_path / "root") as server:
        monkeypatch.setenv("DOMAINKIT_MIRROR", server.url)
        splits = {split: dk.load_dataset(name, split) for split in load_card(name).splits}
        gets = [r.path for r in server.requests if r.method == "GET"]
    assert len(gets) == len(set(gets)) == len(made)  # each file was asked for once
    for split, dataset in splits.items():  # the server is gone: this comes from the cache
        assert len(dk.load_dataset(name, split)) == len(dataset) > 0
        assert set(dataset[0]) == set(load_card(name).features)
    return splits, made


def test_every_published_card_is_here() -> None:
    cards = {name: load_card(name) for name in dk.list_datasets()}
    assert set(MAKERS) == {
        name for name, card in cards.items() if all(f.urls for f in card.files.values())
    }


VISION = [name for name in MAKERS if name.startswith("vision/")]


@pytest.mark.parametrize("opened", VISION, indirect=True, ids=VISION)
def test_vision_equals_torchvision(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits, made = opened
    for split, dataset in splits.items():
        name = dataset.info["name"].split("/")[1]
        theirs = Counter()
        root = tmp_path / f"peer-{split}"
        peer_split = {"validation": "val"}.get(split, split)
        peer = publishers_vision.torchvision_dataset(name, made, root, peer_split, monkeypatch)
        for image, label in peer:
            array = np.asarray(image)
            array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
            theirs[array.tobytes(), array.shape, label] += 1
        ours = Counter(
            (row["image"].numpy().tobytes(), tuple(row["image"].shape), row["label"])
            for row in dataset
        )
        assert ours == theirs
        if hasattr(peer, "classes"):
            names = dataset.features["label"].names
            # torchvision's Imagenette has tuples of synonyms
            wanted = [c if isinstance(c, str) else c[0] for c in peer.classes]
            assert [n.lower() for n in names] == [w.lower() for w in wanted] or name == "mnist"


AUDIO = {
    "audio/ljspeech": ("LJSPEECH", ".", "LJSpeech-1.1"),
    "audio/speech-commands": ("SPEECHCOMMANDS", "SpeechCommands/speech_commands_v0.02", None),
    "audio/yesno": ("YESNO", ".", "waves_yesno"),
}
SUBSETS = {"train": "training", "validation": "validation", "test": "testing"}


@pytest.mark.parametrize("opened", AUDIO, indirect=True, ids=list(AUDIO))
def test_audio_equals_torchaudio(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torchaudio = torchaudio_or_skip()
    monkeypatch.setattr(torchaudio, "load", scipy_load)
    splits, made = opened
    for split, dataset in splits.items():
        kind, folder, _ = AUDIO[dataset.info["name"]]
        root = tmp_path / "peer"
        with tarfile.open(made["archive"]) as tar:
            tar.extractall(root / folder, filter="data")
        options = {"subset": SUBSETS[split]} if kind == "SPEECHCOMMANDS" else {}
        theirs: Counter[Any] = Counter()
        for waveform, rate, *facts in getattr(torchaudio.datasets, kind)(root, **options):
            assert rate == dataset.features["audio"].sample_rate
            theirs[waveform.numpy().tobytes(), tuple(waveform.shape), repr(facts)] += 1
        ours: Counter[Any] = Counter()
        for row in dataset:
            if kind == "SPEECHCOMMANDS":
                label = dataset.features["label"].names[row["label"]]
                facts = [label, row["speaker"], row["utterance"]]
            elif kind == "YESNO":
                facts = [row["labels"].tolist()]
            else:
                facts = [row["transcript"], row["normalized_transcript"]]
            ours[row["audio"].numpy().tobytes(), tuple(row["audio"].shape), repr(facts)] += 1
        assert ours == theirs


@pytest.mark.parametrize("opened", ["text/ag-news"], indirect=True)
def test_ag_news_equals_its_csv(opened: Opened, request: pytest.FixtureRequest) -> None:
    splits, made = opened
    request.addfinalizer(partial(csv.field_size_limit, csv.field_size_limit(1 << 30)))
    for split, dataset in splits.items():
        with open(made[split], newline="", encoding="utf-8") as file:
            rows = [(int(label) - 1, title, text) for label, title, text in csv.reader(file)]
        assert [(r["label"], r["title"], r["text"]) for r in dataset] == rows
    assert splits["train"].features["label"].names == ("World", "Sports", "Business", "Sci/Tech")


@pytest.mark.parametrize("opened", ["text/imdb"], indirect=True)
def test_imdb_equals_its_files(opened: Opened) -> None:
    splits, made = opened
    for split, dataset in splits.items():
        theirs: Counter[Any] = Counter()
        with tarfile.open(made["archive"]) as tar:
            for member in tar:
                parts = member.name.split("/")
                if member.isfile() and parts[1:-1] in ([split, "neg"], [split, "pos"]):
                    text = tar.extractfile(member).read().decode()
                    theirs[parts[2], text] += 1
        names = ("neg", "pos")
        assert Counter((names[r["label"]], r["text"]) for r in dataset) == theirs
