"""ClassBalanced: no class ahead of another, and each class's rows all before any comes again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support.rows import dataset
from support.sampled import UNLIKELY, Rows, runs_test, whole

from domainkit.errors import NotFoundError
from domainkit.samplers import ClassBalanced


@given(st.lists(st.integers(-3, 6), min_size=1, max_size=60), st.integers(1, 400), st.integers())
def test_no_class_is_more_than_a_row_ahead(labels, n, seed):
    labels = np.array(labels)
    rows = whole(ClassBalanced(num_samples=n).order(Rows(len(labels), label=labels), seed, 0))
    classes = np.unique(labels)
    seen = labels[rows][:, None] == classes
    ahead = np.cumsum(seen, axis=0)
    assert (ahead.max(1) - ahead.min(1)).max() <= 1


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 2**32 - 1))
def test_all_rows_of_a_class_come_before_any_comes_again(labels, epoch):
    labels = np.array(labels)
    rows = whole(ClassBalanced(num_samples=500).order(Rows(len(labels), label=labels), 1, epoch))
    for label in np.unique(labels):
        every = np.flatnonzero(labels == label)
        mine = rows[labels[rows] == label]
        for start in range(0, len(mine) - len(every) + 1, len(every)):
            assert np.array_equal(np.sort(mine[start : start + len(every)]), every)


def test_each_pass_through_a_class_is_shuffled_anew():
    labels = np.repeat([0, 1], [40, 4000])
    rows = whole(ClassBalanced(num_samples=8000).order(Rows(4040, label=labels), 0, 0))
    passes = rows[rows < 40].reshape(100, 40)
    assert len(np.unique(passes, axis=0)) == 100
    counts = np.bincount(passes[:, 0], minlength=40)
    assert stats.chisquare(counts).pvalue > UNLIKELY
    assert runs_test(rows[rows >= 40]) > UNLIKELY


def test_the_order_of_the_classes_is_random_in_each_round():
    labels = np.arange(300) % 3
    rows = whole(ClassBalanced(num_samples=9000).order(Rows(300, label=labels), 2, 0))
    rounds = labels[rows].reshape(-1, 3)
    codes = rounds @ [9, 3, 1]
    _, counts = np.unique(codes, return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > UNLIKELY
    # nor does a round say anything of the next
    follows = np.unique(codes[:-1] * 100 + codes[1:], return_counts=True)[1]
    assert stats.chisquare(follows, np.full(36, (len(codes) - 1) / 36)).pvalue > UNLIKELY


def test_a_thousand_classes_of_very_different_sizes():
    rng = np.random.default_rng(0)
    labels = rng.zipf(1.3, 100_000).clip(max=1000)
    rows = whole(ClassBalanced().order(Rows(len(labels), label=labels), 0, 0))
    counts = np.unique(labels[rows], return_counts=True)[1]
    assert len(counts) == len(np.unique(labels))
    assert counts.max() - counts.min() <= 1


def test_few_samples_show_other_rows_in_each_epoch():
    labels = np.zeros(10_000, dtype=int)
    sampler = ClassBalanced(num_samples=100)
    epochs = [whole(sampler.order(Rows(10_000, label=labels), 0, e)) for e in range(20)]
    assert len(np.unique(epochs)) > 1700  # of 2000 drawn, some fall together


def test_labels_are_read_once_for_a_dataset():
    class Counted(Rows):
        reads = 0

        def column(self, name):
            self.reads += 1
            return super().column(name)

    ds, sampler = Counted(9, label=np.arange(9) % 2), ClassBalanced()
    for epoch in range(4):
        sampler.order(ds, 0, epoch)[[0]]
    assert ds.reads == 1


def test_it_takes_a_datasets_column(tmp_path):
    ds = dataset(tmp_path, 60)
    uneven = ds[[*range(0, 60, 2), 1, 3, 5]]  # 30 even, 3 odd
    rows = whole(ClassBalanced().order(uneven, 0, 0))
    assert len(rows) == 33
    assert sorted(np.bincount(uneven["label"][rows]).tolist()) == [16, 17]
    with pytest.raises(NotFoundError, match="no column 'klass'"):
        ClassBalanced("klass").order(ds, 0, 0)
    for name in ("half", "text"):
        with pytest.raises(TypeError, match="column of integers"):
            ClassBalanced(name).order(ds, 0, 0)


def test_nothing_is_drawn_from_nothing():
    nothing = Rows(0, label=np.empty(0, int))
    assert len(ClassBalanced().order(nothing, 0, 0)[[]]) == 0
    with pytest.raises(ValueError, match="without rows"):
        ClassBalanced(num_samples=5).order(nothing, 0, 0)
    with pytest.raises(ValueError, match="num_samples must be at least 1"):
        ClassBalanced(num_samples=0)
