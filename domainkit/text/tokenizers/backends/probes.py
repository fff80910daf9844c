# ruff: noqa: RUF001  (letters that look alike are the point)
"""The texts that a backend must give the reference's ids for before it is used."""

from __future__ import annotations

from typing import Any

__all__ = ["probes"]

_TEXTS = (
    "",
    " ",
    "a",
    "\n",
    "   \t \n\n  ",
    "Hello, world! It's 2024-01-31, 3.14159 or 1,000,000 (don't WE'LL I'VE 'tis).",
    "  two  spaces   three\tand a tab\r\nand lines\n\n\n  indented\n",
    "trailing   ",
    "aaaaaaaaaaaa aaa ------ ======== ....... !!! ??????",
    "The naïve café: Ångström, Straße, İstanbul, ﬁne ½ ² Ⅷ ㎏ ＦＵＬＬ",
    "e\u0301 a\u0308 o\u0302\u0323 \u1e9b\u0323 \u212b \ufb03",
    "Привет, как дела? Ёжик. Γειά σου Κόσμε! Україна їжак",
    "你好，世界。我爱北京天安门 漢字かなカナｶﾅ 안녕하세요 세계",
    "مرحبا بالعالم ١٢٣ שלום עולם नमस्ते दुनिया สวัสดีชาวโลก ไทย தமிழ்",
    "😀 👍🏽 👨‍👩‍👧‍👦 🇩🇪 🏳️‍🌈 a😀b ☃️ \U0001f9d1\u200d\U0001f680",
    "\x00 \x01\x02 a\x00b \x07 \x1b[0m \x7f \x80 \x85 \x9f",
    "\u00a0nbsp\u00a0 \u2003em\u2009thin \u3000wide \u200bzero\u200c\u200d \ufeffbom \u2028 \u2029",
    "\u00ad\u200e\u202e\u2060 \ufffd \ufffe \U000e0001 \U0010ffff \ue000",
    "▁ ▁▁ a▁b ▁c Ġ Ċ ## ##ing <0x41> \\n \\x00",
    "def f(x):\n    return {'a': [x**2 for _ in range(10)]}  # ok\n\n\tif x != 3:\n",
    "https://example.org/a_b?c=d&e=%20#f user@mail.example <br /> <b>&amp;</b>",
    "ABC CamelCase snake_case SHOUTING x1y2z3 1st 22nd 0xFF 1e-10 12345678901234567890",
    "word " * 60,
    "supercalifragilisticexpialidocious" * 4,
)


def probes(library: Any) -> list[str]:
    """The fixed texts, and texts made of the tokens of this vocabulary."""
    size = library.get_vocab_size()
    step = max(1, size // 1500)
    tokens = [library.id_to_token(i) or "" for i in range(0, size, step)]
    words = [library.decode([i]) for i in range(0, size, step)]
    added = {token.content for token in library.get_added_tokens_decoder().values()}
    words = [word for word in words if "\ufffd" not in word and not _holds(word, added)]
    tokens = [token for token in tokens if not _holds(token, added)]
    fixed = [text for text in _TEXTS if not _holds(text, added)]  # the reference takes the others
    return [*fixed, "".join(words), " ".join(words), " ".join(tokens[:300])]


def _holds(text: str, added: set[str]) -> bool:
    return any(token in text for token in added)
