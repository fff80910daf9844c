"""UniformTemporalSubsample against torchvision v2 functional."""

from __future__ import annotations

import pytest
import torch
import torchvision.transforms.v2.functional as F
from torchvision import tv_tensors

from domainkit.errors import TransformError
from domainkit.vision.transforms import UniformTemporalSubsample


@pytest.mark.parametrize("frames", [1, 2, 7, 30])
@pytest.mark.parametrize("count", [1, 2, 5, 8, 29, 40])
def test_the_frames_are_torchvisions(frames: int, count: int) -> None:
    clips = torch.randint(0, 256, (2, frames, 3, 4, 5), dtype=torch.uint8)
    expected = F.uniform_temporal_subsample(clips, count)
    assert torch.equal(UniformTemporalSubsample(count)(clips), expected)
    turned = clips.transpose(3, 4)  # not contiguous
    assert torch.equal(UniformTemporalSubsample(count)(turned), expected.transpose(3, 4))


def test_torchvisions_type_comes_back() -> None:
    video = tv_tensors.Video(torch.zeros(2, 6, 3, 4, 4))
    out = UniformTemporalSubsample(3)({"image": video})["image"]
    assert type(out) is tv_tensors.Video and out.shape == (2, 3, 3, 4, 4)


def test_an_empty_batch() -> None:
    assert UniformTemporalSubsample(3)(torch.zeros(0, 6, 3, 4, 4)).shape == (0, 3, 3, 4, 4)


def test_wrong_use() -> None:
    with pytest.raises(TransformError, match="num_samples must be >= 1"):
        UniformTemporalSubsample(0)
    with pytest.raises(TransformError, match="takes clips"):
        UniformTemporalSubsample(2)(torch.zeros(2, 3, 4, 4))
