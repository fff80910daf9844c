"""``Encoding``: ids and where each of them came from."""

from __future__ import annotations

from dataclasses import dataclass

from domainkit.ragged import Ragged

__all__ = ["Encoding"]


@dataclass(frozen=True)
class Encoding:
    """A batch of B texts (or pairs) as tokens, with what a plain ``encode`` leaves out.

    Attributes:
        ids: B items int64 [L_i].
        offsets: B items int64 [L_i, 2]: the token is ``text[start:end]``, in characters of its own
            text (of the second one where the token is of the second); [0, 0] for special tokens.
        types: B items int64 [L_i]: which sentence a token counts to, as BERT takes it.
        texts: B items int64 [L_i]: 0 or 1 for tokens of the first or second text, -1 for special
            tokens.
        words: B items int64 [L_i]: which word of its row a token is of, counted from 0 (those of a
            second text behind those of the first); -1 for special tokens.

    Example:
        >>> from domainkit.cards import data_folder
        >>> from domainkit.text.tokenizers import Tokenizer
        >>> file = data_folder("transforms") / "text/sentiment-sentences-eval-1/tokenizer.json"
        >>> encoding = Tokenizer.from_file(file).encode_details(["Great phone!"])
        >>> [("Great phone!"[a:b]) for a, b in encoding.offsets[0].tolist()]
        ['Great', 'phone', '!']
    """

    ids: Ragged
    offsets: Ragged
    types: Ragged
    texts: Ragged
    words: Ragged

    def __len__(self) -> int:
        return len(self.ids)
