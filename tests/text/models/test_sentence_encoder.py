"""Sentence encoders: the real MiniLM beside sentence-transformers, pooling, and through the zoo."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.hf_models import batch_of, encoder, minilm_folder, shaken
from support.server import FileServer

import domainkit as dk
from domainkit.errors import DecodeError, DomainkitError, NotFoundError, TransformError
from domainkit.ragged import Ragged
from domainkit.text.models import (
    Encoder,
    EncoderConfig,
    SentenceEncoder,
    load_pretrained,
    pool,
)
from domainkit.text.transforms import Compose, Pad, Tokenize

TEXTS = [
    "A man is eating food.",
    "Someone has a meal.",
    "The stock market fell sharply today.",
    "",
    "Naïve café, ünïcödé, 日本語, \U0001f600!",
    " ".join(["long"] * 400),
]


def plain(rows: list[list[list[float]]], how: str) -> list[list[float]]:
    out = []
    for row in rows:
        if not row:
            out.append([0.0, 0.0])
        elif how == "cls":
            out.append(row[0])
        elif how == "max":
            out.append([max(v[k] for v in row) for k in (0, 1)])
        else:
            weight = [i + 1 if how == "weighted-mean" else 1 for i in range(len(row))]
            total = sum(weight)
            out.append(
                [sum(w * v[k] for w, v in zip(weight, row, strict=True)) / total for k in (0, 1)]
            )
    return out


vectors = st.lists(st.floats(-9, 9, width=16), min_size=2, max_size=2)


@given(
    st.lists(st.lists(vectors, max_size=5), min_size=1, max_size=4),
    st.sampled_from(["cls", "max", "mean", "weighted-mean"]),
    st.sampled_from(["left", "right"]),
)
def test_pooling_by_lists(rows: list[list[list[float]]], how: str, side: str) -> None:
    states = Ragged.from_list([torch.tensor(row).view(-1, 2) for row in rows], inner=1)
    expected = torch.tensor(plain(rows, how))
    torch.testing.assert_close(pool(states, how), expected, atol=1e-5, rtol=1e-5)
    dense, lengths = states.pad(float("nan"), side=side)
    place = torch.arange(dense.shape[1])
    n = lengths[:, None]
    mask = place < n if side == "right" else place >= dense.shape[1] - n
    if dense.shape[1]:
        torch.testing.assert_close(pool(dense, how, mask), expected, atol=1e-5, rtol=1e-5)


def test_cosines_are_sentence_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real weights and the real tokenizer, through the cache, the card and its recipe."""
    from sentence_transformers import SentenceTransformer

    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "home"))
    top = tmp_path / "mirror/huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main"
    top.mkdir(parents=True)
    for name in ("model.safetensors", "tokenizer.json"):
        shutil.copy(minilm_folder() / name, top)
    with FileServer(tmp_path / "mirror") as server:
        monkeypatch.setenv("DOMAINKIT_MIRROR", server.url)
        model = dk.load_model("text/all-minilm-l6-v2")
        mine = model.encode(TEXTS)
    theirs = SentenceTransformer(str(minilm_folder()), device="cpu").encode(
        TEXTS, convert_to_tensor=True
    )
    assert mine.shape == (6, 384)
    cosine = torch.nn.functional.cosine_similarity(mine, theirs.cpu())
    assert cosine.min() > 0.999999
    torch.testing.assert_close(mine @ mine.T, (theirs @ theirs.T).cpu(), atol=1e-5, rtol=0)
    assert mine[0] @ mine[1] > 0.5 > mine[0] @ mine[2]  # and it means something
    torch.testing.assert_close(model.encode(TEXTS, batch_size=2), mine, atol=1e-5, rtol=0)
    assert model.encode([]).shape == (0, 384)


def test_wrong_use() -> None:
    config = EncoderConfig(9, 8, 1, 2, 8)
    with pytest.raises(DomainkitError, match="pooling must be one of cls, max, mean"):
        SentenceEncoder(config, "sum")
    with pytest.raises(DomainkitError, match=r"encode\(\) needs the recipe"):
        SentenceEncoder(config).encode(["a"])
    with pytest.raises(TransformError, match="pool takes 'cls'"):
        pool(torch.zeros(1, 2, 3), "sum")
    with pytest.raises(TransformError, match=r"items \[L_i, d\] or \[B, L, d\], got \[2, 3\]"):
        pool(torch.zeros(2, 3))
    with pytest.raises(DomainkitError, match="do not fit this encoder"):
        dk.load_model("text/bert-base-uncased", weights=None).load_state_dict  # noqa: B018
        from domainkit.text.models.encoder_builder import build

        build(
            config={"vocab_size": 9, "hidden_size": 8, "num_layers": 1, "num_heads": 2},
            weights="published",
            state_dict={"embeddings.word_embeddings.weight": torch.zeros(3, 8)},
        )


def test_folders_on_disk(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = load_pretrained(minilm_folder())
    assert isinstance(model, SentenceEncoder) and model.normalize and model.pooling == "mean"
    theirs = SentenceTransformer(str(minilm_folder()), device="cpu").encode(TEXTS)
    mine = model.encode(TEXTS)
    torch.testing.assert_close(mine, torch.from_numpy(theirs), atol=1e-5, rtol=0)
    plain = encoder("roberta")
    plain.save_pretrained(tmp_path / "roberta")
    ours = load_pretrained(tmp_path / "roberta")
    assert isinstance(ours, Encoder) and ours.recipe is None
    tokens = batch_of((6,))
    with torch.no_grad():
        expected = plain(input_ids=tokens.dense()).last_hidden_state[0]
        torch.testing.assert_close(ours(tokens).values, expected, atol=1e-5, rtol=1e-5)


def test_t5_folders(tmp_path: Path) -> None:
    import transformers

    config = transformers.T5Config(vocab_size=60, d_model=24, d_kv=8, d_ff=40, num_layers=2)
    for kind in (transformers.T5EncoderModel, transformers.T5ForConditionalGeneration):
        theirs = shaken(kind(config)).eval()
        theirs.save_pretrained(tmp_path / kind.__name__)
        ours = load_pretrained(tmp_path / kind.__name__)
        assert type(ours).__name__ == ("T5Encoder" if kind.__name__.startswith("T5E") else "T5")
        ids = torch.tensor([[5, 7, 9, 1]])
        with torch.no_grad():
            states = theirs.encoder(input_ids=ids).last_hidden_state
            torch.testing.assert_close(ours.encode(ids), states, atol=1e-4, rtol=1e-4)


def test_folders_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(DecodeError, match=r"config\.json: no JSON"):
        load_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(NotFoundError, match=r"there is none of model\.safetensors"):
        load_pretrained(tmp_path)
    shutil.copytree(minilm_folder(), tmp_path / "st")
    (tmp_path / "st/modules.json").write_text(
        '[{"type": "sentence_transformers.models.Transformer", "path": ""},'
        ' {"type": "sentence_transformers.models.Dense", "path": "2"}]'
    )
    with pytest.raises(DomainkitError, match="modules Transformer, Dense; ours are"):
        load_pretrained(tmp_path / "st")


def test_a_recipe_that_pads_changes_nothing() -> None:
    model = load_pretrained(minilm_folder())
    plain = model.encode(TEXTS)
    model.recipe = Compose([Tokenize(str(minilm_folder()), max_length=256, type_ids=True), Pad(0)])
    torch.testing.assert_close(model.encode(TEXTS), plain, atol=1e-5, rtol=0)
    with pytest.raises(TransformError, match="takes a list of str, got a str: put it into a list"):
        model.encode("hello")
    with pytest.raises(TransformError, match="takes a list of str, got other things"):
        model.encode(["a", 3])
