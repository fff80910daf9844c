"""What the cases of ``exactness_audio_cases.py`` are measured on, made from real recordings."""

from __future__ import annotations

import math
from functools import cache, cached_property

import torch

import domainkit as dk

__all__ = ["HOP", "N_FFT", "RATE", "Inputs", "recordings"]

RATE, N_FFT, HOP = 8000, 256, 64


@cache
def recordings() -> list[torch.Tensor]:
    """float32 [1, T_i] at 8000 Hz: one of each of five voices' first prompts."""
    rows = dk.load_dataset("audio/voice-prompts", "train")
    return [rows[i]["audio"] for i in range(Inputs.COUNT)]


class Inputs:
    """One recording, and what may be made of it, in one dtype.

    Waveforms are [C, T], spectra [C, bins, frames], as torchaudio has them.
    """

    COUNT = 5

    def __init__(self, index: int, dtype: torch.dtype) -> None:
        self.index, self.dtype = index, dtype

    @cached_property
    def x(self) -> torch.Tensor:
        return recordings()[self.index].to(self.dtype)

    @property
    def numpy(self) -> str:
        """The dtype's name."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def short(self) -> torch.Tensor:
        """For what takes the reference long."""
        return self.x[:, 2000:4000]

    @cached_property
    def emphasised(self) -> torch.Tensor:
        return self.x - 0.97 * torch.nn.functional.pad(self.x, (1, -1))

    @cached_property
    def codes(self) -> torch.Tensor:
        """256 levels."""
        return ((self.x.double() + 1) / 2 * 255).round().clamp(0, 255).long()

    @cached_property
    def other(self) -> torch.Tensor:
        """Another recording, as long as this one."""
        other = recordings()[(self.index + 1) % self.COUNT].to(self.dtype)
        return torch.nn.functional.pad(other, (0, self.x.shape[1]))[:, : self.x.shape[1]]

    @cached_property
    def response(self) -> torch.Tensor:
        """The response of a room, made up: noise that decays."""
        noise = torch.randn(1, 2001, generator=torch.Generator().manual_seed(0), dtype=torch.double)
        return (noise * torch.exp(-torch.arange(2001.0) / 400)).to(self.dtype)

    @cached_property
    def window(self) -> torch.Tensor:
        return torch.hann_window(N_FFT, dtype=torch.float64).to(self.dtype)

    @cached_property
    def complex(self) -> torch.Tensor:
        return self._stft(self.x)

    @cached_property
    def power(self) -> torch.Tensor:
        return self.complex.abs() ** 2

    @cached_property
    def log(self) -> torch.Tensor:
        """Log power, frames before bins."""
        return self.power.clamp(min=1e-4).log().transpose(1, 2)

    @cached_property
    def microphones(self) -> torch.Tensor:
        """Complex [4, bins, frames]: two voices, reaching four microphones after each other."""
        hertz = torch.linspace(0, RATE / 2, N_FFT // 2 + 1, dtype=torch.float64)
        late = torch.arange(4.0)[:, None, None] * 2 * math.pi * hertz[:, None]
        noise = torch.randn(
            4, self.x.shape[1], generator=torch.Generator().manual_seed(1), dtype=torch.float64
        )
        own, other = (torch.polar(torch.ones_like(late), late * s) for s in (1e-4, -7e-5))
        x, y = (self._stft(v.double()) for v in (self.x, self.other))
        complexes = torch.complex64 if self.dtype == torch.float32 else torch.complex128
        return (own * x + other * y + self._stft(0.01 * noise)).to(complexes)

    @cached_property
    def mask(self) -> torch.Tensor:
        """Where the first voice is the louder one, [bins, frames]."""
        x, y = (self._stft(v.double()).abs()[0] for v in (self.x, self.other))
        return ((x + 1e-3) / (x + y + 2e-3)).to(self.dtype)

    @cached_property
    def steering(self) -> torch.Tensor:
        """Complex [bins, 4]: the first voice's way to the microphones."""
        return (self.microphones[:, :, 10:20].mean(2) + 0.1).T

    @cached_property
    def covariance(self) -> torch.Tensor:
        return self._covariance(self.mask)

    @cached_property
    def covariance_of_noise(self) -> torch.Tensor:
        return self._covariance(1 - self.mask)

    @cached_property
    def mean(self) -> torch.Tensor:
        """[12], of log bands."""
        return self.log[0, :, 4:16].mean(0)

    @cached_property
    def spread(self) -> torch.Tensor:
        """[12, 12], their covariance."""
        return self.log[0, :, 4:16].T.cov()

    @cached_property
    def mean_of_other(self) -> torch.Tensor:
        return Inputs((self.index + 1) % self.COUNT, self.dtype).mean

    @cached_property
    def spread_of_other(self) -> torch.Tensor:
        return Inputs((self.index + 1) % self.COUNT, self.dtype).spread

    @cached_property
    def log_probs(self) -> torch.Tensor:
        """[1, frames, 12], as of a recogniser."""
        return (self.log[:, ::4, 4:16] / 2).log_softmax(-1)

    @cached_property
    def lattice(self) -> torch.Tensor:
        """float32 [1, 20, 5, 12], as of a transducer; torchaudio takes no float64."""
        frames = self.log[:, 4:24, None, 4:16].float()
        return frames + torch.linspace(0, 1, 60, dtype=torch.float32).reshape(1, 1, 5, 12)

    def _covariance(self, mask: torch.Tensor) -> torch.Tensor:
        weighed = self.microphones * mask
        sums = torch.einsum("aft,bft->fab", weighed, self.microphones.conj())
        return sums / mask.sum(1)[:, None, None]

    def _stft(self, x: torch.Tensor) -> torch.Tensor:
        window = torch.hann_window(N_FFT, dtype=x.dtype)
        return torch.stft(x, N_FFT, HOP, window=window, return_complex=True)
