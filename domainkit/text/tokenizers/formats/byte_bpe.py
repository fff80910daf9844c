"""``vocab.json`` with ``merges.txt``: byte-pair encoding over bytes, as GPT-2 and RoBERTa have it.

Method: Radford et al., "Language Models are Unsupervised Multitask Learners" (2019): each byte is
written as one printable character, so that every text can be written and none is unknown.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from domainkit.errors import DecodeError
from domainkit.text.tokenizers.formats.loaded import Loaded, mark_special

__all__ = ["byte_alphabet", "finish_byte_bpe", "from_byte_bpe"]

ROBERTA = {
    **dict.fromkeys(("bos", "cls"), "<s>"),
    **dict.fromkeys(("eos", "sep"), "</s>"),
    "unk": "<unk>",
    "pad": "<pad>",
    "mask": "<mask>",
}
GPT2 = {"bos": "<|endoftext|>", "eos": "<|endoftext|>", "unk": "<|endoftext|>"}


def byte_alphabet() -> dict[int, str]:
    """The character that stands for each byte.

    Example:
        >>> byte_alphabet()[ord("a")], byte_alphabet()[ord(" ")]
        ('a', 'Ġ')
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {
        **{byte: chr(byte) for byte in printable},
        **{byte: chr(256 + i) for i, byte in enumerate(others)},
    }


def from_byte_bpe(
    vocab_file: Path,
    merges_file: Path,
    *,
    add_prefix_space: bool = False,
    trim_offsets: bool = True,
) -> Loaded:
    """The tokenizer of the two files: ids by token, and the merges, the first one first.

    A vocabulary with "<s>" and "</s>" is one of RoBERTa's kind, which puts both around the text.

    Raises:
        DecodeError: one of the files is damaged, or they do not belong together.
    """
    from tokenizers import Tokenizer, models

    vocab, merges = _vocabulary(vocab_file), _merges(merges_file)
    if any(token.endswith("</w>") for token in vocab):
        raise DecodeError(
            f"{vocab_file.name} marks the ends of words with </w>, as CLIP's does: this is no "
            "byte-level vocabulary. Take the tokenizer.json of the model"
        )
    try:
        library = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    except Exception as error:  # the library raises bare Exception
        raise DecodeError(
            f"{vocab_file.name} and {merges_file.name} do not belong together: {error}"
        ) from error
    return finish_byte_bpe(library, add_prefix_space, trim_offsets)


def finish_byte_bpe(
    library: Any, add_prefix_space: bool = False, trim_offsets: bool = True
) -> Loaded:
    """Put GPT-2's steps around a BPE model, and RoBERTa's where it has their tokens."""
    from tokenizers import decoders, pre_tokenizers, processors

    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    library.decoder = decoders.ByteLevel()
    begin, end = library.token_to_id("<s>"), library.token_to_id("</s>")
    roberta = begin is not None and end is not None
    roles = ROBERTA if roberta else GPT2
    names = list(dict.fromkeys(roles.values()))
    mark_special(library, names, before=("<mask>",) if roberta else ())
    if roberta:
        library.post_processor = processors.RobertaProcessing(
            ("</s>", end), ("<s>", begin), trim_offsets, add_prefix_space
        )
    else:
        library.post_processor = processors.ByteLevel(trim_offsets=False)
    known = {role: name for role, name in roles.items() if library.token_to_id(name) is not None}
    return Loaded(library, known)


def _vocabulary(path: Path) -> dict[str, int]:
    try:
        vocab = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DecodeError(f"{path.name} is no JSON file: {error}") from error
    if not isinstance(vocab, dict) or not all(isinstance(i, int) for i in vocab.values()):
        raise DecodeError(f"{path.name} must map tokens to ids, as the vocab.json of GPT-2 does")
    return vocab


def _merges(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise DecodeError(f"{path.name} holds no merges: it is not UTF-8 ({error})") from error
    if lines and lines[0].startswith("#version"):
        lines = lines[1:]
    merges = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = line.rstrip("\r").split(" ")
        if len(parts) != 2:
            raise DecodeError(
                f"{path.name}, merge {number}: expected two tokens with a space between, "
                f"got {line[:40]!r}"
            )
        merges.append((parts[0], parts[1]))
    return merges
