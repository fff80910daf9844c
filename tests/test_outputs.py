"""Room for a kernel's pictures is taken again only once nobody can see it any more."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from domainkit import outputs

COUNT = 1 << 19  # float32 values: above what the memory allocator keeps itself


@pytest.fixture(autouse=True)
def _no_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "_rooms", [])


def place(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_room_serves_again_when_it_was_dropped() -> None:
    room = outputs.fresh(COUNT, "float32")
    before = place(room)
    del room
    assert place(outputs.fresh(COUNT, "float32")) == before
    # another type and a somewhat smaller size fit as well, half the size does not
    assert place(outputs.fresh(3 * COUNT, "uint8")) == before
    assert place(outputs.fresh(COUNT // 2, "float32")) != before


@pytest.mark.parametrize("keep", ["view", "numpy", "detached", "storage"])
def test_room_that_anything_refers_to_is_left_alone(keep: str) -> None:
    tensor = outputs.room_like(torch.empty(2, COUNT)).fill_(7.0)
    held: Any = tensor[1, 5:]
    if keep == "numpy":
        held = tensor.numpy()[:, ::2]
    elif keep == "detached":
        held = tensor.T.detach()
    elif keep == "storage":
        held = tensor.untyped_storage()
    begin = tensor.data_ptr()
    span = range(begin, begin + tensor.nbytes)
    del tensor
    gc.collect()
    for _ in range(3):
        other = outputs.room_like(torch.empty(2, COUNT)).fill_(1.0)
        assert other.data_ptr() not in span
    if keep == "storage":
        assert bytes(held[:4]) == np.float32(7).tobytes()
    else:
        assert bool((held == 7.0).all())
    del held
    again = {outputs.room_like(torch.empty(2, COUNT)).data_ptr() for _ in range(3)}
    assert any(p in span for p in again)


def test_threads_never_share_a_room() -> None:
    def write(number: int) -> bool:
        room = outputs.fresh(COUNT, "int32")
        room[:] = number
        return bool((room == number).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(write, range(64)))


def test_what_is_watched_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "_MOST", 16 * COUNT)
    held = [outputs.fresh(COUNT, "float32") for _ in range(9)]
    for number, room in enumerate(held):
        room[:] = number
    assert sum(r.nbytes for r in outputs._rooms) == 16 * COUNT
    assert [float(room[-1]) for room in held] == list(range(9))
    assert len({place(room) for room in held}) == 9


def test_room_has_the_shape_dtype_and_order_of_its_model() -> None:
    for model in (
        torch.zeros(3, 5, 7, dtype=torch.bfloat16),
        torch.zeros(0, 4),
        torch.zeros(2, 3, 8, 8).contiguous(memory_format=torch.channels_last),
        torch.zeros(2, 3, requires_grad=True),
    ):
        room = outputs.room_like(model)
        assert (room.shape, room.dtype, room.stride()) == (model.shape, model.dtype, model.stride())
        assert not room.requires_grad
