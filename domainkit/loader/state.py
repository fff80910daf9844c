"""A loader's state: where it stands, as one small JSON-safe dict, the same on every rank.

    version       of this layout
    fingerprint   of the dataset, and ``rows``, how many it shows
    order         the sampler's facts, and those of windows and buckets: what makes the sequence
    seed, epoch   of the order and the draws
    cursor        samples of the epoch that all ranks together have been given

No rank, world size, batch size or number of threads is in it: those may change.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domainkit.errors import StateError

__all__ = ["STATE_VERSION", "State", "check_state"]

STATE_VERSION = 2
KEYS = ("version", "fingerprint", "rows", "order", "seed", "epoch", "cursor")


@dataclass(frozen=True)
class State:
    """What may be taken over from another loader's state."""

    seed: int
    epoch: int
    cursor: int


def check_state(state: Any, mine: Mapping[str, Any], length: int) -> State:
    """The part of a state that counts, once it is clear that it fits.

    Args:
        state: what another loader's ``state_dict`` gave, perhaps by way of JSON.
        mine: this loader's own.
        length: samples of an epoch.

    Raises:
        StateError: it is of another dataset or order; says what differs, all at once.
    """
    if not isinstance(state, Mapping):
        raise StateError(f"not a loader state: expected a dict, got {type(state).__name__}")
    version = state.get("version")
    if version is not None and version != STATE_VERSION:
        raise StateError(
            f"the state has version {version!r}, this domainkit writes and reads {STATE_VERSION}: "
            "load it with the domainkit that wrote it, or begin the epoch again with set_epoch()"
        )
    if missing := [key for key in KEYS if key not in state]:
        verb = "is" if len(missing) == 1 else "are"
        raise StateError(f"not a loader state: {', '.join(map(repr, missing))} {verb} missing")
    wrong = [
        f"{key} is {there!r}, this loader's is {here!r}"
        for key, there, here in _differences(state, mine)
    ]
    if wrong:
        raise StateError("the state belongs to another loader: " + "; ".join(wrong))
    try:
        seed, epoch, cursor = (operator.index(state[key]) for key in ("seed", "epoch", "cursor"))
    except TypeError as error:
        raise StateError(f"not a loader state: {error}") from error
    if not 0 <= cursor <= length:
        raise StateError(f"cursor {cursor} is outside 0..{length}")
    if not 0 <= epoch < 1 << 32:
        raise StateError(f"epoch {epoch} is outside 0..2**32 - 1")
    return State(seed, epoch, cursor)


def _differences(state: Mapping[str, Any], mine: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    found = [(k, state[k], mine[k]) for k in ("fingerprint", "rows") if state[k] != mine[k]]
    there, here = state["order"], mine["order"]
    if not isinstance(there, Mapping):
        return [*found, ("order", there, here)]
    for key in dict.fromkeys([*here, *there]):
        if there.get(key) != here.get(key):
            found.append((f"order's {key}", there.get(key), here.get(key)))
    return found
