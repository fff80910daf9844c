"""Every kind of tokenizer file: ids equal to those of the library that the file belongs to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import tiktoken
import tiktoken_ext.openai_public as published
import tokenizers
import transformers
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

from domainkit.errors import DecodeError, NotFoundError, TransformError
from domainkit.text.tokenizers import Tokenizer
from domainkit.text.tokenizers.formats.sentencepiece_model import parse

BACKENDS = ["auto", "tokenizers"]


def same(tokenizer: Tokenizer, truth: Callable[[str], Sequence[int]], texts: list[str]) -> None:
    found = [ids.tolist() for ids in tokenizer.encode(texts)]
    wrong = [
        (text[:60], mine, list(theirs))
        for text, mine in zip(texts, found, strict=True)
        if mine != list(theirs := truth(text))
    ]
    assert wrong == []


@pytest.mark.parametrize("file", ["vocab.txt", "tokenizer.json", ""])
def test_wordpiece_with_a_real_vocabulary(
    bert: Path, hard: list[str], megabyte: str, file: str
) -> None:
    fast = transformers.BertTokenizer.from_pretrained(str(bert))
    tokenizer = Tokenizer.from_file(bert / file)
    texts = [*hard, "a [MASK] b[SEP]c", megabyte[: 1_000_000 if file == "vocab.txt" else 10_000]]
    same(tokenizer, lambda text: fast(text)["input_ids"], texts)
    assert (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id) == (0, 100, 101)
    assert (tokenizer.sep_id, tokenizer.mask_id, tokenizer.bos_id) == (102, 103, None)
    assert tokenizer.special_ids == (0, 100, 101, 102, 103)
    assert tokenizer.vocab_size == len(fast) == 30522


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [None, True, False])
def test_wordpiece_equals_the_slow_one(
    bert: Path, hard: list[str], tmp_path: Path, lowercase: bool, strip_accents: bool | None
) -> None:
    file = tmp_path / "vocab.txt"
    shutil.copy(bert / "vocab.txt", file)
    tokenizer = Tokenizer.from_file(file, lowercase=lowercase, strip_accents=strip_accents)
    slow = BertTokenizerLegacy(str(file), do_lower_case=lowercase, strip_accents=strip_accents)
    same(tokenizer, lambda text: slow(text)["input_ids"], hard)


def test_the_config_beside_a_vocabulary_is_taken(bert: Path, tmp_path: Path) -> None:
    shutil.copy(bert / "vocab.txt", tmp_path)
    config = {"do_lower_case": False, "tokenize_chinese_chars": False, "sep_token": "[MASK]"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = Tokenizer.from_file(tmp_path)
    slow = BertTokenizerLegacy(str(tmp_path / "vocab.txt"), **config)
    same(tokenizer, lambda text: slow(text)["input_ids"], ["Hello hello 漢字漢 x"])
    assert tokenizer.sep_id == 103
    assert len(Tokenizer.from_file(tmp_path, lowercase=True).encode(["Hello"])[0]) == 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_byte_bpe_as_gpt2_has_it(gpt2: Path, hard: list[str], megabyte: str, backend: str) -> None:
    truth = transformers.GPT2Tokenizer.from_pretrained(str(gpt2))
    tokenizer = Tokenizer.from_file(gpt2, backend=backend)
    texts = [*hard, "a<|endoftext|> b <|endoftext|>"]
    texts.append(megabyte[: 1_000_000 if backend == "auto" else 30_000])
    same(tokenizer, lambda text: truth(text)["input_ids"], texts)
    assert tokenizer.eos_id == tokenizer.bos_id == 0 and tokenizer.cls_id is None


@pytest.mark.parametrize("backend", BACKENDS)
def test_byte_bpe_as_roberta_has_it(roberta: Path, hard: list[str], backend: str) -> None:
    mask = tokenizers.AddedToken("<mask>", lstrip=True)  # as in the published tokenizer.json
    truth = transformers.RobertaTokenizer.from_pretrained(str(roberta), mask_token=mask)
    tokenizer = Tokenizer.from_file(roberta / "vocab.json", backend=backend)
    same(tokenizer, lambda t: truth(t)["input_ids"], [*hard, "a <mask> b<s> c", "x</s></s>y"])
    assert (tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id) == (0, 2, 4)


def test_byte_bpe_with_a_space_before(gpt2: Path) -> None:
    truth = transformers.GPT2Tokenizer.from_pretrained(str(gpt2), add_prefix_space=True)
    tokenizer = Tokenizer.from_file(gpt2, add_prefix_space=True)
    same(tokenizer, lambda text: truth(text)["input_ids"], ["good", " good", "", "x good"])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["unigram", "bpe", "bytes", "code", "user", "across", "bare"])
def test_sentencepiece_models(
    spm: Callable[[str], Path], hard: list[str], megabyte: str, kind: str, backend: str
) -> None:
    truth = sentencepiece.SentencePieceProcessor(model_file=str(spm(kind)))
    tokenizer = Tokenizer.from_file(spm(kind), backend=backend)
    # repeated signs are ties, which sentencepiece and tokenizers may decide in other ways, and
    # over a long text sentencepiece no longer tells almost equal scores apart
    tie = {"aaaaaaaaaaaa"}
    texts = [text for text in hard if not any(word in text for word in tie)]
    if kind in ("bpe", "bytes", "code"):
        texts.append(megabyte[: 1_000_000 if (kind, backend) == ("bpe", "auto") else 30_000])
    texts += ["running<sep>king <sep> ing"] if kind == "user" else []
    same(tokenizer, truth.Encode, texts)
    assert tokenizer.vocab_size == truth.GetPieceSize()
    assert tokenizer.unk_id == truth.unk_id() and tokenizer.eos_id == truth.eos_id()
    known = [t for t in texts if truth.unk_id() not in (ids := truth.Encode(t)) and ids]
    assert len(known) > 20  # an unknown piece is special here, and left out of decoded texts
    decoded = tokenizer.decode(tokenizer.encode(known))
    assert decoded == [truth.Decode(truth.Encode(text)) for text in known]


def test_the_charsmap_and_types_are_read_as_protobuf_reads_them(
    spm: Callable[[str], Path],
) -> None:
    from sentencepiece import sentencepiece_model_pb2

    for kind in ("unigram", "bytes", "code", "user", "t5"):
        data = spm(kind).read_bytes()
        truth = sentencepiece_model_pb2.ModelProto.FromString(data)
        model = parse(data)
        pieces = [(p.piece, p.score, p.type) for p in truth.pieces]
        assert [(p.text, p.score, p.type) for p in model.pieces] == pieces
        norm, trainer = truth.normalizer_spec, truth.trainer_spec
        assert model.charsmap == norm.precompiled_charsmap
        assert model.add_dummy_prefix == norm.add_dummy_prefix
        assert model.remove_extra_whitespaces == norm.remove_extra_whitespaces
        assert model.byte_fallback == trainer.byte_fallback
        ids = (trainer.unk_id, trainer.bos_id, trainer.eos_id, trainer.pad_id)
        assert (model.unk_id, model.bos_id, model.eos_id, model.pad_id) == ids


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("kind", "name"), [("t5", "T5Tokenizer"), ("unigram", "XLMRobertaTokenizer")]
)
def test_sentencepiece_families_as_transformers_has_them(
    spm: Callable[[str], Path],
    hard: list[str],
    megabyte: str,
    tmp_path: Path,
    kind: str,
    name: str,
    backend: str,
) -> None:
    file = tmp_path / ("spiece.model" if kind == "t5" else "sentencepiece.bpe.model")
    shutil.copy(spm(kind), file)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name}))
    truth = getattr(transformers, name).from_pretrained(str(tmp_path))
    tokenizer = Tokenizer.from_file(tmp_path, backend=backend)
    texts = [*hard, "x</s>y", "a <extra_id_0> b<extra_id_99>.", "the <mask>."]
    texts.append(megabyte[: 1_000_000 if (kind, backend) == ("t5", "auto") else 30_000])
    same(tokenizer, lambda text: truth(text)["input_ids"], texts)
    assert tokenizer.vocab_size == len(truth)
    for role in ("pad", "unk", "eos"):
        assert getattr(tokenizer, f"{role}_id") == getattr(truth, f"{role}_token_id")


def published_encoding(stem: str, ranks: dict[bytes, int], monkeypatch: Any) -> Any:
    for name in ("load_tiktoken_bpe", "data_gym_to_mergeable_bpe_ranks"):
        monkeypatch.setattr(published, name, lambda *args, **kwargs: ranks)
    spec = getattr(published, stem)()
    spec.pop("explicit_n_vocab", None)
    return tiktoken.Encoding(**spec)


@pytest.mark.parametrize("backend", ["auto", "tokenizers", "tiktoken"])
@pytest.mark.parametrize("stem", ["cl100k_base", "o200k_base", "gpt2", "p50k_edit"])
def test_rank_files_as_tiktoken_has_them(
    tiktoken_file: Callable[[str], Path],
    ranks: dict[bytes, int],
    hard: list[str],
    megabyte: str,
    monkeypatch: pytest.MonkeyPatch,
    stem: str,
    backend: str,
) -> None:
    truth = published_encoding(stem, ranks, monkeypatch)
    tokenizer = Tokenizer.from_file(tiktoken_file(stem), backend=backend)
    texts = [*hard, "end \n", "end.\n\n  ", "a<|endoftext|> b"]
    texts.append(megabyte[: 1_000_000 if backend == "auto" else 30_000])
    same(tokenizer, lambda text: truth.encode(text, allowed_special="all"), texts)
    assert tokenizer.eos_id == truth.eot_token
    assert tokenizer.vocab_size == truth.n_vocab


def test_rank_files_with_a_pattern_of_their_own(
    tiktoken_file: Callable[[str], Path], ranks: dict[bytes, int], hard: list[str]
) -> None:
    file = tiktoken_file("mine")
    with pytest.raises(TransformError, match="pattern="):
        Tokenizer.from_file(file)
    pattern = r"\p{L}+|[^\p{L}]"
    special = {"<|end|>": 5000}
    truth = tiktoken.Encoding(
        "mine", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special
    )
    tokenizer = Tokenizer.from_file(file, pattern=pattern, special_tokens=special)
    same(tokenizer, lambda t: truth.encode(t, allowed_special="all"), [*hard, "a<|end|>b"])
    assert tokenizer.vocab_size == 5001 and tokenizer.special_ids == (5000,)


# -- what is no tokenizer ------------------------------------------------------------------------


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no file"):
        Tokenizer.from_file(tmp_path / "none.json")
    with pytest.raises(NotFoundError, match=r"tokenizer\.json"):
        Tokenizer.from_file(tmp_path)
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(NotFoundError, match=r"merges\.txt"):
        Tokenizer.from_file(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("tokenizer.json", b"{}", "no tokenizer"),
        ("tokenizer.json", b"\xff\xfe", "UTF-8"),
        ("vocab.txt", b"a\nb\n", "UNK"),
        ("vocab.txt", b"\xff", "UTF-8"),
        ("a.model", b"", "no pieces"),
        ("a.model", b"\x0a\x05ab", "ends|early"),
        ("a.model", b"\x0b\x0b", "begins no protobuf"),
        ("gpt2.tiktoken", b"!!!! x\n", "line 1"),
        ("gpt2.tiktoken", b"YQ== 0\n", "no rank for byte 0"),
        ("a.bin", b"", "no tokenizer file"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_damaged_files(tmp_path: Path, name: str, content: bytes, match: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DecodeError, match=match):
        Tokenizer.from_file(tmp_path / name)


def test_damaged_merges(tmp_path: Path, gpt2: Path) -> None:
    shutil.copy(gpt2 / "vocab.json", tmp_path)
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b c\n")
    with pytest.raises(DecodeError, match="merge 1"):
        Tokenizer.from_file(tmp_path)
    (tmp_path / "merges.txt").write_text("qqq zzz\n")
    with pytest.raises(DecodeError, match="belong together"):
        Tokenizer.from_file(tmp_path)
    with pytest.raises(TransformError, match=r"vocab\.json"):
        Tokenizer.from_file(tmp_path / "merges.txt")


def test_a_cut_model_is_refused_wherever_it_is_cut(
    spm: Callable[[str], Path], tmp_path: Path
) -> None:
    data = spm("unigram").read_bytes()
    for size in (1, 7, 1000, len(data) // 2, len(data) - 3):
        (tmp_path / "cut.model").write_bytes(data[:size])
        with pytest.raises(DecodeError):
            Tokenizer.from_file(tmp_path / "cut.model")


def test_arguments_that_do_not_go_with_the_file(bert: Path, spm: Callable[[str], Path]) -> None:
    with pytest.raises(TransformError, match="pattern="):
        Tokenizer.from_file(bert / "vocab.txt", pattern="x")
    with pytest.raises(TransformError, match="family must be"):
        Tokenizer.from_file(spm("bpe"), family="t6")
    with pytest.raises(DecodeError, match="needs the piece"):
        Tokenizer.from_file(spm("t5"), family="llama")


def test_vocabularies_that_mark_the_ends_of_words_are_no_byte_level_ones(tmp_path):
    (tmp_path / "vocab.json").write_text('{"a": 0, "b</w>": 1, "ab</w>": 2}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b</w>\n")
    with pytest.raises(DecodeError, match="marks the ends of words with </w>, as CLIP's does"):
        Tokenizer.from_file(tmp_path)
