"""``RandomCodec``: what telephones, streams and files leave of a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.audio.functional.coding import apply_codec
from domainkit.audio.transforms._base import RandomWaveformTransform, check_probability
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["RandomCodec"]

_LOSSY = ("mp3", "ogg", "opus")
_SHORT = {
    "ulaw": {"format": "wav", "encoding": "ULAW"},
    "alaw": {"format": "wav", "encoding": "ALAW"},
    "gsm": {"format": "wav", "encoding": "GSM610"},
    "8bit": {"format": "wav", "encoding": "PCM_U8"},
    "adpcm": {"format": "wav", "encoding": "IMA_ADPCM"},
}


@dataclass(frozen=True)
class RandomCodec(RandomWaveformTransform):
    """Encode and decode each recording, with probability p, by a codec that is drawn for it.

    Input and output: float32 or float64 waveforms on the CPU, dense [B, C, T] or ``Ragged`` items
    [C, T_i]; the result is in time with what it was. Recordings are worked on one by one, each
    channel by itself.

    Args:
        sample_rate: of the recordings, in Hz.
        codecs: to choose from, each as probable as the others: "mp3", "ogg", "opus", "ulaw",
            "alaw", "gsm", "8bit", "adpcm", or the arguments of
            ``domainkit.audio.functional.apply_codec``, as {"format": "mp3", "compression": 0.9}.
        min_compression, max_compression: the range of a draw for "mp3", "ogg" and "opus" without
            a compression of their own, 0 (least) to 1 (most).
        p: how probable it is that a recording is changed at all, in [0, 1].

    Raises:
        TransformError: an argument outside its range, a format that does not exist; a batch on a
            GPU; another dtype or shape.

    Example:
        >>> coarse = RandomCodec(8000, ["8bit"], p=1.0)(torch.full((1, 1, 2), 0.3))
        >>> coarse * 128
        tensor([[[38., 38.]]])
    """

    sample_rate: int
    codecs: Sequence[str | Mapping[str, Any]] = ("mp3", "ogg", "ulaw", "gsm")
    min_compression: float = 0.5
    max_compression: float = 1.0
    p: float = 0.5

    numbers: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check_probability(self, self.p)
        if not self.codecs or isinstance(self.codecs, str):
            raise TransformError(f"RandomCodec needs a list of codecs, got {self.codecs!r}")
        if not 0 <= self.min_compression <= self.max_compression <= 1:
            raise TransformError(
                "RandomCodec needs 0 <= min_compression <= max_compression <= 1, got "
                f"{self.min_compression} and {self.max_compression}"
            )
        for codec in self.codecs:  # says what is wrong
            apply_codec(torch.zeros(1, 400), self.sample_rate, **self._options(codec, 0.5))

    def _options(self, codec: str | Mapping[str, Any], u: float) -> dict[str, Any]:
        options = dict(_SHORT.get(codec, {"format": codec}) if isinstance(codec, str) else codec)
        if options.get("format") in _LOSSY and "compression" not in options:
            spread = self.max_compression - self.min_compression
            options["compression"] = self.min_compression + spread * u
        return options

    def change(
        self, x: torch.Tensor, lengths: torch.Tensor, u: torch.Tensor, draws: Draws
    ) -> torch.Tensor:
        if x.device.type != "cpu":
            raise TransformError(
                f"RandomCodec works on the CPU, got a batch on {x.device}: put it before the batch "
                "is moved there"
            )
        out = torch.zeros_like(x)
        for row, to, n, (which, squeeze) in zip(x, out, lengths.tolist(), u.tolist(), strict=True):
            options = self._options(self.codecs[int(which * len(self.codecs))], squeeze)
            to[:, :n] = apply_codec(row[:, None, :n], self.sample_rate, **options)[:, 0]
        return out
