"""Checkpoints in the layouts of Hugging Face, torchtext and fairseq; damaged and malicious ones."""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from support.hf_models import batch_of, encoder

from domainkit.errors import DecodeError, DomainkitError, NotFoundError
from domainkit.text.models import Encoder, EncoderConfig, read_checkpoint
from domainkit.text.models.encoder_names import encoder_state

# fairseq's and torchtext's names of a RoBERTa layer, by those of Hugging Face
FAIRSEQ = {
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "self_attn_layer_norm",
    "intermediate.dense": "fc1",
    "output.dense": "fc2",
    "output.LayerNorm": "final_layer_norm",
}
OLD_BUNDLE = {
    "attention.output.dense": "attention.output_projection",
    "attention.output.LayerNorm": "attention_layer_norm",
    "intermediate.dense": "residual_mlp.mlp.0",
    "output.dense": "residual_mlp.mlp.3",
    "output.LayerNorm": "final_layer_norm",
}
NEW_BUNDLE = {
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}


def without_segments(model: Any) -> Any:
    """RoBERTa's table of segments has one row: its publisher's files have it in no table."""
    model.embeddings.token_type_embeddings.weight.data.zero_()
    return model


def check(state: dict[str, torch.Tensor], theirs: Any, **more: Any) -> None:
    config = EncoderConfig.from_dict(theirs.config.to_dict())
    ours = Encoder(EncoderConfig(**{**vars(config), **more})).eval()
    ours.load_state_dict(encoder_state(state))
    tokens = batch_of((5, 9))
    ids, lengths = tokens.pad(config.pad_id)
    mask = torch.arange(ids.shape[1]) < lengths[:, None]
    with torch.no_grad():
        states = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        torch.testing.assert_close(ours(tokens).values, states[mask], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", ["20KB", "5GB"])
def test_hugging_faces_folders(tmp_path: Path, size: str) -> None:
    theirs = encoder("bert")
    theirs.save_pretrained(tmp_path, max_shard_size=size)
    assert (tmp_path / "model.safetensors").exists() == (size == "5GB")
    check(read_checkpoint(tmp_path), theirs)


def test_hugging_faces_bin_and_its_shards(tmp_path: Path) -> None:
    import json

    theirs = encoder("distilbert", "ForMaskedLM")
    state = theirs.state_dict()
    torch.save(state, tmp_path / "pytorch_model.bin")
    check(read_checkpoint(tmp_path), theirs.distilbert)
    folder = tmp_path / "shards"
    folder.mkdir()
    names = sorted(state)
    places = {}
    for k, part in enumerate((names[::2], names[1::2])):
        file = f"pytorch_model-0000{k + 1}-of-00002.bin"
        torch.save({n: state[n].clone() for n in part}, folder / file)
        places |= dict.fromkeys(part, file)
    index = folder / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    check(read_checkpoint(folder), theirs.distilbert)
    (folder / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(NotFoundError, match=r"00002-of-00002\.bin: this shard is missing"):
        read_checkpoint(folder)
    index.write_text(json.dumps({"weight_map": {"a": "../pytorch_model.bin"}}))
    with pytest.raises(DecodeError, match="is no file beside it"):
        read_checkpoint(folder)


def test_first_berts_names() -> None:
    theirs = encoder("bert")
    state = {
        f"bert.{k}".replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): v
        for k, v in theirs.state_dict().items()
    }
    check(state, theirs)


@pytest.mark.parametrize("prefix", ["encoder.sentence_encoder", "decoder.sentence_encoder"])
def test_fairseqs_files(tmp_path: Path, prefix: str) -> None:
    theirs = without_segments(encoder("roberta"))
    state = {}
    for name, tensor in theirs.state_dict().items():
        parts = name.split(".")
        if parts[0] == "encoder":
            stem = FAIRSEQ[".".join(parts[3:-1])]
            state[f"{prefix}.layers.{parts[2]}.{stem}.{parts[-1]}"] = tensor
    table = theirs.embeddings
    state[f"{prefix}.embed_tokens.weight"] = table.word_embeddings.weight.data
    state[f"{prefix}.embed_positions.weight"] = table.position_embeddings.weight.data
    norm = "layernorm_embedding" if prefix.startswith("encoder") else "emb_layer_norm"
    state[f"{prefix}.{norm}.weight"] = table.LayerNorm.weight.data
    state[f"{prefix}.{norm}.bias"] = table.LayerNorm.bias.data
    state["encoder.lm_head.bias"] = torch.zeros(90)
    file = tmp_path / "model.pt"
    torch.save({"args": argparse.Namespace(arch="roberta_base"), "model": state}, file)
    check(read_checkpoint(file), theirs, type_vocab_size=0)


@pytest.mark.parametrize("old", [True, False])
def test_torchtexts_bundles(tmp_path: Path, old: bool) -> None:
    theirs = without_segments(encoder("xlm-roberta"))
    source = theirs.state_dict()
    top = "encoder.transformer"
    state = {}
    for i in range(3):
        layer = f"encoder.layer.{i}"
        place = f"{top}.layers.{i}" if old else f"{top}.layers.layers.{i}"
        for part in ("weight", "bias"):
            joined = torch.cat(
                [source[f"{layer}.attention.self.{n}.{part}"] for n in ("query", "key", "value")]
            )
            name = f"attention.input_projection.{part}" if old else f"self_attn.in_proj_{part}"
            state[f"{place}.{name}"] = joined
            for theirs_, ours in (OLD_BUNDLE if old else NEW_BUNDLE).items():
                state[f"{place}.{ours}.{part}"] = source[f"{layer}.{theirs_}.{part}"]
            state[f"{top}.embedding_layer_norm.{part}"] = source[f"embeddings.LayerNorm.{part}"]
    state[f"{top}.token_embedding.weight"] = source["embeddings.word_embeddings.weight"]
    state[f"{top}.positional_embedding.embedding.weight"] = source[
        "embeddings.position_embeddings.weight"
    ]
    file = tmp_path / "xlmr.base.encoder.pt"
    torch.save(state, file)
    check(read_checkpoint(file), theirs, type_vocab_size=0)


class Evil:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("evil-was-here"),)


def test_nothing_else_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {"a": torch.zeros(1)}, "x": Evil()}, "a.pt")
    Path("b.pt").write_bytes(pickle.dumps(Evil(), protocol=2))
    for file in ("a.pt", "b.pt"):
        with pytest.raises(DecodeError, match="no torch file of tensors and plain values"):
            read_checkpoint(file)
    assert not Path("evil-was-here").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "x.pt"])
@pytest.mark.parametrize("content", [b"", b"<html>not here</html>", b"\x80\x02}q\x00."])
def test_damaged_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DecodeError, match=name.replace(".", r"\.")):
        read_checkpoint(tmp_path / name)


def test_cut_files(tmp_path: Path) -> None:
    encoder("bert").save_pretrained(tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DecodeError, match="no safetensors file"):
        read_checkpoint(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"there is none of model\.safetensors"):
        read_checkpoint(tmp_path)
    with pytest.raises(NotFoundError, match="no such checkpoint"):
        read_checkpoint(tmp_path / "x.bin")
    with pytest.raises(DomainkitError, match=r"no encoder is in this checkpoint.* wte"):
        encoder_state({"wte": torch.zeros(1)})
