"""The ten published datasets, the whole way: card, HTTP, cache, archive, reader, store, sample.

Each test makes small files in the publisher's exact layout, serves them on 127.0.0.1 as a mirror,
and opens the dataset by name. What torchvision's or torchaudio's own class reads from the same
files is the truth for vision and audio (their tests of readers compare the same way, sample by
sample, in tests/vision/readers and tests/audio/readers); for text it is Python's csv and tarfile.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import publishers_audio, publishers_text, publishers_vision
from support.fake_card import publish
from support.server import FileServer

import domainkit as dk
from domainkit.cards import data_folder, load_card

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


def test_every_published_card_is_here() -> None:
    shipped = {
        name
        for name in dk.list_datasets()
        if (data_folder("datasets") / f"{name}.toml").is_file() and load_card(name).files
    }
    embedded = {n for n in shipped if any(f.path for f in load_card(n).files.values())}
    assert set(MAKERS) == shipped - embedded


@pytest.mark.parametrize("name", MAKERS)
def test_from_the_card_to_a_sample(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_home: Path
) -> None:
    (tmp_path / "made").mkdir()
    made = MAKERS[name](tmp_path / "made")
    publish(name, made, tmp_path / "cards", tmp_path / "root")
    monkeypatch.setenv("DOMAINKIT_CARDS", str(tmp_path / "cards"))
    splits = list(load_card(name).splits)
    with FileServer(tmp_path / "root") as server:
        monkeypatch.setenv("DOMAINKIT_MIRROR", server.url)
        datasets = {split: dk.load_dataset(name, split) for split in splits}
        gets = [r.path for r in server.requests if r.method == "GET"]
        assert sorted(gets) == sorted(set(gets)) and len(gets) == len(made)
    # the server is gone: everything below comes from the cache
    for split, dataset in datasets.items():
        assert len(dataset) > 0
        again = dk.load_dataset(name, split)
        for mine, same in zip(dataset, again, strict=True):
            assert mine.keys() == set(load_card(name).features)
            assert all(_equal(mine[key], same[key]) for key in mine)
        batch = next(iter(dk.Loader(dataset, 4, seed=0)))
        assert len(batch.ids) == min(4, len(dataset))


def _equal(a: Any, b: Any) -> bool:
    return bool((a == b).all()) if hasattr(a, "shape") else a == b
