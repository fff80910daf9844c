"""Pictures, recordings and folders of them, made on the spot; the same numbers every time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

__all__ = ["fill", "pixels", "picture", "recording"]


def pixels(seed: int, height: int = 12, width: int = 17, channels: int = 3) -> np.ndarray:
    """uint8 [H, W, C]: a slope with some noise, so that no format finds it too easy."""
    noise = np.random.default_rng(seed).integers(0, 40, (height, width, channels))
    return (noise + np.linspace(0, 200, width)[None, :, None]).astype(np.uint8)


def picture(seed: int, kind: str = "PNG", **size: int) -> bytes:
    """An encoded picture."""
    out = io.BytesIO()
    array = pixels(seed, **size)
    Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(out, kind)
    return out.getvalue()


def recording(seed: int, rate: int = 8000, kind: str = "WAV", samples: int = 400) -> bytes:
    """An encoded recording of one channel, 16 bits."""
    noise = np.random.default_rng(seed).integers(-9000, 9000, samples).astype(np.int16)
    out = io.BytesIO()
    soundfile.write(out, noise, rate, format=kind, subtype="PCM_16")
    return out.getvalue()


def fill(folder: Path, files: dict[str, bytes | str]) -> Path:
    """Write files, named by their paths below ``folder``."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return folder
