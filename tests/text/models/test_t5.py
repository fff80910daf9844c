"""T5 against transformers: random small models of every kind, dense and ragged."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from domainkit.errors import DecodeError, TransformError
from domainkit.ragged import Ragged
from domainkit.text.models.relative_positions import position_buckets
from domainkit.text.models.t5 import T5, T5Encoder
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


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
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


def by_torchtext(state: dict[str, torch.Tensor], *, gated: bool, layers: int) -> dict[str, Any]:
    """Hugging Face's tensors under torchtext's names, as its bundler writes them out."""
    first = ("linear1_0", "wi_0"), ("linear1_1", "wi_1")
    first = first if gated else (("linear1", "wi"),)
    out = {"token_embeddings.weight": state["shared.weight"]}
    out["encoder.token_embeddings.weight"] = state["shared.weight"]
    for stack, last in (("encoder", 1), ("decoder", 2)):
        out[f"{stack}.norm.weight"] = state[f"{stack}.final_layer_norm.weight"]
        table = "elf_attn.relative_attention_bias.weight"
        theirs = "elfAttention.relative_attention_bias.weight"
        out[f"{stack}.layers.0.s{table}"] = state[f"{stack}.block.0.layer.0.S{theirs}"]
        for i in range(layers):
            a, b = f"{stack}.layers.{i}.", f"{stack}.block.{i}.layer."
            pairs = [*first, ("linear2", "wo")]
            names = {f"{x}.weight": f"{last}.DenseReluDense.{y}.weight" for x, y in pairs}
            names |= {"norm1.weight": "0.layer_norm.weight"}
            names |= {"norm2.weight": f"{last}.layer_norm.weight"}
            names |= {"self_attn.out_proj.weight": "0.SelfAttention.o.weight"}
            names |= {f"self_attn.{x}_proj_weight": f"0.SelfAttention.{x}.weight" for x in "qkv"}
            if stack == "decoder":
                names |= {"norm3.weight": "1.layer_norm.weight"}
                names |= {"cross_attn.out_proj.weight": "1.EncDecAttention.o.weight"}
                names |= {
                    f"cross_attn.{x}_proj_weight": f"1.EncDecAttention.{x}.weight" for x in "qkv"
                }
            out |= {a + x: state[b + y] for x, y in names.items()}
    if "lm_head.weight" in state:
        out["lm_head.weight"] = state["lm_head.weight"]
    return out


@pytest.mark.parametrize("kind", ["v1.0", "v1.1"])
def test_torchtexts_names_are_read(kind: str) -> None:
    theirs, ours = pair(kind)
    state = by_torchtext(theirs.state_dict(), gated=kind == "v1.1", layers=2)
    again = T5(ours.config).eval()
    again.load_state_dict(t5_state_dict(state, again))
    for name, tensor in ours.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    encoder_only = {k: v for k, v in state.items() if k[:7] in ("token_e", "encoder")}
    encoder = T5Encoder(ours.config)
    encoder.load_state_dict(t5_state_dict(encoder_only, encoder))


def test_a_head_is_added_left_out_or_kept_as_the_model_needs_it() -> None:
    theirs, ours = pair("v1.0")
    state = theirs.state_dict()
    assert "lm_head.weight" in t5_state_dict(state)
    assert "lm_head.weight" not in t5_state_dict(state, ours)
    untied = T5(T5Config.from_dict({**vars(ours.config), "tie_word_embeddings": False}))
    without = {k: v for k, v in state.items() if k != "lm_head.weight"}
    untied.load_state_dict(t5_state_dict(without, untied))
    assert untied.lm_head is not None
    assert torch.equal(untied.lm_head.weight, ours.shared.weight)


def test_a_decoder_without_a_head_gives_its_hidden_states() -> None:
    theirs, _ = pair("v1.0")
    config = T5Config.from_dict({**theirs.config.to_dict(), "lm_head": False})
    model = T5(config).eval()
    model.load_state_dict(t5_state_dict(theirs.state_dict(), model))
    tokens, targets = texts((5, 5)).dense(), texts((3, 3)).dense()
    with torch.no_grad():
        expected = theirs(
            input_ids=tokens, decoder_input_ids=targets, output_hidden_states=True
        ).decoder_hidden_states[-1]
        torch.testing.assert_close(model(tokens, targets), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("both_ways", [True, False])
@pytest.mark.parametrize(("buckets", "farthest"), [(32, 128), (8, 20), (6, 100)])
def test_buckets_are_those_of_transformers(both_ways: bool, buckets: int, farthest: int) -> None:
    distance = torch.arange(-700, 700)
    attention = transformers.models.t5.modeling_t5.T5Attention
    expected = attention._relative_position_bucket(distance, both_ways, buckets, farthest)
    found = position_buckets(distance, both_ways=both_ways, buckets=buckets, farthest=farthest)
    assert torch.equal(found, expected)


def test_empty_texts_and_empty_batches_pass() -> None:
    _, ours = pair("v1.0")
    tokens, targets = texts((0, 4, 0)), texts((2, 0, 3))
    for attention in ("grouped", "padded"):
        ours.attention = attention
        logits = ours(tokens, targets)
        assert logits.host_shapes.tolist() == [[2], [0], [3]]
        assert bool(logits.values.isfinite().all())
        assert len(ours(tokens[:0], targets[:0])) == 0
    grouped, padded = (
        setattr(ours, "attention", a) or ours(tokens, targets) for a in ("grouped", "padded")
    )
    torch.testing.assert_close(grouped.values, padded.values, rtol=1e-5, atol=1e-5)


def test_labels_are_shifted_in_both_forms() -> None:
    _, ours = pair("v1.0")
    labels = [torch.tensor([5, -100, 1]), torch.tensor([], dtype=torch.int64), torch.tensor([7])]
    ragged = Ragged.from_list(labels)
    assert [x.tolist() for x in ours.shift_right(ragged)] == [[0, 5, 0], [], [0]]
    assert ours.shift_right(ragged.pad(-100)[0]).tolist() == [[0, 5, 0], [0, 0, 0], [0, 7, 0]]
    assert ragged.values.tolist() == [5, -100, 1, 7]  # the labels themselves stay


def test_dropout_acts_while_training_only() -> None:
    _, ours = pair("v1.1")
    tokens, targets = texts(LENGTHS), texts(TARGETS, seed=2)
    assert torch.equal(ours(tokens, targets).values, ours(tokens, targets).values)
    ours.train()
    assert not torch.equal(ours(tokens, targets).values, ours(tokens, targets).values)


def test_bfloat16_is_as_near_to_float32_as_transformers() -> None:
    theirs, ours = pair("v1.1")
    tokens, targets = texts((6, 6)), texts((4, 4), seed=2)
    given = {"input_ids": tokens.dense(), "decoder_input_ids": targets.dense()}
    with torch.no_grad():
        exact = ours(tokens, targets).values
        rough = ours.to(torch.bfloat16)(tokens, targets).values
        other = theirs.to(torch.bfloat16)(**given).logits.flatten(0, 1)
    assert rough.dtype == torch.bfloat16
    assert float((rough - exact).norm()) < 1.5 * float((other - exact).norm())


def test_weights_start_as_in_transformers() -> None:
    sizes = {"vocab_size": 200, "d_model": 96, "d_kv": 16, "d_ff": 160, "num_heads": 8}
    sizes |= {"num_layers": 1}
    torch.manual_seed(0)
    theirs = transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes)).state_dict()
    ours = T5(T5Config(**sizes)).state_dict()
    for name, tensor in ours.items():
        if tensor.ndim == 2:
            assert float(tensor.std() / theirs[name].std()) == pytest.approx(1, abs=0.15), name


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.zeros(2, 3), "int64 tokens"),
        (torch.zeros(3).long(), "int64 tokens"),
        (torch.full((2, 3), 60), r"ids 0..59, got 60..60"),
        (Ragged.from_list([torch.zeros(2, 2).long()]), "int64 tokens"),
    ],
    ids=["floats", "one dimension", "outside the vocabulary", "pictures"],
)
def test_other_tokens_are_refused(tokens: Any, message: str) -> None:
    _, ours = pair("v1.0")
    with pytest.raises(TransformError, match=message):
        ours.encode(tokens)


def test_forms_that_do_not_fit_are_refused() -> None:
    _, ours = pair("v1.0")
    tokens = texts((3, 4))
    with pytest.raises(TransformError, match="one form"):
        ours(tokens, torch.zeros(2, 3).long())
    with pytest.raises(TransformError, match="one form"):
        ours(tokens, texts((3,)))
    with pytest.raises(TransformError, match="attention_mask goes with"):
        ours.encode(tokens, torch.ones(2, 4))
    with pytest.raises(TransformError, match="Did you mean 'grouped'"):
        T5Encoder(ours.config, attention="group")
    with pytest.raises(DecodeError, match=r"shared\.weight"):
        t5_state_dict({"bert.embeddings.weight": torch.zeros(1)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d_model": 0}, "d_model must be 1 or more"),
        ({"feed_forward_proj": "gated-mish"}, "'gated-mish' is unknown"),
        ({"dropout_rate": 1.0}, "dropout_rate"),
        ({"relative_attention_max_distance": 16}, "above half"),
        ({"model_type": "bert"}, "t5 or mt5"),
    ],
    ids=["size", "activation", "dropout", "buckets", "model"],
)
def test_configs_that_make_no_t5_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TransformError, match=message):
        T5Config.from_dict(change)


def test_configs_of_transformers_are_read() -> None:
    theirs = transformers.T5Config(
        d_model=32, feed_forward_proj="gated-gelu", tie_word_embeddings=False
    )
    config = T5Config.from_dict(theirs.to_dict())
    assert (config.d_model, config.activation, config.gated) == (32, "gelu_new", True)
    assert not config.tie_word_embeddings  # as "scale_decoder_outputs" of transformers 5 says
    assert T5Config.from_dict(transformers.T5Config().to_dict()) == T5Config()
