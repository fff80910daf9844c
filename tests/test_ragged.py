"""Ragged against plain lists of tensors."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from domainkit.ragged import Ragged


def tokens(*lengths: int) -> list[torch.Tensor]:
    return list(torch.arange(sum(lengths)).split(list(lengths)))


def images(*sizes: tuple[int, int, int]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, s, dtype=torch.uint8, generator=generator) for s in sizes]


def assert_items(batch: Ragged, items: Sequence[torch.Tensor]) -> None:
    """A Ragged holds exactly these items, and its parts fit together."""
    assert len(batch) == len(items)
    for got, expected in zip(batch, items, strict=True):
        assert got.dtype == expected.dtype
        assert torch.equal(got, expected)
    Ragged(batch.values, batch.offsets, batch.shapes)  # its own checks
    assert batch.offsets.tolist() == batch.host_offsets.tolist()
    assert batch.shapes.tolist() == batch.host_shapes.tolist()


# what a batch may hold: k sizes that vary, inner sizes that do not, and zero anywhere
@st.composite
def lists(draw: st.DrawFn) -> tuple[list[torch.Tensor], int]:
    k = draw(st.integers(1, 3))
    inner = draw(st.lists(st.integers(0, 3), max_size=2))
    sizes = st.tuples(*[st.integers(0, 5)] * k)
    shapes = draw(st.lists(sizes, min_size=1, max_size=6))
    dtype = draw(st.sampled_from([torch.uint8, torch.int64, torch.float32, torch.bool]))
    generator = torch.Generator().manual_seed(len(shapes))
    items = [
        torch.randint(0, 2, (*shape, *inner), generator=generator).to(dtype) for shape in shapes
    ]
    return items, len(inner)


@given(lists())
def test_keeps_what_went_in(made):
    items, inner = made
    batch = Ragged.from_list(items, inner=inner)
    assert_items(batch, items)
    k = items[0].ndim - inner
    assert batch.inner == tuple(items[0].shape[k:])
    assert batch.item_ndim == items[0].ndim
    assert batch.dtype == items[0].dtype
    assert batch.lengths.tolist() == [item.shape[k - 1] for item in items]
    assert batch.is_dense == all(item.shape == items[0].shape for item in items)


@given(lists(), st.integers(1, 4), st.sampled_from(["left", "right"]))
def test_unpad_undoes_pad(made, multiple_of, side):
    items, inner = made
    k = items[0].ndim - inner
    batch = Ragged.from_list(items, inner=inner)
    dense, lengths = batch.pad(1, multiple_of=multiple_of, side=side)
    assert dense.dtype == batch.dtype
    assert dense.shape[k] % multiple_of == 0
    assert lengths.shape == ((len(items),) if k == 1 else (len(items), k))
    assert_items(Ragged.unpad(dense, lengths, side=side), items)
    for row, item in zip(dense, items, strict=True):  # and what is not an item is the filling
        expected = torch.ones(dense.shape[1:], dtype=batch.dtype)
        where = [slice(0, n) for n in item.shape[:k]]
        if side == "left":
            where[-1] = slice(dense.shape[k] - item.shape[k - 1], dense.shape[k])
        expected[tuple(where)] = item
        assert torch.equal(row, expected)


@given(lists(), st.data())
def test_selects_like_a_list(made, data):
    items, inner = made
    batch = Ragged.from_list(items, inner=inner)
    n = len(items)
    chosen = data.draw(st.lists(st.integers(-n, n - 1), max_size=8))
    start, stop = data.draw(st.integers(-7, 7)), data.draw(st.integers(-7, 7))
    step = data.draw(st.sampled_from([None, 1, 2, -1, -2]))
    mask = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    assert_items(batch[chosen], [items[i] for i in chosen])
    assert_items(batch[np.array(chosen, np.int64)], [items[i] for i in chosen])
    assert_items(batch[torch.tensor(chosen, dtype=torch.int64)], [items[i] for i in chosen])
    assert_items(batch[start:stop:step], items[start:stop:step])
    kept = [item for item, keep in zip(items, mask, strict=True) if keep]
    assert_items(batch[mask], kept)
    assert_items(batch[torch.tensor(mask)], kept)
    for i in (0, -1, n - 1, -n):
        assert torch.equal(batch[i], items[i])
        assert torch.equal(batch[np.int32(i)], items[i])
        assert torch.equal(batch[torch.tensor(i)], items[i])
    for i in (n, -n - 1):
        with pytest.raises(IndexError, match=f"item {i} of a Ragged of {n}"):
            batch[i]
        with pytest.raises(IndexError):
            batch[[i]]


@given(lists(), st.integers(0, 6))
def test_cat_undoes_slicing(made, cut):
    items, inner = made
    batch = Ragged.from_list(items, inner=inner)
    assert_items(Ragged.cat([batch[:cut], batch[cut:]]), items)
    assert_items(Ragged.cat([batch, batch]), items + items)
    assert_items(Ragged.cat([batch]), items)


@given(lists())
def test_pickle_and_copies(made):
    items, inner = made
    batch = Ragged.from_list(items, inner=inner)
    for again in (pickle.loads(pickle.dumps(batch)), copy.copy(batch), copy.deepcopy(batch)):
        assert_items(again, items)
        assert again.inner == batch.inner


def test_an_item_is_a_view():
    batch = Ragged.from_list(tokens(2, 3))
    batch[1][0] = 99
    assert batch.values.tolist() == [0, 1, 99, 3, 4]


def test_with_values_keeps_the_sizes():
    batch = Ragged.from_list(images((3, 2, 2), (3, 1, 4)))
    halves = batch.with_values(batch.values / 2)
    assert_items(halves, [item / 2 for item in batch])
    with pytest.raises(ValueError, match="expected 24 rows of values, got 3"):
        batch.with_values(torch.zeros(3))


def test_with_values_may_add_inner_sizes():
    batch = Ragged.from_list(tokens(2, 0, 3))
    embedded = batch.with_values(torch.arange(20.0).view(5, 4))
    assert embedded.inner == (4,)
    assert [item.shape for item in embedded] == [(2, 4), (0, 4), (3, 4)]


def test_to_changes_the_dtype_of_values_only():
    batch = Ragged.from_list(images((1, 2, 3), (1, 0, 3)))
    for moved in (batch.to(torch.float32), batch.to(dtype=torch.float32), batch.to(torch.ones(1))):
        assert_items(moved, [item.float() for item in batch])
        assert moved.offsets.dtype == moved.shapes.dtype == torch.int64
    assert batch.to(torch.uint8) is batch
    assert batch.to("cpu") is batch
    copied = batch.to(torch.uint8, copy=True)
    assert copied.values.data_ptr() != batch.values.data_ptr()
    assert_items(copied, list(batch))


def test_to_another_device_keeps_the_sizes_on_the_host():
    batch = Ragged.from_list(tokens(2, 3)).to("meta")
    assert batch.device.type == batch.offsets.device.type == batch.shapes.device.type == "meta"
    assert batch.host_shapes.tolist() == [[2], [3]]
    assert "items=[2..3]" in repr(batch)


def test_later_changes_to_sizes_outside_do_not_reach_inside():
    lengths, sizes = torch.tensor([2, 3]), np.array([[2], [3]])
    made = [
        Ragged.from_list(tokens(2, 3)),
        Ragged.unpad(torch.tensor([[0, 1, 9], [2, 3, 4]]), lengths),
        Ragged.from_shapes(torch.arange(5), sizes),
    ]
    lengths[:] = 0
    sizes[:] = 0
    for batch in made:
        batch.pad()[1].clamp_(max=1)  # people shorten the lengths that they were given
        assert [item.tolist() for item in batch] == [[0, 1], [2, 3, 4]]


def test_dense_is_a_view_of_equal_items():
    items = images((3, 4, 5), (3, 4, 5))
    batch = Ragged.from_list(items)
    assert torch.equal(batch.dense(), torch.stack(items))
    assert batch.dense().data_ptr() == batch.values.data_ptr()
    with pytest.raises(ValueError, match="pad\\(\\) makes them equal"):
        Ragged.from_list(tokens(1, 2)).dense()


def test_pad_to_a_size():
    batch = Ragged.from_list(tokens(1, 3))
    assert batch.pad(-1, size=4)[0].tolist() == [[0, -1, -1, -1], [1, 2, 3, -1]]
    assert batch.pad(size=np.int64(4))[0].shape == (2, 4)
    assert batch.pad(size=[4], side="left")[0].tolist() == [[0, 0, 0, 0], [0, 1, 2, 3]]
    pictures = Ragged.from_list(images((3, 2, 5), (3, 4, 1)))
    assert pictures.pad()[0].shape == (2, 3, 4, 5)
    assert pictures.pad(size=8)[0].shape == (2, 3, 4, 8)
    assert pictures.pad(size=(3, 6, 8))[0].shape == (2, 3, 6, 8)
    with pytest.raises(ValueError, match="cannot pad"):
        batch.pad(size=2)
    with pytest.raises(ValueError, match="cannot pad"):
        pictures.pad(size=(4, 4))
    with pytest.raises(ValueError, match="side must be 'left' or 'right', got 'top'"):
        batch.pad(side="top")


@pytest.mark.parametrize("k", [1, 3])
def test_an_empty_batch_goes_everywhere(k):
    empty = Ragged.from_shapes(torch.empty(0, 4), np.empty((0, k), np.int64))
    assert len(empty) == 0
    assert list(empty) == []
    assert not empty.is_dense
    assert len(empty[[]]) == len(empty[:]) == len(Ragged.cat([empty, empty])) == 0
    dense, lengths = empty.pad(multiple_of=4)
    assert dense.shape == (0, *[0] * k, 4)
    again = Ragged.unpad(dense, lengths)
    assert len(again) == 0
    assert again.inner == (4,)
    assert len(pickle.loads(pickle.dumps(empty))) == 0
    assert "B=0" in repr(empty)


def test_values_need_not_lie_in_one_piece():
    values = torch.arange(24).view(4, 6).t()  # [6, 4] with strides (1, 6)
    batch = Ragged.from_shapes(values, [[2, 2], [1, 2]])
    expected = [values[:4].reshape(2, 2, 4), values[4:].reshape(1, 2, 4)]
    assert_items(batch, expected)
    column = Ragged.from_shapes(torch.arange(12).view(6, 2)[:, 1], [[4], [2]])
    assert_items(column, [torch.tensor([1, 3, 5, 7]), torch.tensor([9, 11])])


@pytest.mark.parametrize(
    ("values", "offsets", "shapes", "message"),
    [
        (3, [0, 1], None, "rise from 0 to the length of values \\(3\\)"),
        (3, [1, 3], None, "got 1 to 3"),
        (3, [0, 2, 1, 3], None, "rise"),
        (3, [0, 3], [[2]], "product"),
        (6, [0, 6], [[-2, -3]], "product"),
        (3, [0, 3], [[3], [0]], "must be int64 \\[1, k\\]"),
        (0, [], None, "offsets must be int64"),
        (0, [[0]], None, "offsets must be int64"),
    ],
)
def test_parts_that_do_not_fit_are_refused(values, offsets, shapes, message):
    with pytest.raises(ValueError, match=message):
        Ragged(
            torch.zeros(values),
            torch.tensor(offsets, dtype=torch.int64),
            None if shapes is None else torch.tensor(shapes),
        )


def test_wrong_dtypes_are_refused():
    with pytest.raises(ValueError, match="int32"):
        Ragged(torch.zeros(3), torch.tensor([0, 3], dtype=torch.int32))
    with pytest.raises(ValueError, match="float32"):
        Ragged(torch.zeros(3), torch.tensor([0, 3]), torch.tensor([[3.0]]))


@pytest.mark.parametrize("shapes", [[[2]], [[-2], [5]], [[-1, -3]]])
def test_shapes_that_do_not_add_up_are_refused(shapes):
    with pytest.raises(ValueError, match="shapes"):
        Ragged.from_shapes(torch.zeros(3), shapes)


def test_items_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="at least one item"):
        Ragged.from_list([])
    with pytest.raises(ValueError, match=r"item 1 is torch\.float32"):
        Ragged.from_list([torch.zeros(2, dtype=torch.int64), torch.zeros(2)])
    with pytest.raises(ValueError, match="item 2"):
        Ragged.from_list([torch.zeros(2), torch.zeros(2), torch.zeros(2, 1)])
    with pytest.raises(ValueError, match="the last 1 sizes"):
        Ragged.from_list([torch.zeros(2, 80), torch.zeros(2, 81)], inner=1)
    with pytest.raises(ValueError, match="cannot have 1 inner"):
        Ragged.from_list([torch.zeros(2)], inner=1)
    with pytest.raises(ValueError, match="cannot have 0 inner"):
        Ragged.from_list([torch.tensor(1.0)])


def test_lengths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="add up"):
        Ragged.unpad(torch.zeros(2, 3), torch.tensor([3, 4]))


def test_repr_shows_sizes_and_no_values():
    batch = Ragged.from_list(images((3, 2, 5), (3, 4, 1)))
    assert repr(batch) == "Ragged(B=2, items=[3, 2..4, 1..5], dtype=uint8, device=cpu)"
    frames = Ragged.from_list([torch.zeros(2, 80), torch.zeros(7, 80)], inner=1)
    assert repr(frames) == "Ragged(B=2, items=[2..7, 80], dtype=float32, device=cpu)"
