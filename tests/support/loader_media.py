"""The data of ``tests/benchmarks/loader.py``: pictures, clips and texts like those of real sets.

The pictures are cut from photographs, turned, scaled and encoded anew, so that all of them differ
and have the entropy and the sizes of ImageNet's files: about 500 x 375 pixels and 110 KB. The clips
are cut from recordings and written as FLAC. Equal seeds and equal sources give equal files.
"""

from __future__ import annotations

import io
import json
import math
import os
import random
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

__all__ = ["clips", "pictures", "texts", "tokenizer", "told"]

PHOTOS = (".jpg", ".jpeg")
SOUNDS = (".wav", ".flac", ".ogg")
LARGEST = 24_000_000  # pixels of a photograph that is used whole; a larger one is shrunk first
DENSITY, SPREAD = 0.53, 0.45  # bytes per pixel: the median, and the deviation of the logarithm
LOWEST, HIGHEST = 75, 98  # JPEG qualities


def told(folder: Path, unit: str) -> str:
    """What lies in a folder of made files."""
    made = json.loads((folder / "made.json").read_text())["made"]
    count = made["count"]
    return (
        f"{count:,} files of {made['nbytes'] / count / 1e3:.0f} KB and "
        f"{made['amount'] / count:,.1f} {unit} each, from {made['sources']} sources"
    )


def pictures(folder: Path, count: int, photos: Path | None, seed: int = 0) -> list[Path]:
    """``count`` JPEG files cut from the photographs below ``photos``; made once.

    Args:
        photos: a folder of JPEG files; None takes the two that scikit-learn ships.
    """
    found = _files(photos, PHOTOS) if photos else _two_photographs()
    return _made(folder, count, found, ".jpg", _cut_pictures, seed, _lively)


def clips(folder: Path, count: int, sounds: Path, seed: int = 0) -> list[Path]:
    """``count`` FLAC files, 16 kHz mono and 2 to 12 s long, cut from the recordings below."""
    return _made(folder, count, _files(sounds, SOUNDS), ".flac", _cut_clips, seed)


def texts(sentences: Sequence[str], count: int, seed: int = 0) -> list[str]:
    """``count`` texts of 2 to 12 sentences in a row."""
    draw = random.Random(seed)
    rows = []
    for _ in range(count):
        start, many = draw.randrange(len(sentences)), draw.randint(2, 12)
        rows.append(" ".join((list(sentences[start:]) + list(sentences))[:many]))
    return rows


def tokenizer(sentences: Sequence[str], size: int = 4000) -> str:
    """The text of a ``tokenizer.json`` that was trained on these."""
    from domainkit.text.tokenizers import train_bpe

    return train_bpe(sentences, size)


# --- making ---------------------------------------------------------------------------------------


def _files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in endings)
    if not found:
        raise SystemExit(f"{folder} holds no file that ends in {', '.join(endings)}")
    return found


def _two_photographs() -> list[Path]:
    from importlib.resources import files

    images = files("sklearn.datasets") / "images"
    return [Path(str(images / name)) for name in ("china.jpg", "flower.jpg")]


def _made(
    folder: Path,
    count: int,
    sources: list[Path],
    ending: str,
    cut: Callable[[Path, list[tuple[int, Path]], int], float],
    seed: int,
    lively: Callable[[Path], bool] | None = None,
) -> list[Path]:
    """The files in ``folder``, cut now unless a run before made as many."""
    whole = sources
    wanted = [folder / f"{i:06d}{ending}" for i in range(count)]
    facts = folder / "made.json"
    key = {"seed": seed, "sources": [s.name for s in whole]}
    before = json.loads(facts.read_text()) if facts.exists() else {}
    if before.get("key") == key and before["made"]["count"] >= count:
        return wanted
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if lively is not None:
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            sources = [
                s for s, good in zip(sources, pool.map(lively, sources), strict=True) if good
            ]
    parts: list[list[tuple[int, Path]]] = [[] for _ in sources]
    for i in range(count):
        parts[i % len(sources)].append((i, wanted[i]))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = [part for part in parts if part]
        amounts = list(pool.map(cut, sources, jobs, [seed] * len(jobs)))
    made = {
        "count": count,
        "nbytes": sum(p.stat().st_size for p in wanted),
        "sources": len(sources),
        "amount": sum(amounts),  # pixels, or seconds
    }
    facts.write_text(json.dumps({"key": key, "made": made}))
    return wanted


def _lively(source: Path) -> bool:
    """Whether a photograph has the detail of a usual picture: drawn and blurred ones have not."""
    photo = _photograph(source)
    draws = [random.Random(i) for i in range(4)]
    cuts = [_window(photo, draw) for draw in draws]
    sizes = [len(_jpeg(cut, HIGHEST - 4, 2)) / (cut.width * cut.height) for cut in cuts]
    return sum(sizes) / len(sizes) > 0.6 * DENSITY


def _photograph(source: Path) -> Any:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(source) as opened:
        photo = opened.convert("RGB")
    if photo.width * photo.height > LARGEST:
        share = (LARGEST / (photo.width * photo.height)) ** 0.5
        photo = photo.resize((int(photo.width * share), int(photo.height * share)))
    return photo


def _cut_pictures(source: Path, wanted: list[tuple[int, Path]], seed: int) -> float:
    photo = _photograph(source)
    pixels = 0
    for number, path in wanted:
        draw = random.Random(seed * 1_000_003 + number)
        cut = _window(photo, draw)
        path.write_bytes(_encoded(cut, draw))
        pixels += cut.width * cut.height
    return float(pixels)


def _window(photo: Any, draw: random.Random) -> Any:
    """A part of the photograph, of a usual picture's size; the liveliest of three."""
    from PIL import Image, ImageFilter, ImageStat

    long, short = draw.choice(((500, 375),) * 5 + ((500, 333), (640, 480), (480, 400)))
    long, short = int(long * draw.uniform(0.9, 1.1)), int(short * draw.uniform(0.9, 1.1))
    size = (long, short) if draw.random() < 0.75 else (short, long)
    most = min(photo.width / size[0], photo.height / size[1])
    found = []
    for _ in range(3):
        zoom = min(most, draw.uniform(1.2, 4.0))
        width, height = int(size[0] * zoom), int(size[1] * zoom)
        left, top = draw.randint(0, photo.width - width), draw.randint(0, photo.height - height)
        box = (left, top, left + width, top + height)
        small = photo.resize((100, 75), Image.Resampling.NEAREST, box=box).convert("L")
        edges = ImageStat.Stat(small.filter(ImageFilter.FIND_EDGES)).mean[0]
        found.append((edges, box))
    cut = photo.resize(size, Image.Resampling.BICUBIC, box=max(found)[1])
    flipped = draw.random() < 0.5
    return cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flipped else cut


def _encoded(cut: Any, draw: random.Random) -> bytes:
    """A JPEG whose bytes per pixel are drawn as ImageNet's are spread; its quality follows."""
    # 2 is 4:2:0, as four of five published photographs have it; 0 is 4:4:4
    subsampling = draw.choice((2, 2, 2, 2, 0))
    wanted = DENSITY * math.exp(draw.gauss(0, SPREAD)) * cut.width * cut.height
    low, high, best = LOWEST, HIGHEST, b""
    quality = 90
    while True:
        data = _jpeg(cut, quality, subsampling)
        if not best or abs(len(data) - wanted) < abs(len(best) - wanted):
            best = data
        low, high = (quality + 1, high) if len(data) < wanted else (low, quality - 1)
        if low > high:
            return best
        quality = (low + high) // 2


def _jpeg(cut: Any, quality: int, subsampling: int) -> bytes:
    out = io.BytesIO()
    cut.save(out, "JPEG", quality=quality, subsampling=subsampling)
    return out.getvalue()


def _cut_clips(source: Path, wanted: list[tuple[int, Path]], seed: int) -> float:
    import numpy as np
    import soundfile
    from scipy.signal import resample_poly

    samples, rate = soundfile.read(source, dtype="float32", always_2d=True)
    sound = samples.mean(axis=1)
    if rate != 16_000:
        sound = resample_poly(sound, 16_000, rate).astype(np.float32)
    seconds = 0.0
    for number, path in wanted:
        draw = random.Random(seed * 1_000_003 + number)
        length = int(draw.uniform(2, 12) * 16_000)
        start = draw.randrange(len(sound))
        turned = np.resize(np.roll(sound, -start), length)  # goes on at the recording's start
        loud = np.clip(turned * draw.uniform(0.5, 1.0), -1, 1)
        soundfile.write(path, loud, 16_000, format="FLAC", subtype="PCM_16")
        seconds += length / 16_000
    return seconds
