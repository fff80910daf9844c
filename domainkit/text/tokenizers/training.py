"""Training a small byte-pair tokenizer: the command behind the tokenizers that domainkit ships.

Method: byte-pair encoding (Sennrich, Haddow and Birch, arXiv:1508.07909), by the ``tokenizers``
library. Of the library's trainers those for words and for plain byte pairs give the same file in
every run; its WordPiece and Unigram trainers do not.
"""

from __future__ import annotations

from collections.abc import Iterable

from domainkit.errors import TransformError

__all__ = ["SPECIAL_TOKENS", "train_bpe"]

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[MASK]")  # ids 0, 1 and 2
WORD = r"\w+(?:'\w+)*|[^\w\s]"  # a word with its apostrophes, or one other character


def train_bpe(texts: Iterable[str], vocab_size: int, *, min_frequency: int = 2) -> str:
    """Train a tokenizer and give it as the text of a ``tokenizer.json``.

    Texts lose their accents and capitals, are cut into words and single other characters, and each
    of those into the pieces that were merged most often; a piece that begins a word starts with
    "▁". The same texts give the same file, byte for byte.

    Args:
        texts: what to train on; with those of ``text/sentiment-sentences``, train, and a
            ``vocab_size`` of 1000 it gives the tokenizer of ``text/sentiment-sentences-eval-1``.
        vocab_size: pieces at most, with the three special tokens [PAD] 0, [UNK] 1 and [MASK] 2.
        min_frequency: how often a pair must occur to be merged.

    Raises:
        TransformError: vocab_size below 4.

    Example:
        >>> from tokenizers import Tokenizer
        >>> file = train_bpe(["low lower lowest", "new newer newest"] * 5, vocab_size=40)
        >>> Tokenizer.from_str(file).encode("Newest low").tokens
        ['▁newest', '▁low']
    """
    if vocab_size <= len(SPECIAL_TOKENS):
        raise TransformError(
            f"train_bpe needs a vocab_size above {len(SPECIAL_TOKENS)}, got {vocab_size}"
        )
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(WORD), "removed", invert=True), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=list(SPECIAL_TOKENS),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.to_str(pretty=True) + "\n"
