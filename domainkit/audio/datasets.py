"""Datasets of recordings: list them, load one by name, or call it as torchaudio's users do.

``datasets.SPEECHCOMMANDS(split="train")`` is
``domainkit.load_dataset("audio/speech-commands", "train")``;
case, dashes and underscores do not matter.

Example:
    >>> from domainkit.audio import datasets
    >>> datasets.SPEECHCOMMANDS
    <dataset audio/speech-commands: call it with split=...>
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING

from domainkit import names

if TYPE_CHECKING:
    from domainkit.dataset import Dataset

__all__ = ["list", "load"]


def list() -> builtins.list[str]:
    """The names of the audio datasets, sorted, without "audio/".

    Example:
        >>> "voice-prompts" in list()
        True
    """
    return names.short_names("audio")


def load(name: str, split: str | None = None) -> Dataset:
    """Open a split of a audio dataset; see ``domainkit.load_dataset``.

    Args:
        name: such as "voice-prompts", in any spelling.
        split: such as "train" or "train[:10%]"; may be left out where there is one split only.

    Raises:
        NotFoundError: no such dataset or split; offers the nearest.

    Example:
        >>> load("voice-prompts", split="test").name
        'audio/voice-prompts, test'
    """
    return names.DatasetLoader(names.full_name("audio", name))(split)


def __getattr__(name: str) -> names.DatasetLoader:
    return names.attribute("audio", name)


def __dir__() -> builtins.list[str]:
    return sorted([*__all__, *names.attributes("audio")])
