"""The prepared forms of splits: where each lies (``places``), looking after all (``stores``).

No torch here: the command line lists, checks and removes them without it.
"""

from __future__ import annotations

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
    check_store,
    read_prepared,
    remove_store,
    store_leftovers,
)

__all__ = [
    "LAYOUT",
    "READERS_VERSION",
    "Prepared",
    "all_prepared",
    "check_store",
    "find_manual",
    "find_prepared",
    "fingerprint",
    "manual_place",
    "note_use",
    "prepared_folder",
    "read_prepared",
    "remove_store",
    "store_leftovers",
    "store_lock",
]
