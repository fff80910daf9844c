"""Encoder: every family beside Hugging Face's, ragged beside padded, alone beside together."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.hf_models import ENCODERS, VOCAB, batch_of, encoder

from domainkit.errors import DomainkitError, TransformError
from domainkit.ragged import Ragged
from domainkit.text.models import (
    Encoder,
    EncoderConfig,
    MaskedLM,
    SequenceClassifier,
    TokenClassifier,
)
from domainkit.text.models.encoder_names import encoder_state
from domainkit.text.models.relative_positions import relative_buckets

LENGTHS = (7, 1, 30, 7, 12)
CONFIG = EncoderConfig(
    vocab_size=VOCAB, hidden_size=32, num_layers=2, num_heads=4, intermediate_size=50,
    max_positions=40,
)  # fmt: skip


def ours_of(theirs: Any) -> Encoder:
    model = Encoder(EncoderConfig.from_dict(theirs.config.to_dict())).eval()
    model.load_state_dict(encoder_state(theirs.state_dict()))
    return model


@pytest.mark.parametrize("family", ENCODERS)
def test_states_are_hugging_faces(family: str) -> None:
    theirs = encoder(family)
    ours = ours_of(theirs)
    tokens = batch_of(LENGTHS)
    ids, lengths = tokens.pad(ours.config.pad_id)
    mask = torch.arange(ids.shape[1]) < lengths[:, None]
    with torch.no_grad():
        states = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        ragged, dense = ours(tokens), ours(ids, mask)
    assert isinstance(ragged, Ragged)
    torch.testing.assert_close(ragged.values, states[mask], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(dense[mask], states[mask], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["bert", "mpnet", "roberta"])
def test_alone_as_in_a_batch_and_padded_on_the_left(family: str) -> None:
    ours = ours_of(encoder(family))
    tokens = batch_of(LENGTHS)
    ids, lengths = tokens.pad(ours.config.pad_id, side="left")
    mask = torch.arange(ids.shape[1]) >= ids.shape[1] - lengths[:, None]
    with torch.no_grad():
        together, left = ours(tokens), ours(ids, mask)
        for i, item in enumerate(tokens):
            alone = ours(Ragged.from_list([item])).values
            torch.testing.assert_close(together[i], alone, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(left[i][mask[i]], alone, atol=1e-5, rtol=1e-5)


def test_segments() -> None:
    theirs = encoder("bert")
    ours = ours_of(theirs)
    tokens = batch_of((8, 8))
    types = (torch.arange(8) > 3).long().expand(2, 8)
    with torch.no_grad():
        states = theirs(input_ids=tokens.dense(), token_type_ids=types).last_hidden_state
        ragged = ours(tokens, token_type_ids=tokens.with_values(types.reshape(-1)))
        dense = ours(tokens.dense(), token_type_ids=types)
    torch.testing.assert_close(ragged.values.view(2, 8, -1), states, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(dense, states, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_guesses_are_hugging_faces(family: str) -> None:
    theirs = encoder(family, "ForMaskedLM")
    config = EncoderConfig.from_dict(theirs.config.to_dict())
    ours = MaskedLM(config).eval()
    state = theirs.state_dict()
    ours.encoder.load_state_dict(encoder_state(state))
    head = "cls.predictions.transform" if family == "bert" else "lm_head"
    names = {"dense": "dense", "norm": "LayerNorm" if family == "bert" else "layer_norm"}
    for mine, name in names.items():
        for part in ("weight", "bias"):
            getattr(ours, mine).get_parameter(part).data = state[f"{head}.{name}.{part}"]
    ours.bias.data = state["cls.predictions.bias" if family == "bert" else "lm_head.bias"]
    tokens = batch_of(LENGTHS)
    ids, lengths = tokens.pad(config.pad_id)
    mask = torch.arange(ids.shape[1]) < lengths[:, None]
    labels = torch.where(torch.rand(ids.shape, generator=torch.Generator().manual_seed(1)) < 0.3,
                         ids, -100).masked_fill(~mask, -100)  # fmt: skip
    with torch.no_grad():
        out = theirs(input_ids=ids, attention_mask=mask.long(), labels=labels)
        logits = ours(tokens)
        losses = [ours(tokens, labels=tokens.with_values(labels[mask])), ours(ids, mask, labels)]
    assert isinstance(logits, Ragged)
    torch.testing.assert_close(logits.values, out.logits[mask], atol=1e-4, rtol=1e-5)
    for loss in losses:
        torch.testing.assert_close(loss, out.loss, atol=1e-5, rtol=1e-5)


def test_classes_are_hugging_faces() -> None:
    theirs = encoder("roberta", "ForSequenceClassification", num_labels=3)
    ours = SequenceClassifier(EncoderConfig.from_dict(theirs.config.to_dict()), 3).eval()
    state = theirs.state_dict()
    ours.encoder.load_state_dict(encoder_state(state))
    assert ours.dense is not None
    for mine, name in ((ours.dense, "dense"), (ours.classifier, "out_proj")):
        mine.weight.data = state[f"classifier.{name}.weight"]
        mine.bias.data = state[f"classifier.{name}.bias"]
    tokens = batch_of(LENGTHS)
    ids, lengths = tokens.pad(1)
    mask = torch.arange(ids.shape[1]) < lengths[:, None]
    with torch.no_grad():
        expected = theirs(input_ids=ids, attention_mask=mask.long()).logits
        torch.testing.assert_close(ours(tokens), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(ours(ids, mask), expected, atol=1e-5, rtol=1e-5)


def test_classes_of_tokens_have_their_form() -> None:
    model = TokenClassifier(CONFIG, 5).eval()
    tokens = batch_of((3, 1))
    logits = model(tokens)
    assert isinstance(logits, Ragged) and logits[0].shape == (3, 5)
    torch.testing.assert_close(model(tokens[0][None])[0], logits[0], atol=1e-5, rtol=1e-5)


def test_gradients_are_those_of_the_padded_form() -> None:
    torch.manual_seed(0)
    model = Encoder(CONFIG).eval()
    tokens = batch_of(LENGTHS)
    ids, lengths = tokens.pad(0)
    mask = torch.arange(ids.shape[1]) < lengths[:, None]
    weights = torch.randn(len(tokens.values), 32)
    found = []
    for states in (model(tokens).values, model(ids, mask)[mask]):
        model.zero_grad()
        (states * weights).sum().backward()
        found.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    assert len(found[0]) == len(list(model.parameters()))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_dropout_in_training_only() -> None:
    model = Encoder(CONFIG)
    tokens = batch_of((9, 4))
    assert not torch.equal(model(tokens).values, model(tokens).values)
    model.eval()
    assert torch.equal(model(tokens).values, model(tokens).values)


def test_sequences_without_tokens() -> None:
    model = Encoder(CONFIG).eval()
    states = model(Ragged.from_list([torch.tensor([5, 6]), torch.empty(0, dtype=torch.int64)]))
    assert isinstance(states, Ragged) and states[1].shape == (0, 32)
    none = model(Ragged.from_shapes(torch.empty(0, dtype=torch.int64), [0, 0]))
    assert none.values.shape == (0, 32)
    mask = torch.tensor([[True, True], [False, False]])
    dense = model(torch.tensor([[5, 6], [0, 0]]), mask)
    assert dense.isfinite().all()
    torch.testing.assert_close(dense[0], states[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 40, 300])
@pytest.mark.parametrize("both", [True, False])
def test_buckets_are_hugging_faces(length: int, both: bool) -> None:
    from transformers.models.t5.modeling_t5 import T5Attention

    place = torch.arange(length)
    theirs = T5Attention._relative_position_bucket(
        place[None] - place[:, None], bidirectional=both, num_buckets=32, max_distance=128
    )
    assert torch.equal(relative_buckets(length, 32, both_ways=both), theirs)
    last = relative_buckets(length, 32, both_ways=both, first=length - 1)
    assert torch.equal(last, theirs[-1:])


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.zeros(3, dtype=torch.int64), r"a Ragged of items \[L_i\] or dense \[B, L\]"),
        (torch.zeros(1, 3), "takes int64 tokens"),
        ("abc", "takes int64 tokens"),
        (torch.zeros(1, 41, dtype=torch.int64), r"41 tokens, .* at most 40: put Truncate\(40\)"),
        (Ragged.from_list([torch.zeros(50, dtype=torch.int64)]), "has 50 tokens"),
    ],
)
def test_wrong_input(tokens: Any, message: str) -> None:
    with pytest.raises(TransformError, match=message):
        Encoder(CONFIG)(tokens)


def test_wrong_masks_and_configs() -> None:
    ids = torch.zeros(2, 3, dtype=torch.int64)
    with pytest.raises(TransformError, match=r"attention_mask must be \[B, L\].* got \[2, 4\]"):
        Encoder(CONFIG)(ids, torch.ones(2, 4))
    with pytest.raises(DomainkitError, match=r"config\.json is of 'gpt2'; encoders are bert"):
        EncoderConfig.from_dict({"model_type": "gpt2"})
    with pytest.raises(DomainkitError, match="relative_key positions"):
        EncoderConfig.from_dict({"model_type": "bert", "position_embedding_type": "relative_key"})
    with pytest.raises(DomainkitError, match="multiple of num_heads, got 768 and 7"):
        EncoderConfig(num_heads=7)
    with pytest.raises(DomainkitError, match="activation must be gelu"):
        EncoderConfig(activation="swish")


def test_heads_tell_segments_apart() -> None:
    theirs = encoder("bert", "ForSequenceClassification", num_labels=3)
    ours = SequenceClassifier(EncoderConfig.from_dict(theirs.config.to_dict()), 3).eval()
    state = theirs.state_dict()
    ours.encoder.load_state_dict(encoder_state(state))
    assert ours.dense is not None
    for mine, name in ((ours.dense, "bert.pooler.dense"), (ours.classifier, "classifier")):
        mine.weight.data, mine.bias.data = state[f"{name}.weight"], state[f"{name}.bias"]
    ids = batch_of((8, 8)).dense()
    types = (torch.arange(8) > 3).long().expand(2, 8)
    with torch.no_grad():
        expected = theirs(input_ids=ids, token_type_ids=types).logits
        torch.testing.assert_close(ours(ids, None, types), expected, atol=1e-5, rtol=1e-5)
    for head in (MaskedLM(CONFIG), TokenClassifier(CONFIG, 2)):
        head.eval()
        assert not torch.equal(head(ids, None, token_type_ids=types), head(ids))


def test_what_does_not_belong_together() -> None:
    a, b = (Ragged.from_shapes(torch.arange(5, 8), sizes) for sizes in ([2, 1], [1, 2]))
    with pytest.raises(TransformError, match="a label for each token, got labels Ragged"):
        MaskedLM(CONFIG)(a, labels=b)
    with pytest.raises(TransformError, match="token_type_ids must have the form and sizes"):
        Encoder(CONFIG)(a, token_type_ids=b)
    with pytest.raises(TransformError, match="Ragged tokens have no padding"):
        Encoder(CONFIG)(a, torch.ones(2, 2))
    for wrong in (-100, VOCAB):
        with pytest.raises(TransformError, match=r"knows ids 0\.\.89, got .*are these labels"):
            Encoder(CONFIG)(torch.tensor([[5, wrong]]))
    long = torch.full((1, 60), 5)
    with pytest.raises(TransformError, match="a sequence has 60 tokens"):
        Encoder(CONFIG)(long, torch.ones(1, 60))
    states = Encoder(CONFIG).eval()(long, (torch.arange(60) < 7)[None])
    assert states.shape == (1, 60, 32)
