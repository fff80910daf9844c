"""The zoo: torchvision's registry, weights through the cache, our own models."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from support.rows import dataset
from support.server import FileServer
from torchvision.transforms.v2 import functional as F

import domainkit as dk
from domainkit import model_cards
from domainkit.cards import FileSpec
from domainkit.errors import (
    DecodeError,
    DigestError,
    DomainkitError,
    NotFoundError,
    TransformError,
)
from domainkit.features import Audio
from domainkit.vision.models import torchvision_builder, torchvision_table


def test_every_model_of_torchvision_is_listed() -> None:
    ours = {name.removeprefix("vision/") for name in dk.list_models("vision")}
    assert set(torchvision.models.list_models()) <= ours


def test_the_table_is_what_the_installed_torchvision_says(tmp_path: Path) -> None:
    torchvision_table.write(tmp_path / "table.toml")
    fresh = tomllib.loads((tmp_path / "table.toml").read_text())
    shipped = tomllib.loads(torchvision_table.TABLE.read_text())
    # another torchvision may have more models; what both have must agree
    for name in fresh["models"].keys() & shipped["models"].keys():
        assert fresh["models"][name] == shipped["models"][name], name
    assert fresh["labels"] == shipped["labels"]
    assert shipped["models"]["resnet50"]["weights"]["imagenet1k-v2"]["sha256"] == "11ad3fa6"


@pytest.mark.parametrize("name", dk.list_models())
def test_every_card_is_whole(name: str) -> None:
    card = model_cards.load_model_card(name)
    assert card.summary and card.license and card.homepage
    for weights in card.weights.values():
        assert weights.file.digest or weights.file.urls, weights.name
        if card.task.endswith("image-classification"):
            assert weights.recipe
            # vgg16's feature extractor alone has no classes and no score
            assert bool(weights.labels) == bool(weights.metrics)
            assert weights.labels or weights.name == "imagenet1k-features"


CLASSIFIERS = [
    n
    for n in dk.list_models("vision")
    if model_cards.load_model_card(n).task in ("image-classification", "semantic-segmentation")
    and model_cards.load_model_card(n).args.get("name")
]


def test_recipes_equal_torchvisions_presets() -> None:
    """Every distinct preset of a classification or segmentation weight, on an odd-sized picture."""
    rows = np.linspace(0, 255, 301)[:, None] + np.linspace(0, 90, 415)[None, :]
    waves = np.stack([rows % 256, (2 * rows) % 256, 255 - rows % 256]).astype(np.uint8)
    picture = torch.from_numpy(waves)
    seen = set()
    for name in CLASSIFIERS:
        card = model_cards.load_model_card(name)
        for weights in card.weights.values():
            if weights.recipe is None or repr(weights.recipe) in seen:
                continue
            seen.add(repr(weights.recipe))
            enum = torchvision.models.get_model_weights(card.args["name"])
            preset = enum[weights.name.upper().replace("-", "_")].transforms()
            recipe = dk.load_model.__globals__["_recipe"](card, weights)
            mine = recipe({"image": picture[None]})["image"][0]
            theirs = preset(picture)
            assert mine.shape == theirs.shape
            # torchvision's fixed-point uint8 resize is a level off its own float one, and many
            # more for bicubic: there its preset is given the float picture, resized and rounded
            if "BICUBIC" in repr(preset):
                size = list(preset.resize_size)
                rounded = F.resize(picture.float(), size, preset.interpolation).round()
                cropped = F.center_crop(rounded.clamp(0, 255), preset.crop_size) / 255
                theirs = F.normalize(cropped, preset.mean, preset.std)
            std = torch.tensor(getattr(preset, "std", [1.0]))
            level = 1 / 255 / float(std.min())
            assert float((mine - theirs).abs().max()) < 1.01 * level + 1e-5
    assert len(seen) > 20


@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "googlenet", "fasterrcnn_mobilenet_v3_large_fpn"]
)
def test_builds_untrained_without_the_network(name: str) -> None:
    model = dk.load_model(f"vision/{name}", weights=None)
    assert not model.training
    assert model.card.name == f"vision/{name}"
    assert model.labels == ()
    assert model.recipe is not None


def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, weights: str, state) -> str:
    """Put a state dict where the mirror looks for these weights; their card gets its digest."""
    url = torchvision_builder_url(name, weights)
    place = tmp_path / url.removeprefix("https://")
    place.parent.mkdir(parents=True)
    torch.save(state, place)
    digest = hashlib.sha256(place.read_bytes()).hexdigest()[:8]
    table = tomllib.loads(torchvision_table.TABLE.read_text())
    table["models"][name]["weights"][weights]["sha256"] = digest
    monkeypatch.setattr(
        model_cards,
        "_read",
        lambda path: table if path.name == "torchvision.toml" else tomllib.loads(path.read_text()),
    )
    return url


def torchvision_builder_url(name: str, weights: str) -> str:
    return model_cards.load_model_card(f"vision/{name}").weights[weights].file.urls[0]


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("squeezenet1_1", "imagenet1k-v1"),
        ("googlenet", "imagenet1k-v1"),
        ("resnet18", "imagenet1k-v1"),
    ],
)
def test_weights_come_through_the_cache(
    name: str, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_home: Path
) -> None:
    weights = "imagenet1k-v1"
    torch.manual_seed(0)
    source = torchvision.models.get_model(
        name, weights=None, **({"init_weights": True} if name == "googlenet" else {})
    )
    served(monkeypatch, tmp_path, name, weights, source.state_dict())
    with FileServer(tmp_path) as server:
        monkeypatch.setenv("DOMAINKIT_MIRROR", server.url)
        model = dk.load_model(f"vision/{name}", weights)
        asked = len(server.requests)
        again = dk.load_model(f"vision/{name}", weights)
        assert len(server.requests) == asked > 0
    picture = torch.rand(1, 3, 224, 224)
    source.eval()
    if name == "googlenet":  # torchvision's weights expect inputs scaled inside the network
        source.transform_input = True
    torch.testing.assert_close(model(picture), source(picture))
    torch.testing.assert_close(again(picture), source(picture))
    assert len(model.labels) == 1000
    best = model.predict(torch.randint(0, 256, (2, 3, 300, 200), dtype=torch.uint8), top=3)
    assert len(best) == 2 and len(best[0].top) == 3 and best[0].label in model.labels


def test_frozen_batch_norm_as_torchvision_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_home: Path
) -> None:
    """Detection weights belong to a network with frozen batch norm: other keys than untrained."""
    name, weights = "fasterrcnn_mobilenet_v3_large_320_fpn", "coco-v1"

    plain = torchvision.models.get_model(name, weights=None, weights_backbone=None).state_dict()
    frozen = {k: v for k, v in plain.items() if not k.endswith("num_batches_tracked")}
    served(monkeypatch, tmp_path, name, weights, frozen)
    with FileServer(tmp_path) as server:
        monkeypatch.setenv("DOMAINKIT_MIRROR", server.url)
        model = dk.load_model(f"vision/{name}", weights)
    assert model.state_dict().keys() == frozen.keys()
    with pytest.raises(DomainkitError, match="object-detection"):
        model.predict(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))


def test_wrong_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_home: Path
) -> None:
    served(monkeypatch, tmp_path, "squeezenet1_1", "imagenet1k-v1", {"a": torch.zeros(1)})
    with FileServer(tmp_path) as server:
        monkeypatch.setenv("DOMAINKIT_MIRROR", server.url)
        with pytest.raises(DomainkitError, match=r"squeezenet1_1 cannot be built with the weights"):
            dk.load_model("vision/squeezenet1_1", "imagenet1k-v1")


def test_unknown_names_offer_the_nearest() -> None:
    with pytest.raises(NotFoundError, match=r"Did you mean 'vision/resnet50'"):
        dk.load_model("vision/resnet5O")
    with pytest.raises(NotFoundError, match="imagenet1k-v2"):
        dk.load_model("vision/resnet50", "imagenet1k-v3")
    with pytest.raises(NotFoundError, match="has no resnet9000"):
        torchvision_builder.build("resnet9000")
    with pytest.raises(DomainkitError, match="squeezenet1_1 cannot be built untrained"):
        dk.load_model("vision/squeezenet1_1", weights=None, no_such_argument=1)


OWN = [n for n in dk.list_models() if model_cards.load_model_card(n).training]


def test_there_are_three_models_of_our_own() -> None:
    assert OWN == ["audio/voice-prompts-cnn", "text/sentiment-bag", "vision/fashion-cnn"]


@pytest.mark.parametrize(
    ("name", "dataset", "least"),
    [
        ("audio/voice-prompts-cnn", "audio/voice-prompts", 0.90),
        ("text/sentiment-bag", "text/sentiment-sentences", 0.85),
        ("vision/fashion-cnn", "vision/fashion-mnist-mini", 0.91),
    ],
)
def test_own_models_reach_their_bar(name: str, dataset: str, least: float) -> None:
    model = dk.load_model(name)
    test = dk.load_dataset(dataset, "test")
    results = model.predict(test)
    accuracy = float(np.mean([r.index for r in results] == np.asarray(test["label"])))
    assert accuracy >= least
    claimed = [v for k, v in model.card.weights_spec("default").metrics.items() if dataset in k]
    if claimed:
        assert abs(accuracy - claimed[0]) < 5e-4
    loader = dk.Loader(test, 64, transform=model.recipe)
    assert dk.evaluate(model, loader, field=model.card.forward) == pytest.approx(accuracy)


def test_predict_takes_files_bytes_and_batches(tmp_path: Path) -> None:
    import importlib

    model = dk.load_model("vision/fashion-cnn")
    test = dk.load_dataset("vision/fashion-mnist-mini", "test")
    png = importlib.import_module("domainkit.vision.codec").encode_png(test[0]["image"])
    (tmp_path / "shoe.png").write_bytes(png)
    by_path = model.predict(tmp_path / "shoe.png")
    assert by_path == model.predict([png])
    assert by_path == model.predict(test.batch([0]))
    assert by_path == model.predict(test[:1])
    assert by_path[0].label == model.labels[by_path[0].index]
    assert sum(score for _, score in model.predict(png, top=10)[0].top) == pytest.approx(
        1, abs=1e-4
    )
    (tmp_path / "broken.png").write_bytes(png[:60])
    with pytest.raises(DomainkitError, match=r"broken\.png"):
        model.predict(tmp_path / "broken.png")


def test_a_damaged_weight_file_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    card = model_cards.load_model_card("text/sentiment-bag")
    spec = card.weights_spec("default")
    assert isinstance(spec.file, FileSpec) and spec.file.path is not None
    damaged = bytearray(spec.file.path.read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "copy.safetensors").write_bytes(damaged)
    object.__setattr__(spec.file, "path", tmp_path / "copy.safetensors")
    with pytest.raises(DigestError, match="expected sha256"):
        dk.load_model.__globals__["_read_weights"](spec)


# -- predict: modes, and what it takes -----------------------------------------------------------


@pytest.fixture
def clothes() -> dk.Dataset:
    return dk.load_dataset("vision/fashion-mnist-mini", "test")


def test_predict_evaluates_and_gives_each_module_its_mode_back(clothes: dk.Dataset) -> None:
    model = dk.load_model("vision/fashion-cnn")
    expected = model.predict(clothes[:8])
    model.train()
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    norms[0].eval()  # frozen
    modes = [m.training for m in model.modules()]
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    assert model.predict(clothes[:8]) == expected
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
    with pytest.raises(TransformError, match="takes float32"):  # the network itself refuses it
        model.predict(torch.zeros(1, 2, 28, 28, dtype=torch.uint8))
    assert [m.training for m in model.modules()] == modes


def test_an_untrained_model_names_no_classes(clothes: dk.Dataset) -> None:
    model = dk.load_model("vision/fashion-cnn", weights=None, num_classes=3)
    assert model.labels == () and model.recipe is not None
    with pytest.raises(DomainkitError, match=r"classes.*not known.*set model\.labels"):
        model.predict(clothes[:1])
    model.labels = ("a", "b", "c")
    assert model.predict(clothes[:1])[0].label in model.labels


def test_weights_of_another_shape_are_refused_in_a_line() -> None:
    with pytest.raises(DomainkitError, match="do not fit: use weights=None") as caught:
        dk.load_model("vision/fashion-cnn", num_classes=3)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    assert "fashion-mnist-1" in str(caught.value) and "'num_classes': 3" in str(caught.value)


def test_predict_takes_pillow_pictures(clothes: dk.Dataset) -> None:
    model = dk.load_model("vision/fashion-cnn")
    expected = model.predict(clothes[:2])
    pictures = [Image.fromarray(clothes[i]["image"][0].numpy()) for i in range(2)]
    assert model.predict(pictures) == expected
    assert model.predict(pictures[0].convert("RGB")) == expected[:1]
    with pytest.raises(DecodeError, match="takes paths, bytes or decoded samples, got Image"):
        dk.load_model("audio/voice-prompts-cnn").predict(pictures[0])
    with pytest.raises(DecodeError, match="got int"):
        model.predict([3])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("vision/fashion-cnn", "vision/fashion-mnist-mini"),
        ("audio/voice-prompts-cnn", "audio/voice-prompts"),
        ("text/sentiment-bag", "text/sentiment-sentences"),
    ],
)
def test_predict_takes_decoded_samples(name: str, data: str) -> None:
    model, ds = dk.load_model(name), dk.load_dataset(data, "test")
    (expected,) = model.predict(ds[:1])
    sample, field = ds[0], model.card.field
    for inputs in (sample, sample[field], [sample], [sample[field]], ds.batch([0])):
        (found,) = model.predict(inputs)
        assert found.label == expected.label
        assert found.score == pytest.approx(expected.score, abs=1e-5)
    with pytest.raises(NotFoundError, match=field):
        model.predict({"label": 1})
    with pytest.raises(NotFoundError, match=f"needs a column '{field}'"):
        model.predict(ds.select_columns(["label"]))


def test_predict_of_a_missing_file_says_so_once(tmp_path: Path) -> None:
    model = dk.load_model("vision/fashion-cnn")
    with pytest.raises(DecodeError) as caught:
        model.predict(tmp_path / "none.png")
    assert str(caught.value) == f"{tmp_path / 'none.png'}: no such file"
    with pytest.raises(DecodeError) as caught:
        model.predict(str(tmp_path))
    assert str(caught.value).count(str(tmp_path)) == 1


def test_predict_refuses_what_the_recipe_already_made(clothes: dk.Dataset) -> None:
    model = dk.load_model("vision/fashion-cnn")
    ready = next(iter(dk.Loader(clothes[:4], 4, transform=model.recipe)))
    told = re.escape("call the model itself on batch['image']")
    with pytest.raises(TransformError, match=f"already went through a transform.*{told}"):
        model.predict(ready)
    for inputs in (ready["image"], {"image": ready["image"]}, [ready["image"][0]]):
        with pytest.raises(TransformError, match="uint8 pictures before the recipe"):
            model.predict(inputs)
    assert len(model.predict(next(iter(dk.Loader(clothes[:4], 4))))) == 4


@pytest.mark.parametrize(
    ("rate", "told"),
    [(16000, "8000 Hz.*16000 Hz"), (None, '{"audio": {"type": "Audio", "sample_rate": 8000}}')],
)
def test_predict_asks_for_the_sample_rate(tmp_path: Path, rate: int | None, told: str) -> None:
    model, voices = (
        dk.load_model("audio/voice-prompts-cnn"),
        dk.load_dataset("audio/voice-prompts", "test"),
    )
    rows = [{"audio": bytes(voices.raw(i)["audio"])} for i in range(2)]
    pattern = told if rate else re.escape(told)
    with pytest.raises(TransformError, match=pattern):
        model.predict(dataset(tmp_path, rows, {"audio": Audio(sample_rate=rate)}))
    same = model.predict(dataset(tmp_path, rows, {"audio": Audio(sample_rate=8000)}))
    assert same == model.predict(voices[:2])


def test_a_reproduced_model_knows_its_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    card = model_cards.load_model_card("text/sentiment-bag")
    model, _ = dk.load_model.__globals__["reproduce"](card.name, epochs=1)
    assert model.labels == card.weights_spec("default").labels
    assert model.predict("I loved it.")[0].label in model.labels
