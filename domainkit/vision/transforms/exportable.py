"""``Exportable``: a pipeline as an ``nn.Module``, for ``torch.compile`` and ``torch.export``."""

from __future__ import annotations

from typing import Any

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError

__all__ = ["Exportable"]


class Exportable(torch.nn.Module):
    """A pipeline of dense pictures as a module whose draws are inputs.

    ``torch.compile(fullgraph=True)`` and ``torch.export`` make one graph of it: the torch form of
    every step, with the shapes of the pictures it is given and without a value that the host has
    to wait for. A resize becomes two matrix products in an export, so other runtimes need no
    antialiased filter.

    Args:
        pipeline: a ``Compose`` (a recipe) or a transform. Its steps are to have this form:
            ``Resize``, ``CenterCrop``, ``RandomResizedCrop``, ``RandomCrop``, the flips, the
            colour steps, ``ToDtype`` and ``Normalize`` have, the automatic augmentations,
            ``RandomErasing`` (not in mode "pixel"), ``MixUp``, ``CutMix`` and
            ``RandomMixUpCutMix``.
        seed: of the draws; part of the graph.

    Called with:
        images: uint8 or floating pictures [B, C, H, W].
        ids: int64 [B] on the device of the pictures, which samples they are: a sample gets the
            draws that it gets from the loader. None where nothing is random.
        epoch: int64 [] on that device, or an int, which would be part of the graph.
        labels: of the samples, for a pipeline that mixes them: class numbers [B] (which are taken
            to be right: a graph does not look) or shares [B, num_classes], on that device.

    Returns:
        The pictures; with ``labels``, the pictures and their labels.

    Exactness: as the pipeline called with ``Draws(seed, epoch, ids)``, within 1 level of uint8 per
        resize, or 1e-5 of floating numbers. Steps behind a resize that work on whole levels
        (posterising, equalising) may make more of such a level.

    Raises:
        TransformError: no ids for a random pipeline; what its steps raise.

    Example:
        >>> from domainkit.vision import transforms as T
        >>> module = T.Exportable(T.Compose([T.Resize(32), T.CenterCrop(24)]))
        >>> program = torch.export.export(module, (torch.zeros(2, 3, 40, 50),))
        >>> program.module()(torch.ones(2, 3, 40, 50)).shape
        torch.Size([2, 3, 24, 24])
    """

    def __init__(self, pipeline: Any, seed: int = 0) -> None:
        super().__init__()
        self.pipeline, self.seed = pipeline, seed
        steps = getattr(pipeline, "steps", [pipeline])
        self.random = any(getattr(step, "random", True) for step in steps)
        self.label = next((s.label for s in steps if getattr(s, "pairs", False)), "label")

    def forward(
        self,
        images: torch.Tensor,
        ids: torch.Tensor | None = None,
        epoch: torch.Tensor | int = 0,
        labels: torch.Tensor | None = None,
    ) -> Any:
        if ids is None:
            if self.random:
                raise TransformError(
                    "Exportable: this pipeline is random: give the ids of the samples, int64 [B]"
                )
            ids = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        if isinstance(epoch, torch.Tensor) and not torch.compiler.is_compiling():
            epoch = int(epoch)
        draws = Draws(self.seed, epoch, ids)  # type: ignore[arg-type]
        if labels is None:
            return self.pipeline(images, draws)
        done = self.pipeline({"image": images, self.label: labels}, draws)
        return done["image"], done[self.label]
