"""ToImage, ToPILImage and their like against torchvision and Pillow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
import torchvision.transforms.functional as F1
import torchvision.transforms.v2.functional as F
from support.pictures import photo_files, photos, varied
from torchvision import tv_tensors

from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms import (
    RGB,
    ConvertImageDtype,
    PILToTensor,
    ToDtype,
    ToImage,
    ToPILImage,
    ToPureTensor,
    ToTensor,
)

MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]


def pillow(mode: str) -> PIL.Image.Image:
    picture = PIL.Image.open(photo_files()[0]).crop((0, 0, 33, 21))
    return picture.convert("L").convert(mode) if mode == "I;16" else picture.convert(mode)


@pytest.mark.parametrize("mode", MODES)
def test_pillow_to_batch_equals_torchvision(mode: str) -> None:
    picture = pillow(mode)
    expected = F.pil_to_tensor(picture)
    for op in (ToImage(), PILToTensor()):
        out = op([picture, picture])
        assert out.dtype == expected.dtype and torch.equal(out[1], expected)
    scaled = ToTensor()([picture])[0]
    if expected.dtype == torch.uint8:
        torch.testing.assert_close(scaled, F1.to_tensor(picture), rtol=0, atol=6e-8)
    else:
        assert torch.equal(scaled, expected)


@pytest.mark.parametrize(
    "mode", ["L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]
)
def test_batch_to_pillow_and_back(mode: str) -> None:
    picture = pillow(mode)
    back = ToPILImage(mode)(ToImage()([picture]))[0]
    assert back.mode == mode and back.size == picture.size
    assert back.tobytes() == picture.tobytes()
    if mode != "I;16":  # torchvision knows it as int16 only
        theirs = F.to_pil_image(F.pil_to_tensor(picture), mode=mode)
        assert back.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_floating_to_pillow_equals_torchvision(channels: int, dtype: torch.dtype) -> None:
    x = photos(2, channels, dtype)
    for mine, source in zip(ToPILImage()(x), x, strict=True):
        theirs = F.to_pil_image(source)
        assert mine.mode == theirs.mode and mine.tobytes() == theirs.tobytes()


def test_arrays_tensors_and_sizes() -> None:
    array = photos(3).permute(0, 2, 3, 1).contiguous().numpy()
    for form in (array, list(array), list(photos(3))):
        assert torch.equal(ToImage()(form), photos(3))
    assert ToImage()([array[0][..., 0]]).shape == (1, 1, 96, 120)
    assert torch.equal(ToImage()([array[0]])[0], F.to_image(array[0]))
    ragged = ToImage()([array[0], array[1][:50]])
    assert isinstance(ragged, Ragged) and torch.equal(ragged[1], photos(3)[1][:, :50])
    assert ToImage()(ragged) is ragged
    assert [p.size for p in ToPILImage()(varied(3))] == [(w, h) for _, h, w in varied(3).shapes]
    assert ToPILImage()(photos(2)[:0]) == []
    # what comes out is nobody else's memory
    out = ToImage()([array[0]])
    out.zero_()
    assert array[0].any()


def test_a_mapping() -> None:
    batch = {"image": [pillow("RGB")], "label": torch.tensor([1])}
    assert ToImage()(batch)["image"].shape == (1, 3, 21, 33)


def test_pure_tensors() -> None:
    batch = {"image": tv_tensors.Image(photos(2)), "mask": tv_tensors.Mask(photos(2, 1)), "n": 3}
    out = ToPureTensor()(batch)
    assert type(out["image"]) is type(out["mask"]) is torch.Tensor and out["n"] == 3
    assert type(ToPureTensor()(batch["image"])) is torch.Tensor


def test_older_name_of_to_dtype() -> None:
    x = photos(2)
    assert torch.equal(ConvertImageDtype("float32")(x), ToDtype("float32", scale=True)(x))
    assert torch.equal(ConvertImageDtype()(x), F.convert_image_dtype(x, torch.float32))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_rgb_equals_torchvision(dtype: torch.dtype) -> None:
    for channels in (1, 3):
        x = photos(3, channels, dtype)
        assert torch.equal(RGB()(x), F.grayscale_to_rgb(x))
    rgba = torch.cat([photos(3, 3, dtype), photos(3, 1, dtype)], 1)
    assert torch.equal(RGB()(rgba), photos(3, 3, dtype))
    grey = photos(3, 1, dtype)
    assert torch.equal(RGB()(torch.cat([grey, grey], 1)), RGB()(grey))
    mixed = Ragged.from_list([grey[0], photos(1, 3, dtype)[0], rgba[0][:, :9]])
    out = RGB()(mixed)
    assert [tuple(item.shape) for item in out] == [(3, 96, 120), (3, 96, 120), (3, 9, 120)]
    assert RGB()(varied(3)).shapes.equal(varied(3).shapes)
    assert RGB()(grey[:0]).shape == (0, 3, 96, 120)
    assert RGB()(grey[:, None].expand(-1, 2, -1, -1, -1)).shape == (3, 2, 3, 96, 120)


def test_wrong_use() -> None:
    bad: list[tuple[Callable[[], Any], str]] = [
        (lambda: ToImage()([]), "an empty one"),
        (lambda: ToImage()(np.zeros((3, 4))), "into a list"),
        (lambda: ToImage()(["file.jpg"]), "got str"),
        (lambda: ToImage()([pillow("RGB"), pillow("I")]), "one dtype"),
        (lambda: ToImage()(photos(2)[0]), "single picture"),
        (lambda: ToPILImage("RGBA")(photos(2)), "3 channels of uint8 are no picture of mode RGBA"),
        (lambda: ToPILImage()(photos(2).int()), "3 channels of int32 are no picture"),
        (lambda: ToPILImage()(torch.zeros(1, 5, 4, 4)), "1 or 2 or 3 or 4"),
        (lambda: ConvertImageDtype("float"), "dtype must be"),
        (lambda: RGB()(torch.zeros(1, 5, 4, 4)), "channels"),
    ]
    for call, message in bad:
        with pytest.raises(TransformError, match=message):
            call()
