"""Draws against the published known answers, Python's own integers, and the distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from domainkit.draws import Draws, philox

WORD = st.integers(0, 2**32 - 1)
UNLIKELY = 1e-4  # seeds are fixed: a test below this has found a fault, not bad luck

# Random123, kat_vectors, "philox4x32 10": counter, key, result
KNOWN = [
    ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def reference(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    """Philox 4x32-10 as the paper writes it, in integers without a size."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p, q = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (q >> 32) ^ c1 ^ k0, q % 2**32, (p >> 32) ^ c3 ^ k1, p % 2**32
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c0, c1, c2, c3


def one(seed: int, epoch: int, sample: int, op: int, position: int) -> int:
    """One number, straight from the layout that the module's docstring states."""
    counter = (position // 4, sample % 2**32, op << 16 | sample >> 32, epoch)
    return reference(counter, (seed % 2**32, seed % 2**64 >> 32))[position % 4]


def make(ids: object = range(4), seed: int = 0, epoch: int = 0, op: int = 0) -> Draws:
    return Draws(seed=seed, epoch=epoch, ids=torch.tensor(list(ids), dtype=torch.int64), op=op)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter, key, answer, library):
    wrap = np.array if library == "numpy" else torch.tensor
    words = philox([wrap([c]) for c in counter], key)
    assert tuple(int(w[0]) for w in words) == answer


@given(st.lists(st.tuples(WORD, WORD, WORD, WORD), min_size=1, max_size=20), WORD, WORD)
def test_same_bits_in_numpy_torch_and_python(counters, k0, k1):
    columns = [list(c) for c in zip(*counters, strict=True)]
    by_numpy = philox([np.array(c, np.int64) for c in columns], (k0, k1))
    by_torch = philox([torch.tensor(c, dtype=torch.int64) for c in columns], (k0, k1))
    expected = list(zip(*(reference(c, (k0, k1)) for c in counters), strict=True))
    for a, b, truth in zip(by_numpy, by_torch, expected, strict=True):
        assert a.dtype == np.int64
        assert b.dtype == torch.int64
        assert a.tolist() == b.tolist() == list(truth)


@given(
    seed=st.integers(-(2**70), 2**70),
    epoch=WORD,
    ids=st.lists(st.integers(0, 2**48 - 1), min_size=1, max_size=5),
    op=st.integers(0, 0xFFFE),
    start=st.integers(0, 2**33),
    n=st.integers(0, 9),
)
def test_bits_follow_the_stated_layout(seed, epoch, ids, op, start, n):
    bits = make(ids, seed, epoch, op).bits(n, start=start)
    assert bits.dtype == torch.int64
    assert bits.tolist() == [[one(seed, epoch, i, op, start + j) for j in range(n)] for i in ids]


def test_a_sample_draws_the_same_in_any_batch():
    whole = make(range(50), seed=3, epoch=2).uniform(5)
    order = torch.randperm(50)
    assert torch.equal(make(order.tolist(), seed=3, epoch=2).uniform(5), whole[order])
    for i in (0, 17, 49):
        assert torch.equal(make([i], seed=3, epoch=2).uniform(5)[0], whole[i])
    assert torch.equal(make([7, 7], seed=3, epoch=2).uniform(5), whole[[7, 7]])


def test_start_goes_on_where_the_last_call_ended():
    draws = make(range(100), seed=1)
    for name in ("bits", "uniform", "normal"):
        method = getattr(draws, name)
        whole = method(13)
        parts = torch.cat([method(2), method(1, start=2), method(10, start=3)], 1)
        assert torch.equal(whole, parts), name
    parts = [draws.integers(3, 0, 1000), draws.integers(4, 0, 1000, start=3)]
    assert torch.equal(torch.cat(parts, 1), draws.integers(7, 0, 1000))
    # no number of 64-odd thousand appears twice, so no two positions share a counter
    bits = make(range(8), seed=1).bits(1000).flatten()
    assert len(bits.unique()) >= len(bits) - 1


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"seed": 1 << 32},
        {"seed": -1},
        {"epoch": 1},
        {"epoch": 2**32 - 1},
        {"op": 1},
        {"op": 0xFFFE},
        {"ids": range(4, 8)},
        {"ids": range(1 << 32, (1 << 32) + 4)},
        {"ids": range(1 << 47, (1 << 47) + 4)},
    ],
)
def test_every_part_of_the_address_changes_every_number(other):
    assert not (make().bits(64) == make(**other).bits(64)).any()


def test_op_and_high_id_bits_do_not_meet():
    # both live in the counter's third word: op 1 of sample 0 is not op 0 of sample 2**32
    assert not torch.equal(make([0], op=1).bits(4), make([1 << 32]).bits(4))
    assert not torch.equal(make([(1 << 48) - 1]).bits(4), make([(1 << 32) - 1], op=0xFFFE).bits(4))


def test_only_the_low_64_bits_of_the_seed_count():
    assert torch.equal(make(seed=5).bits(4), make(seed=5 + 2**64).bits(4))
    assert torch.equal(make(seed=-1).bits(4), make(seed=2**64 - 1).bits(4))
    assert torch.equal(make(seed=np.int64(-3)).bits(4), make(seed=-3).bits(4))


@pytest.mark.parametrize(
    "neighbour",
    ["position", "id", "epoch", "seed", "op"],
)
def test_neighbours_are_independent(neighbour):
    n = 40_000
    first = make(range(n), seed=11)
    second = {
        "position": lambda: first.uniform(1, start=1),
        "id": lambda: make(range(1, n + 1), seed=11).uniform(1),
        "epoch": lambda: make(range(n), seed=11, epoch=1).uniform(1),
        "seed": lambda: make(range(n), seed=12).uniform(1),
        "op": lambda: first.at(1).uniform(1),
    }[neighbour]()
    cells = (first.uniform(1) * 16).long() * 16 + (second * 16).long()
    counts = np.bincount(cells[:, 0].numpy(), minlength=256)
    assert stats.chisquare(counts).pvalue > UNLIKELY


def test_bits_are_uniform_in_every_lane():
    bits = make(range(4000), seed=2).bits(8)
    assert bits.min() >= 0
    assert bits.max() < 2**32
    for lane in range(8):
        for shift in (0, 12, 24):
            counts = np.bincount((bits[:, lane] >> shift & 0xFF).numpy(), minlength=256)
            assert stats.chisquare(counts).pvalue > UNLIKELY
    ones = sum((bits >> b & 1).double().mean() for b in range(32)) / 32
    assert abs(float(ones) - 0.5) < 0.002


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 2.5), (1.0, 2.0), (0.08, 1.0)])
def test_uniform_is_uniform(low, high):
    values = make(range(5000), seed=4).uniform(4, low, high)
    assert values.dtype == torch.float32
    assert values.min() >= low
    assert values.max() < high
    assert stats.kstest(values.flatten().double(), "uniform", (low, high - low)).pvalue > UNLIKELY


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.0, 2.0), (-1.0, 0.5), (0.0, 224.0)])
def test_uniform_never_reaches_its_upper_end(low, high, monkeypatch):
    # the largest 24 bits, which a real run meets once in 16 million numbers
    top = torch.full((1, 1), 2**32 - 1)
    monkeypatch.setattr(Draws, "bits", lambda *_, **__: top)
    assert low <= float(make([0]).uniform(1, low, high)) < high
    monkeypatch.setattr(Draws, "bits", lambda *_, **__: top * 0)
    assert float(make([0]).uniform(1, low, high)) == low


def test_uniform_holds_24_bits_exactly():
    draws = make(range(1000), seed=5)
    assert torch.equal(draws.uniform(3).double() * 2**24, (draws.bits(3) >> 8).double())


@pytest.mark.parametrize(("low", "high"), [(0, 7), (-3, 3), (5, 6), (10, 10 + 2**31), (0, 256)])
def test_integers_are_uniform_and_half_open(low, high):
    values = make(range(5000), seed=6).integers(4, low, high).flatten()
    assert values.dtype == torch.int64
    assert values.min() >= low
    assert values.max() < high
    cells = min(high - low, 64)
    counts = np.bincount(((values - low) * cells // (high - low)).numpy(), minlength=cells)
    sizes = np.diff([-(-c * (high - low) // cells) for c in range(cells + 1)])
    expected = sizes / (high - low) * len(values)
    assert cells == 1 or stats.chisquare(counts, expected).pvalue > UNLIKELY


@pytest.mark.parametrize(("low", "high"), [(0, 0), (3, 2), (0, 2**31 + 1)])
def test_integers_refuses_what_it_cannot_draw(low, high):
    with pytest.raises(ValueError, match="high - low"):
        make().integers(1, low, high)


def test_normal_is_normal():
    values = make(range(10_000), seed=7).normal(4)
    assert values.dtype == torch.float32
    assert values.isfinite().all()
    assert stats.kstest(values.flatten().double(), "norm").pvalue > UNLIKELY
    columns = np.corrcoef(values.T.numpy())
    assert np.abs(columns - np.eye(4)).max() < 4 / math.sqrt(10_000)


def test_normal_is_finite_at_both_ends(monkeypatch):
    for word in (0, 2**32 - 1):
        bits = torch.full((1, 2), word)
        monkeypatch.setattr(Draws, "_bits", lambda *_, bits=bits: bits)
        assert make([0]).normal(1).isfinite().all()


@given(lengths=st.lists(st.integers(0, 20), max_size=8), start=st.integers(0, 100), first=WORD)
def test_uniform_ragged_is_uniform_sample_by_sample(lengths, start, first):
    offsets = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int64)
    draws = make(range(first, first + len(lengths)), seed=8, epoch=1, op=2)
    values = draws.uniform_ragged(offsets, start=start)
    assert values.dtype == torch.float32
    expected = [draws.uniform(n, start=start)[i] for i, n in enumerate(lengths)]
    assert torch.equal(values, torch.cat([torch.empty(0), *expected]))


def test_ragged_numbers_do_not_depend_on_the_batch():
    whole = make([5, 6, 7]).uniform_ragged(torch.tensor([0, 3, 10, 11]))
    assert torch.equal(make([6]).uniform_ragged(torch.tensor([0, 7])), whole[3:10])


def test_empty_batches_and_empty_rows():
    nobody = make([])
    assert nobody.uniform(3).shape == (0, 3)
    assert nobody.normal(2).shape == (0, 2)
    assert nobody.uniform_ragged(torch.zeros(1, dtype=torch.int64)).shape == (0,)
    assert make().uniform(0).shape == (4, 0)
    assert make().normal(0).shape == (4, 0)
    assert len(nobody) == 0


def test_torch_seed_decides_when_called_by_hand():
    torch.manual_seed(1)
    first, second = Draws.from_generator(3), Draws.from_generator(3)
    assert not torch.equal(first.bits(2), second.bits(2))
    torch.manual_seed(1)
    assert torch.equal(Draws.from_generator(3).bits(2), first.bits(2))
    own = torch.Generator().manual_seed(1)
    before = torch.get_rng_state()
    assert torch.equal(Draws.from_generator(3, own).bits(2), first.bits(2))
    assert torch.equal(torch.get_rng_state(), before)


def test_drawing_leaves_torch_and_numpy_alone():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    make().normal(5)
    make().uniform_ragged(torch.tensor([0, 1, 2, 3, 4]))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"op": -1}, "op must be in"),
        ({"op": 1 << 16}, "op must be in"),
        ({"epoch": -1}, "epoch must be in"),
        ({"epoch": 1 << 32}, "epoch must be in"),
        ({"ids": torch.tensor([1.0])}, "float32"),
        ({"ids": torch.tensor([1], dtype=torch.int32)}, "int32"),
        ({"ids": torch.zeros(2, 2, dtype=torch.int64)}, r"\(2, 2\)"),
    ],
)
def test_wrong_addresses_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Draws(**{"seed": 0, "epoch": 0, "ids": torch.arange(2), **change})
    if "op" in change:
        with pytest.raises(ValueError, match=message):
            make().at(change["op"])


def test_steps_of_nested_pipelines_share_no_numbers():
    top = make(range(4), seed=5)
    seen = {}
    steps = [(0,), (1,), (0, 0), (0, 1), (1, 0), (3, 0), (4, 0), (0, 0, 0), (0, 1, 0), (1, 0, 0)]
    for path in steps:
        draws = top
        for op in path:
            draws = draws.at(op)
        seen[path] = draws.bits(64)
    paths = list(seen)
    for i, one_path in enumerate(paths):
        for other in paths[:i]:
            assert not (seen[one_path] == seen[other]).any(), (one_path, other)
    # the first level keeps the seed, so a flat pipeline's numbers are those of the stated layout
    assert torch.equal(top.at(3).bits(4), make(range(4), seed=5, op=3).bits(4))


def test_the_order_has_an_op_of_its_own():
    with pytest.raises(ValueError, match="op must be"):
        make([0], op=0xFFFF)
