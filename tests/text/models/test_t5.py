"""T5 against transformers: random small models of every kind, dense and ragged."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from domainkit.errors import DecodeError, TransformError
from domainkit.ragged import Ragged
from domainkit.text.models.t5 import T5, T5Encoder
from domainkit.text.models.t5_attention import position_buckets
from domainkit.text.models.t5_config import T5Config
from domainkit.text.models.t5_names import t5_state_dict

transformers = pytest.importorskip("transformers")

KINDS: dict[str, dict[str, Any]] = {
    "v1.0": {},
    "v1.1": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "gated-relu, tied": {"feed_forward_proj": "gated-relu", "num_decoder_layers": 1},
    "silu, untied": {"feed_forward_proj": "silu", "tie_word_embeddings": False},
    "gelu, deep decoder": {"feed_forward_proj": "gelu", "num_decoder_layers": 3},
}
LENGTHS, TARGETS = (7, 40, 1, 7, 3), (4, 9, 4, 2, 1)


def pair(kind: str, seed: int = 0) -> tuple[Any, T5]:
    """A random model of transformers, and ours with its weights."""
    torch.manual_seed(seed)
    sizes = {"vocab_size": 60, "d_model": 24, "d_kv": 8, "d_ff": 40, "num_heads": 4}
    sizes |= {"num_layers": 2, "relative_attention_num_buckets": 8}
    sizes |= {"relative_attention_max_distance": 20, "decoder_start_token_id": 0}
    config = transformers.T5Config(**sizes, **KINDS[kind])
    theirs = transformers.T5ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():  # their starting norms and biases are too plain
            parameter.add_(0.2 * torch.randn_like(parameter))
    if KINDS[kind].get("tie_word_embeddings", True) is False:
        # transformers ties always when it builds, and unties where a file holds another head
        theirs.lm_head.weight = torch.nn.Parameter(0.3 * torch.randn(60, 24))
    ours = T5(T5Config.from_dict({**sizes, **KINDS[kind]})).eval()
    ours.load_state_dict(t5_state_dict(theirs.state_dict(), ours))
    return theirs, ours


def texts(lengths: tuple[int, ...], seed: int = 1) -> Ragged:
    generator = torch.Generator().manual_seed(seed)
    items = [torch.randint(2, 60, (n,), generator=generator) for n in lengths]
    return Ragged.from_list(items)


def masked(batch: Ragged, side: str = "right") -> tuple[torch.Tensor, torch.Tensor]:
    dense, _ = batch.pad(0, side=side)
    mask = Ragged.from_shapes(torch.ones_like(batch.values), batch.host_shapes).pad(side=side)[0]
    return dense, mask


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", KINDS)
def test_dense_rows_are_those_of_transformers(kind: str, side: str) -> None:
    theirs, ours = pair(kind)
    tokens, mask = masked(texts(LENGTHS), side)
    targets, target_mask = masked(texts(TARGETS, seed=2))
    with torch.no_grad():
        expected = theirs(
            input_ids=tokens,
            attention_mask=mask,
            decoder_input_ids=targets,
            decoder_attention_mask=target_mask,
        )
        hidden = ours.encode(tokens, mask)
        logits = ours(tokens, targets, mask, target_mask)
    close = {"rtol": 1e-5, "atol": 1e-5}
    there = mask.bool()
    torch.testing.assert_close(hidden[there], expected.encoder_last_hidden_state[there], **close)
    there = target_mask.bool()
    torch.testing.assert_close(logits[there], expected.logits[there], **close)


@pytest.mark.parametrize("attention", ["auto", "grouped", "padded", "flex"])
@pytest.mark.parametrize("kind", KINDS)
def test_ragged_rows_are_those_of_transformers_text_by_text(kind: str, attention: str) -> None:
    theirs, ours = pair(kind)
    ours.attention = attention
    tokens, targets = texts(LENGTHS), texts(TARGETS, seed=2)
    with torch.no_grad():
        hidden, logits = ours.encode(tokens), ours(tokens, targets)
        assert logits.host_shapes.tolist() == targets.host_shapes.tolist()
        for i in range(len(tokens)):
            alone = theirs(input_ids=tokens[i][None], decoder_input_ids=targets[i][None])
            state = alone.encoder_last_hidden_state[0]
            torch.testing.assert_close(hidden[i], state, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(logits[i], alone.logits[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_and_its_gradients_are_those_of_transformers(kind: str) -> None:
    theirs, ours = pair(kind)
    tokens, labels = texts(LENGTHS), texts(TARGETS, seed=2)
    dense, mask = masked(tokens)
    dense_labels = labels.pad(-100)[0]
    expected = theirs(input_ids=dense, attention_mask=mask, labels=dense_labels).loss
    expected.backward()
    for given in ((tokens, labels), (dense, dense_labels, mask)):
        ours.zero_grad()
        loss = ours.loss(*given)
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)
        loss.backward()
        gradients = {n: p.grad for n, p in theirs.named_parameters()}
        for name, parameter in ours.named_parameters():
            torch.testing.assert_close(
                parameter.grad, gradients[name], rtol=1e-4, atol=1e-5, msg=lambda m, n=name: n + m
            )


def test_the_encoder_alone_takes_an_encoder_of_transformers() -> None:
    torch.manual_seed(0)
    config = transformers.T5Config(vocab_size=60, d_model=24, d_kv=8, d_ff=40, num_layers=2)
    theirs = transformers.T5EncoderModel(config).eval()
    ours = T5Encoder(T5Config.from_dict(config.to_dict())).eval()
    ours.load_state_dict(t5_state_dict(theirs.state_dict(), ours))
    tokens = texts(LENGTHS)
    with torch.no_grad():
        for item, hidden in zip(tokens, ours(tokens), strict=True):
            expected = theirs(input_ids=item[None]).last_hidden_state[0]
            torch.testing.assert_close(hidden, expected, rtol=1e-5, atol=1e-5)


def test_an_encoder_takes_its_part_of_a_whole_model() -> None:
    theirs, ours = pair("v1.1")
    encoder = T5Encoder(ours.config).eval()
    encoder.load_state_dict(t5_state_dict(theirs.state_dict(), encoder))
    tokens = texts(LENGTHS)
    torch.testing.assert_close(encoder(tokens).values, ours.encode(tokens).values)
