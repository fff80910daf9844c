"""Work on the frames of every recording, each padded at its own ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from domainkit.audio.functional.framing import signal_frames
from domainkit.audio.transforms._dense import features_from_dense
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["by_frames", "frames_together"]

Work = Callable[[torch.Tensor], torch.Tensor]


def by_frames(name: str, x: Any, work: Work, *, n_fft: int, hop_length: int, pad_mode: str) -> Any:
    """``work`` on the frames of mono recordings: frame f is centred on sample f * hop_length.

    Args:
        name: of who asks, for errors.
        x: [B, 1, T], or ``Ragged`` items [1, T_i].
        work: [..., F, n_fft] -> [..., F, M].
        pad_mode: outside a recording lie zeros ("constant") or its mirror image ("reflect").

    Returns:
        [B, F, M], or ``Ragged`` items [F_i, M], with F = 1 + T // hop_length.

    Raises:
        TransformError: several channels; a recording too short to reflect.
    """
    ragged = isinstance(x, Ragged)
    channels = x.host_shapes[:, 0].max(initial=1) if ragged else x.shape[1]
    if channels != 1:
        raise TransformError(f"{name} takes one channel, got {channels}: put Mono before it")
    half = n_fft // 2
    shortest = int(x.host_shapes[:, 1].min(initial=n_fft)) if ragged else x.shape[2]
    if pad_mode == "reflect" and shortest <= half:
        raise TransformError(
            f"{name} with pad_mode='reflect' needs more than {half} samples, got {shortest}: "
            "leave the sample out or use pad_mode='constant'"
        )
    if not ragged:
        return work(signal_frames(x[:, 0], n_fft, hop_length, pad_mode))
    counts = 1 + x.host_shapes[:, 1] // hop_length
    if x.device.type != "cpu":  # a few large launches
        together = frames_together(x, n_fft, hop_length, pad_mode)
        return features_from_dense(work(together), counts)
    # an item stays in a processor's cache
    done = [work(signal_frames(item[0], n_fft, hop_length, pad_mode)) for item in x]
    return Ragged.from_shapes(torch.cat(done) if done else x.values[:, None], counts)


def frames_together(x: Ragged, n_fft: int, hop_length: int, pad_mode: str) -> torch.Tensor:
    """Items [1, T_i] -> a view [B, F, n_fft], without a loop over them."""
    half, longest = n_fft // 2, int(x.host_shapes[:, 1].max(initial=0))
    place = torch.arange(-half, longest + half, device=x.device)
    lengths = x.lengths[:, None]
    inside = (place >= 0) & (place < lengths)
    last = (lengths - 1).clamp(min=0)
    if pad_mode == "reflect":
        place = place.abs()
        place = torch.where(place > last, 2 * last - place, place)
    # what is far behind an end is cut off, whatever it is
    source = x.offsets[:-1, None] + torch.minimum(place.clamp(min=0), last)
    rows = x.values[source.clamp(max=max(0, len(x.values) - 1))]
    if pad_mode != "reflect":
        rows = torch.where(inside, rows, 0)
    return rows.unfold(-1, n_fft, hop_length)
