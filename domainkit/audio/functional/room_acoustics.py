"""``simulate_rir_ism``: how a box-shaped room answers, by images of the source in its walls.

Method: J. Allen and D. Berkley, "Image method for efficiently simulating small-room acoustics"
(JASA 65, 1979). An axis has an image for each whole n: at n L + s for even n, at n L + L - s for
odd ones, after |n| reflections that alternate between the two walls.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import torch

from domainkit.audio.functional.checks import check_whole
from domainkit.errors import TransformError

__all__ = ["room_responses", "simulate_rir_ism"]

_OCTAVES = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
_AT_ONCE = 1 << 24  # numbers of filters that are made at a time


def simulate_rir_ism(  # noqa: PLR0917  # torchaudio's arguments
    room: torch.Tensor,
    source: torch.Tensor,
    mic_array: torch.Tensor,
    max_order: int,
    absorption: float | torch.Tensor,
    output_length: int | None = None,
    delay_filter_length: int = 81,
    center_frequency: torch.Tensor | None = None,
    sound_speed: float = 343.0,
    sample_rate: float = 16000.0,
) -> torch.Tensor:
    """The impulse responses of a box-shaped room.

    A path of d metres arrives ``d sample_rate / sound_speed + delay_filter_length // 2`` samples
    late, as a windowed sinc of height 1 / (4 pi d) times what the walls leave.

    Args:
        room: floating [3], metres.
        source: [3], in the room. mic_array: [M, 3], in the room.
        max_order: the most reflections of a path.
        absorption: the part of the energy that a wall takes, in [0, 1]: a number; [6] for the walls
            x = 0, x = room[0], y = 0, y = room[1], floor and ceiling; or [N, 6] for N bands.
        output_length: samples; None: all that is heard.
        delay_filter_length: taps of the sinc, odd.
        center_frequency: [N] Hz, rising, of the bands; None: the seven octaves from 125 Hz on.
        sound_speed: metres in a second.
        sample_rate: Hz.

    Returns:
        [M, T], of the room's dtype. Gradients reach places and absorption.

    Raises:
        TransformError: shapes that do not belong together, places outside the room, absorption
            outside its range.

    Example:
        >>> room, source = torch.tensor([5.0, 4.0, 3.0]), torch.tensor([1.0, 1.0, 1.0])
        >>> mic = torch.tensor([[3.0, 1.0, 1.0]])  # 2 m away
        >>> direct = simulate_rir_ism(room, source, mic, 0, 0.3, sound_speed=320.0)
        >>> int(direct.argmax()) - 40, round(float(direct.max() * 4 * torch.pi * 2), 3)
        (100, 1.0)
    """
    check_whole("simulate_rir_ism", "max_order", max_order, 0)
    check_whole("simulate_rir_ism", "delay_filter_length", delay_filter_length, 1)
    _check_places(room, source, mic_array)
    walls = torch.as_tensor(absorption, dtype=room.dtype, device=room.device)
    if (
        walls.ndim > 2
        or (walls.ndim and walls.shape[-1] != 6)
        or (walls.ndim == 2 and not len(walls))
    ):
        raise TransformError(
            f"simulate_rir_ism: absorption is a number, [6] or [N, 6], got {tuple(walls.shape)}"
        )
    if not bool(((walls >= 0) & (walls <= 1)).all()):
        raise TransformError("simulate_rir_ism: absorption is a part of the energy, in [0, 1]")
    bands = walls.expand(6)[None] if walls.ndim < 2 else walls
    frequencies = torch.tensor(_OCTAVES) if center_frequency is None else center_frequency
    if len(bands) > 1 and len(frequencies) != len(bands):
        raise TransformError(
            f"simulate_rir_ism: absorption has {len(bands)} bands, center_frequency "
            f"{len(frequencies)}"
        )
    count = len(bands)
    made = room_responses(
        room.expand(count, -1),
        source.to(room).expand(count, -1),
        mic_array.to(room).expand(count, -1, -1),
        (1 - bands).sqrt(),
        max_order,
        sample_rate / sound_speed,
        delay_filter_length,
        output_length,
    )
    if count == 1:
        return made[0]
    return _joined(made, frequencies.to(room), float(sample_rate))


def room_responses(  # noqa: PLR0917
    rooms: torch.Tensor,
    sources: torch.Tensor,
    microphones: torch.Tensor,
    reflections: torch.Tensor,
    max_order: int,
    samples_a_metre: float,
    taps: int,
    length: int | None,
) -> torch.Tensor:
    """Responses [B, M, T] of many rooms.

    Args:
        rooms, sources: [B, 3] metres. microphones: [B, M, 3].
        reflections: [B, 6]: what of a pressure each wall sends back.
        samples_a_metre: the sample rate over the speed of sound.
        taps: of the sinc; half of them come before a path's own time.
        length: T; None: as long as the last path.
    """
    n, hits = (v.to(rooms.device) for v in _images(max_order))
    odd = n % 2
    images = n * rooms[:, None] + odd * rooms[:, None] + (1 - 2 * odd) * sources[:, None]
    gains = torch.where(hits > 0, reflections[:, None] ** hits.clamp(min=1), 1).prod(-1)  # [B, K]
    distance = torch.linalg.vector_norm(microphones[:, :, None] - images[:, None], dim=-1)
    distance = distance.clamp(min=1e-3)  # a microphone in the mouth
    strength = gains[:, None] / (4 * math.pi * distance)  # [B, M, K]
    delay = distance * samples_a_metre
    first = delay.detach().ceil().long()
    half = taps // 2
    total = int(first.max()) + 2 * half + 1 if length is None else length
    around = torch.arange(-half, half + 1, device=rooms.device)
    out = rooms.new_zeros(*delay.shape[:2], total + 1)  # the last place takes what is too late
    step = max(1, _AT_ONCE // (delay[..., 0].numel() * len(around)))
    for start in range(0, delay.shape[-1], step):
        part = slice(start, start + step)
        at, when = first[..., part, None] + around, delay[..., part, None]
        gap = at - when
        window = torch.where(
            gap.abs() <= half, 0.5 + 0.5 * torch.cos(math.pi * gap / max(half, 1)), 0
        )
        pulses = strength[..., part, None] * torch.sinc(gap) * window
        places = (at + half).clamp(max=total)
        out = out.scatter_add(-1, places.flatten(2), pulses.flatten(2))
    return out[..., :total]


@lru_cache(maxsize=8)
def _images(order: int) -> tuple[torch.Tensor, torch.Tensor]:
    """n [K, 3] of all images of so many reflections, and hits [K, 6] of each wall."""
    rows = [
        (x, y, z)
        for x, y in itertools.product(range(-order, order + 1), repeat=2)
        for z in range(abs(x) + abs(y) - order, order - abs(x) - abs(y) + 1)
    ]
    n = torch.tensor(rows)
    size = n.abs()
    more, less = (size + 1) // 2, size // 2  # of the wall that was hit last, and of the other
    near, far = torch.where(n < 0, more, less), torch.where(n > 0, more, less)
    return n, torch.stack([near, far], -1).flatten(1)


def _joined(bands: torch.Tensor, centres: torch.Tensor, rate: float) -> torch.Tensor:
    """One response of those of N bands [N, M, T]: filters without phase that add up to 1."""
    length = bands.shape[-1]
    size = 2 * length
    hertz = torch.linspace(0, rate / 2, size // 2 + 1, dtype=bands.dtype, device=bands.device)
    octave = hertz.clamp(min=1e-3).log2()
    middle = centres.log2()
    # between two centres one band goes over to the next along a cosine
    share = ((octave - middle[:-1, None]) / middle.diff()[:, None]).clamp(0, 1)
    upper = 0.5 - 0.5 * torch.cos(math.pi * share)  # [N - 1, F]
    one = torch.ones_like(upper[:1])
    filters = torch.cat([one, upper]) - torch.cat([upper, torch.zeros_like(one)])
    spectra = torch.fft.rfft(bands, size) * filters[:, None]
    return torch.fft.irfft(spectra.sum(0), size)[..., :length]


def _check_places(room: torch.Tensor, source: torch.Tensor, microphones: torch.Tensor) -> None:
    if room.shape != (3,) or source.shape != (3,) or microphones.shape[1:] != (3,):
        raise TransformError(
            "simulate_rir_ism takes a room [3], a source [3] and a mic_array [M, 3], got "
            f"{tuple(room.shape)}, {tuple(source.shape)} and {tuple(microphones.shape)}"
        )
    if not room.dtype.is_floating_point:
        raise TransformError(f"simulate_rir_ism takes a room of floating numbers, got {room.dtype}")
    for name, places in (("source", source), ("mic_array", microphones)):
        if not bool(((places > 0) & (places < room)).all()):
            raise TransformError(f"simulate_rir_ism: {name} must lie inside the room")
