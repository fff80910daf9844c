"""From spectrograms to waveforms: ``InverseSpectrogram`` and ``GriffinLim``."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import torch

from domainkit.audio.functional.framing import synthesise
from domainkit.audio.functional.phases import search_phases
from domainkit.audio.transforms._dense import waveforms_from_dense
from domainkit.audio.transforms.checks import check_features
from domainkit.audio.transforms.spectrogram import Framed
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["GriffinLim", "InverseSpectrogram"]


@dataclass(frozen=True)
class InverseSpectrogram(Framed):
    """The waveform of a complex ``Spectrogram``; of a changed one, the nearest waveform.

    Input: complex dense [B, F, n_fft // 2 + 1] or ``Ragged`` items [F_i, n_fft // 2 + 1].
    Output: dense [B, 1, (F - 1) * hop_length] or ``Ragged`` items.

    Args:
        n_fft, win_length, hop_length: what the spectrogram was made with.

    Method: D. Griffin and J. Lim, 1984.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> from domainkit.audio.transforms import Spectrogram
        >>> x = torch.rand(2, 1, 1600)
        >>> back = InverseSpectrogram()(Spectrogram(power=None)(x))
        >>> bool((back - x).abs().max() < 1e-5)
        True
    """

    n_fft: int = 400
    win_length: int | None = None
    hop_length: int | None = None

    def __post_init__(self) -> None:
        self._check_frames()

    def apply(self, x: Any, draws: Draws) -> Any:
        values = x.values if isinstance(x, Ragged) else x
        bins = self.n_fft // 2 + 1
        if not isinstance(values, torch.Tensor) or not values.is_complex():
            raise TransformError(
                "InverseSpectrogram takes a complex spectrogram, of Spectrogram(power=None); for "
                "magnitudes there is GriffinLim"
            )
        if values.shape[-1] != bins or values.ndim != (2 if isinstance(x, Ragged) else 3):
            raise TransformError(
                f"InverseSpectrogram of n_fft={self.n_fft} takes [B, F, {bins}], got {x!r:.80}"
            )
        ragged = isinstance(x, Ragged)
        dense = x.pad()[0] if ragged else x
        host = x.host_shapes[:, 0] if ragged else np.full(len(x), x.shape[1], dtype=np.int64)
        own = torch.arange(dense.shape[1], device=dense.device)
        inside = own < torch.from_numpy(host).to(dense.device)[:, None]
        longest = max(0, int(host.max(initial=1)) - 1) * self._hop
        y = synthesise(
            dense, self._hann(dense), self._hop, length=longest, inside=inside if ragged else None
        )[:, None]
        if not ragged:
            return y
        lengths = np.maximum(host - 1, 0) * self._hop
        return waveforms_from_dense(y, np.stack([np.ones_like(lengths), lengths], axis=1))


@dataclass(frozen=True)
class GriffinLim(Framed):
    """Waveforms with these magnitudes; see ``domainkit.audio.functional.griffinlim``.

    Input: float32 or float64 features of a ``Spectrogram``, dense [B, F, n_fft // 2 + 1] or
    ``Ragged`` items. Output: dense [B, 1, (F - 1) * hop_length] or ``Ragged`` items. Recordings of
    a ``Ragged`` are worked on one after the other, as each is mirrored at its own ends.

    Args:
        n_fft, win_length, hop_length, power: what the spectrogram was made with.
        n_iter: rounds.
        momentum: in [0, 1).

    Phases begin at 0, so the result is always the same.

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> from domainkit.audio.transforms import Spectrogram
        >>> tone = torch.sin(0.3 * torch.arange(1600.0))[None, None]
        >>> GriffinLim(n_iter=4)(Spectrogram()(tone)).shape
        torch.Size([1, 1, 1600])
    """

    n_fft: int = 400
    n_iter: int = 32
    win_length: int | None = None
    hop_length: int | None = None
    _: KW_ONLY
    power: float = 2.0
    momentum: float = 0.99

    def __post_init__(self) -> None:
        self._check_frames()
        if self.n_iter < 0 or not 0 <= self.momentum < 1 or not self.power > 0:
            raise TransformError(
                "GriffinLim needs n_iter >= 0, momentum in [0, 1) and a power above 0, got "
                f"{self.n_iter}, {self.momentum} and {self.power}"
            )

    def apply(self, x: Any, draws: Draws) -> Any:
        check_features(self, x)
        bins = (x.values if isinstance(x, Ragged) else x).shape[-1]
        if bins != self.n_fft // 2 + 1:
            raise TransformError(
                f"GriffinLim: n_fft={self.n_fft} has {self.n_fft // 2 + 1} bins, got {bins}"
            )
        if isinstance(x, Ragged):
            return Ragged.from_list([self._search(item[None])[0] for item in x])
        return self._search(x)

    def _search(self, x: torch.Tensor) -> torch.Tensor:
        if (x.shape[1] - 1) * self._hop <= self.n_fft // 2 or not len(x):
            # too short to mirror: there is nothing to search in
            return x.new_zeros(len(x), 1, max(0, x.shape[1] - 1) * self._hop)
        magnitudes = x.pow(1 / self.power)
        signal = search_phases(
            magnitudes,
            torch.complex(torch.ones_like(magnitudes), torch.zeros_like(magnitudes)),
            self._hann(x),
            hop_length=self._hop,
            n_iter=self.n_iter,
            momentum=self.momentum,
            length=(x.shape[1] - 1) * self._hop,
        )
        return signal[:, None]
