"""``.tiktoken`` files: the rank of every token, one a line in base64.

The file holds neither the pattern that cuts the text before the merges nor the special tokens;
for the encodings that OpenAI publishes both are known by the name of the file (patterns and ids as
in the public ``tiktoken`` package, the patterns without its possessive quantifiers, which change
the speed and no match).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path

from domainkit.errors import DecodeError, TransformError, nearest
from domainkit.text.tokenizers.formats.byte_bpe import byte_alphabet
from domainkit.text.tokenizers.formats.loaded import Loaded, mark_special

__all__ = ["PATTERNS", "from_tiktoken", "read_ranks"]

_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|\s*[\r\n]|\s+(?!\S)|\s"
)
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_END = "<|endoftext|>"
PATTERNS = {
    **dict.fromkeys(("gpt2", "r50k_base", "p50k_base", "p50k_edit"), _GPT2),
    "cl100k_base": _CL100K,
    "o200k_base": _O200K,
}
_FIM = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
_SPECIAL = {
    **{name: {_END: 50256} for name in ("gpt2", "r50k_base", "p50k_base")},
    "p50k_edit": {_END: 50256, **dict(zip(_FIM, range(50281, 50284), strict=True))},
    "cl100k_base": {
        _END: 100257,
        **dict(zip(_FIM, range(100258, 100261), strict=True)),
        "<|endofprompt|>": 100276,
    },
    "o200k_base": {_END: 199999, "<|endofprompt|>": 200018},
}


def from_tiktoken(
    path: Path, pattern: str | None = None, special_tokens: Mapping[str, int] | None = None
) -> Loaded:
    """The tokenizer of a ``.tiktoken`` file.

    Args:
        path: the file.
        pattern: what cuts the text into the parts that are merged: a regular expression, or the
            name of a published encoding such as "cl100k_base". None goes by the file's name.
        special_tokens: ids of special tokens; None for those of the published encoding, or none.

    Raises:
        DecodeError: a line is not a token and its rank, or a byte has no rank.
        TransformError: no pattern is given and the file's name is not a published encoding's.
    """
    name = path.stem if pattern is None else pattern
    if pattern is None and name not in PATTERNS:
        raise TransformError(
            f"{path.name} does not say how text is cut before the merges, and its name is no "
            f"published encoding's. {nearest(name, PATTERNS)} Give pattern= (a regular expression "
            f"or one of {', '.join(PATTERNS)})."
        )
    if special_tokens is None:
        special_tokens = _SPECIAL.get(name, {})
    ranks = read_ranks(path)
    letters = byte_alphabet()
    text = {token: "".join(letters[byte] for byte in token) for token in ranks}
    vocab = {text[token]: rank for token, rank in ranks.items()}
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    library = Tokenizer(
        models.BPE(
            vocab={**vocab, **special_tokens},
            merges=[(text[left], text[right]) for left, right in _merges(ranks)],
            ignore_merges=True,  # a part that is a token is taken whole
        )
    )
    cut = PATTERNS[name] if pattern is None else PATTERNS.get(pattern, pattern)
    try:
        split = pre_tokenizers.Split(Regex(cut), behavior="isolated")
    except Exception as error:  # the library raises bare Exception
        raise TransformError(f"pattern {cut!r} is no regular expression: {error}") from error
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    library.decoder = decoders.ByteLevel()
    library.post_processor = processors.ByteLevel(trim_offsets=False)
    mark_special(library, list(special_tokens))
    end = {"bos": _END, "eos": _END} if _END in special_tokens else {}
    return Loaded(library, end)


def read_ranks(path: Path) -> dict[bytes, int]:
    """The tokens of a ``.tiktoken`` file and their ranks, which are their ids."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if not line:
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise DecodeError(
                f"{path.name}, line {number}: expected a token in base64 and its rank, "
                f"got {line[:40]!r}"
            ) from error
    missing = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if missing:
        raise DecodeError(
            f"{path.name} has no rank for byte {missing[0]}, and {len(missing)} bytes in all: "
            "some texts could not be written. Fetch the file again"
        )
    return ranks


def _merges(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Every pair of tokens that gives a token, in the order of the token's rank."""
    # two neighbours merge whenever they give a token, so each way to cut a token is a merge
    merges = []
    for token in sorted(ranks, key=ranks.__getitem__):
        cuts = ((token[:i], token[i:]) for i in range(1, len(token)))
        known = [cut for cut in cuts if cut[0] in ranks and cut[1] in ranks]
        merges += sorted(known, key=lambda cut: (ranks[cut[0]], ranks[cut[1]]))
    return merges
