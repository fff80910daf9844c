"""Perplexity: the exponential of the mean negative log-likelihood per token."""

from __future__ import annotations

import math

import torch

from domainkit.errors import DomainkitError, TransformError
from domainkit.ragged import Ragged

__all__ = ["Perplexity", "perplexity"]

_AT_ONCE = 1 << 25  # logits that are float32 at a time


class Perplexity:
    """The perplexity of a whole corpus, batch by batch: each token counts the same.

    Position t of ``labels`` is what the logits of position t predict: shift them before.

    Args:
        ignore_index: labels that do not count.

    Example:
        >>> import torch
        >>> metric = Perplexity()
        >>> metric.update(torch.zeros(2, 3, 8), torch.ones(2, 3, dtype=torch.int64))
        >>> round(metric.compute(), 3)
        8.0
    """

    def __init__(self, ignore_index: int = -100) -> None:
        self.ignore_index = ignore_index
        self._loss: torch.Tensor | None = None  # on the device, so that no batch waits for it
        self._count: torch.Tensor | None = None

    @torch.no_grad()
    def update(self, logits: torch.Tensor | Ragged, labels: torch.Tensor | Ragged) -> None:
        """Adds a batch.

        Args:
            logits: floating point, dense [..., V] or a ``Ragged`` of items [L_i, V].
            labels: int32 or int64, dense [...] or a ``Ragged`` of items [L_i].

        Raises:
            TransformError: shapes or dtypes that do not fit.
        """
        scores, wanted = _flat(logits, labels)
        loss = torch.zeros((), dtype=torch.float64, device=scores.device)
        step = max(1, _AT_ONCE // scores.shape[1])
        for start in range(0, len(scores), step):
            part = torch.nn.functional.cross_entropy(
                scores[start : start + step].float(),
                wanted[start : start + step],
                ignore_index=self.ignore_index,
                reduction="none",
            )
            loss += part.sum(dtype=torch.float64)
        count = (wanted != self.ignore_index).sum()
        self._loss = loss if self._loss is None else self._loss.to(loss.device) + loss
        self._count = count if self._count is None else self._count.to(count.device) + count

    def merge(self, other: Perplexity) -> None:
        """Adds what another one has seen, on another rank for instance."""
        if other._loss is None or other._count is None:
            return
        if self._loss is None or self._count is None:
            self._loss, self._count = other._loss.clone(), other._count.clone()
            return
        self._loss = self._loss + other._loss.to(self._loss.device)
        self._count = self._count + other._count.to(self._count.device)

    @property
    def tokens(self) -> int:
        """How many labels counted so far."""
        return 0 if self._count is None else int(self._count)

    def compute(self) -> float:
        """The perplexity of all that came; infinite where the model gave a token no chance.

        Raises:
            DomainkitError: no label counted.
        """
        if self._loss is None or not self.tokens:
            raise DomainkitError("Perplexity: no label came that counts, update it first")
        mean = float(self._loss) / self.tokens
        return math.exp(mean) if mean < 700 else math.inf


def perplexity(
    logits: torch.Tensor | Ragged, labels: torch.Tensor | Ragged, ignore_index: int = -100
) -> float:
    """The perplexity of one batch; ``Perplexity`` takes many.

    Args:
        logits: floating point, dense [..., V] or a ``Ragged`` of items [L_i, V].
        labels: int32 or int64, dense [...] or a ``Ragged`` of items [L_i]; what the logits of the
            same position predict.
        ignore_index: labels that do not count.

    Raises:
        TransformError: shapes or dtypes that do not fit.
        DomainkitError: no label counts.

    Example:
        >>> import torch
        >>> round(perplexity(torch.zeros(4, 5), torch.tensor([0, 3, 1, -100])), 3)
        5.0
    """
    metric = Perplexity(ignore_index)
    metric.update(logits, labels)
    return metric.compute()


def _flat(
    logits: torch.Tensor | Ragged, labels: torch.Tensor | Ragged
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [N, V] and labels int64 [N]."""
    if isinstance(logits, Ragged) and isinstance(labels, Ragged):
        fit = len(logits.inner) == 1 and labels.inner == () and len(logits) == len(labels)
        fit = fit and bool((logits.host_offsets == labels.host_offsets).all())
        scores, wanted = logits.values, labels.values
    elif isinstance(logits, torch.Tensor) and isinstance(labels, torch.Tensor):
        fit = logits.ndim >= 1 and logits.shape[:-1] == labels.shape
        scores, wanted = logits, labels
    else:
        fit = False
    if not fit:
        raise TransformError(
            "perplexity takes logits [..., V] and labels [...], or Ragged of items [L_i, V] and "
            f"[L_i], got {_shown(logits)} and {_shown(labels)}"
        )
    if not scores.is_floating_point() or wanted.dtype not in (torch.int32, torch.int64):
        raise TransformError(
            "perplexity takes floating point logits and int32 or int64 labels, got "
            f"{scores.dtype} and {wanted.dtype}"
        )
    return scores.reshape(-1, scores.shape[-1]), wanted.reshape(-1).long()


def _shown(x: object) -> str:
    return str(list(x.shape)) if isinstance(x, torch.Tensor) else repr(x)[:80]
