"""Datasets of pictures: list them, load one by name, or call it as torchvision's users do.

``datasets.FashionMNIST(split="train")`` is
``domainkit.load_dataset("vision/fashion-mnist", "train")``;
case, dashes and underscores do not matter.

Example:
    >>> from domainkit.vision import datasets
    >>> datasets.FashionMNIST
    <dataset vision/fashion-mnist: call it with split=...>
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from domainkit import names

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["list", "load"]


def list() -> builtins.list[str]:
    """The names of the vision datasets, sorted, without "vision/".

    Example:
        >>> "fashion-mnist-mini" in list()
        True
    """
    return names.short_names("vision")


def load(name: str, split: str | None = None) -> Dataset:
    """Open a split of a vision dataset; see ``domainkit.load_dataset``.

    Args:
        name: such as "fashion-mnist-mini", in any spelling.
        split: such as "train" or "train[:10%]"; may be left out where there is one split only.

    Raises:
        NotFoundError: no such dataset or split; offers the nearest.

    Example:
        >>> load("fashion-mnist-mini", split="test").name
        'vision/fashion-mnist-mini, test'
    """
    return names.DatasetLoader(names.full_name("vision", name))(split)


def __getattr__(name: str) -> names.DatasetLoader:
    return names.attribute("vision", name)


def __dir__() -> builtins.list[str]:
    return sorted([*__all__, *names.attributes("vision")])
