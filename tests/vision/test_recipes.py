"""The vision recipes against torchvision's own pipelines, and their numbers against the data."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms.v2 as T
import torchvision.transforms.v2.functional as F
from support.pictures import photo_files, photos, varied
from torchvision import models
from torchvision.models import ResNet50_Weights

import domainkit as dk
import domainkit.model_cards
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.recipe import list_recipes, load_recipe, read_recipe
from domainkit.vision.codec import decode_image
from domainkit.vision.models import torchvision_table
from domainkit.vision.transforms import ChannelsBeforeTime, RandomHorizontalFlip, RandomResizedCrop
from domainkit.vision.transforms._images import item_sizes

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def test_all_are_here_and_build() -> None:
    names = list_recipes("vision")
    assert {
        "vision/fashion-mnist-eval-1",
        "vision/fashion-mnist-train-1",
        "vision/imagenet-eval-1",
        "vision/imagenet-train-1",
    } <= set(names)
    for name in names:
        assert load_recipe(name).name == name == read_recipe(name).name


def test_imagenet_eval_is_what_the_weights_of_torchvision_ask_for() -> None:
    theirs = ResNet50_Weights.IMAGENET1K_V1.transforms()
    mine = load_recipe("vision/imagenet-eval-1")
    for source in varied(5, 3):
        x = F.resize(source[None], [300, 411])
        expected = theirs(x)
        # a level apart in the resizing is .0175 after the division by std
        torch.testing.assert_close(mine(x), expected, rtol=0, atol=0.0176)
        exact = F.resize(x.double() / 255, [256])
        exact = F.normalize(F.center_crop(exact, [224]), MEAN, STD)
        assert (mine(x).double() - exact).abs().mean() < 0.006


def test_imagenet_eval_of_pictures_of_any_size_is_one_tensor() -> None:
    out = load_recipe("vision/imagenet-eval-1")(varied(7))
    assert out.shape == (7, 3, 224, 224) and out.dtype == torch.float32


def test_imagenet_train_step_by_step() -> None:
    recipe = load_recipe("vision/imagenet-train-1")
    x, draws = varied(7), Draws(3, 1, torch.arange(7))
    crop, flip = recipe.steps[:2]
    assert isinstance(crop, RandomResizedCrop) and isinstance(flip, RandomHorizontalFlip)
    boxes = crop.boxes(item_sizes(x), draws.at(0)).tolist()
    mirrored = flip.mask(draws.at(1)).tolist()
    theirs = T.Compose([T.ToDtype(torch.float32, scale=True), T.Normalize(MEAN, STD)])
    out = recipe(x, draws)
    assert out.shape == (7, 3, 224, 224)
    for mine, source, box, yes in zip(out, x, boxes, mirrored, strict=True):
        expected = F.resized_crop(source, *box, [224, 224])
        expected = theirs(F.horizontal_flip(expected) if yes else expected)
        torch.testing.assert_close(mine, expected, rtol=0, atol=0.0176)


def presets() -> dict[str, list[Any]]:
    """The name of a recipe -> torchvision's presets of the weights that name it."""
    found: dict[str, list[Any]] = {}
    for name in models.list_models():
        card = dk.model_cards.load_model_card(f"vision/{name}")
        for weights in models.get_model_weights(name):
            recipe = card.weights[weights.name.lower().replace("_", "-")].recipe
            assert isinstance(recipe, str)
            found.setdefault(recipe, []).append(weights.transforms())
    return found


PRESETS = presets()


def test_every_distinct_preset_of_torchvision_is_one_recipe() -> None:
    assert len({repr(p) for group in PRESETS.values() for p in group}) == len(PRESETS) == 35
    assert all(len({repr(p) for p in group}) == 1 for group in PRESETS.values())


def test_the_recipes_are_what_torchvision_says(tmp_path: Path) -> None:
    torchvision_table.write(tmp_path / "table.toml", tmp_path)
    for path in (tmp_path / "vision").iterdir():
        assert load_recipe(path) == load_recipe(f"vision/{path.stem}")
        if path.stem != "imagenet-eval-1":  # which was there before, in other words
            assert path.read_text() == read_recipe(f"vision/{path.stem}").file.read_text()
    assert len(list((tmp_path / "vision").iterdir())) == 35


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_recipe_gives_the_pixels_of_its_preset(name: str) -> None:
    preset, recipe = PRESETS[name][0], load_recipe(name)
    assert not any(step.random for step in recipe)
    photo = F.resize(decode_image(photo_files()[1].read_bytes()), [301, 415])
    kind = type(preset).__name__
    std = torch.tensor(getattr(preset, "std", [1.0])).min().item()
    if kind == "VideoClassification":
        clips = torch.stack([photo, photo.flip(-1), photo.flip(-2)])[None]
        mine, theirs = recipe(clips), preset(clips)
    elif kind == "OpticalFlow":
        pair = torch.stack([photo, photo.flip(-1)])[None]
        mine, theirs = recipe(pair), torch.stack(preset(photo, photo.flip(-1)))[None]
        assert torch.equal(recipe(photo[None])[0], mine[0, 0])
    else:
        mine, theirs = recipe(photo[None])[0], preset(photo)
        if "BICUBIC" in repr(preset):
            # on uint8 torchvision clips between the two directions of the filter, which is many
            # levels off its own floating path: that one, rounded, is the truth here
            size = F.resize(photo.float(), preset.resize_size, preset.interpolation)
            size = F.center_crop(size.round().clamp(0, 255), preset.crop_size) / 255
            theirs = F.normalize(size, preset.mean, preset.std)
    assert mine.shape == theirs.shape and mine.dtype == torch.float32
    assert (mine - theirs).abs().max() < 1.01 / 255 / std


@pytest.mark.parametrize("name", ["r3d_18", "raft_large", "mvit_v2_s"])
def test_video_and_flow_models_have_their_recipe(name: str) -> None:
    card = dk.model_cards.load_model_card(f"vision/{name}")
    assert all(load_recipe(w.recipe) for w in card.weights.values())


def test_channels_before_time() -> None:
    clips = torch.arange(2 * 3 * 4 * 5 * 6).view(2, 3, 4, 5, 6)
    out = ChannelsBeforeTime()({"image": clips})["image"]
    assert torch.equal(out, clips.permute(0, 2, 1, 3, 4))
    assert ChannelsBeforeTime()(clips[:0]).shape == (0, 4, 3, 5, 6)
    with pytest.raises(TransformError, match="takes clips"):
        ChannelsBeforeTime()(clips[0])


def test_imagenet_train_2_step_by_step() -> None:
    """Its steps one by one, each of them held against torchvision in its own test."""
    recipe = load_recipe("vision/imagenet-train-2")
    x, draws = varied(7), Draws(3, 1, torch.arange(7))
    batch = {"image": x, "label": torch.tensor([0, 999, 3, 4, 5, 6, 7])}
    out = recipe(batch, draws)
    assert out["image"].shape == (7, 3, 224, 224) and out["image"].dtype == torch.float32
    assert out["label"].shape == (7, 1000)
    torch.testing.assert_close(out["label"].sum(1), torch.ones(7))
    step_by_step = batch
    for op, step in enumerate(recipe.steps):
        step_by_step = step(step_by_step, draws.at(op))
    # the passes of a plan may round once where the steps round each: a level, over std
    torch.testing.assert_close(out["image"], step_by_step["image"], rtol=0, atol=0.0176)
    # before the mixing a sample is the same alone
    single = dk.Compose(recipe.steps[:-1])
    alone = single(x[2:3], Draws(3, 1, torch.arange(2, 3)))
    together = single(x, draws)
    torch.testing.assert_close(alone[0], together[2])
    names = [type(step).__name__ for step in recipe]
    assert names == [
        *("RandomResizedCrop", "RandomHorizontalFlip", "RandAugment", "ToDtype", "Normalize"),
        *("RandomErasing", "MixUp"),
    ]


def test_cifar_train_step_by_step() -> None:
    recipe = load_recipe("vision/cifar-train-1")
    x, draws = photos(8)[:, :, :32, :32], Draws(5, 2, torch.arange(8))
    mean, std = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
    out = recipe(x, draws)
    crop, flip = recipe.steps[:2]
    mirrored = flip.mask(draws.at(1)).tolist()
    moved = crop(x, draws.at(0))
    for mine, cut, source, yes in zip(out, moved, x, mirrored, strict=True):
        padded = F.pad(source, [4, 4, 4, 4])
        windows = padded.unfold(1, 32, 1).unfold(2, 32, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
        assert (windows == cut).flatten(1).all(1).any()  # one of the 9 x 9 places
        expected = F.to_dtype(F.horizontal_flip(cut) if yes else cut, torch.float32, scale=True)
        torch.testing.assert_close(mine, F.normalize(expected, mean, std))
    plain = F.normalize(F.to_dtype(x, torch.float32, scale=True), mean, std)
    torch.testing.assert_close(load_recipe("vision/cifar-eval-1")(x), plain)


def test_fashion_mnist_recipes_on_a_batch() -> None:
    x = photos(8, 1)[:, :, :28, :28]
    train, test = (load_recipe(f"vision/fashion-mnist-{split}-1") for split in ("train", "eval"))
    assert train(x).shape == test(x).shape == (8, 1, 28, 28)
    torch.testing.assert_close(
        test(x), F.normalize(F.to_dtype(x, torch.float32, scale=True), [0.28604], [0.35302])
    )
    assert not torch.equal(train(x), test(x))


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_fashion_mnist_numbers_are_those_of_the_train_split() -> None:
    data = gzip.decompress((DEBIAN / "train-images-idx3-ubyte.gz").read_bytes())[16:]
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256)
    levels = np.arange(256) / 255
    mean = (counts * levels).sum() / counts.sum()
    std = np.sqrt((counts * (levels - mean) ** 2).sum() / counts.sum())
    for name in ("vision/fashion-mnist-train-1", "vision/fashion-mnist-eval-1"):
        normalize = load_recipe(name).steps[-1]
        assert normalize.mean == pytest.approx((mean,), abs=1e-5)
        assert normalize.std == pytest.approx((std,), abs=1e-5)
