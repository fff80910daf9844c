"""``vocab.txt``: WordPiece as BERT has it.

Method: WordPiece (Schuster and Nakajima, 2012) after the basic tokenization of BERT (Devlin et al.,
arXiv:1810.04805): clean text, Chinese characters apart, lower case without accents, punctuation
apart, then the longest pieces from the left.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from domainkit.errors import DecodeError
from domainkit.text.tokenizers.formats.loaded import Loaded, mark_special

__all__ = ["ROLES", "finish_wordpiece", "from_wordpiece"]

ROLES = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}


def from_wordpiece(
    path: Path,
    roles: dict[str, str] | None = None,
    *,
    lowercase: bool = True,
    strip_accents: bool | None = None,
    chinese_apart: bool = True,
) -> Loaded:
    """The tokenizer of a ``vocab.txt``, one piece a line, numbered from 0.

    Args:
        path: the file, UTF-8.
        roles: special tokens that have other names than BERT's.
        lowercase: whether the text loses its capitals.
        strip_accents: whether it loses its accents; None as ``lowercase``.
        chinese_apart: whether each Chinese character is a word.

    Raises:
        DecodeError: not UTF-8, or without the unknown piece.
    """
    names = {**ROLES, **(roles or {})}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise DecodeError(f"{path.name} is no vocabulary: it is not UTF-8 ({error})") from error
    if lines and lines[-1] == "":
        lines.pop()
    vocab = {piece: i for i, piece in enumerate(lines)}
    if names["unk"] not in vocab:
        raise DecodeError(
            f"{path.name} is no WordPiece vocabulary: none of its {len(lines)} lines is "
            f"{names['unk']!r}, the piece of unknown words"
        )
    from tokenizers import Tokenizer, models

    library = Tokenizer(models.WordPiece(vocab, unk_token=names["unk"]))
    return finish_wordpiece(library, names, lowercase, strip_accents, chinese_apart)


def finish_wordpiece(
    library: Any,
    names: dict[str, str],
    lowercase: bool = True,
    strip_accents: bool | None = None,
    chinese_apart: bool = True,
) -> Loaded:
    """Put BERT's steps around a WordPiece model: what comes before it and what behind."""
    from tokenizers import decoders, normalizers, pre_tokenizers, processors

    library.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=chinese_apart,
        strip_accents=strip_accents,
        lowercase=lowercase,
    )
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece(prefix="##")
    mark_special(library, list(names.values()))
    ids = {role: library.token_to_id(name) for role, name in names.items()}
    if ids["cls"] is not None and ids["sep"] is not None:
        cls, sep = names["cls"], names["sep"]
        library.post_processor = processors.TemplateProcessing(
            single=[f"{cls}:0", "$A:0", f"{sep}:0"],
            pair=[f"{cls}:0", "$A:0", f"{sep}:0", "$B:1", f"{sep}:1"],
            special_tokens=[(cls, ids["cls"]), (sep, ids["sep"])],
        )
    return Loaded(library, {role: name for role, name in names.items() if ids[role] is not None})
