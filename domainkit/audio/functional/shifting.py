"""``pitch_shift``: higher or lower by so many steps, at the same speed.

Method: a phase vocoder (J. Flanagan and R. Golden, 1966) whose frames are played at another rate as
they are put together. To raise the pitch by r = N / N', frames are taken A = r H samples apart;
each is transformed at N samples and turned back at N' (the Fourier way to resample, which leaves
out what lies above the new Nyquist frequency); the results are laid H samples apart. New frame m
stands at time m H, between two of the old ones: its magnitudes are between theirs, and its phases
go on by what theirs go on in A samples, which is just what r times the frequency goes on in H, so
that no phase needs unwrapping. There is no second pass for resampling.

The bins of one tone are kept together by their neighbours (M. Puckette, "Phase-locked vocoder",
1995): left alone, they fall out of step at every onset, and the tone gets softer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch

from domainkit.audio.functional.checks import check_floating, check_whole
from domainkit.audio.functional.framing import centred_window, overlap_add
from domainkit.errors import TransformError

__all__ = ["ShiftPlan", "pitch_shift", "plan_shift", "shift_rows", "shrunk"]

_PRECISE = 3e-4  # of the frequency: half a cent
_BLOCK = 64  # frames from one sharing of phases to the next; they stay in a CPU's cache
_TURN = 1 / (2 * math.pi)


def pitch_shift(  # noqa: PLR0917  # torchaudio's arguments
    waveform: torch.Tensor,
    sample_rate: int,
    n_steps: int,
    bins_per_octave: int = 12,
    n_fft: int = 512,
    win_length: int | None = None,
    hop_length: int | None = None,
    window: torch.Tensor | None = None,
) -> torch.Tensor:
    """Multiply all frequencies by ``2 ** (n_steps / bins_per_octave)``; the length is kept.

    torchaudio slows the sound down and resamples it, at a ratio that costs most of its time; here
    both are one step (see the module). Results are not equal to torchaudio's number by number: its
    tones lose 3 dB and more when they are raised, ours at most 0.1 dB. Frequencies are right to
    4e-4, and what would go beyond sample_rate / 2 is left out.

    Args:
        waveform: floating [..., T].
        sample_rate: in Hz. The result does not depend on it.
        n_steps: how far to go up, or down below 0; parts of a step are well too.
        bins_per_octave: steps of an octave: 12 for semitones.
        n_fft: samples of a frame, at least; the transform is a little longer.
        win_length: samples of the window, None: n_fft.
        hop_length: samples between frames, None: n_fft // 4; up to a tenth more or less is taken.
        window: [win_length], None: a Hann window.

    Returns:
        [..., T].

    Raises:
        TransformError: not a floating tensor, an argument outside its range.

    Example:
        >>> t = torch.arange(16000) / 16000
        >>> higher = pitch_shift(torch.sin(2 * torch.pi * 440 * t), 16000, 12)
        >>> bool((higher - torch.sin(2 * torch.pi * 880 * t))[2000:-2000].abs().max() < 2)
        True
        >>> int(torch.fft.rfft(higher).abs().argmax())
        880
    """
    check_floating("pitch_shift", waveform)
    for name, value in (("sample_rate", sample_rate), ("bins_per_octave", bins_per_octave)):
        check_whole("pitch_shift", name, value, 1)
    plan = plan_shift(2.0 ** (n_steps / bins_per_octave), n_fft, hop_length)
    if window is None:
        length = n_fft if win_length is None else win_length
        window = torch.hann_window(length, dtype=waveform.dtype, device=waveform.device)
    elif win_length not in (None, len(window)):
        raise TransformError(f"pitch_shift: win_length={win_length}, and {len(window)} of window")
    if not 1 <= len(window) <= n_fft:
        raise TransformError(
            f"pitch_shift takes a window of 1 to n_fft = {n_fft} samples, got {len(window)}"
        )
    if n_steps == 0 or not waveform.numel():
        return waveform
    rows = waveform.reshape(-1, waveform.shape[-1])
    whole = centred_window(window, plan.size)
    if rows.device.type == "cpu":  # one after the other: each stays in the cache
        done = torch.cat([shift_rows(row, plan, whole) for row in rows.split(1)])
    else:
        done = shift_rows(rows, plan, whole)
    return done.view(waveform.shape)


@dataclass(frozen=True)
class ShiftPlan:
    """How to multiply frequencies by ``size / new_size``.

    Attributes:
        size: samples of the frames taken, an even number.
        new_size: samples of the frames laid, an even number.
        new_hop: from one frame laid to the next. Of frames taken, it is new_hop * size / new_size,
            which need not be whole.
    """

    size: int
    new_size: int
    new_hop: int

    @property
    def bins(self) -> int:
        """How many bins both transforms have below their highest."""
        return min(self.size, self.new_size) // 2

    def frames(self, length: int) -> int:
        """How many new frames touch ``length`` samples; the middle of the first is sample 0."""
        return -(-(length + self.new_size // 2) // self.new_hop)


@lru_cache(maxsize=256)
def plan_shift(ratio: float, n_fft: int, hop_length: int | None = None) -> ShiftPlan:
    """Whole numbers for a ratio of frequencies, with hops of about ``hop_length`` (n_fft // 4).

    Of those within 3e-4 of the ratio, the quickest to transform; else the nearest.

    Raises:
        TransformError: n_fft below 4, hop_length below 1, a ratio that leaves no frame.
    """
    check_whole("pitch_shift", "n_fft", n_fft, 4)
    hop = n_fft // 4 if hop_length is None else hop_length
    check_whole("pitch_shift", "hop_length", hop, 1)
    plans = []
    for size in range(n_fft + n_fft % 2, n_fft + n_fft // 2 + 3, 2):
        new_size = 2 * round(size / ratio / 2)
        if new_size < 4:
            continue
        error = max(abs(size / new_size / ratio - 1), _PRECISE)
        cost = size * _roughness(size) + new_size * _roughness(new_size)
        plans.append((error, cost, size, new_size))
    if not plans:
        raise TransformError(f"pitch_shift by a ratio of {ratio:g} leaves no frame: fewer steps")
    _, _, size, new_size = min(plans)
    return ShiftPlan(size, new_size, max(1, round(hop * new_size / size)))


def shift_rows(x: torch.Tensor, plan: ShiftPlan, window: torch.Tensor) -> torch.Tensor:
    """Shift rows [R, T], zero behind their ends, with a window [plan.size]: [R, T]."""
    length, size, device = x.shape[-1], plan.size, x.device
    count = plan.frames(length)
    at = torch.arange(count, device=device) * plan.new_size
    index = at // size
    share = (at - index * size).to(x.dtype)[:, None] / size
    old = (count - 1) * plan.new_size // size + 2
    starts, slip = old_starts(torch.arange(old, device=device), plan)
    half = size // 2
    padded = torch.nn.functional.pad(x, (half, half + plan.new_hop * size * 2 // plan.new_size))
    reach = padded.shape[-1] - size
    lag = torch.arange(plan.bins, device=device) / size  # turns of each bin in a sample
    places = torch.arange(size, device=device)
    phase, parts = None, []
    for begin in range(0, count, _BLOCK):
        end = min(begin + _BLOCK, count)
        first, beyond = begin * plan.new_size // size, (end - 1) * plan.new_size // size + 2
        frames = padded[:, starts[first:beyond, None].clamp(max=reach) + places]
        spectra = torch.fft.rfft(frames * window)[..., : plan.bins]
        y, phase = between(
            spectra, index[begin:end] - first, share[begin:end], phase,
            slip=slip[first : beyond - 1, None].to(x.dtype) * lag.to(x.dtype),
        )  # fmt: skip
        parts.append(torch.fft.irfft(y, plan.new_size))
    laid = shrunk(window, plan)
    out = overlap_add(torch.cat(parts, -2) * laid, plan.new_hop)
    weight = overlap_add(laid.square().expand(count, -1), plan.new_hop)
    own = slice(plan.new_size // 2, plan.new_size // 2 + length)
    scale = plan.new_size / size
    return out[:, own] * (scale / weight[own].clamp(min=1e-11))


def old_starts(number: torch.Tensor, plan: ShiftPlan) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each frame taken begins, to the nearest sample, and what its step to the next lacks.

    Args:
        number: int64 [J], 0, 1, 2 ...

    Returns:
        int64 [J], and floating [J - 1] in samples: the hop less the whole step that is taken.
    """
    double = 2 * plan.new_hop * plan.size * number + plan.new_size
    starts = double // (2 * plan.new_size)
    return starts, plan.new_hop * plan.size / plan.new_size - starts.diff().double()


def between(
    spectra: torch.Tensor,
    index: torch.Tensor,
    share: torch.Tensor,
    phase: torch.Tensor | None,
    *,
    slip: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """New frames between old ones, [..., F, bins].

    Args:
        spectra: the old frames.
        index: int64 [M]: the frame before each new one.
        share: [M, 1]: how far it is from that to the next, in [0, 1).
        phase: [..., 1, bins]: of the first new frame, in turns; None: as the first old one.
        slip: [F - 1, bins]: turns that each step lacks.

    Returns:
        [..., M, bins], and the phase of the frame after the last, shared by the bins of a tone.
    """
    sizes, turns = spectra.abs(), spectra.angle() * _TURN
    size = torch.lerp(sizes[..., index, :], sizes[..., index + 1, :], share)
    steps = (turns.diff(dim=-2) + slip)[..., index, :]
    start = turns[..., :1, :] if phase is None else phase
    # whole turns are dropped before a float32 loses places to them
    total = torch.cat([start.double(), steps.double()], -2).cumsum(-2)
    total = (total - total.floor()).to(sizes.dtype)
    shift = _onsets(size, turns[..., index + (share[:, 0] >= 0.5), :] - total[..., :-1, :])
    # the frame after the last as well: its bins go on from the phases that they share, or those of
    # a long tone would drift apart until it is softer
    total = total + torch.cat([shift, shift[..., -1:, :]], -2)
    size = torch.cat([size, size[..., -1:, :]], -2)
    done = locked(torch.polar(size, total * (2 * math.pi)), size)
    return done[..., :-1, :], done[..., -1:, :].angle() * _TURN


def _onsets(size: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """What to turn the bins [..., M, bins] by so that they begin together where a sound begins.

    What a bin's phase was in the silence before says nothing: from a frame of twice the energy of
    the one before, phases go on from the recording's own (A. Roebel, "A new approach to transient
    processing in the phase vocoder", DAFx 2003).

    Args:
        offset: the recording's own phases less those that were carried on.
    """
    energy = size.square().sum(-1)
    rises = torch.nn.functional.pad(energy[..., 1:] > 2 * energy[..., :-1], (1, 0))
    number = torch.arange(size.shape[-2], device=size.device)
    latest = torch.where(rises, number, -1).cummax(-1).values[..., None]
    held = offset.gather(-2, latest.clamp(min=0).expand_as(offset))
    return torch.where(latest >= 0, held, 0)


def locked(loose: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
    """Bins [..., bins] with their own sizes and a phase that the stronger neighbours share.

    The middle of a frame is half its length away from its start: a tone's phase differs by half a
    turn from bin to bin.
    """
    sides = torch.nn.functional.pad(loose, (1, 1))
    joint = loose - sides[..., :-2] - sides[..., 2:]
    tiny = torch.finfo(size.dtype).tiny
    energy = torch.view_as_real(joint).square().sum(-1).clamp(min=tiny)
    return joint * (size * energy.rsqrt())


def shrunk(window: torch.Tensor, plan: ShiftPlan) -> torch.Tensor:
    """A window [plan.size] as the new frames have it: [plan.new_size]."""
    bins = torch.fft.rfft(window)[: plan.bins]
    return torch.fft.irfft(bins, plan.new_size) * (plan.new_size / plan.size)


def _roughness(size: int) -> float:
    """How much longer a transform takes than one of a nearby power of two, about."""
    total, rest = 1.0, size
    for prime, price in ((2, 1.0), (3, 1.05), (5, 1.1), (7, 1.3)):
        while rest % prime == 0:
            rest //= prime
            total *= price
    return total * (1.0 if rest == 1 else 6.0)
