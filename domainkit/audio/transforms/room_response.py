"""``RandomRoomResponse``: each recording as it would sound in a room."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch

from domainkit.audio.functional.convolution import fftconvolve
from domainkit.audio.transforms._bank import as_bank
from domainkit.audio.transforms._base import (
    RandomWaveformTransform,
    check_probability,
    inside,
)
from domainkit.audio.transforms._rooms import BEFORE, rooms
from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["RandomRoomResponse"]

ROOMS = 64  # simulated ones; their bank is made once
_SIZES = ((3.0, 3.0, 3.0), (10.0, 10.0, 4.5))  # metres


@dataclass(frozen=True)
class RandomRoomResponse(RandomWaveformTransform):
    """Convolve each recording, with probability p, with the response of a drawn room.

    Input and output: float32 or float64 waveforms, dense [B, C, T] or ``Ragged`` items [C, T_i].
    The direct sound stays where it was in time, so labels do too; what rings on behind the end is
    cut off, and the energy is kept. All recordings are convolved in one pass.

    Args:
        sample_rate: of the recordings, in Hz.
        min_reverberation, max_reverberation: of simulated rooms: the range of the seconds in which
            sound fades by 60 dB, about (by Eyring's formula).
        responses: your own, at the recordings' rate: a ``Ragged`` of items [T_i] or a tensor
            [N, T]; None: 64 rooms of 3 to 10 m, made at the first use: the first eight reflections
            by the image-source method (J. Allen and D. Berkley, 1979), later ones as decaying noise
            of the same energy (E. Lehmann and A. Johansson, 2010).
        p: how probable it is that a recording is changed at all, in [0, 1].

    Raises:
        TransformError: an argument outside its range; another dtype or shape.

    Example:
        >>> clap = torch.zeros(1, 1, 8000)
        >>> clap[..., 100] = 1
        >>> out = RandomRoomResponse(8000, p=1.0)(clap)[0, 0].abs()
        >>> first = int((out > 0.3 * out.max()).float().argmax())
        >>> abs(first - 100) <= 1, bool(out[1000:].max() > 1e-6)
        (True, True)
    """

    sample_rate: int
    min_reverberation: float = 0.1
    max_reverberation: float = 0.6
    responses: Any = field(default=None, compare=False, repr=False)
    p: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.sample_rate, int) or self.sample_rate < 1:
            raise TransformError(
                f"RandomRoomResponse: sample_rate is a whole number above 0, got "
                f"{self.sample_rate!r}"
            )
        if not 0.05 <= self.min_reverberation <= self.max_reverberation <= 2:
            raise TransformError(
                "RandomRoomResponse needs 0.05 <= min_reverberation <= max_reverberation <= 2 "
                f"seconds, got {self.min_reverberation} and {self.max_reverberation}"
            )
        check_probability(self, self.p)
        if self.responses is None:
            return
        given = as_bank(self, "responses", self.responses)
        object.__setattr__(self, "responses", given)
        rows = given.pad()[0]
        object.__setattr__(self, "_given", (rows, rows.abs().argmax(1)))

    def change(
        self, x: torch.Tensor, lengths: torch.Tensor, u: torch.Tensor, draws: Draws
    ) -> torch.Tensor:
        if not x.numel():
            return x
        bank, direct = self._bank(x)
        which = (u[:, 0].double() * len(bank)).long()
        wet = fftconvolve(x, bank[which][:, None].to(x.dtype))
        # from the direct sound on: as if the response began there
        place = torch.arange(x.shape[2], device=x.device) + direct[which][:, None]
        wet = wet.gather(2, place[:, None].expand_as(x))
        wet = torch.where(inside(lengths, x.shape[2])[:, None], wet, 0)
        before, after = (v.square().sum((1, 2), keepdim=True) for v in (x, wet))
        heard = after > 0
        return wet * torch.where(heard, before / torch.where(heard, after, 1), 0).sqrt()

    def _bank(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Responses [N, L], and int64 [N]: where each has its direct sound."""
        if self.responses is None:
            times = (float(self.min_reverberation), float(self.max_reverberation))
            return _simulated(self.sample_rate, *times, x.device)
        bank, direct = self._given  # type: ignore[attr-defined]
        return bank.to(x.device), direct.to(x.device)


@torch.compiler.assume_constant_result
def _simulated(
    rate: int, shortest: float, longest: float, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    return _made(rate, shortest, longest, device)


@lru_cache(maxsize=8)
def _made(
    rate: int, shortest: float, longest: float, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """The bank of ``ROOMS`` rooms."""
    with torch.inference_mode(False), torch.no_grad():
        bank = rooms(rate, ROOMS, (shortest, longest), _SIZES)
        return bank.to(device), torch.full((ROOMS,), BEFORE, device=device)
