"""Samples that cannot be decoded: an error with their name, or left out, counted and logged."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from support.media import picture
from support.process_work import jitter
from support.rows import dataset

from domainkit.dataset import Dataset
from domainkit.draws import Draws
from domainkit.errors import DecodeError, StoreError
from domainkit.features import Image, Int, Text
from domainkit.loader import Loader

N = 30
BAD = (3, 4, 17, 29)


@pytest.fixture
def broken(tmp_path) -> Dataset:
    """Rows 3, 4, 17 and 29 are no pictures; every fifth picture has another size."""
    good = [picture(i, "JPEG", height=6 + 2 * (i % 5 == 0), width=9) for i in range(N)]
    cut = good[17][: len(good[17]) // 2]
    spoilt = {3: b"", 4: b"no picture", 17: cut, 29: b"\xff\xd8\xff"}
    rows = ({"image": spoilt.get(i, good[i]), "text": f"t{i}", "number": i} for i in range(N))
    return dataset(tmp_path, rows, {"image": Image(), "text": Text(), "number": Int()})


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_they_are_left_out_counted_and_logged_once(broken, threads, caplog):
    loader = Loader(broken, 5, on_error="skip", num_threads=threads, transform=jitter, seed=8)
    with caplog.at_level(logging.WARNING, "domainkit"):
        batches = list(loader)
        assert loader.skipped == loader.stats().skipped == len(BAD)
        list(loader)
        assert loader.skipped == 2 * len(BAD)
    told = [record.message for record in caplog.records]
    assert len(told) == len(BAD)
    assert told[0].startswith("skipped: test/rows, train, row 3, column 'image': the picture is ")
    assert "part-00000.arrow" in told[0]
    left = [i for i in range(N) if i not in BAD]
    assert [len(b.ids) for b in batches] == [3, 5, 5, 4, 5, 4]
    truth = Draws(seed=8, epoch=0, ids=torch.tensor(left)).uniform(3)
    assert torch.equal(torch.cat([b["noise"] for b in batches]), truth)
    for batch in batches:
        for k, row in enumerate(batch["number"].tolist()):
            assert batch["text"][k] == f"t{row}" and int(batch.ids[k]) == row
            assert torch.equal(batch["image"][k], broken[row]["image"])
    assert [i for b in batches for i in b["number"].tolist()] == left


def test_places_of_bad_samples_count_as_given(broken):
    loader = Loader(broken, 5, on_error="skip")
    next(running := iter(loader))
    assert loader.state_dict()["cursor"] == 5
    other = Loader(broken, 2, on_error="skip")
    other.load_state_dict(loader.state_dict())
    del running
    assert next(iter(other))["number"].tolist() == [5, 6]


def test_a_batch_of_bad_ones_only_is_passed_over(broken):
    numbers = [b["number"].tolist() for b in Loader(broken, 1, on_error="skip")]
    assert numbers == [[i] for i in range(N) if i not in BAD]
    # on several ranks all expect a batch
    loader = Loader(broken, 1, on_error="skip", rank=1, world_size=2)
    with pytest.raises(DecodeError, match="a rank without a batch would make the 2 ranks' steps"):
        list(loader)


def test_past_the_limit_it_stops(broken):
    loader, seen = Loader(broken, 5, on_error="skip", max_errors=2), []
    with pytest.raises(
        DecodeError, match=r"3 samples of test/rows, train are bad, more than max_errors=2"
    ) as caught:
        for batch in loader:
            seen += batch["number"].tolist()
    assert "row 17" in str(caught.value)
    assert seen == [0, 1, 2, *range(5, 15)]


def test_damaged_text_is_found_among_the_others(tmp_path):
    ds = dataset(tmp_path, [{"text": f"text {i}"} for i in range(600)], {"text": Text()})
    part = Path(ds._source.folder) / "part-00000.arrow"
    data = part.read_bytes()
    place = data.index(b"text 577") + 5
    part.write_bytes(data[:place] + b"\xff" + data[place + 1 :])
    ds = Dataset(type(ds._source)(ds._source.folder))
    loader = Loader(ds, 100, on_error="skip")
    texts = [t for batch in loader for t in batch["text"]]
    assert texts == [f"text {i}" for i in range(600) if i != 577]
    assert loader.skipped == 1
    with pytest.raises(StoreError, match="row 577"):
        list(Loader(ds, 100))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"on_error": "ignore"}, "on_error must be 'raise' or 'skip', got 'ignore'"),
        ({"max_errors": -1}, "max_errors must be at least 0, got -1"),
    ],
)
def test_wrong_arguments(broken, given, message):
    with pytest.raises(ValueError, match=message):
        Loader(broken, 5, **given)


@pytest.mark.parametrize("infinite", [False, True])
def test_a_dataset_without_a_good_sample_is_an_error_and_no_endless_search(tmp_path, infinite):
    rows = ({"image": b"no picture"} for _ in range(6))
    bad = dataset(tmp_path, rows, {"image": Image()})
    loader = Loader(bad, 2, on_error="skip", infinite=infinite)
    with pytest.raises(DecodeError, match="every sample of test/rows, train is bad"):
        next(iter(loader))
