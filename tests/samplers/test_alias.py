"""The alias table says exactly the weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainkit.samplers.alias import AliasTable, alias_table

WEIGHTS = st.lists(
    st.just(0.0) | st.just(1.0) | st.floats(1e-12, 1e12) | st.floats(0, 1), min_size=1, max_size=80
).filter(any)


def probabilities(table: AliasTable) -> np.ndarray:
    """What the table's buckets say, summed up."""
    n = len(table.keep)
    gone = np.bincount(table.other, weights=1 - table.keep, minlength=n)
    return (table.keep + gone) / n


@given(WEIGHTS)
def test_probabilities_are_the_weights(weights):
    table = alias_table(np.array(weights))
    assert ((table.keep >= 0) & (table.keep <= 1)).all()
    found, expected = probabilities(table), np.array(weights) / np.sum(weights)
    assert np.abs(found - expected).max() < 1e-14
    assert (found[np.array(weights) == 0] == 0).all()  # not merely seldom


@pytest.mark.parametrize("kind", ["lognormal", "pareto", "two", "equal", "one"])
def test_probabilities_of_many_rows(kind):
    n, rng = 300_000, np.random.default_rng(0)
    weights = {
        "lognormal": rng.lognormal(0, 2, n),
        "pareto": rng.pareto(0.7, n),
        "two": np.where(np.arange(n) % 1000 == 0, 1000.0, 1.0),
        "equal": np.full(n, 0.1),
        "one": np.eye(1, n, 777)[0],
    }[kind]
    found = probabilities(alias_table(weights)) * weights.sum()
    assert np.abs(found - weights).max() < 1e-9 * weights.mean() + 1e-14 * weights.max()


@pytest.mark.parametrize("scale", [1e-300, 5e-324, 1e307])
def test_the_scale_does_not_matter(scale):
    weights = np.array([1.0, 2.0, 4.0, 1.0])
    table, same = alias_table(weights * scale), alias_table(weights)
    assert np.array_equal(table.keep, same.keep)
    assert np.array_equal(table.other, same.other)


def test_the_whole_word_chooses_the_bucket():
    table = alias_table(np.ones(10))
    top, zero = np.array([2**32 - 1]), np.array([0])
    assert table.draw((top, top, zero, zero)).tolist() == [9]
    assert table.draw((zero, top, zero, zero)).tolist() == [0]
    # the bucket changes at a tenth of 64 bits, not of 32
    tenth = -(-(2**64) // 10)
    for value, bucket in ((tenth - 1, 0), (tenth, 1)):
        high, low = np.array([value >> 32]), np.array([value & 0xFFFFFFFF])
        assert table.draw((high, low, zero, zero)).tolist() == [bucket]


def test_a_coin_that_shows_all_heads_is_still_below_one():
    table = alias_table(np.array([1.0, 0.0]))
    top = np.array([2**32 - 1])
    assert table.draw((np.array([0]), top, top, top)).tolist() == [0]
    assert table.draw((top, top, np.array([0]), np.array([0]))).tolist() == [0]
