"""Names of datasets as people of the older libraries write them: ``FashionMNIST``, ``AG_NEWS``.

Case, dashes and underscores do not matter within a domain. ``domainkit.<domain>.datasets`` is made
of these functions.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from domainkit.cards import list_datasets
from domainkit.errors import NotFoundError, nearest

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["DatasetLoader", "attribute", "attributes", "full_name", "short_names"]


class DatasetLoader:
    """A dataset by name, ready to be called: what ``datasets.FashionMNIST`` is.

    Example:
        >>> DatasetLoader("vision/fashion-mnist-mini")(split="test")
        Dataset(vision/fashion-mnist-mini, test: 1000 rows; image: Image, label: Label)
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, split: str | None = None, **unknown: object) -> Dataset:
        """Open a split, as ``domainkit.load_dataset(name, split)`` does."""
        if unknown:
            raise TypeError(
                f"{self.name} takes split= only, got {', '.join(unknown)}: files go to the cache "
                "($DOMAINKIT_HOME) and are fetched when missing; transforms go to domainkit.Loader"
            )
        from domainkit.dataset import load_dataset

        return load_dataset(self.name, split)

    def __repr__(self) -> str:
        return f"<dataset {self.name}: call it with split=...>"


def short_names(domain: str) -> list[str]:
    """The names of a domain's datasets without the domain, sorted.

    Example:
        >>> "fashion-mnist" in short_names("vision")
        True
    """
    return [name.partition("/")[2] for name in list_datasets(domain)]


def full_name(domain: str, spelled: str) -> str:
    """The dataset of a domain that a spelling means.

    Raises:
        NotFoundError: none, or several that differ in case and dashes only; offers the nearest.

    Example:
        >>> full_name("vision", "FashionMNIST"), full_name("vision", "vision/cifar_10")
        ('vision/fashion-mnist', 'vision/cifar10')
    """
    short = spelled.removeprefix(f"{domain}/")
    known = short_names(domain)
    found = [short] if short in known else [n for n in known if _squash(n) == _squash(short)]
    if len(found) == 1:
        return f"{domain}/{found[0]}"
    if found:
        raise NotFoundError(f"{spelled!r} may mean {' or '.join(found)}: write it exactly")
    squashed = {_squash(n): n for n in known}
    close = difflib.get_close_matches(_squash(short), squashed, n=3, cutoff=0.6)
    hint = nearest(short, known)
    if close:
        hint = f"Did you mean {' or '.join(repr(squashed[c]) for c in close)}?"
    raise NotFoundError(f"There is no {domain} dataset {spelled!r}. {hint}")


def attribute(domain: str, name: str) -> DatasetLoader:
    """What ``domainkit.<domain>.datasets.<name>`` is.

    Raises:
        AttributeError: no dataset is spelled so; offers the nearest.

    Example:
        >>> attribute("vision", "MNIST")
        <dataset vision/mnist: call it with split=...>
    """
    module = f"domainkit.{domain}.datasets"
    if name.startswith("_"):  # Python and notebooks ask for many such names
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    try:
        return DatasetLoader(full_name(domain, name))
    except NotFoundError as error:
        raise AttributeError(f"module {module!r} has no attribute {name!r}: {error}") from error


def attributes(domain: str) -> list[str]:
    """The dataset names of a domain as Python identifiers, for ``dir()`` and completion."""
    names = (name.replace("-", "_") for name in short_names(domain))
    return [name for name in names if name.isidentifier()]


def _squash(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
