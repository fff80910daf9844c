"""The audio recipes: they load, state their sample rate, and give what they promise."""

from __future__ import annotations

import pytest
import torch
from support.audio_batches import waveforms

from domainkit.audio.transforms import Compose, SpecAugment
from domainkit.draws import Draws
from domainkit.ragged import Ragged
from domainkit.recipe import list_recipes, load_recipe, read_recipe

RECIPES = {  # name -> Hz, bands, frames of a second and of half a second
    "audio/kaldi-fbank-1": (16000, 80, (98, 48)),
    "audio/music-logmel-1": (22050, 128, (44, 22)),
    "audio/speech-augment-1": (16000, 80, (101, 51)),
    "audio/speech-logmel-1": (16000, 80, (101, 51)),
    "audio/voice-prompts-eval-1": (8000, 40, (101, 51)),
    "audio/voice-prompts-train-1": (8000, 40, (101, 51)),
    "audio/whisper-logmel-1": (16000, 80, (3000, 3000)),
}


def test_all_are_here() -> None:
    assert list_recipes("audio") == sorted(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_shapes_and_sample_rate(name: str) -> None:
    rate, bands, frames = RECIPES[name]
    recipe, facts = load_recipe(name), read_recipe(name)
    assert f"at {rate} Hz" in facts.input
    for step in recipe:
        given = getattr(step, "sample_rate", getattr(step, "sample_frequency", rate))
        assert given == rate
    out = recipe({"audio": Ragged.from_list(waveforms((rate, rate // 2)))})["audio"]
    assert out.inner == (bands,)
    if any(getattr(step, "varies", False) for step in recipe):  # new lengths are drawn
        pairs = zip(out.lengths.tolist(), frames, strict=True)
        assert all(abs(n / m - 1) < 0.13 for n, m in pairs)
        return
    assert out.host_shapes.tolist() == [[n] for n in frames]
    assert recipe(torch.stack(waveforms((rate, rate)))).shape == (2, frames[0], bands)


def test_training_is_evaluation_plus_randomness() -> None:
    train, evaluate = (
        load_recipe("audio/voice-prompts-train-1"),
        load_recipe("audio/voice-prompts-eval-1"),
    )
    assert Compose([step for step in train if not step.random]) == evaluate


def test_augmentation_is_the_features_of_the_plain_recipe_plus_draws() -> None:
    steps = list(load_recipe("audio/speech-augment-1"))
    plain = list(load_recipe("audio/speech-logmel-1"))
    assert [s for s in steps if not s.random and type(s).__name__ != "Standardize"] == plain
    x = Ragged.from_list(waveforms((16000, 9000)))
    recipe = load_recipe("audio/speech-augment-1")
    one, other, again = (
        recipe(x, Draws(seed=seed, epoch=0, ids=torch.arange(2))) for seed in (0, 1, 0)
    )
    assert torch.equal(one.values, again.values)
    assert not torch.equal(one[0][:40], other[0][:40])


def test_standardised_output() -> None:
    out = load_recipe("audio/voice-prompts-eval-1")(Ragged.from_list(waveforms((8000, 3000))))
    for item in out:
        assert abs(float(item.mean())) < 1e-4 and abs(float(item.std()) - 1) < 1e-3


def test_masks_hide_little_of_a_prompt() -> None:
    recipe = load_recipe("audio/voice-prompts-train-1")
    (masks,) = [step for step in recipe if isinstance(step, SpecAugment)]
    draws = Draws(seed=0, epoch=0, ids=torch.arange(50))
    assert float((masks(torch.ones(50, 160, 40), draws) == 0).float().mean()) < 0.15
