"""A pipeline that does not fit its dataset is refused before the first batch."""

from __future__ import annotations

import pytest

import domainkit as dk
from domainkit.audio import transforms as A
from domainkit.errors import TransformError
from domainkit.features import Audio, Boxes, Image, Mask
from domainkit.pipeline_check import check_pipeline
from domainkit.vision import transforms as V


def test_a_recipe_for_another_sample_rate_is_refused() -> None:
    prompts = dk.load_dataset("audio/voice-prompts", "test")
    with pytest.raises(TransformError, match=r"LogMel expects 16000 Hz.*have 8000 Hz.*Resample"):
        dk.Loader(prompts, 4, transform="audio/speech-logmel-1")
    resampled = A.Compose([A.Resample(8000, 16000), *dk.load_recipe("audio/speech-logmel-1")])
    batch = next(iter(dk.Loader(prompts, 4, transform=resampled)))
    assert batch["audio"].item_ndim == 2


def test_recordings_without_a_rate_are_refused_where_one_is_needed() -> None:
    steps = [A.RandomGain(), A.LogMel(sample_rate=8000)]
    with pytest.raises(TransformError, match="do not say what they have"):
        check_pipeline(steps, {"audio": Audio()})
    check_pipeline(steps[:1], {"audio": Audio()})


def test_the_rate_after_a_resample_is_the_new_one() -> None:
    steps = [A.Resample(8000, 16000), A.LogMel(sample_rate=16000)]
    check_pipeline(steps, {"audio": Audio(sample_rate=8000)})
    with pytest.raises(TransformError, match="Resample expects 8000"):
        check_pipeline(steps, {"audio": Audio(sample_rate=16000)})


@pytest.mark.parametrize("shapes", [{"boxes": Boxes()}, {"mask": Mask()}])
def test_geometry_beside_boxes_and_masks_is_refused(shapes) -> None:
    features = {"image": Image(), **shapes}
    with pytest.raises(TransformError, match="RandomHorizontalFlip moves pixels"):
        check_pipeline([V.RandomHorizontalFlip()], features)
    check_pipeline([V.ColorJitter(brightness=0.1), V.ToDtype("float32", scale=True)], features)
