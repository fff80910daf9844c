"""The prepared forms of splits: where each lies (``places``), what it is held to (``checks``), and
looking after all of them (``stores``).

No torch here: the command line lists, checks and removes them without it.
"""

from __future__ import annotations

from domainkit.prepared.checks import BATCH_ROWS, advice, check_store, read_facts, sealed
from domainkit.prepared.places import (
    LAYOUT,
    READERS_VERSION,
    find_manual,
    find_prepared,
    fingerprint,
    manual_place,
    note_use,
    prepared_folder,
    store_lock,
)
from domainkit.prepared.stores import (
    Prepared,
    all_prepared,
    read_prepared,
    remove_store,
    store_leftovers,
)

__all__ = [
    "BATCH_ROWS",
    "LAYOUT",
    "READERS_VERSION",
    "Prepared",
    "advice",
    "all_prepared",
    "check_store",
    "find_manual",
    "find_prepared",
    "fingerprint",
    "manual_place",
    "note_use",
    "prepared_folder",
    "read_facts",
    "read_prepared",
    "remove_store",
    "sealed",
    "store_leftovers",
    "store_lock",
]
