"""Sentence encoders: the real MiniLM beside sentence-transformers, pooling, and through the zoo."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.hf_models import minilm_folder
from support.server import FileServer

import domainkit as dk
from domainkit.errors import DomainkitError, TransformError
from domainkit.ragged import Ragged
from domainkit.text.models import EncoderConfig, SentenceEncoder, pool

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
