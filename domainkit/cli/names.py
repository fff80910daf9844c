"""From a name on the command line to the card it means. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from domainkit.cards import data_folder, find_files, list_datasets, load_card, read_toml
from domainkit.errors import NotFoundError, nearest
from domainkit.model_cards import list_models, load_model_card

__all__ = ["RecipeFile", "find", "list_recipes"]


class RecipeFile:
    """A recipe as its file has it: ``recipe.Recipe`` needs torch, and facts need none."""

    def __init__(self, name: str, file: Path) -> None:
        self.name = name
        self.file = file
        self.data: dict[str, Any] = read_toml(file)


def list_recipes(domain: str | None = None) -> list[str]:
    """The names of all recipes, sorted, as ``recipe.list_recipes`` gives them.

    Example:
        >>> "vision/imagenet-eval-1" in list_recipes("vision")
        True
    """
    return sorted(_recipe_files(domain))


def find(name: str, kinds: tuple[str, ...] = ("dataset", "model", "recipe")) -> Any:
    """The dataset, model or recipe of that name, the first of these kinds that has it.

    Returns:
        A ``Card``, a ``ModelCard`` or a ``RecipeFile``.

    Raises:
        NotFoundError: nothing has that name; offers the nearest names.
        CardError: its card is malformed.

    Example:
        >>> find("vision/mnist").splits["test"].rows
        10000
    """
    known: list[str] = []
    for kind in kinds:
        names, load = _KINDS[kind]
        if name in (found := names()):
            return load(name)
        known.extend(found)
    raise NotFoundError(
        f"There is no {_or(kinds)} {name!r}. {nearest(name, known)} `domainkit list` shows all."
    )


def _recipe_files(domain: str | None = None) -> dict[str, Path]:
    return dict(find_files([data_folder("transforms")], domain))


def _recipe(name: str) -> RecipeFile:
    return RecipeFile(name, _recipe_files()[name])


def _or(words: tuple[str, ...]) -> str:
    *head, last = words
    return f"{', '.join(head)} or {last}" if head else last


_KINDS: dict[str, tuple[Any, Any]] = {
    "dataset": (list_datasets, load_card),
    "model": (list_models, load_model_card),
    "recipe": (list_recipes, _recipe),
}
