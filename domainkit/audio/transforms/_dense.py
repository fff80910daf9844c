"""A ``Ragged`` batch as a dense one with zeros behind each end, and back.

No step waits for a device: sizes are known on the host, and copies are planned from them.
"""

from __future__ import annotations

import numpy as np
import torch

from domainkit.ragged import Ragged

__all__ = ["features_from_dense", "waveforms_from_dense", "waveforms_to_dense"]


def waveforms_to_dense(x: Ragged) -> torch.Tensor:
    """Items [C_i, T_i] -> [B, C, T], zeros behind each end and in channels that an item lacks."""
    shapes = x.host_shapes
    batch, (channels, longest) = len(shapes), shapes.max(axis=0, initial=0).tolist()
    if not batch or not longest:
        return x.values.new_zeros(batch, channels, longest)
    if (shapes[:, 1] == longest).all() and (shapes[:, 0] == channels).all():
        return x.values.view(batch, channels, longest)
    if x.device.type == "cpu" and not x.values.requires_grad:
        out = x.values.new_empty(batch, channels, longest)
        for row, item in zip(out, x, strict=True):
            c, t = item.shape
            row[:c, :t] = item
            row[:c, t:] = 0
            row[c:] = 0
        return out
    rows = shapes[:, 0].sum()
    lengths = torch.from_numpy(np.repeat(shapes[:, 1], shapes[:, 0])).to(x.device)
    inside = torch.arange(longest, device=x.device) < lengths[:, None]
    # scattering goes in the order of the buffer, which is item by item, channel by channel
    flat = x.values.new_zeros(int(rows), longest).masked_scatter(inside, x.values)
    if (shapes[:, 0] == channels).all():
        return flat.view(batch, channels, longest)
    owner = np.repeat(np.arange(batch), shapes[:, 0])
    channel = np.arange(rows) - np.repeat(np.cumsum(shapes[:, 0]) - shapes[:, 0], shapes[:, 0])
    place = torch.from_numpy(owner * channels + channel).to(x.device)
    out = flat.new_zeros(batch * channels, longest).index_copy(0, place, flat)
    return out.view(batch, channels, longest)


def waveforms_from_dense(y: torch.Tensor, shapes: np.ndarray) -> Ragged:
    """[B, C, T] -> items of ``shapes`` [B, 2]: channels and samples."""
    batch, channels, longest = y.shape
    if batch and (shapes == (channels, longest)).all():
        return Ragged.from_shapes(y.reshape(-1), shapes)
    if y.device.type == "cpu":
        pieces = [row[:c, :t].reshape(-1) for row, (c, t) in zip(y, shapes.tolist(), strict=True)]
        return Ragged.from_shapes(torch.cat(pieces) if pieces else y.reshape(-1), shapes)
    lengths = np.repeat(shapes[:, 1], shapes[:, 0])
    channel = np.arange(len(lengths)) - np.repeat(
        np.cumsum(shapes[:, 0]) - shapes[:, 0], shapes[:, 0]
    )
    start = (np.repeat(np.arange(batch), shapes[:, 0]) * channels + channel) * longest
    return Ragged.from_shapes(y.reshape(-1)[_places(start, lengths, y.device)], shapes)


def features_from_dense(y: torch.Tensor, lengths: np.ndarray) -> Ragged:
    """[B, F, *inner] -> items [F_i, *inner]."""
    if len(y) and (lengths == y.shape[1]).all():
        return Ragged.from_shapes(y.flatten(0, 1), lengths)
    if y.device.type == "cpu":
        pieces = [row[:n] for row, n in zip(y, lengths.tolist(), strict=True)]
        return Ragged.from_shapes(torch.cat(pieces) if pieces else y.flatten(0, 1), lengths)
    start = np.arange(len(y)) * y.shape[1]
    return Ragged.from_shapes(y.flatten(0, 1)[_places(start, lengths, y.device)], lengths)


def _places(start: np.ndarray, lengths: np.ndarray, device: torch.device) -> torch.Tensor:
    """start[i], start[i] + 1, ... start[i] + lengths[i] - 1, for each i in turn."""
    total = int(lengths.sum())
    shift = torch.from_numpy(start - (np.cumsum(lengths) - lengths)).to(device)
    steps = torch.from_numpy(lengths).to(device)
    return torch.arange(total, device=device) + torch.repeat_interleave(
        shift, steps, output_size=total
    )
