"""The cards of encoders: they build, have the published sizes, and all of torchtext's are there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

import domainkit as dk
from domainkit.model_cards import load_model_card
from domainkit.text.models.encoder_builder import build
from domainkit.text.tokenizers.names import known_names

CARDS = [
    name
    for name in dk.list_models("text")
    if load_model_card(name).builder == "domainkit.text.models.encoder_builder:build"
]
BUNDLES = {
    "roberta-base-encoder": "roberta.base.encoder.pt",
    "roberta-large-encoder": "roberta.large.encoder.pt",
    "roberta-distilled-encoder": "roberta.distilled.encoder.pt",
    "xlmr-base-encoder": "xlmr.base.encoder.pt",
    "xlmr-large-encoder": "xlmr.large.encoder.pt",
}


def size(model: Any) -> int:
    return sum(p.numel() for p in model.parameters())


def on_meta(name: str) -> Any:
    with torch.device("meta"):  # shapes only
        return build(**load_model_card(f"text/{name}").args)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_builds_and_names_its_tokenizer(name: str) -> None:
    card = load_model_card(name)
    model = on_meta(name.removeprefix("text/"))
    encoder = getattr(model, "encoder", model)
    assert (card.task == "sentence-embedding") == hasattr(model, "pooling")
    for weights in card.weights.values():
        (step,) = weights.recipe  # type: ignore[misc]
        assert step["tokenizer"] in known_names()
        assert step["max_length"] <= encoder.config.max_length


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("bert-base-uncased", transformers.BertConfig()),
        ("distilbert-base-uncased", transformers.DistilBertConfig()),
        (
            "roberta-base",
            transformers.RobertaConfig(max_position_embeddings=514, type_vocab_size=1),
        ),
        ("mpnet-base", transformers.MPNetConfig(max_position_embeddings=514, vocab_size=30527)),
    ],
)
def test_sizes_are_hugging_faces(name: str, config: Any) -> None:
    with torch.device("meta"):
        theirs = transformers.AutoModel.from_config(config)
    pooler = getattr(theirs, "pooler", None)
    assert size(on_meta(name)) == size(theirs) - (size(pooler) if pooler is not None else 0)


def test_all_encoders_of_torchtext_are_there() -> None:
    for name, file in BUNDLES.items():
        (weights,) = load_model_card(f"text/{name}").weights.values()
        assert weights.file.urls == (f"https://download.pytorch.org/models/text/{file}",)
