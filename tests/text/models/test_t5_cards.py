"""The cards of T5: every one builds a network of the published size, and loads its files' names."""

from __future__ import annotations

import pytest
import torch

from domainkit.model_cards import list_models, load_model_card
from domainkit.text.models.t5 import T5, T5Encoder
from domainkit.text.models.t5_builder import build
from domainkit.text.models.t5_config import T5Config

PARAMETERS = {  # as counted on the models' pages
    "t5-small": 60_506_624,
    "t5-base": 222_903_552,
    "t5-large": 737_668_096,
    "t5-3b": 2_851_598_336,
    "t5-11b": 11_307_321_344,
    "flan-t5-small": 76_961_152,
    "flan-t5-base": 247_577_856,
    "flan-t5-large": 783_150_080,
    "flan-t5-xl": 2_849_757_184,
    "flan-t5-xxl": 11_135_332_352,
}
NAMES = [name for name in list_models("text") if name.startswith(("text/t5-", "text/flan-t5-"))]


@pytest.mark.parametrize("name", NAMES)
def test_every_card_builds_its_network(name: str) -> None:
    card = load_model_card(name)
    with torch.device("meta"):
        model = build(**card.args)
    assert isinstance(model, T5Encoder)
    size = name.removeprefix("text/").removesuffix("-encoder").removesuffix("-body")
    count = sum(p.numel() for p in model.parameters())
    head = 0 if model.config.tie_word_embeddings else model.shared.weight.numel()
    if name.endswith("-encoder"):
        assert not isinstance(model, T5) and count < PARAMETERS[size]
    else:
        assert count == PARAMETERS[size] - (head if name.endswith("-body") else 0)


def test_the_cards_name_all_bundles_of_torchtext() -> None:
    urls = [
        spec.file.urls[0].rsplit("/", 1)[1]
        for name in NAMES
        for key, spec in load_model_card(name).weights.items()
        if key == "torchtext"
    ]
    old = [f"t5.{size}" for size in ("small", "base", "large", "3b", "11b")]
    flan = [f"t5.flan.{size}" for size in ("base", "large", "xl", "xxl")]
    parts = ("", ".encoder", ".generation")
    expected = [f"{a}{b}.v2.pt" for a in old for b in parts]
    expected += [f"{a}{b}.pt" for a in flan for b in parts]
    assert sorted(urls) == sorted(expected) and len(urls) == 27


def test_tensors_become_the_parameters_without_a_copy() -> None:
    sizes = {"vocab_size": 30, "d_model": 16, "d_kv": 4, "d_ff": 24, "num_layers": 1}
    source = T5(T5Config(**sizes)).eval()
    state = source.state_dict()
    model = build(**sizes, weights="huggingface", state_dict=state).eval()
    assert isinstance(model, T5)
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad and parameter.data_ptr() == state[name].data_ptr()
    tokens = torch.tensor([[3, 4, 1]])
    assert torch.equal(model(tokens, tokens), source(tokens, tokens))
    encoder = build(**sizes, encoder_only=True, state_dict=state).eval()
    assert torch.equal(encoder(tokens), source.encode(tokens))


def test_tensors_of_another_shape_are_refused() -> None:
    sizes = {"vocab_size": 30, "d_model": 16, "d_kv": 4, "d_ff": 24}
    state = T5(T5Config(**sizes, num_layers=1)).state_dict()
    with pytest.raises(RuntimeError, match="Missing key"):
        build(**sizes, num_layers=2, state_dict=state)
