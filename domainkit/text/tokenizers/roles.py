"""Which token pads, which begins a text, which stands for an unknown word: by file or by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ROLES", "find_roles"]

ROLES = ("pad", "unk", "cls", "sep", "mask", "bos", "eos")
_NAMES = {
    "pad": ("[PAD]", "<pad>", "<|pad|>"),
    "unk": ("[UNK]", "<unk>"),
    "cls": ("[CLS]",),
    "sep": ("[SEP]",),
    "mask": ("[MASK]", "<mask>"),
    "bos": ("<s>", "<|begin_of_text|>", "<|endoftext|>"),
    "eos": ("</s>", "<|end_of_text|>", "<|endoftext|>"),
}


def find_roles(library: Any, told: Mapping[str, str]) -> dict[str, int | None]:
    """The id of each role's token, None where there is none.

    What a file told goes first, the rest goes by the usual names. "<s>" and "</s>" are the ends of
    RoBERTa's pair as well ("cls" and "sep") where there is a "<mask>".
    """
    names = {role: (told[role],) if role in told else _NAMES[role] for role in ROLES}
    if library.token_to_id("<mask>") is not None:
        for role, end in (("cls", "<s>"), ("sep", "</s>")):
            names[role] = (*names[role], *(() if role in told else (end,)))
    found: dict[str, int | None] = {}
    for role, candidates in names.items():
        ids = (library.token_to_id(name) for name in candidates)
        found[role] = next((i for i in ids if i is not None), None)
    if found["unk"] is None:
        unknown = getattr(library.model, "unk_token", None)
        found["unk"] = None if unknown is None else library.token_to_id(unknown)
    return found
