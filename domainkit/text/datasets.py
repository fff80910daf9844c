"""Datasets of texts: list them, load one by name, or call it as torchtext's users do.

``datasets.AG_NEWS(split="train")`` is
``domainkit.load_dataset("text/ag-news", "train")``;
case, dashes and underscores do not matter.

Example:
    >>> from domainkit.text import datasets
    >>> datasets.AG_NEWS
    <dataset text/ag-news: call it with split=...>
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from domainkit import names

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["list", "load"]


def list() -> builtins.list[str]:
    """The names of the text datasets, sorted, without "text/".

    Example:
        >>> "sentiment-sentences" in list()
        True
    """
    return names.short_names("text")


def load(name: str, split: str | None = None) -> Dataset:
    """Open a split of a text dataset; see ``domainkit.load_dataset``.

    Args:
        name: such as "sentiment-sentences", in any spelling.
        split: such as "train" or "train[:10%]"; may be left out where there is one split only.

    Raises:
        NotFoundError: no such dataset or split; offers the nearest.

    Example:
        >>> load("sentiment-sentences", split="test").name
        'text/sentiment-sentences, test'
    """
    return names.DatasetLoader(names.full_name("text", name))(split)


def __getattr__(name: str) -> names.DatasetLoader:
    return names.attribute("text", name)


def __dir__() -> builtins.list[str]:
    return sorted([*__all__, *names.attributes("text")])
