"""``rnnt_loss``: the loss of a transducer, exact in value and gradient.

Method: A. Graves, "Sequence Transduction with Recurrent Neural Networks" (2012). The gradient by
the joiner's outputs is written out, so that nothing of the lattice's recursion is kept for it. The
sums over paths are run by Numba on a CPU and by anti-diagonals elsewhere, where all nodes of one
diagonal are found at once (Bagby et al., "Efficient Implementation of Recurrent Neural Network
Transducer in TensorFlow", 2018).
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from domainkit.audio.functional import _numba_transducer
from domainkit.audio.functional.checks import check_floating
from domainkit.errors import TransformError

__all__ = ["rnnt_loss"]


def rnnt_loss(  # noqa: PLR0917 - torchaudio's
    logits: torch.Tensor,
    targets: torch.Tensor,
    logit_lengths: torch.Tensor,
    target_lengths: torch.Tensor,
    blank: int = -1,
    clamp: float = -1,
    reduction: str = "mean",
    fused_log_softmax: bool = True,
) -> torch.Tensor:
    """Minus the log-probability of the targets, over all ways to lay them along the frames.

    torchaudio needs int32, and lengths that fill the tensors; here int64, float64, bfloat16 and
    shorter lengths will do.

    Args:
        logits: floating [B, T, U + 1, V], the joiner's outputs.
        targets: int32 or int64 [B, U], in [0, V).
        logit_lengths: [B], frames of each item, 1 to T.
        target_lengths: [B], targets of each item, 0 to U.
        blank: the token that takes one to the next frame; -1 is the last one.
        clamp: cut each item's gradient by the logits to [-clamp, clamp]; not above 0: do not.
        reduction: "none", "mean" of the batch, or "sum".
        fused_log_softmax: False if the logits are log-probabilities already.

    Returns:
        The loss, a scalar, or [B] for "none"; of the logits' dtype. float16 and bfloat16 are
        summed in float32.

    Raises:
        TransformError: an argument outside its range, shapes or dtypes that do not belong together;
            lengths and targets on a GPU are not read for this, but cut to their ranges.

    Example:
        >>> logits = torch.zeros(1, 2, 2, 3)  # both paths: 3 steps of 1 / 3
        >>> lengths = torch.tensor([2]), torch.tensor([1])
        >>> rnnt_loss(logits, torch.tensor([[1]]), *lengths).exp()
        tensor(13.5000)
    """
    check_floating("rnnt_loss", logits, what="logits [B, T, U + 1, V]")
    blank = _check(logits, targets, logit_lengths, target_lengths, blank, reduction)
    _, frames, nodes, tokens = logits.shape
    place = logits.device
    ends = logit_lengths.to(place, torch.int64).clamp(1, frames)
    labels = target_lengths.to(place, torch.int64).clamp(0, nodes - 1)
    inside = torch.arange(nodes - 1, device=place) < labels[:, None]
    # what pads the targets may be no token
    known = torch.where(inside, targets.to(place, torch.int64), 0).clamp(0, tokens - 1)
    how = (blank, float(clamp), fused_log_softmax)
    losses: torch.Tensor = _Transducer.apply(logits, known, ends, labels, how)
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


class _Transducer(torch.autograd.Function):
    """Losses [B]."""

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any,
        logits: torch.Tensor,
        targets: torch.Tensor,
        ends: torch.Tensor,
        labels: torch.Tensor,
        how: tuple[int, float, bool],
    ) -> torch.Tensor:
        blank, _, fused = how
        wide = logits if logits.dtype == torch.float64 else logits.float()
        scale = torch.logsumexp(wide, -1) if fused else wide.new_zeros(())
        stay = wide[..., blank] - scale  # [B, T, U + 1]
        move = torch.full_like(stay, -torch.inf)
        which = targets[:, None, :, None].expand(-1, logits.shape[1], -1, -1)
        chosen = wide[:, :, :-1].gather(-1, which).squeeze(-1)
        move[..., :-1] = chosen - (scale[..., :-1] if fused else scale)
        if stay.device.type == "cpu":
            arrays = [t.contiguous().numpy() for t in (stay, move, ends, labels)]
            stay, move = (torch.from_numpy(a) for a in arrays[:2])
            losses = torch.from_numpy(_numba_transducer.run(*arrays))
        else:
            # sums of hundreds of logarithms lose too many figures in float32
            double = stay.dtype if stay.device.type == "mps" else torch.float64
            found = _by_diagonals(stay.to(double), move.to(double), ends, labels)
            losses, stay, move = (x.to(stay.dtype) for x in found)
        ctx.how = how
        ctx.save_for_backward(logits, targets, scale, stay, move)
        return losses.to(logits.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        logits, targets, scale, stay, move = ctx.saved_tensors
        blank, clamp, fused = ctx.how
        # d loss / d log p of a step = -P(a path takes it). Through the softmax each node gets
        # P(a path comes by it) * softmax, minus P(step) at the step's token.
        if fused:
            wide = logits if logits.dtype == torch.float64 else logits.float()
            visits = stay + move
            out = torch.sub(wide, scale[..., None]).exp_().mul_(visits[..., None])
            # a node outside the lattice counts 0, also where its softmax is NaN
            out.masked_fill_((visits == 0)[..., None], 0)
        else:
            out = stay.new_zeros(logits.shape)
        out[..., blank] -= stay
        which = targets[:, None, :, None].expand(-1, logits.shape[1], -1, -1)
        out[:, :, :-1].scatter_add_(-1, which, -move[:, :, :-1, None])
        if clamp > 0:
            out.clamp_(-clamp, clamp)
        out *= grad.to(out.dtype)[:, None, None, None]
        return out.to(logits.dtype), None, None, None, None


def _by_diagonals(
    stay: torch.Tensor, move: torch.Tensor, ends: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What ``_numba_transducer.summed`` does: losses, and the probabilities of each step."""
    batch, frames, nodes = stay.shape
    place, never = stay.device, -torch.inf
    t = torch.arange(frames, device=place)[:, None]
    u = torch.arange(nodes, device=place)
    own = (t < ends[:, None, None]) & (u <= labels[:, None, None])
    stay = stay.where(own, never)
    move = move.where(own & (u < labels[:, None, None]), never)
    # slanted [B, D, U + 1]: row d holds the nodes t + u = d
    row = torch.arange(frames + nodes, device=place)[:, None]
    source = (row - u).clamp(0, frames - 1).expand(batch, -1, -1)
    there = (row - u >= 0) & (row - u < frames)
    stays, moves = (x.gather(1, source).where(there, never) for x in (stay, move))
    goal = (row == (ends + labels)[:, None, None]) & (u == labels[:, None, None])
    beta = torch.where(goal, 0.0, torch.full_like(stays, never))
    for d in range(frames + nodes - 2, -1, -1):
        after = torch.nn.functional.pad(beta[:, d + 1, 1:], (0, 1), value=never)
        both = torch.logaddexp(stays[:, d] + beta[:, d + 1], moves[:, d] + after)
        beta[:, d] = torch.where(goal[:, d], 0.0, both)
    # chances of a step, given that a path comes by its node
    after = torch.nn.functional.pad(beta[:, 1:], (0, 0, 0, 1), value=never)
    here = torch.where(beta == never, 0.0, beta)
    beside = torch.nn.functional.pad(after[..., 1:], (0, 1), value=never)
    stays, moves = (stays + after - here).exp(), (moves + beside - here).exp()
    visits = torch.zeros_like(beta)
    visits[:, 0, 0] = 1
    for d in range(1, frames + nodes):
        visits[:, d] = visits[:, d - 1] * stays[:, d - 1]
        visits[:, d, 1:] += (visits[:, d - 1] * moves[:, d - 1])[:, :-1]
    back = (t + u).expand(batch, -1, -1)
    stays, moves = ((visits * x).gather(1, back) for x in (stays, moves))
    return -beta[:, 0, 0], stays, moves


def _check(  # noqa: PLR0917
    logits: torch.Tensor,
    targets: torch.Tensor,
    logit_lengths: torch.Tensor,
    target_lengths: torch.Tensor,
    blank: int,
    reduction: str,
) -> int:
    """The blank as a token in [0, V)."""
    shape = tuple(logits.shape)
    if logits.ndim != 4 or 0 in shape:
        raise TransformError(f"rnnt_loss takes logits [B, T, U + 1, V], got {shape}")
    batch, frames, nodes, tokens = shape
    for name, given, wanted in (
        ("targets", targets, (batch, nodes - 1)),
        ("logit_lengths", logit_lengths, (batch,)),
        ("target_lengths", target_lengths, (batch,)),
    ):
        if given.dtype not in (torch.int32, torch.int64) or tuple(given.shape) != wanted:
            dtype = str(given.dtype).removeprefix("torch.")
            raise TransformError(
                f"rnnt_loss: with logits {shape} {name} are int32 or int64 {wanted}, got "
                f"{dtype} {tuple(given.shape)}"
            )
    for name, given, least, most in (
        ("logit_lengths", logit_lengths, 1, frames),
        ("target_lengths", target_lengths, 0, nodes - 1),
    ):
        if given.device.type == "cpu" and bool(((given < least) | (given > most)).any()):
            raise TransformError(
                f"rnnt_loss: {name} lie in [{least}, {most}], got {given.tolist()}"
            )
    if targets.device.type == "cpu" and target_lengths.device.type == "cpu":
        inside = torch.arange(nodes - 1) < target_lengths[:, None]
        if bool((inside & ((targets < 0) | (targets >= tokens))).any()):
            raise TransformError(
                f"rnnt_loss: targets are tokens in [0, {tokens}); give target_lengths where they "
                "are padded"
            )
    if not -tokens <= blank < tokens:
        raise TransformError(f"rnnt_loss: blank is a token in [0, {tokens}) or -1, got {blank}")
    if reduction not in ("none", "mean", "sum"):
        raise TransformError(f"rnnt_loss: reduction is 'none', 'mean' or 'sum', got {reduction!r}")
    return blank % tokens
