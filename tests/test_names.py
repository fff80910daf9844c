from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import domainkit as dk
from domainkit import names
from domainkit.errors import NotFoundError

SPELLED = [  # as torchvision, torchaudio and torchtext spell them
    ("vision", "FashionMNIST", "fashion-mnist"),
    ("vision", "MNIST", "mnist"),
    ("vision", "CIFAR10", "cifar10"),
    ("vision", "CIFAR100", "cifar100"),
    ("vision", "Imagenette", "imagenette"),
    ("audio", "SPEECHCOMMANDS", "speech-commands"),
    ("audio", "YESNO", "yesno"),
    ("audio", "LJSPEECH", "ljspeech"),
    ("text", "AG_NEWS", "ag-news"),
    ("text", "IMDB", "imdb"),
]


@pytest.mark.parametrize(("domain", "spelled", "name"), SPELLED)
def test_spellings_of_the_older_libraries(domain: str, spelled: str, name: str) -> None:
    datasets = importlib.import_module(f"domainkit.{domain}.datasets")
    assert getattr(datasets, spelled).name == f"{domain}/{name}"
    assert names.full_name(domain, spelled) == f"{domain}/{name}"


@pytest.mark.parametrize(("domain", "older"), [("vision", "torchvision"), ("audio", "torchaudio")])
def test_the_spellings_are_theirs(domain: str, older: str) -> None:
    module = pytest.importorskip(f"{older}.datasets")
    assert all(hasattr(module, spelled) for d, spelled, _ in SPELLED if d == domain)


def test_loading_by_any_spelling() -> None:
    from domainkit.vision import datasets

    expected = dk.load_dataset("vision/fashion-mnist-mini", "test[:10]").fingerprint
    assert datasets.FashionMNISTMini(split="test[:10]").fingerprint == expected
    assert datasets.fashion_mnist_mini("test[:10]").fingerprint == expected
    assert datasets.load("fashion-mnist-mini", split="test[:10]").fingerprint == expected
    assert datasets.load("vision/Fashion_MNIST_mini", "test[:10]").fingerprint == expected


def test_lists() -> None:
    from domainkit.audio import datasets

    assert datasets.list() == [n.removeprefix("audio/") for n in dk.list_datasets("audio")]
    listed = dir(datasets)
    assert {"list", "load", "speech_commands", "yesno"} <= set(listed)
    assert all(callable(getattr(datasets, name)) for name in listed)


def test_unknown_names_offer_the_nearest() -> None:
    from domainkit.vision import datasets

    with pytest.raises(AttributeError, match=r"Did you mean .*'fashion-mnist'"):
        datasets.FashionMNST  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no attribute 'Zebra'.*Known: cifar10, cifar100"):
        datasets.Zebra  # noqa: B018
    with pytest.raises(NotFoundError, match="Did you mean 'cifar100'"):
        datasets.load("cifar-1000")
    with pytest.raises(AttributeError, match=r"has no attribute '_private'$"):
        datasets._private  # noqa: B018
    assert not hasattr(datasets, "__wrapped__")


def test_arguments_of_the_older_libraries_are_explained() -> None:
    from domainkit.vision import datasets

    with pytest.raises(TypeError, match=r"takes split= only, got root, download.*Loader"):
        datasets.MNIST(root="data", download=True)


def test_private_cards_and_names_that_collide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "text"
    folder.mkdir()
    for name in ("my-notes", "mynotes", "2-much"):
        (folder / f"{name}.toml").touch()  # a card is read only when it is loaded
    monkeypatch.setenv("DOMAINKIT_CARDS", str(tmp_path))
    assert names.full_name("text", "my-notes") == "text/my-notes"  # exact goes first
    assert names.full_name("text", "2_Much") == "text/2-much"
    with pytest.raises(NotFoundError, match="may mean my-notes or mynotes"):
        names.full_name("text", "MyNotes")
    assert "my_notes" in names.attributes("text")
    assert "2_much" not in names.attributes("text")
