"""Build a torchvision model, with weights that came through domainkit's cache.

What pretrained weights change in a network besides its numbers (auxiliary heads, frozen batch norm,
epsilons, input rescaling) is decided inside torchvision's builders. So the builder gets the weights
by name, and only the step in which it would download them is answered with our verified ones.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn

from domainkit.errors import NotFoundError

__all__ = ["build"]

_handed: ContextVar[Mapping[str, torch.Tensor] | None] = ContextVar("handed", default=None)
_patching = threading.Lock()


def build(
    name: str,
    *,
    weights: str | None = None,
    state_dict: Mapping[str, torch.Tensor] | None = None,
    **args: Any,
) -> nn.Module:
    """A model of ``torchvision.models``, untrained or with the given weights.

    Args:
        name: torchvision's name, such as "resnet50".
        weights: the name of the weights, such as "imagenet1k-v2", for which ``state_dict`` is.
        state_dict: the tensors; nothing is ever downloaded.
        args: for torchvision's builder, such as ``num_classes``.

    Raises:
        NotFoundError: the installed torchvision does not have the model or the weights.

    Example:
        >>> build("squeezenet1_1", num_classes=7)(torch.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 7])
    """
    import torchvision

    try:
        builder = torchvision.models.get_model_builder(name)
        member = None
        if weights is not None:
            enum = torchvision.models.get_model_weights(name)
            member = enum[weights.upper().replace("-", "_")]
    except (ValueError, KeyError) as error:
        raise NotFoundError(
            f"torchvision {torchvision.__version__} has no {name} {weights or ''}: upgrade it "
            "(pip install -U torchvision)"
        ) from error
    if member is None:
        if "weights_backbone" in inspect.signature(builder).parameters:
            args.setdefault("weights_backbone", None)  # its default would be downloaded
        if name in ("googlenet", "inception_v3"):
            args.setdefault("init_weights", True)  # what their warning asks to be said
        return builder(weights=None, **args)
    with _handing(state_dict or {}):
        return builder(weights=member, progress=False, **args)


@contextmanager
def _handing(state_dict: Mapping[str, torch.Tensor]) -> Iterator[None]:
    from torchvision.models import WeightsEnum

    original = WeightsEnum.get_state_dict

    def get_state_dict(self: Any, *args: Any, **kwargs: Any) -> Mapping[str, Any]:
        given = _handed.get()  # None in every other thread: torchvision goes its own way there
        return original(self, *args, **kwargs) if given is None else given

    with _patching:
        token = _handed.set(state_dict)
        WeightsEnum.get_state_dict = get_state_dict
        try:
            yield
        finally:
            WeightsEnum.get_state_dict = original
            _handed.reset(token)
