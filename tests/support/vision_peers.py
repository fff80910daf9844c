"""The work of ``tests/benchmarks/vision.py``, as each library does it with a draw per sample.

Every entry of a row makes a function without arguments that does the work once on the whole batch.
Torchvision draws once per call, so its loop calls the transform for each picture: that is what its
users do in a dataset. "whole batch" is the same transform on all pictures, with one draw for all of
them: quicker, and not the same work.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from support import vision_peers_albumentations
from torchvision.transforms import v2

from domainkit.vision import decode
from domainkit.vision import transforms as T

__all__ = ["BATCH_ROWS", "FILE_ROWS", "batch_jobs", "file_jobs", "photographs"]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
JITTER = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
AFFINE = {"degrees": 15, "translate": (0.1, 0.1), "scale": (0.9, 1.1), "shear": 10}
Job = Callable[[], Any]


def photographs(count: int, size: tuple[int, int] | None) -> list[np.ndarray]:
    """uint8 [H, W, 3] windows, mostly 375 x 500, of the photographs that scikit-learn ships."""
    from sklearn.datasets import load_sample_images

    sources = load_sample_images().images
    random = np.random.default_rng(0)
    cut = []
    for i in range(count):
        height, width = size or ((375, 500) if i % 4 else (400, 333))
        source = sources[i % len(sources)]
        top = random.integers(0, source.shape[0] - height + 1)
        left = random.integers(0, source.shape[1] - width + 1)
        cut.append(np.ascontiguousarray(source[top : top + height, left : left + width]))
    return cut


def _finish() -> list[Any]:
    return [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]


def _ours(*steps: Any, finish: bool = True) -> T.Compose:
    last = [T.ToDtype("float32", scale=True), T.Normalize(MEAN, STD)] if finish else []
    return T.Compose([*steps, *last])


# row -> (torchvision's steps, ours, kornia's names and arguments, whether it is normalised)
BATCH_ROWS: dict[str, tuple[Callable[[], list[Any]], Callable[[], Any], list[Any]]] = {
    "flip + affine + jitter + normalize": (
        lambda: [
            v2.RandomHorizontalFlip(),
            v2.RandomAffine(**AFFINE, interpolation=v2.InterpolationMode.BILINEAR),
            v2.ColorJitter(**JITTER),
            *_finish(),
        ],
        lambda: _ours(
            T.RandomHorizontalFlip(),
            T.RandomAffine(**AFFINE, interpolation="bilinear"),
            T.ColorJitter(**JITTER),
        ),
        ["flip", "affine", "jitter", "normalize"],
    ),
    "flip + jitter + normalize": (
        lambda: [v2.RandomHorizontalFlip(), v2.ColorJitter(**JITTER), *_finish()],
        lambda: _ours(T.RandomHorizontalFlip(), T.ColorJitter(**JITTER)),
        ["flip", "jitter", "normalize"],
    ),
    "color jitter": (
        lambda: [v2.ColorJitter(**JITTER)],
        lambda: _ours(T.ColorJitter(**JITTER), finish=False),
        ["jitter"],
    ),
    "flip": (
        lambda: [v2.RandomHorizontalFlip()],
        lambda: _ours(T.RandomHorizontalFlip(), finish=False),
        ["flip"],
    ),
    "affine": (
        lambda: [v2.RandomAffine(**AFFINE, interpolation=v2.InterpolationMode.BILINEAR)],
        lambda: _ours(T.RandomAffine(**AFFINE, interpolation="bilinear"), finish=False),
        ["affine"],
    ),
    "gaussian blur 5": (
        lambda: [v2.GaussianBlur(5, (0.1, 2.0))],
        lambda: _ours(T.GaussianBlur(5, (0.1, 2.0)), finish=False),
        ["blur"],
    ),
    "erasing": (
        lambda: [v2.RandomErasing(p=1.0)],
        lambda: _ours(T.RandomErasing(p=1.0), finish=False),
        ["erasing"],
    ),
    "RandAugment": (
        lambda: [v2.RandAugment(2, 9)],
        lambda: _ours(T.RandAugment(2, 9), finish=False),
        ["randaugment"],
    ),
    "autocontrast": (
        lambda: [v2.RandomAutocontrast(1.0)],
        lambda: _ours(T.RandomAutocontrast(1.0), finish=False),
        [],
    ),
    "equalize": (
        lambda: [v2.RandomEqualize(1.0)],
        lambda: _ours(T.RandomEqualize(1.0), finish=False),
        ["equalize"],
    ),
    "sharpness": (
        lambda: [v2.RandomAdjustSharpness(1.7, 1.0)],
        lambda: _ours(T.RandomAdjustSharpness(1.7, 1.0), finish=False),
        ["sharpness"],
    ),
}
FLOAT_ROWS = ("mixup", "cutmix")
FILE_ROWS = ("train from JPEG", "eval from JPEG")


def _kornia(names: Sequence[str]) -> Any:
    import kornia.augmentation as K

    make = {
        "flip": K.RandomHorizontalFlip,
        "affine": lambda: K.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), 10, p=1.0),
        "jitter": lambda: K.ColorJitter(**JITTER, p=1.0),
        "normalize": lambda: K.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
        "blur": lambda: K.RandomGaussianBlur((5, 5), (0.1, 2.0), p=1.0),
        "erasing": lambda: K.RandomErasing(p=1.0, scale=(0.02, 0.33), ratio=(0.3, 3.3)),
        "randaugment": lambda: K.auto.RandAugment(2, 9),
        "equalize": lambda: K.RandomEqualize(p=1.0),
        "sharpness": lambda: K.RandomSharpness((0.85, 0.85), p=1.0),
        "mixup": lambda: K.RandomMixUpV2(p=1.0),
        "cutmix": lambda: K.RandomCutMixV2(p=1.0),
    }
    return torch.nn.Sequential(*[make[name]() for name in names])


def _loop(op: Any, pictures: torch.Tensor) -> Job:
    return lambda: torch.stack([op(picture) for picture in pictures])


def batch_jobs(row: str, size: int) -> dict[str, Job]:
    """Peer -> the work of a row on ``size`` pictures 224 x 224, NCHW."""
    pixels = torch.from_numpy(np.stack(photographs(size, (224, 224)))).permute(0, 3, 1, 2)
    x = pixels.contiguous()
    floats = x / 255
    jobs: dict[str, Job] = {}
    if row in FLOAT_ROWS:
        labels = torch.arange(size) % 10
        theirs = (v2.MixUp if row == "mixup" else v2.CutMix)(num_classes=10)
        ours = (T.MixUp if row == "mixup" else T.CutMix)(num_classes=10)
        jobs["domainkit"] = lambda: ours({"image": floats, "label": labels})
        jobs["torchvision whole batch"] = lambda: theirs(floats, labels)
        kornia_names = [row]
        jobs |= _with_kornia(lambda k: lambda: k[0](floats, labels), kornia_names)
        return jobs
    make_theirs, make_ours, kornia_names = BATCH_ROWS[row]
    ours_, theirs_ = make_ours(), v2.Compose(make_theirs())
    jobs["domainkit"] = lambda: ours_(x)
    jobs["torchvision loop"] = _loop(theirs_, x)
    jobs["torchvision whole batch"] = lambda: theirs_(x)
    if row == "erasing":
        jobs |= _with_timm(floats)
    jobs |= vision_peers_albumentations.batch_job(row, x)
    if kornia_names:
        jobs |= _with_kornia(lambda k: lambda: k(floats), kornia_names)
    return jobs


def _with_kornia(use: Callable[[Any], Job], names: Sequence[str]) -> dict[str, Job]:
    try:
        return {"kornia": use(_kornia(names))}
    except ImportError:
        return {}


def _with_timm(floats: torch.Tensor) -> dict[str, Job]:
    try:
        from timm.data.random_erasing import RandomErasing
    except ImportError:
        return {}
    erase = RandomErasing(probability=1.0, mode="const", device="cpu")
    return {"timm": lambda: erase(floats.clone())}


def file_jobs(row: str, count: int) -> dict[str, Job]:
    """Peer -> the work of a row from ``count`` JPEG files (quality 90), one thread decoding."""
    files = []
    for pixels in photographs(count, None):
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=90)
        files.append(out.getvalue())
    train = row == "train from JPEG"
    steps: list[Any] = (
        [v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip()]
        if train
        else [v2.Resize(256, antialias=True), v2.CenterCrop(224)]
    )
    theirs = v2.Compose([*steps, *_finish()])
    ours = (
        _ours(T.RandomResizedCrop(224), T.RandomHorizontalFlip())
        if train
        else _ours(T.Resize(256), T.CenterCrop(224))
    )
    pil = v2.Compose([*steps, v2.PILToTensor(), *_finish()])
    return {
        "domainkit": _domainkit_files(files, ours),
        "torchvision": _torchvision_files(files, theirs),
        "simplejpeg + torchvision": _simplejpeg_files(files, theirs),
        "Pillow + torchvision": lambda: torch.stack([pil(_pillow(data)) for data in files]),
        **_albumentations_files(files, train),
    }


def _domainkit_files(files: list[bytes], pipeline: T.Compose) -> Job:
    return lambda: pipeline(decode(files, threads=torch.get_num_threads()))


def _torchvision_files(files: list[bytes], op: Any) -> Job:
    from torchvision.io import ImageReadMode, decode_jpeg

    tensors = [torch.frombuffer(bytearray(data), dtype=torch.uint8) for data in files]
    return lambda: torch.stack([op(decode_jpeg(t, ImageReadMode.RGB)) for t in tensors])


def _simplejpeg_files(files: list[bytes], op: Any) -> Job:
    import simplejpeg

    def one(data: bytes) -> torch.Tensor:
        return torch.from_numpy(simplejpeg.decode_jpeg(data)).permute(2, 0, 1)

    return lambda: torch.stack([op(one(data)) for data in files])


def _pillow(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def _albumentations_files(files: list[bytes], train: bool) -> dict[str, Job]:
    try:
        import albumentations as A
        import cv2
    except ImportError:
        return {}
    steps = (
        [A.RandomResizedCrop((224, 224)), A.HorizontalFlip()]
        if train
        else [A.SmallestMaxSize(256), A.CenterCrop(224, 224)]
    )
    op = A.Compose([*steps, A.Normalize(MEAN, STD)])

    def one(data: bytes) -> np.ndarray:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        return np.ascontiguousarray(op(image=pixels)["image"].transpose(2, 0, 1))

    return {"albumentations (no antialias)": lambda: np.stack([one(data) for data in files])}
