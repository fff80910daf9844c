"""Every audio transform refuses what it cannot take, and says what came."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from domainkit.audio import transforms
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform

ON_WAVEFORMS: list[Transform] = [
    transforms.Effects([["gain", "-3"]], 16000),
    transforms.Gain(1.0),
    transforms.LogMel(16000),
    transforms.Loudness(16000),
    transforms.Mono(),
    transforms.NormalizeLoudness(16000),
    transforms.RandomClip(),
    transforms.RandomCodec(16000),
    transforms.RandomGain(),
    transforms.RandomPolarity(),
    transforms.RandomRoomResponse(16000),
    transforms.Resample(2, 1),
    transforms.TrimSilence(),
    transforms.Vad(16000),
]
ON_FEATURES: list[Transform] = [transforms.SpecAugment(), transforms.Standardize()]


@pytest.mark.parametrize("op", [*ON_WAVEFORMS, *ON_FEATURES], ids=lambda op: type(op).__name__)
@pytest.mark.parametrize("dtype", [torch.int16, torch.uint8, torch.float16, torch.complex64])
def test_dtype(op: Transform, dtype: torch.dtype) -> None:
    name = str(dtype).removeprefix("torch.")
    with pytest.raises(TransformError, match=rf"{type(op).__name__} takes float32.*got {name}"):
        op(torch.zeros(1, 1, 800, dtype=dtype))


@pytest.mark.parametrize("op", [*ON_WAVEFORMS, *ON_FEATURES], ids=lambda op: type(op).__name__)
def test_kind(op: Transform) -> None:
    with pytest.raises(TransformError, match=rf"{type(op).__name__} takes .*; got list"):
        op([[0.0]])


@pytest.mark.parametrize("op", [*ON_WAVEFORMS, *ON_FEATURES], ids=lambda op: type(op).__name__)
@pytest.mark.parametrize("shape", [(800,), (1, 800), (1, 1, 1, 800)])
def test_dense_shape(op: Transform, shape: tuple[int, ...]) -> None:
    with pytest.raises(TransformError, match=rf"{type(op).__name__} takes .*got \[.*800\]"):
        op(torch.zeros(shape))


@pytest.mark.parametrize(
    ("op", "batch"),
    [(op, Ragged.from_list([torch.zeros(9, 4)], inner=1)) for op in ON_WAVEFORMS]
    + [(op, Ragged.from_list([torch.zeros(9)])) for op in [*ON_WAVEFORMS, *ON_FEATURES]]
    + [(op, Ragged.from_list([torch.zeros(1, 9)])) for op in ON_FEATURES],
    ids=lambda value: type(value).__name__ if isinstance(value, Transform) else repr(value),
)
def test_ragged_shape(op: Any, batch: Ragged) -> None:
    with pytest.raises(TransformError, match=rf"{type(op).__name__} takes .*got Ragged\(B=1"):
        op(batch)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(TransformError, match="works on 'audio'; the batch has 'image'"):
        transforms.Mono()({"image": torch.zeros(1, 1, 1)})
