"""``lfilter`` and ``filtfilt``: recursive filters, differentiable in signal and coefficients.

On a CPU the recursion is run by Numba, sample after sample. Elsewhere it is run block by block: a
block's response to its own input is a product with a triangular matrix of the impulse response, and
what the blocks before leave behind is carried on by their last outputs. Both are exact recursions,
so any filter may be given, a ringing one too.

The gradients are filters as well: the adjoint of a recursion is the recursion run backwards.
"""

from __future__ import annotations

from typing import Any

import torch

from domainkit.audio.functional import _numba_recursion
from domainkit.audio.functional.checks import check_floating
from domainkit.errors import TransformError

__all__ = ["filtfilt", "lfilter"]

_BLOCK = 256  # samples


def lfilter(
    waveform: torch.Tensor,
    a_coeffs: torch.Tensor,
    b_coeffs: torch.Tensor,
    clamp: bool = True,
    batching: bool = True,
) -> torch.Tensor:
    """Filter by ``a[0] y[t] = sum b[k] x[t - k] - sum_{k > 0} a[k] y[t - k]``.

    Args:
        waveform: floating [..., T]; with filters and ``batching`` [..., N, T], one for each.
        a_coeffs, b_coeffs: [K], or [N, K] for N filters; lower delays first, a[0] not 0.
        clamp: cut the result to [-1, 1].
        batching: of N filters, each is for its own waveform; else all of them filter every one.

    Returns:
        [..., T], or [..., N, T] for N filters.

    Raises:
        TransformError: another dtype, or shapes that do not belong together.

    Example:
        >>> half = torch.tensor([1.0, -0.5]), torch.tensor([1.0, 0.0])
        >>> lfilter(torch.tensor([1.0, 0.0, 0.0]), *half)
        tensor([1.0000, 0.5000, 0.2500])
    """
    check_floating("lfilter", waveform)
    _check_filters(waveform, a_coeffs, b_coeffs, batching)
    many = a_coeffs.ndim == 2
    a, b = (c.reshape(-1, c.shape[-1]).to(waveform.device) for c in (a_coeffs, b_coeffs))
    if many and not batching:
        waveform = waveform[..., None, :].expand(*waveform.shape[:-1], len(a), -1)
    if not waveform.numel():
        return waveform.clone()
    rows = waveform.reshape(-1, len(a), waveform.shape[-1])  # [R, N, T]
    b, a = b / a[:, :1], a / a[:, :1]
    wanted = torch.is_grad_enabled() and any(t.requires_grad for t in (rows, a, b))
    if _compiles(rows) and not wanted:
        sound, zeros, poles = (v.detach().contiguous().numpy() for v in (rows, b, a))
        done = _numba_recursion.whole(sound, zeros, poles, clamp)
        return torch.from_numpy(done).view(waveform.shape)
    b, a = b.to(rows.dtype), a.to(rows.dtype)
    out: torch.Tensor = _Recursion.apply(_sums(rows, b), a[:, 1:])
    out = out.reshape(waveform.shape)
    return out.clamp(-1.0, 1.0) if clamp else out


def filtfilt(
    waveform: torch.Tensor, a_coeffs: torch.Tensor, b_coeffs: torch.Tensor, clamp: bool = True
) -> torch.Tensor:
    """``lfilter`` forwards and then backwards: no phase is moved, the gain is squared.

    Args and Raises are those of ``lfilter``; before the start and behind the end is silence.

    Example:
        >>> smooth = torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])
        >>> filtfilt(torch.tensor([0.0, 1.0, 0.0, 0.0]), *smooth)
        tensor([0.2500, 0.5000, 0.2500, 0.0000])
    """
    forwards = lfilter(waveform, a_coeffs, b_coeffs, clamp=False)
    return lfilter(forwards.flip(-1), a_coeffs, b_coeffs, clamp=clamp).flip(-1)


def _sums(x: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """sum b[n, k] x[r, n, t - k] for x [R, N, T] and b [N, K]."""
    out = b[:, 0, None] * x
    for k in range(1, min(b.shape[1], x.shape[-1])):
        moved = torch.nn.functional.pad(x[..., :-k], (k, 0))
        out = torch.addcmul(out, b[:, k, None].expand_as(moved), moved)
    return out


class _Recursion(torch.autograd.Function):
    """y[t] = x[t] - sum_k a[k - 1] y[t - k] for x [R, N, T] and a [N, K]."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        y = _run(x, a)
        ctx.save_for_backward(y, a)
        return y

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        y, a = ctx.saved_tensors
        # the adjoint recursion runs from the end; as a Function, so that it has a gradient too
        back: torch.Tensor = _Recursion.apply(grad.flip(-1), a)
        back = back.flip(-1)
        of_a = None
        if ctx.needs_input_grad[1]:
            parts = [-(back[..., k:] * y[..., : y.shape[-1] - k]).sum((0, 2)) for k in _lags(y, a)]
            missing = a.shape[1] - len(parts)
            of_a = torch.stack([*parts, *[torch.zeros_like(a[:, 0])] * missing], 1)
        return back, of_a


def _lags(y: torch.Tensor, a: torch.Tensor) -> range:
    return range(1, 1 + min(a.shape[1], y.shape[-1] - 1))


def _run(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    if x.numel() == 0 or a.shape[1] == 0:
        return x.clone()
    if not _compiles(x):
        return _in_blocks(x, a)
    y = x.detach().clone(memory_format=torch.contiguous_format)
    whole = torch.nn.functional.pad(a.detach(), (1, 0), value=1.0)
    _numba_recursion.run(y.numpy(), whole.numpy())
    return y


def _compiles(x: torch.Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)


def _in_blocks(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """The recursion as matrix products, ``_BLOCK`` samples at a time."""
    rows, filters, length = x.shape
    order, size = a.shape[1], max(_BLOCK, a.shape[1])
    # the impulse response, and what each of the last outputs leaves in the next block
    h = x.new_zeros(filters, size + order)
    h[:, order] = 1
    for t in range(order + 1, size + order):
        h[:, t] = -(a.flip(1) * h[:, t - order : t]).sum(1)
    h = h[:, order:]
    delay = torch.arange(size, device=x.device)
    delay = delay[:, None] - delay[None, :]
    own = torch.where(delay >= 0, h[:, delay.clamp(min=0)], 0)  # [N, size, size]
    # a y of j samples before the block acts as the inputs -a[j + i] y at its samples i
    left = x.new_zeros(filters, size, order)
    for j in range(1, order + 1):
        for i in range(order - j + 1):
            left[:, i, order - j] = -a[:, j + i - 1]
    carry = own @ left  # [N, size, order], for outputs in rising time
    blocks = -(-length // size)
    padded = torch.nn.functional.pad(x, (0, blocks * size - length)).unflatten(-1, (blocks, size))
    inner = torch.einsum("nij,rnbj->brni", own, padded)
    last = x.new_zeros(rows, filters, order)
    done = []
    for block in inner:
        y = block + torch.einsum("nio,rno->rni", carry, last)
        last = y[..., size - order :]
        done.append(y)
    return torch.cat(done, -1)[..., :length]


def _check_filters(
    waveform: torch.Tensor, a: torch.Tensor, b: torch.Tensor, batching: bool
) -> None:
    if a.shape != b.shape or a.ndim not in (1, 2) or a.shape[-1] < 1:
        raise TransformError(
            "lfilter takes a_coeffs and b_coeffs of one shape, [K] or [N, K], got "
            f"{tuple(a.shape)} and {tuple(b.shape)}: fill the shorter up with zeros"
        )
    if a.ndim == 2 and batching and (waveform.ndim < 2 or waveform.shape[-2] != len(a)):
        raise TransformError(
            f"lfilter: {len(a)} filters are for waveforms [..., {len(a)}, T], got "
            f"{tuple(waveform.shape)}: batching=False filters each waveform by all of them"
        )
