"""Delay lines whose delay moves, with feedback: what flangers and phasers are made of.

``y[t] = x[t] + gain sum_k w[k, t] y[t - d[k, t]]``. On a CPU it is run by Numba, sample after
sample. Elsewhere, and where a gradient is wanted, block by block: what earlier blocks send is
gathered, and what a block sends to itself is a triangular system, the same for all recordings.
"""

from __future__ import annotations

import torch

from domainkit.audio.functional import _numba_delay_line

__all__ = ["delayed", "feed_back"]

_BLOCK = 256  # samples


def feed_back(
    x: torch.Tensor, delays: torch.Tensor, weights: torch.Tensor, gain: float
) -> torch.Tensor:
    """The recursion above.

    Args:
        x: floating [R, C, T].
        delays: int64 [C, K, T], all >= 1. weights: [C, K, T] in float64.
        gain: below 1, or the sound grows.
    """
    if gain == 0 or not x.numel():
        return x
    wanted = torch.is_grad_enabled() and x.requires_grad
    if x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and not wanted:
        sound = x.detach().contiguous().numpy()
        whole, shares = delays.contiguous().numpy(), weights.contiguous().numpy()
        return torch.from_numpy(_numba_delay_line.run(sound, whole, shares, gain))
    return _in_blocks(x, delays, weights.to(x.dtype) * gain)


def delayed(y: torch.Tensor, delays: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """``sum_k weights[k, t] y[t - delays[k, t]]`` of y [R, C, T]; before the start is silence."""
    places = torch.arange(y.shape[-1], device=y.device) - delays  # [C, K, T]
    total = torch.zeros_like(y)
    for k in range(delays.shape[1]):
        at = places[:, k].clamp(min=0).expand_as(y)
        weight = torch.where(places[:, k] >= 0, weights[:, k], 0).to(y.dtype)
        total = total + weight * y.gather(-1, at)
    return total


def _in_blocks(x: torch.Tensor, delays: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """``feed_back``, ``_BLOCK`` samples at a time; weights hold the gain."""
    length, size = x.shape[-1], _BLOCK
    channels, taps = delays.shape[:2]
    blocks = -(-length // size)
    pad = (0, blocks * size - length)
    x = torch.nn.functional.pad(x, pad)
    delays = torch.nn.functional.pad(delays, pad, value=1)
    weights = torch.nn.functional.pad(weights, pad)
    row = torch.arange(size, device=x.device)
    done: list[torch.Tensor] = []
    past = x.new_zeros(*x.shape[:2], 0)
    for start in range(0, blocks * size, size):
        here = slice(start, start + size)
        source = start + row - delays[..., here]  # [C, K, size]
        w = weights[..., here]
        inside = source >= start
        # own[c, t, s]: what sample s of this block sends to sample t of it
        own = x.new_zeros(channels, size, size)
        column = (source - start).clamp(min=0)
        sent = torch.where(inside, w, 0)
        for k in range(taps):
            own.scatter_add_(2, column[:, k, :, None], sent[:, k, :, None])
        block = x[..., here]
        if start:
            earlier = (source >= 0) & ~inside
            from_past = torch.where(earlier, w, 0)
            for k in range(taps):
                at = source[:, k].clamp(0, start - 1).expand(len(x), -1, -1)
                block = block + from_past[:, k] * past.gather(-1, at)
        system = torch.eye(size, dtype=x.dtype, device=x.device) - own
        columns = block.permute(1, 2, 0)  # [C, size, R]
        y = torch.linalg.solve_triangular(system, columns, upper=False, unitriangular=True)
        done.append(y.permute(2, 0, 1))
        past = torch.cat([past, done[-1]], -1)
    return past[..., :length]
