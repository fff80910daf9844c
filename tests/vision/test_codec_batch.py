"""``domainkit.vision.decode``: threads against one picture after the other; nvJPEG by its logic."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from PIL import Image
from support.pictures import needs_cuda, photo_files, photos

from domainkit.errors import DecodeError
from domainkit.vision import decode
from domainkit.vision.codec import batch, decode_image, encode_jpeg, encode_png


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(photo_files()[0]).crop((0, 0, 90, 50)).save(turned, "JPEG", exif=exif.tobytes())
    cmyk = io.BytesIO()
    Image.new("CMYK", (8, 6), (1, 200, 3, 4)).save(cmyk, "JPEG")
    pictures = photos(3)
    jpegs = [encode_jpeg(p[:, :, 7 * i :]) for i, p in enumerate(pictures)]
    return [jpegs[0], encode_png(pictures[1]), turned.getvalue(), cmyk.getvalue(), *jpegs[1:]]


@pytest.mark.parametrize("threads", [1, 3, None])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
def test_equals_one_after_the_other(files: list[bytes], mode: str, threads: int | None) -> None:
    together = decode(files, mode, threads=threads)
    assert together.channels_last and len(together) == 6
    for mine, data in zip(together, files, strict=True):
        assert torch.equal(mine, decode_image(data, mode))
    as_stored = decode(files, mode, orient=False)
    assert as_stored[2].shape[1:] == together[2].shape[1:][::-1]


def test_paths_bytes_and_views(files: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(files[0])
    many = decode([path, str(path), files[0], memoryview(files[0])])
    assert all(torch.equal(picture, many[0]) for picture in many)


def test_none_at_all() -> None:
    empty = decode([])
    assert len(empty) == 0 and empty.dtype == torch.uint8


def test_errors_name_the_file(files: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(files[0][:300])
    with pytest.raises(DecodeError, match=r"cut\.jpg: "):
        decode([files[0], path])
    with pytest.raises(DecodeError, match="picture 1: "):
        decode([files[0], b"no picture"])
    with pytest.raises(DecodeError, match=r"none\.jpg: no such file"):
        decode([tmp_path / "none.jpg"])
    with pytest.raises(DecodeError, match="paths or bytes, got int at 0"):
        decode([3])  # type: ignore[list-item]
    with pytest.raises(DecodeError, match=r"one bytes: \[file\]"):
        decode(files[0])  # type: ignore[arg-type]
    with pytest.raises(DecodeError, match="mode must be"):
        decode(files, "unchanged")
    with pytest.raises(DecodeError, match="threads"):
        decode(files, threads=0)


def by_logic(files: list[bytes], nvjpeg: object, orient: bool = True) -> list[torch.Tensor]:
    with ThreadPoolExecutor(2) as pool:
        device = torch.device("cpu")
        return list(
            batch._by_nvjpeg(pool, files, files, "RGB", orient, device=device, nvjpeg=nvjpeg)
        )


@pytest.mark.parametrize("orient", [True, False])
def test_the_way_by_nvjpeg_with_a_stand_in(files: list[bytes], orient: bool) -> None:
    """Its logic only: which files go there, in one call, turned upright, in their order."""
    asked = []

    def nvjpeg(encoded: list[torch.Tensor], mode: int, device: torch.device) -> list[torch.Tensor]:
        asked.append((len(encoded), mode, device.type))
        return [decode_image(bytes(e.tolist()), orient=False) for e in encoded]

    mine = by_logic(files, nvjpeg, orient)
    assert asked == [(4, 3, "cpu")]
    for picture, data in zip(mine, files, strict=True):
        assert torch.equal(picture, decode_image(data, orient=orient))
    assert by_logic([], nvjpeg) == [] and len(asked) == 1
    assert torch.equal(by_logic(files[1:2], nvjpeg)[0], decode_image(files[1]))


def test_what_nvjpeg_refuses_goes_by_the_cpu(files: list[bytes]) -> None:
    def nvjpeg(*args: object) -> list[torch.Tensor]:
        raise RuntimeError("nvjpegDecode failed")

    for picture, data in zip(by_logic(files, nvjpeg), files, strict=True):
        assert torch.equal(picture, decode_image(data))
    with pytest.raises(DecodeError, match="picture 1: "):
        by_logic([files[0], b"\xff\xd8\xff"], nvjpeg)


@needs_cuda
def test_on_a_gpu(files: list[bytes]) -> None:
    for picture, data in zip(decode(files, device="cuda"), files, strict=True):
        assert picture.is_cuda
        difference = (picture.cpu().int() - decode_image(data).int()).abs().float()
        assert difference.mean() < 3
