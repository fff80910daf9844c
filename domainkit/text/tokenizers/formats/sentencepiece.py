"""SentencePiece models (unigram and BPE) as tokenizers of the ``tokenizers`` library.

Methods: unigram language model (Kudo, arXiv:1804.10959) and byte-pair encoding (Sennrich, Haddow
and Birch, arXiv:1508.07909) over text whose spaces are written "▁" (Kudo and Richardson,
arXiv:1808.06226). The steps of normalization are those of SentencePiece's own normalizer.
"""

from __future__ import annotations

import re
from typing import Any

from domainkit.errors import DecodeError, TransformError
from domainkit.text.tokenizers.formats.loaded import Loaded, mark_special
from domainkit.text.tokenizers.formats.sentencepiece_model import (
    CONTROL,
    NORMAL,
    UNKNOWN,
    USER,
    SentencePieceModel,
    parse,
)

__all__ = ["FAMILIES", "from_sentencepiece", "pieces_keep_to_words"]

SPACE = "▁"
FAMILIES = ("plain", "t5", "xlm-roberta", "llama")


def from_sentencepiece(data: bytes, family: str = "plain") -> Loaded:
    """The tokenizer of a ``.model`` file.

    Args:
        data: the bytes of the file.
        family: what the model that uses it adds: "plain" nothing; "t5" the end "</s>" and
            <extra_id_0> to <extra_id_99>; "xlm-roberta" fairseq's ids (<s>, <pad>, </s>, <unk>,
            then the pieces from 3 on, then <mask>), and both ends; "llama" the beginning "<s>".

    Raises:
        DecodeError: no unigram or BPE model.
        TransformError: no such family.
    """
    if family not in FAMILIES:
        raise TransformError(f"family must be one of {', '.join(FAMILIES)}, got {family!r}")
    model = parse(data)
    if model.kind not in ("unigram", "bpe") or model.space_behind:
        what = "with spaces behind words" if model.space_behind else f"of the type {model.kind}"
        raise DecodeError(
            f"a SentencePiece model {what} cannot be used: expected unigram or bpe, "
            "with spaces before words"
        )
    vocab, unk = _vocabulary(model, family)
    from tokenizers import Tokenizer

    library = Tokenizer(_model(model, vocab, unk))
    library.normalizer = _normalizer(model, every_space=family in ("t5", "xlm-roberta"))
    _pre_tokenize(library, model)
    library.decoder = _decoder(model)
    special = [p.text for p in model.pieces if p.type in (CONTROL, UNKNOWN)]
    special += [text for text, _ in vocab[len(model.pieces) :]]  # <extra_id_0>, <mask>
    if family == "xlm-roberta":
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    mark_special(library, list(dict.fromkeys(special)))
    library.post_processor = _post_processor(library, family)
    return Loaded(library, _roles(model, family), data)


def _vocabulary(model: SentencePieceModel, family: str) -> tuple[list[tuple[str, float]], int]:
    """(piece, score) by id, and the id of the unknown piece."""
    vocab = [(piece.text, piece.score) for piece in model.pieces]
    if family == "t5":
        known = {text for text, _ in vocab}
        extra = [f"<extra_id_{i}>" for i in reversed(range(100))]
        vocab += [(text, 0.0) for text in extra if text not in known]
    if family == "xlm-roberta":
        first = [(text, 0.0) for text in ("<s>", "<pad>", "</s>", "<unk>")]
        return [*first, *vocab[3:], ("<mask>", 0.0)], 3
    return vocab, model.unk_id


def _model(model: SentencePieceModel, vocab: list[tuple[str, float]], unk: int) -> Any:
    from tokenizers import models

    if model.kind == "unigram":
        return models.Unigram(vocab, unk_id=unk, byte_fallback=model.byte_fallback)
    return models.BPE(
        vocab={text: i for i, (text, _) in enumerate(vocab)},
        merges=_merges(model),
        unk_token=vocab[unk][0],
        fuse_unk=True,
        byte_fallback=model.byte_fallback,
        ignore_merges=any(piece.type == USER for piece in model.pieces),
    )


def _merges(model: SentencePieceModel) -> list[tuple[str, str]]:
    """Every pair of pieces that gives a piece, the best piece first."""
    # the file has no merges: any two neighbours that give a piece merge, the highest score first
    rank = {
        piece.text: (-piece.score, i)
        for i, piece in enumerate(model.pieces)
        if piece.type == NORMAL
    }
    pairs = []
    for text, own in rank.items():
        for cut in range(1, len(text)):
            left, right = text[:cut], text[cut:]
            if left in rank and right in rank:
                pairs.append((own, rank[left], rank[right], left, right))
    return [(left, right) for *_, left, right in sorted(pairs)]


def _normalizer(model: SentencePieceModel, every_space: bool) -> Any:
    from tokenizers import Regex, normalizers

    steps: list[Any] = []
    if model.charsmap:
        steps.append(normalizers.Precompiled(model.charsmap))
    if every_space:  # as their published tokenizers do, which cut at white space of any kind
        steps.append(normalizers.Replace(Regex(r"[\s\x{85}]"), " "))
    if model.remove_extra_whitespaces:
        steps.append(normalizers.Replace(Regex(" {2,}"), " "))
        steps.append(normalizers.Replace(Regex(r"\A | \z"), ""))
    if model.escape_whitespaces:
        steps.append(normalizers.Replace(" ", SPACE))
    if model.add_dummy_prefix:
        steps.append(normalizers.Prepend(SPACE if model.escape_whitespaces else " "))
    if model.remove_extra_whitespaces and model.escape_whitespaces:
        # a "▁" of the text counts as a space there. The look behind keeps it linear.
        steps.append(normalizers.Replace(Regex(f"(?<!{SPACE}){SPACE}+\\z"), ""))
    return normalizers.Sequence(steps)


def _pre_tokenize(library: Any, model: SentencePieceModel) -> None:
    """Cut where no piece can reach across: the same ids, and words are looked up once."""
    from tokenizers import Regex, pre_tokenizers

    steps: list[Any] = []
    own = sorted((p.text for p in model.pieces if p.type == USER), key=len, reverse=True)
    if own:  # pieces of the user stay whole
        steps.append(pre_tokenizers.Split(Regex("|".join(map(re.escape, own))), "isolated"))
    if pieces_keep_to_words(model):
        steps.append(pre_tokenizers.Split(SPACE, "merged_with_next"))
    if steps:
        library.pre_tokenizer = pre_tokenizers.Sequence(steps)


def pieces_keep_to_words(model: SentencePieceModel) -> bool:
    """Whether no piece reaches across a space, so that words can be cut one by one.

    "▁" must be a piece of its own: else it would join an unknown character on either side.
    """
    texts = {piece.text for piece in model.pieces if piece.type in (NORMAL, USER)}
    return SPACE in texts and not any(SPACE in text[1:] for text in texts)


def _decoder(model: SentencePieceModel) -> Any:
    from tokenizers import decoders

    steps: list[Any] = [decoders.Replace(SPACE, " ")]
    if model.byte_fallback:
        steps.append(decoders.ByteFallback())
    steps.append(decoders.Fuse())
    if model.add_dummy_prefix:
        steps.append(decoders.Strip(" ", 1, 0))
    return decoders.Sequence(steps)


def _post_processor(library: Any, family: str) -> Any:
    from tokenizers import processors

    single, pair, names = {
        "plain": ("", "", ()),
        "t5": ("$A </s>", "$A </s> $B </s>", ("</s>",)),
        "xlm-roberta": ("<s> $A </s>", "<s> $A </s> </s> $B </s>", ("<s>", "</s>")),
        "llama": ("<s> $A", "<s> $A <s> $B:1", ("<s>",)),
    }[family]
    if not single:
        return None
    missing = [name for name in names if library.token_to_id(name) is None]
    if missing:
        raise DecodeError(f"a model of the family {family} needs the piece {missing[0]!r}")
    special = [(name, library.token_to_id(name)) for name in names]
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=special)


def _roles(model: SentencePieceModel, family: str) -> dict[str, str]:
    if family == "xlm-roberta":
        both = {"bos": "<s>", "cls": "<s>", "eos": "</s>", "sep": "</s>"}
        return {**both, "pad": "<pad>", "unk": "<unk>", "mask": "<mask>"}
    ids = {"unk": model.unk_id, "bos": model.bos_id, "eos": model.eos_id, "pad": model.pad_id}
    count = len(model.pieces)
    return {role: model.pieces[i].text for role, i in ids.items() if 0 <= i < count}
