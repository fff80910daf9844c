"""Which datasets and models use a file of the cache, by all cards that there are. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from domainkit import cache
from domainkit.cache.digest import Digest
from domainkit.cache.layout import key_of
from domainkit.cards import Card, FileSpec, card_folders, find_files, parse_card
from domainkit.errors import DomainkitError
from domainkit.model_cards import ModelCard, list_models, load_model_card
from domainkit.prepared import find_prepared, prepared_folder, store_lock

__all__ = ["Uses", "all_uses", "files_of", "key_for"]


@dataclass(frozen=True)
class Uses:
    """All cards by name, and the names of those that use a key; ``unread`` cards are damaged."""

    cards: dict[str, Card | ModelCard]
    names: dict[str, tuple[str, ...]]
    unread: tuple[str, ...]

    def of(self, keys: Iterable[str]) -> tuple[str, ...]:
        """The names of the cards that use any of these keys."""
        return tuple(sorted({name for key in keys for name in self.names.get(key, ())}))

    def locks(self, keys: Sequence[str]) -> tuple[str, ...]:
        """What is held while a split is made of files with these keys."""
        held = []
        cards = [c for name in self.of(keys) if isinstance(c := self.cards[name], Card)]
        for card in cards:
            for split in card.splits.values():
                read = {key_for(s) for k in split.files.values() if (s := card.files[k]).urls}
                if not read.isdisjoint(keys):
                    held.append(store_lock(prepared_folder(card, split.name)))
        return tuple(held)

    def in_cache(self, name: str, without: set[str]) -> bool:
        """Whether a dataset or model is in the cache by more than the keys in ``without``.

        A dataset is when a split of it is prepared or another of its files is there; of a model
        there is but its weights, so they make no difference.
        """
        card = self.cards[name]
        if isinstance(card, ModelCard):
            return True
        if any(find_prepared(card, split, used=False) for split in card.splits):
            return True
        mine = {key_for(spec) for spec in card.files.values() if spec.urls} - without
        return any(entry.key in mine for entry in cache.entries())


def all_uses() -> Uses:
    """Reads every card, those of ``DOMAINKIT_CARDS`` too."""
    cards: dict[str, Card | ModelCard] = {}
    unread = []
    for name, path in find_files(card_folders()):
        if name not in cards and name not in unread:  # the first folder counts
            try:
                cards[name] = parse_card(path, name)
            except DomainkitError:
                unread.append(name)
    for name in list_models():
        cards.setdefault(name, load_model_card(name))
    names: dict[str, list[str]] = {}
    for name, card in cards.items():
        for spec in files_of(card):
            if spec.urls:
                names.setdefault(key_for(spec), []).append(name)
    return Uses(cards, {key: tuple(users) for key, users in names.items()}, tuple(unread))


def files_of(card: Card | ModelCard) -> Iterator[FileSpec]:
    """The files of a dataset, or of each of a model's weights."""
    if isinstance(card, ModelCard):
        yield from (spec.file for spec in card.weights.values())
    else:
        yield from card.files.values()


def key_for(spec: FileSpec) -> str:
    return key_of(spec.urls, None if spec.digest is None else Digest.parse(spec.digest))
