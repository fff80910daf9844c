"""A pipeline that does not fit its dataset is refused before the first batch."""

from __future__ import annotations

import pytest

import domainkit as dk
from domainkit.audio import transforms as A
from domainkit.errors import TransformError
from domainkit.features import Audio, Boxes, Image, Mask
from domainkit.pipeline_check import check_pipeline
from domainkit.transform import Transform
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


@pytest.mark.parametrize("name", ["boxes", "bboxes"])
def test_geometry_carries_boxes_and_masks(name: str) -> None:
    features = {"image": Image(), name: Boxes(), "mask": Mask()}
    check_pipeline([V.RandomHorizontalFlip(), V.Resize(64)], features)


@pytest.mark.parametrize("shapes", [{"objects": Boxes()}, {"regions": Mask()}])
def test_a_column_that_geometry_would_not_find_is_refused(shapes) -> None:
    features = {"image": Image(), **shapes}
    with pytest.raises(TransformError, match="RandomHorizontalFlip moves pixels and finds"):
        check_pipeline([V.RandomHorizontalFlip()], features)
    check_pipeline([V.ColorJitter(brightness=0.1), V.ToDtype("float32", scale=True)], features)


def test_geometry_that_carries_nothing_is_refused() -> None:
    class Roll(Transform):
        field, kind = "image", "geometry"

    with pytest.raises(TransformError, match="Roll moves pixels and would leave 'boxes'"):
        check_pipeline([Roll()], {"image": Image(), "boxes": Boxes()})


def test_boxes_of_another_format_need_a_step_that_converts_them() -> None:
    features = {"image": Image(), "boxes": Boxes(format="xywh")}
    flip, convert = V.RandomHorizontalFlip(), V.ConvertBoundingBoxFormat("xyxy", "xywh")
    with pytest.raises(
        TransformError, match=r'put ConvertBoundingBoxFormat\("xyxy", old_format="xy'
    ):
        check_pipeline([flip], features)
    with pytest.raises(TransformError, match="those of 'boxes' are xywh"):
        check_pipeline([flip, convert], features)
    with pytest.raises(TransformError, match="those of 'boxes' are xywh"):
        check_pipeline([V.ConvertBoundingBoxFormat("xyxy", "cxcywh"), flip], features)
    check_pipeline([convert, flip], features)
    check_pipeline([V.ToDtype("float32", scale=True)], features)


def test_geometry_within_a_choice_is_seen() -> None:
    features = {"image": Image(), "boxes": Boxes(format="cxcywh")}
    with pytest.raises(TransformError, match="those of 'boxes' are cxcywh"):
        check_pipeline([V.RandomApply([V.RandomHorizontalFlip()])], features)
    convert = V.ConvertBoundingBoxFormat("xyxy", "cxcywh")
    check_pipeline([convert, V.RandomApply([V.RandomHorizontalFlip()])], features)
