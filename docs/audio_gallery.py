"""The page of sound: one recording, and what becomes of it under each transform.

``hooks.py`` calls it while the site is built, so sounds and pictures are those of the code as it
is. The recording is a prompt of the embedded set ``audio/voice-prompts``, at 8000 Hz. Each entry
has a player, the waveform and the log-mel features of two draws.
"""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

import domainkit as dk
from domainkit import Draws, Ragged
from domainkit.audio import transforms as T
from domainkit.audio.codec import encode_wav

__all__ = ["DEMOS", "demo", "drawn", "pages", "recording"]

RATE = 8000
WIDTH, WAVE, MELS = 320, 60, 80  # pixels
INK, GROUND = (63, 81, 181), (245, 246, 250)
TITLE = """\
# Audio transforms to see and to hear

One recording twice in a batch: each sample has a draw of its own. Above is the waveform, below are
40 mel bands, dark is soft. The title links to what the arguments mean.
"""

# heading -> (name, arguments) of what is shown under it; random ones are certain to act
DEMOS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "Loudness and time": [
        ("RandomGain", {"min_db": -20.0, "max_db": 6.0, "p": 1.0}),
        ("NormalizeLoudness", {"sample_rate": RATE, "target": -30.0}),
        ("Fade", {"fade_in_len": 4000, "fade_out_len": 4000, "fade_shape": "half_sine"}),
        ("TrimSilence", {"top_db": 30.0, "frame_length": 512, "hop_length": 128}),
        ("RandomCrop", {"num_samples": 6000}),
    ],
    "Speed and pitch": [
        ("RandomSpeed", {"min_factor": 0.7, "max_factor": 1.4, "p": 1.0}),
        ("RandomPitch", {"sample_rate": RATE, "min_semitones": -5, "max_semitones": 5, "p": 1.0}),
        ("PitchShift", {"sample_rate": RATE, "n_steps": 4}),
    ],
    "Rooms, microphones and lines": [
        ("RandomRoomResponse", {"sample_rate": RATE, "min_reverberation": 0.3, "p": 1.0}),
        ("RandomNoise", {"min_snr_db": 3.0, "max_snr_db": 15.0, "p": 1.0}),
        ("RandomFilter", {"sample_rate": RATE, "min_q": 1.0, "p": 1.0}),
        ("RandomClip", {"low": 5.0, "high": 30.0, "p": 1.0}),
        ("RandomCodec", {"sample_rate": RATE, "codecs": ["mp3", "gsm"], "p": 1.0}),
        ("RandomPolarity", {"p": 1.0}),
        ("Preemphasis", {}),
    ],
}
# of features: shown, not played
MASKS: list[tuple[str, dict[str, Any]]] = [
    ("SpecAugment", {"freq_width": 8, "time_width": 20, "fill": -12.0}),
    ("FrequencyMasking", {"freq_mask_param": 12, "mask_value": -12.0}),
    ("TimeMasking", {"time_mask_param": 40, "mask_value": -12.0}),
]


def recording() -> torch.Tensor:
    """float32 [1, T]."""
    rows = dk.load_dataset("audio/voice-prompts", "train")
    return max((rows[i]["audio"] for i in range(12)), key=lambda x: x.shape[1])[:, : 2 * RATE]


def demo(name: str, args: dict[str, Any]) -> list[torch.Tensor]:
    """Two recordings [1, T_i] after the transform."""
    op = getattr(T, name)(**args)
    batch = recording().expand(2, 1, -1).contiguous()
    return list(op(batch, Draws(seed=3, epoch=0, ids=torch.arange(2))))


def features(x: torch.Tensor) -> torch.Tensor:
    """[F, 40] of a recording [1, T]."""
    return T.LogMel(RATE, n_fft=256, hop_length=80, n_mels=40, floor=1e-6)(x[None])[0]


def drawn(x: torch.Tensor | None, bands: torch.Tensor) -> Image.Image:
    """A waveform, if there is one, over its features."""
    top = WAVE if x is not None else 0
    picture = Image.new("RGB", (WIDTH, top + MELS), GROUND)
    if x is not None:
        draw = ImageDraw.Draw(picture)
        edges = np.linspace(0, x.shape[1], WIDTH + 1).astype(int)
        for column, (first, last) in enumerate(pairwise(edges)):
            part = x[0, first : max(last, first + 1)].clamp(-1, 1)
            if part.numel():
                low, high = (WAVE / 2 * (1 - float(v)) for v in (part.max(), part.min()))
                draw.line([(column, low), (column, high)], fill=INK)
    # 0 dB is light, the floor is dark
    level = ((bands - bands.min()) / (bands.max() - bands.min()).clamp(min=1e-6)).T.flip(0)
    shades = torch.stack([level**0.6, level**1.2, 0.25 + 0.5 * level * (1 - level) * 2], -1)
    image = Image.fromarray((shades.clamp(0, 1) * 255).byte().contiguous().numpy())
    picture.paste(image.resize((WIDTH, MELS), Image.Resampling.BILINEAR), (0, top))
    return picture


def pages() -> dict[str, str | bytes]:
    """The page, its pictures and its sounds: their places in ``docs/`` and their content."""
    files: dict[str, str | bytes] = {}
    lines = [
        *TITLE.splitlines(),
        "",
        "## The recording",
        *_entry("recording", [recording()], files),
    ]
    for heading, demos in DEMOS.items():
        lines += ["", f"## {heading}"]
        for name, args in demos:
            lines += ["", *_heading(name, args), *_entry(name, demo(name, args), files)]
    lines += ["", "## Masks"]
    clean = Ragged.from_list([features(recording())] * 2, inner=1)
    for name, args in MASKS:
        masked = getattr(T, name)(**args)(clean, Draws(seed=3, epoch=0, ids=torch.arange(2)))
        lines += ["", *_heading(name, args), ""]
        for i, bands in enumerate(masked):
            place = f"pictures/audio/{name}-{i}.png"
            files[place] = _png(drawn(None, bands))
            lines += [f"![features after {name}, draw {i + 1}]({place})"]
    return {"audio-gallery.md": "\n".join(lines) + "\n", **files}


def _heading(name: str, args: dict[str, Any]) -> list[str]:
    anchor = f"api/transforms-audio.md#{getattr(T, name).__module__}.{name}"
    inner = ", ".join(f"{k}={v!r}" for k, v in args.items())
    return [f"### [{name}]({anchor})", "", f"`{name}({inner})`"]


def _entry(name: str, sounds: list[torch.Tensor], files: dict[str, str | bytes]) -> list[str]:
    lines = []
    for i, x in enumerate(sounds):
        picture, sound = (f"pictures/audio/{name}-{i}.{kind}" for kind in ("png", "wav"))
        files[picture] = _png(drawn(x, features(x)))
        files[sound] = encode_wav(x.clamp(-1, 1), RATE)
        lines += [
            "",
            f"![waveform and features of {name}, {i + 1}]({picture})",
            "",
            f'<audio controls preload="none" src="../{sound}"></audio>',
        ]
    return lines


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()
