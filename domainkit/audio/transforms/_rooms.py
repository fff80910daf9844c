"""A bank of simulated rooms: early reflections by images of the source, late ones as noise.

Sources of the methods: J. Allen and D. Berkley, "Image method for efficiently simulating small-room
acoustics" (JASA 65, 1979); E. Lehmann and A. Johansson, "Diffuse reverberation model for efficient
image-source simulation of room impulse responses" (IEEE TASLP 18, 2010); C. Eyring, "Reverberation
time in 'dead' rooms" (JASA 1, 1930).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch

from domainkit.audio.functional.room_acoustics import room_responses
from domainkit.draws import Draws

__all__ = ["BEFORE", "rooms"]

BEFORE = 40  # samples of a response before its direct path: half of the sinc's
_SOUND = 343.0  # metres in a second
_ORDER = 8  # reflections that are followed one by one
_WALL = 0.3  # metres between a wall and what is in the room
_BLEND = 0.01  # seconds in which images go over to noise

Size = tuple[float, float, float]


@lru_cache(maxsize=4)
def rooms(
    sample_rate: int, count: int, seconds: tuple[float, float], sizes: tuple[Size, Size]
) -> torch.Tensor:
    """Responses [count, T] of rooms, the direct path of each at sample ``BEFORE``.

    Args:
        sample_rate: Hz.
        count: how many rooms.
        seconds: the range of the reverberation time (60 dB).
        sizes: the range of length, width and height, metres.

    Returns:
        float32, the same numbers for the same arguments.
    """
    draws = Draws(0, 0, torch.arange(count))
    u = draws.uniform(10).double()
    low, high = (torch.tensor(size, dtype=torch.float64) for size in sizes)
    room = low + (high - low) * u[:, :3]
    time = seconds[0] + (seconds[1] - seconds[0]) * u[:, 3]
    source, microphone = (_WALL + (room - 2 * _WALL) * part for part in (u[:, 4:7], u[:, 7:]))
    volume = room.prod(1)
    surface = 2 * (room[:, [0, 0, 1]] * room[:, [1, 2, 2]]).sum(1)
    # Eyring: 60 dB = 6 ln 10 nepers of energy in so many mean paths of 4 V / S
    kept = torch.exp(-6 * math.log(10) * 4 * volume / (surface * _SOUND * time))
    a_metre = sample_rate / _SOUND
    direct = torch.linalg.vector_norm(source - microphone, dim=1) * a_metre
    arrival = direct.round().long()
    length = math.ceil(seconds[1] * sample_rate) + BEFORE
    total = length + int(arrival.max())
    early = room_responses(
        room,
        source,
        microphone[:, None],
        kept.sqrt()[:, None].expand(-1, 6),
        _ORDER,
        a_metre,
        2 * BEFORE + 1,
        total,
    )[:, 0]
    t = (torch.arange(total) - BEFORE)[None] / sample_rate
    # as many images as come in a second have, at t, this energy whatever the places
    power = _SOUND / (4 * math.pi * volume * sample_rate)
    envelope = power.sqrt()[:, None] * torch.exp(-3 * math.log(10) * t / time[:, None])
    noise = draws.normal(total, start=16).double() * envelope
    # until the first path of one reflection more may come, no image is missing
    complete = (_ORDER - 1) * room.amin(1) / math.sqrt(3) / _SOUND
    complete = torch.maximum(complete, arrival / sample_rate + 2 * _BLEND)  # far away in flat rooms
    share = ((t - complete[:, None]) / _BLEND + 1).clamp(0, 1) * (math.pi / 2)
    whole = early * share.cos() + noise * share.sin()
    places = arrival[:, None] + torch.arange(length)
    return whole.gather(1, places).float()
