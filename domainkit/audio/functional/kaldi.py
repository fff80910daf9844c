"""``kaldi_fbank``, ``kaldi_mfcc``, ``kaldi_spectrogram``: Kaldi's features, whole batches at once.

Names, defaults and numbers are those of ``torchaudio.compliance.kaldi``, and so Kaldi's own (D.
Povey et al., "The Kaldi speech recognition toolkit", ASRU 2011). There is no ``channel``: every
leading dimension is kept, ``waveform[..., 0, :]`` picks a channel. All arguments but the waveform
go by name. Kaldi's models mostly expect samples in the range of int16: multiply by 32768 for them.

Arguments that several of them have:
    lengths: int64 [...]: only so many samples of each waveform count; None: all. Frames behind an
        end are zeros; ``kaldi_num_frames(lengths)`` tells how many there are before it.
    frame_length, frame_shift: in ms.
    snip_edges: only frames that lie inside the waveform; else one per shift, over its mirror image.
    window_type: "povey", "hanning", "hamming", "blackman" (with ``blackman_coeff``) or
        "rectangular".
    dither: noise of this deviation on each frame, from torch's generator.
    remove_dc_offset, preemphasis_coefficient, round_to_power_of_two: what is done to a frame.
    raw_energy: the energy is that before pre-emphasis and window; it is at least ``energy_floor``.
    htk_compat: the energy comes last, not first.
    min_duration: shorter waveforms (in s) have no frames.
    subtract_mean: take away the mean over the frames.
    low_freq, high_freq: of the mel bands, in Hz; high_freq 0 or less counts from half the rate.
    vtln_warp, vtln_low, vtln_high: warping of the axis, and where it bends; 1 leaves it straight.
"""

from __future__ import annotations

import math
from typing import overload

import torch

from domainkit.audio.functional.checks import check_whole
from domainkit.audio.functional.kaldi_frames import EPSILON, Framing, analyse, frame_counts
from domainkit.audio.functional.kaldi_mel import MelDesign, cepstral_matrix, mel_bank
from domainkit.errors import TransformError

__all__ = ["kaldi_fbank", "kaldi_mfcc", "kaldi_num_frames", "kaldi_spectrogram"]


def kaldi_spectrogram(
    waveform: torch.Tensor,
    *,
    lengths: torch.Tensor | None = None,
    blackman_coeff: float = 0.42,
    dither: float = 0.0,
    energy_floor: float = 1.0,
    frame_length: float = 25.0,
    frame_shift: float = 10.0,
    min_duration: float = 0.0,
    preemphasis_coefficient: float = 0.97,
    raw_energy: bool = True,
    remove_dc_offset: bool = True,
    round_to_power_of_two: bool = True,
    sample_frequency: float = 16000.0,
    snip_edges: bool = True,
    subtract_mean: bool = False,
    window_type: str = "povey",
) -> torch.Tensor:
    """Logarithm of the power spectrum; instead of the bin at 0 Hz stands the log energy.

    Args:
        waveform: floating [..., T].
        others: see the top of this page.

    Returns:
        [..., F, padded // 2 + 1] natural logarithms.

    Raises:
        TransformError: not a floating tensor; an argument outside its range.

    Example:
        >>> kaldi_spectrogram(torch.zeros(2, 16000)).shape
        torch.Size([2, 98, 257])
    """
    framing = Framing(
        "kaldi_spectrogram", blackman_coeff, dither, energy_floor, frame_length, frame_shift,
        min_duration, preemphasis_coefficient, raw_energy, remove_dc_offset,
        round_to_power_of_two, sample_frequency, snip_edges, window_type,
    )  # fmt: skip

    def finish(power: torch.Tensor, energy: torch.Tensor | None) -> torch.Tensor:
        assert energy is not None
        return torch.cat([energy, power[:, 1:].clamp(min=EPSILON).log()], 1)

    return analyse(framing, waveform, lengths, finish, energy=True, subtract_mean=subtract_mean)


def kaldi_fbank(
    waveform: torch.Tensor,
    *,
    lengths: torch.Tensor | None = None,
    blackman_coeff: float = 0.42,
    dither: float = 0.0,
    energy_floor: float = 1.0,
    frame_length: float = 25.0,
    frame_shift: float = 10.0,
    high_freq: float = 0.0,
    htk_compat: bool = False,
    low_freq: float = 20.0,
    min_duration: float = 0.0,
    num_mel_bins: int = 23,
    preemphasis_coefficient: float = 0.97,
    raw_energy: bool = True,
    remove_dc_offset: bool = True,
    round_to_power_of_two: bool = True,
    sample_frequency: float = 16000.0,
    snip_edges: bool = True,
    subtract_mean: bool = False,
    use_energy: bool = False,
    use_log_fbank: bool = True,
    use_power: bool = True,
    vtln_high: float = -500.0,
    vtln_low: float = 100.0,
    vtln_warp: float = 1.0,
    window_type: str = "povey",
) -> torch.Tensor:
    """Energies in mel bands, frame by frame, as natural logarithms.

    Agrees with torchaudio to 1e-3 in float32 and 1e-9 in float64, on noise (torchaudio with
    float64 as its default: else it makes its filters in float32).

    Args:
        waveform: floating [..., T].
        num_mel_bins: number of bands, at least 4.
        use_energy: a column more, the log energy: the first, or with ``htk_compat`` the last.
        use_log_fbank: False: no logarithm.
        use_power: False: magnitudes are summed instead of powers.
        others: see the top of this page.

    Returns:
        [..., F, num_mel_bins], or one column more.

    Raises:
        TransformError: not a floating tensor; an argument outside its range.

    Example:
        >>> tone = torch.sin(2 * torch.pi * 1000 / 16000 * torch.arange(16000))
        >>> features = kaldi_fbank(tone, num_mel_bins=80)
        >>> features.shape, int(features[50].argmax())
        (torch.Size([98, 80]), 27)
    """
    framing = Framing(
        "kaldi_fbank", blackman_coeff, dither, energy_floor, frame_length, frame_shift,
        min_duration, preemphasis_coefficient, raw_energy, remove_dc_offset,
        round_to_power_of_two, sample_frequency, snip_edges, window_type,
    )  # fmt: skip
    design = MelDesign(
        "kaldi_fbank", num_mel_bins, framing.padded, sample_frequency, low_freq, high_freq,
        vtln_low, vtln_high, vtln_warp,
    )  # fmt: skip

    def finish(power: torch.Tensor, energy: torch.Tensor | None) -> torch.Tensor:
        bands = _bands(power, design, use_power)
        bands = bands.clamp(min=EPSILON).log() if use_log_fbank else bands
        if not use_energy or energy is None:
            return bands
        return torch.cat([bands, energy] if htk_compat else [energy, bands], 1)

    return analyse(
        framing, waveform, lengths, finish, energy=use_energy, subtract_mean=subtract_mean
    )


def kaldi_mfcc(
    waveform: torch.Tensor,
    *,
    lengths: torch.Tensor | None = None,
    blackman_coeff: float = 0.42,
    cepstral_lifter: float = 22.0,
    dither: float = 0.0,
    energy_floor: float = 1.0,
    frame_length: float = 25.0,
    frame_shift: float = 10.0,
    high_freq: float = 0.0,
    htk_compat: bool = False,
    low_freq: float = 20.0,
    num_ceps: int = 13,
    min_duration: float = 0.0,
    num_mel_bins: int = 23,
    preemphasis_coefficient: float = 0.97,
    raw_energy: bool = True,
    remove_dc_offset: bool = True,
    round_to_power_of_two: bool = True,
    sample_frequency: float = 16000.0,
    snip_edges: bool = True,
    subtract_mean: bool = False,
    use_energy: bool = False,
    vtln_high: float = -500.0,
    vtln_low: float = 100.0,
    vtln_warp: float = 1.0,
    window_type: str = "povey",
) -> torch.Tensor:
    """Mel-frequency cepstral coefficients: the cosine transform of ``kaldi_fbank``.

    Args:
        waveform: floating [..., T].
        num_ceps: how many coefficients, at most ``num_mel_bins``.
        cepstral_lifter: Q of the factor 1 + Q / 2 sin(pi k / Q) on coefficient k; 0: none.
        use_energy: the log energy in place of coefficient 0.
        htk_compat: coefficient 0 comes last, and times sqrt(2) unless it is the energy.
        others: see the top of this page.

    Returns:
        [..., F, num_ceps].

    Raises:
        TransformError: not a floating tensor; an argument outside its range.

    Example:
        >>> kaldi_mfcc(torch.zeros(2, 1, 16000)).shape
        torch.Size([2, 1, 98, 13])
    """
    framing = Framing(
        "kaldi_mfcc", blackman_coeff, dither, energy_floor, frame_length, frame_shift,
        min_duration, preemphasis_coefficient, raw_energy, remove_dc_offset,
        round_to_power_of_two, sample_frequency, snip_edges, window_type,
    )  # fmt: skip
    design = MelDesign(
        "kaldi_mfcc", num_mel_bins, framing.padded, sample_frequency, low_freq, high_freq,
        vtln_low, vtln_high, vtln_warp,
    )  # fmt: skip
    check_whole("kaldi_mfcc", "num_ceps", num_ceps, 1)
    if num_ceps > num_mel_bins or cepstral_lifter < 0:
        raise TransformError(
            f"kaldi_mfcc needs num_ceps <= num_mel_bins and cepstral_lifter >= 0, got {num_ceps}, "
            f"{num_mel_bins} and {cepstral_lifter}"
        )

    def finish(power: torch.Tensor, energy: torch.Tensor | None) -> torch.Tensor:
        bands = _bands(power, design, True).clamp(min=EPSILON).log()
        matrix = cepstral_matrix(
            num_mel_bins, num_ceps, float(cepstral_lifter), bands.device, bands.dtype
        )
        cepstra = bands @ matrix
        first, rest = cepstra[:, :1], cepstra[:, 1:]
        if use_energy and energy is not None:
            first = energy
        elif htk_compat:
            first = first * math.sqrt(2.0)
        return torch.cat([rest, first] if htk_compat else [first, rest], 1)

    return analyse(
        framing, waveform, lengths, finish, energy=use_energy, subtract_mean=subtract_mean
    )


@overload
def kaldi_num_frames(
    lengths: int,
    *,
    frame_length: float = ...,
    frame_shift: float = ...,
    sample_frequency: float = ...,
    snip_edges: bool = ...,
) -> int: ...
@overload
def kaldi_num_frames(
    lengths: torch.Tensor,
    *,
    frame_length: float = ...,
    frame_shift: float = ...,
    sample_frequency: float = ...,
    snip_edges: bool = ...,
) -> torch.Tensor: ...
def kaldi_num_frames(
    lengths: int | torch.Tensor,
    *,
    frame_length: float = 25.0,
    frame_shift: float = 10.0,
    sample_frequency: float = 16000.0,
    snip_edges: bool = True,
) -> int | torch.Tensor:
    """How many frames waveforms of ``lengths`` samples have.

    Args:
        lengths: a whole number, or int64 of any shape.
        others: as given to the features.

    Example:
        >>> kaldi_num_frames(16000), kaldi_num_frames(torch.tensor([399, 400]), snip_edges=False)
        (98, tensor([2, 3]))
    """
    size, shift = (int(sample_frequency * ms * 0.001) for ms in (frame_length, frame_shift))
    if isinstance(lengths, torch.Tensor):
        return frame_counts(lengths, size, shift, snip_edges)
    return int(frame_counts(torch.tensor(lengths), size, shift, snip_edges))


def _bands(power: torch.Tensor, design: MelDesign, use_power: bool) -> torch.Tensor:
    if not use_power:
        # the derivative of a root at 0 is infinite: silence must not give NaN gradients
        power = power.clamp(min=torch.finfo(power.dtype).tiny).sqrt()
    return power @ mel_bank(design, power.device, power.dtype)
