"""token_windows and tokenize: against slices of a list, in the loader and after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

import domainkit as dk
from domainkit.errors import NotFoundError
from domainkit.text import Tokenizer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "home"))
    yield


def documents(sizes: list[int]) -> tuple[dk.Dataset, list[int]]:
    stream = list(range(sum(sizes)))
    cuts = np.cumsum([0, *sizes])
    rows = [stream[a:b] for a, b in pairwise(cuts.tolist())]
    table = pa.table({"tokens": pa.array(rows, pa.list_(pa.int64())), "n": sizes})
    return dk.from_arrow(table), stream


@pytest.mark.parametrize("streams", [1, 3, 4])
@pytest.mark.parametrize("length", [1, 5, 64])
@pytest.mark.parametrize("stride", [None, 2])
def test_windows_are_slices_of_the_stream(streams: int, length: int, stride: int | None) -> None:
    ds, stream = documents([7, 0, 1, 30, 2, 0, 13])
    windows = dk.token_windows(ds, length, streams=streams, stride=stride)
    part = len(stream) // streams
    expected = []
    for begin in range(0, part - 1, stride or length):
        for k in range(streams):
            own = stream[k * part : (k + 1) * part]
            tokens = own[begin : begin + length]
            labels = own[begin + 1 : begin + length + 1]
            expected.append((tokens[: len(labels)], labels))
    found = [(row["tokens"].tolist(), row["labels"].tolist()) for row in windows]
    assert found == expected
    assert windows.lengths("tokens").tolist() == [len(t) for t, _ in expected]
    batch = windows.batch(range(len(windows)))
    assert batch["labels"].dtype == torch.int64


def test_each_place_of_the_batch_reads_on(tmp_path: Path) -> None:
    """What truncated backpropagation needs, also after a restart in the middle."""
    ds, _ = documents([50, 51, 23])
    windows = dk.token_windows(ds, 6, streams=4)
    loader = dk.Loader(windows, batch_size=4)
    batches = list(loader)
    for a, b in pairwise(batches):
        assert torch.equal(a["labels"][:, -1], b["tokens"][:, 0])
    first = dk.Loader(windows, batch_size=4)
    begun = iter(first)
    next(begun), next(begun)
    later = dk.Loader(dk.token_windows(ds, 6, streams=4), batch_size=4)
    later.load_state_dict(first.state_dict())
    rest = list(later)
    assert [b["tokens"].tolist() for b in rest] == [b["tokens"].tolist() for b in batches[2:]]


def test_shuffled_windows_are_all_there() -> None:
    ds, stream = documents([40, 61])
    loader = dk.Loader(dk.token_windows(ds, 10), batch_size=3, shuffle=True, seed=1)
    seen = torch.cat([row for batch in loader for row in batch["labels"]])
    assert sorted(seen.tolist()) == stream[1:]


def test_texts_become_tokens_once() -> None:
    ds = dk.load_dataset("text/sentiment-sentences", "test[:50]")
    tokenizer = Tokenizer.train(ds["text"], kind="word", vocab_size=400)
    tokens = dk.tokenize(ds, tokenizer)
    assert tokens.columns == ("tokens", "label", "source")
    expected = tokenizer.encode(list(ds["text"]))
    for i, row in enumerate(tokens):
        assert torch.equal(row["tokens"], expected[i])
        assert (row["label"], row["source"]) == (ds[i]["label"], ds[i]["source"])
    again = dk.tokenize(ds, tokenizer)
    assert again.fingerprint == tokens.fingerprint
    other = Tokenizer.train(ds["text"], kind="word", vocab_size=30)
    assert dk.tokenize(ds, other).fingerprint != tokens.fingerprint
    ended = dk.tokenize(ds, tokenizer, special_tokens=False, end=(7, 8))
    assert ended[3]["tokens"].tolist() == [*expected[3].tolist(), 7, 8]
    # and so a budget of tokens can be kept
    loader = dk.Loader(tokens, dk.Budget(tokens=200), shuffle=True)
    for batch in loader:
        assert len(batch.ids) * int(batch["tokens"].lengths.max()) <= 200


def test_wrong_use() -> None:
    ds, _ = documents([5])
    with pytest.raises(NotFoundError, match="no column 'text': tokenize"):
        dk.token_windows(ds, 3, column="text")
    with pytest.raises(TypeError, match=r"column 'n' holds .*: token_windows takes Tokens"):
        dk.token_windows(ds, 3, column="n")
    with pytest.raises(ValueError, match="length, streams and stride must be 1 or more, got 0"):
        dk.token_windows(ds, 0)
    with pytest.raises(ValueError, match="5 tokens in 4 streams leave fewer than two to each"):
        dk.token_windows(ds, 2, streams=4)
    words = Tokenizer.train(["a"], kind="word", vocab_size=5)
    with pytest.raises(NotFoundError, match="no column 'text'"):
        dk.tokenize(ds, words)
    with pytest.raises(TypeError, match="tokenize takes Text"):
        dk.tokenize(ds, words, column="n")
