"""From the loader's arguments to a sampler."""

from __future__ import annotations

import numpy as np
import pytest
from torch.utils.data import RandomSampler

from domainkit.samplers import Blocks, Sequential, Shuffled, as_sampler


def test_shuffle_names_a_sampler():
    assert as_sampler() == as_sampler(False) == as_sampler(np.False_) == Sequential()
    assert as_sampler(True) == as_sampler(np.True_) == as_sampler(1) == Shuffled()
    assert as_sampler("blocks") == Blocks()


def test_a_sampler_is_itself():
    own = Blocks(window=3)
    assert as_sampler(sampler=own) is own
    assert as_sampler(None, own) is own


@pytest.mark.parametrize("wrong", ["block", "yes", None, 2, 0.5, [True]])
def test_other_words_are_refused(wrong):
    with pytest.raises(ValueError, match="True, False or 'blocks'"):
        as_sampler(wrong)


def test_a_sampler_as_shuffle_is_told_where_it_goes():
    with pytest.raises(TypeError, match=r"give sampler=Blocks\("):
        as_sampler(Blocks())


@pytest.mark.parametrize("wrong", [RandomSampler(range(3)), range(3), "blocks", True])
def test_what_is_no_sampler_is_refused(wrong):
    with pytest.raises(TypeError, match="must be a domainkit Sampler"):
        as_sampler(sampler=wrong)


def test_a_class_is_no_sampler_yet():
    with pytest.raises(TypeError, match="call it"):
        as_sampler(sampler=Shuffled)


@pytest.mark.parametrize("shuffle", [True, "blocks", 1])
def test_both_are_one_too_many(shuffle):
    with pytest.raises(ValueError, match="not both"):
        as_sampler(shuffle, Blocks())
