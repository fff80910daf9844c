"""A plain training loop: enough to train the small models of the zoo and to check a dataset.

It is a loop a reader can copy: AdamW (or SGD with momentum, which suits sparse linear models), a
linear warm-up into a cosine decay over all steps, and cross-entropy. Larger trainings belong in
Lightning, accelerate or a script of one's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from domainkit.loader import Loader
from domainkit.progress import bar

__all__ = ["evaluate", "evaluating", "fit"]

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "sgd": partial(torch.optim.SGD, momentum=0.9),
}


def fit(
    model: nn.Module,
    loader: Loader,
    *,
    field: str,
    target: str = "label",
    epochs: int = 1,
    optimizer: str = "adamw",
    lr: float = 1e-3,
    weight_decay: float = 0.01,
    label_smoothing: float = 0.0,
    warmup: float = 0.1,
    after_epoch: Callable[[int, float], Any] | None = None,
) -> nn.Module:
    """Train a classifier in place.

    Args:
        model: maps ``batch[field]`` to logits [B, classes].
        loader: gives the batches; its device must be the model's.
        field: the batch's field that goes into the model: "image", "audio", "tokens".
        target: the field with the classes, int64 [B].
        epochs: passes over the data.
        optimizer: "adamw", or "sgd" (momentum 0.9).
        lr: the highest learning rate, reached after ``warmup``.
        weight_decay: the optimizer's.
        label_smoothing: cross-entropy's, in [0, 1).
        warmup: the share of all steps in which the rate rises from 0.
        after_epoch: called with the epoch (from 0) and its mean loss.

    Returns:
        The model, in training mode off.

    Raises:
        ValueError: an unknown optimizer.

    Example:
        >>> import domainkit as dk
        >>> ds = dk.load_dataset("vision/fashion-mnist-mini", "test")
        >>> loader = dk.Loader(ds, 100, shuffle=True, transform="vision/fashion-mnist-eval-1")
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        >>> fit(model, loader, field="image").training
        False
    """
    steps = max(1, len(loader) * epochs)
    rising = max(1, round(warmup * steps))
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {optimizer!r}")
    update = OPTIMIZERS[optimizer](model.parameters(), lr=lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        update,
        lambda step: min(
            (step + 1) / rising,
            0.5 * (1 + math.cos(math.pi * max(0, step - rising) / max(1, steps - rising))),
        ),
    )
    model.train()
    for epoch in range(epochs):
        total = count = 0.0
        with bar(f"epoch {epoch + 1}/{epochs}", len(loader), unit="batches") as progress:
            for batch in loader:
                logits = model(batch[field])
                loss = nn.functional.cross_entropy(
                    logits, batch[target], label_smoothing=label_smoothing
                )
                update.zero_grad(set_to_none=True)
                loss.backward()
                update.step()
                schedule.step()
                total += float(loss.detach()) * len(batch.ids)
                count += len(batch.ids)
                progress.advance(1)
        if after_epoch is not None:
            after_epoch(epoch, total / max(count, 1))
    return model.eval()


@torch.inference_mode()
def evaluate(model: nn.Module, loader: Loader, *, field: str, target: str = "label") -> float:
    """The share of samples whose largest logit is at their class, in [0, 1].

    The model is in evaluation mode meanwhile; each of its modules gets its own mode back.

    Where torch.distributed is initialised and the loader gives each rank its part, all ranks have
    to call this, and all get the share among all samples, each counted once; ranks may have
    different numbers of batches, or none. A loader with ``world_size=1`` counts what it gives, and
    so does one with parts where torch.distributed is not initialised.

    Args:
        model: maps ``batch[field]`` to logits [B, classes]. Of a ``DistributedDataParallel`` the
            module inside is asked, since ranks with different numbers of batches must not wait for
            each other.
        loader: gives the batches; its device must be the model's.
        field: the batch's field that goes into the model: "image", "audio", "tokens".
        target: the field with the classes, int64 [B].

    Raises:
        ValueError: the loader would fill its last batch up (``last="pad"``) with samples that
            count twice, or gives parts to another number of ranks than torch.distributed has.

    Example:
        >>> import domainkit as dk
        >>> ds = dk.load_dataset("vision/fashion-mnist-mini", "test")
        >>> loader = dk.Loader(ds, 250, transform="vision/fashion-mnist-eval-1")
        >>> evaluate(dk.load_model("vision/fashion-cnn"), loader, field="image") > 0.9
        True
    """
    if loader.may_repeat:
        raise ValueError(
            f'last="pad" fills the last batch of {len(loader.dataset):,} samples up with some that '
            'would count twice: give the Loader last="short"'
        )
    shared = loader.world_size > 1 and distributed.is_available() and distributed.is_initialized()
    if shared and loader.world_size != distributed.get_world_size():
        raise ValueError(
            f"the loader gives parts to {loader.world_size} ranks, torch.distributed has "
            f"{distributed.get_world_size()}: leave the Loader's rank and world_size out, or count "
            "with a loop of your own"
        )
    if isinstance(model, DistributedDataParallel):  # its forward may speak to the other ranks
        model = model.module
    right = count = 0
    with evaluating(model), bar("evaluate", len(loader), unit="batches") as progress:
        for batch in loader:
            right += int((model(batch[field]).argmax(-1) == batch[target]).sum())
            count += len(batch.ids)
            progress.advance(1)
    if shared:
        both = torch.tensor([right, count], device=_speaking_device(model))
        distributed.all_reduce(both)
        right, count = both.tolist()
    return right / max(count, 1)


def _speaking_device(model: nn.Module) -> torch.device:
    """A device whose tensors torch.distributed can add up: NCCL knows no host memory."""
    # like "cpu:gloo,cuda:nccl"
    known = [part.partition(":")[0] for part in distributed.get_backend_config().split(",")]
    if "cpu" in known:
        return torch.device("cpu")
    own = (tensor.device for tensor in [*model.parameters(), *model.buffers()])
    return next((device for device in own if device.type in known), torch.device(known[0]))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a ``with`` block; then each module has its own mode again.

    A fine-tuned network often has parts that stay in evaluation mode (frozen batch norm) while the
    rest is trained: ``model.train(True)`` afterwards would wake them.

    Example:
        >>> model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))
        >>> _ = model[1].eval()
        >>> with evaluating(model):
        ...     model[0].training
        False
        >>> model[0].training, model[1].training
        (True, False)
    """
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training
