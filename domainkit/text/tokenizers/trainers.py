"""Learning a vocabulary: the trainers of the ``tokenizers`` library, with the usual parts around.

"word", "bpe" and "byte-bpe" give the same vocabulary in every run; the library's WordPiece and
unigram trainers may order ties in another way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from domainkit.errors import TransformError, nearest
from domainkit.text.tokenizers.formats.byte_bpe import finish_byte_bpe
from domainkit.text.tokenizers.formats.loaded import Loaded
from domainkit.text.tokenizers.formats.wordpiece import ROLES, finish_wordpiece

__all__ = ["learn"]

_BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_SPECIAL = {
    "wordpiece": _BERT,
    "word": ("<pad>", "<unk>"),
    "bpe": ("<pad>", "<unk>", "<s>", "</s>"),
    "unigram": ("<pad>", "</s>", "<unk>"),
    "byte-bpe": ("<|endoftext|>",),
}


def learn(
    texts: Iterable[str],
    kind: str,
    vocab_size: int,
    *,
    min_frequency: int,
    lowercase: bool,
    special_tokens: tuple[str, ...],
) -> Loaded:
    """Train a tokenizer; the arguments are those of ``Tokenizer.train``."""
    if kind not in _SPECIAL:
        raise TransformError(f"There is no kind {kind!r} of tokenizer. {nearest(kind, _SPECIAL)}")
    special = list(dict.fromkeys((*_SPECIAL[kind], *special_tokens)))
    least = len(special) + (256 if kind == "byte-bpe" else 0)  # every byte has a token
    if vocab_size <= least:
        raise TransformError(f"{kind!r} needs a vocab_size above {least}, got {vocab_size}")
    settings = {"vocab_size": vocab_size, "special_tokens": special, "show_progress": False}
    return _TRAIN[kind](texts, settings, min_frequency, lowercase)


def _wordpiece(texts: Iterable[str], settings: dict[str, Any], least: int, lower: bool) -> Loaded:
    from tokenizers import Tokenizer, models, trainers

    library = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    finish_wordpiece(library, dict(ROLES), lower)
    library.train_from_iterator(texts, trainers.WordPieceTrainer(min_frequency=least, **settings))
    return finish_wordpiece(library, dict(ROLES), lower)  # now the ids are known


def _byte_bpe(texts: Iterable[str], settings: dict[str, Any], least: int, lower: bool) -> Loaded:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    library = Tokenizer(models.BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        min_frequency=least, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **settings
    )
    library.train_from_iterator(texts, trainer)
    return finish_byte_bpe(library)


def _bpe(texts: Iterable[str], settings: dict[str, Any], least: int, lower: bool) -> Loaded:
    from tokenizers import Tokenizer, models, trainers

    library = Tokenizer(models.BPE(unk_token="<unk>"))
    _with_spaces_marked(library, lower)
    library.train_from_iterator(texts, trainers.BpeTrainer(min_frequency=least, **settings))
    return Loaded(library, {"pad": "<pad>", "unk": "<unk>", "bos": "<s>", "eos": "</s>"})


def _unigram(texts: Iterable[str], settings: dict[str, Any], least: int, lower: bool) -> Loaded:
    from tokenizers import Tokenizer, models, processors, trainers

    library = Tokenizer(models.Unigram())
    _with_spaces_marked(library, lower)
    trainer = trainers.UnigramTrainer(unk_token="<unk>", **settings)
    library.train_from_iterator(texts, trainer)
    library.post_processor = processors.TemplateProcessing(
        single="$A </s>",
        pair="$A </s> $B </s>",
        special_tokens=[("</s>", library.token_to_id("</s>"))],
    )
    return Loaded(library, {"pad": "<pad>", "unk": "<unk>", "eos": "</s>"})


def _word(texts: Iterable[str], settings: dict[str, Any], least: int, lower: bool) -> Loaded:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    library = Tokenizer(models.WordLevel(unk_token="<unk>"))
    if lower:
        library.normalizer = normalizers.Lowercase()
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.train_from_iterator(texts, trainers.WordLevelTrainer(min_frequency=least, **settings))
    return Loaded(library, {"pad": "<pad>", "unk": "<unk>"})


def _with_spaces_marked(library: Any, lower: bool) -> None:
    """NFKC, and each word begins with "▁"."""
    from tokenizers import Regex, decoders, normalizers, pre_tokenizers

    steps = [normalizers.NFKC(), *([normalizers.Lowercase()] if lower else [])]
    steps += [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    library.normalizer = normalizers.Sequence(steps)
    library.pre_tokenizer = pre_tokenizers.Metaspace()
    library.decoder = decoders.Metaspace()


_TRAIN: dict[str, Callable[[Iterable[str], dict[str, Any], int, bool], Loaded]] = {
    "wordpiece": _wordpiece,
    "byte-bpe": _byte_bpe,
    "bpe": _bpe,
    "unigram": _unigram,
    "word": _word,
}
