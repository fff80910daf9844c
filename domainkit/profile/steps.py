"""What a loop does with a batch: a training step or a forward pass of any model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from domainkit.batch import Batch
from domainkit.training import OPTIMIZERS

__all__ = ["Step", "eval_step", "train_step"]

Step = Callable[[Batch], Any]


def train_step(
    model: nn.Module, *, field: str, target: str | None = "label", optimizer: str = "adamw"
) -> Step:
    """Forward, loss, backward and optimizer: what a training does with a batch, for its time alone.

    The learning rate is 0, so that the weights stay what they are. The loss is cross-entropy
    where the batch has classes and the model gives logits [B, classes], else the sum of the means
    of all outputs; classes that the model does not have are folded into those it has. What a loss
    says does not change how long it takes.

    Args:
        model: maps ``batch[field]`` to a tensor, or to a list, tuple or dict of them. It is put
            into training mode.
        field: the batch's field that goes into the model.
        target: the field with the classes, int64 [B]; None for none.
        optimizer: "adamw" or "sgd" (momentum 0.9).

    Raises:
        ValueError: an unknown optimizer.

    Example:
        >>> step = train_step(nn.Linear(4, 2), field="x")
        >>> step(Batch({"x": torch.ones(3, 4), "label": torch.tensor([0, 1, 7])}))
    """
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {optimizer!r}")
    update = OPTIMIZERS[optimizer](model.parameters(), lr=0.0, weight_decay=0.0)
    model.train()

    def step(batch: Batch) -> None:
        out = model(batch[field])
        classes = batch.get(target) if target is not None else None
        update.zero_grad(set_to_none=True)
        _loss(out, classes).backward()
        update.step()

    return step


def eval_step(model: nn.Module, *, field: str) -> Step:
    """A forward pass without gradients, in evaluation mode.

    Example:
        >>> eval_step(nn.Linear(4, 2), field="x")(Batch({"x": torch.ones(3, 4)}))
    """
    model.eval()

    @torch.inference_mode()
    def step(batch: Batch) -> None:
        model(batch[field])

    return step


def _loss(out: Any, classes: Any) -> torch.Tensor:
    logits = isinstance(out, torch.Tensor) and out.ndim == 2 and out.is_floating_point()
    if logits and isinstance(classes, torch.Tensor) and classes.dtype == torch.int64:
        return nn.functional.cross_entropy(out, classes % out.shape[1])
    return torch.stack([t.float().mean() for t in _tensors(out)]).sum()


def _tensors(out: Any) -> list[torch.Tensor]:
    if isinstance(out, torch.Tensor):
        return [out] if out.requires_grad else []
    parts = out.values() if isinstance(out, Mapping) else out
    if not isinstance(parts, Iterable):
        return []
    return [tensor for part in parts for tensor in _tensors(part)]
