"""``Ragged``: a batch of items of different sizes, as one flat buffer with offsets and shapes.

Layout. Item ``i`` is ``values[offsets[i]:offsets[i + 1]]`` viewed as ``[*shapes[i], *inner]``:

    tokens        items [L_i]           values [sum L_i]                 shapes [[L_i]]
    features      items [T_i, 80]       values [sum T_i, 80]             shapes [[T_i]]
    waveforms     items [C, T_i]        values [sum C * T_i]             shapes [[C, T_i]]
    images        items [C, H_i, W_i]   values [sum C * H_i * W_i]       shapes [[C, H_i, W_i]]

``inner`` is the part of the shape that is the same for all items *behind* the part that varies.

With ``channels_last`` the numbers of an item [C, H, W] lie in the order [H, W, C], as decoders of
pictures write them. Shapes and items read the same: items are views with other strides, as torch's
memory format of that name has them.

One buffer means one copy to the device, and no padding until somebody asks for it.

The sizes are wanted on the host (Python loops, ``repr``) and on the device (kernels), so a copy of
them stays on the host when the batch moves, and asking for sizes never waits for the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

__all__ = ["Ragged"]


class Ragged:
    """A batch of ``B`` items whose sizes differ.

    Args:
        values: tensor [N, *inner], any dtype and device.
        offsets: int64 tensor [B + 1], from 0 to N without a step back.
        shapes: int64 tensor [B, k], the part of each item's shape that varies; its products are the
            steps of ``offsets``. None means k = 1: the steps themselves.
        channels_last: whether the numbers of an item [C, H, W] lie as [H, W, C]; needs k = 3 and
            no inner sizes.

    Raises:
        ValueError: when they do not fit together.

    Example:
        >>> batch = Ragged.from_list([torch.tensor([1, 2, 3]), torch.tensor([4])])
        >>> batch
        Ragged(B=2, items=[1..3], dtype=int64, device=cpu)
        >>> batch[0]
        tensor([1, 2, 3])
        >>> batch.pad()
        (tensor([[1, 2, 3],
                [4, 0, 0]]), tensor([3, 1]))
    """

    __slots__ = ("_host_offsets", "_host_shapes", "channels_last", "offsets", "shapes", "values")

    def __init__(
        self,
        values: torch.Tensor,
        offsets: torch.Tensor,
        shapes: torch.Tensor | None = None,
        channels_last: bool = False,
    ) -> None:
        if offsets.dtype != torch.int64 or offsets.ndim != 1 or len(offsets) < 1:
            raise ValueError(
                f"offsets must be int64 [B + 1], got {offsets.dtype} {tuple(offsets.shape)}"
            )
        if shapes is None:
            shapes = offsets.diff()[:, None]
        if shapes.dtype != torch.int64 or shapes.ndim != 2 or len(shapes) != len(offsets) - 1:
            raise ValueError(
                f"shapes must be int64 [{len(offsets) - 1}, k] to go with offsets of length "
                f"{len(offsets)}, got {shapes.dtype} {tuple(shapes.shape)}"
            )
        host_offsets = offsets.cpu().numpy()
        host_shapes = shapes.cpu().numpy()
        steps = np.diff(host_offsets)
        if host_offsets[0] != 0 or host_offsets[-1] != len(values) or (steps < 0).any():
            raise ValueError(
                f"offsets must rise from 0 to the length of values ({len(values)}), "
                f"got {host_offsets[0]} to {host_offsets[-1]}"
            )
        if (host_shapes < 0).any() or (host_shapes.prod(axis=1) != steps).any():
            raise ValueError("the product of each row of shapes must be the step of offsets")
        _check_layout(channels_last, values, host_shapes)
        self.values, self.offsets, self.shapes = values, offsets, shapes
        self.channels_last = channels_last
        self._host_offsets, self._host_shapes = host_offsets, host_shapes

    @classmethod
    def _trusted(
        cls,
        values: torch.Tensor,
        offsets: torch.Tensor,
        shapes: torch.Tensor,
        host_offsets: np.ndarray,
        host_shapes: np.ndarray,
        *,
        channels_last: bool,
    ) -> Ragged:
        new = object.__new__(cls)
        new.channels_last = channels_last
        new.values, new.offsets, new.shapes = values, offsets, shapes
        new._host_offsets, new._host_shapes = host_offsets, host_shapes
        return new

    @classmethod
    def from_list(cls, items: Sequence[torch.Tensor], *, inner: int = 0) -> Ragged:
        """Join items into one buffer; pictures that all lie as [H, W, C] stay so.

        Args:
            items: at least one tensor; all of the same dtype, device and number of dimensions.
            inner: how many trailing dimensions are the same for all items and stay dimensions of
                ``values`` (1 for features [T_i, 80]).
        """
        if len(items) == 0:
            raise ValueError("Ragged.from_list needs at least one item")
        first = items[0]
        k = first.ndim - inner
        if k < 1:
            raise ValueError(f"items of {first.ndim} dimensions cannot have {inner} inner ones")
        for i, item in enumerate(items):
            if (item.ndim, item.dtype, item.shape[k:]) != (
                first.ndim,
                first.dtype,
                first.shape[k:],
            ):
                raise ValueError(
                    f"item {i} is {item.dtype} {tuple(item.shape)}, item 0 is {first.dtype} "
                    f"{tuple(first.shape)}: dtype, dimensions and the last {inner} sizes must agree"
                )
        last = k == 3 and inner == 0 and all(_lies_channels_last(item) for item in items)
        flat = [item.permute(1, 2, 0) for item in items] if last else items
        values = torch.cat([item.flatten(0, k - 1) for item in flat])
        shapes = [tuple(item.shape[:k]) for item in items]
        return cls.from_shapes(values, shapes, channels_last=last)

    @classmethod
    def from_shapes(
        cls,
        values: torch.Tensor,
        shapes: Sequence[Sequence[int]] | np.ndarray,
        *,
        channels_last: bool = False,
    ) -> Ragged:
        """Wrap a flat buffer, given the varying part of every item's shape ([B, k])."""
        host_shapes = np.array(shapes, dtype=np.int64)  # a copy: lengths are often changed in place
        if host_shapes.ndim == 1:
            host_shapes = host_shapes[:, None]
        host_offsets = np.zeros(len(host_shapes) + 1, dtype=np.int64)
        np.cumsum(host_shapes.prod(axis=1), out=host_offsets[1:])
        if host_offsets[-1] != len(values) or (host_shapes < 0).any():
            raise ValueError(f"shapes add up to {host_offsets[-1]}, values has {len(values)} rows")
        _check_layout(channels_last, values, host_shapes)
        return cls._trusted(
            values,
            torch.from_numpy(host_offsets).to(values.device),
            torch.from_numpy(host_shapes).to(values.device),
            host_offsets,
            host_shapes,
            channels_last=channels_last,
        )

    def with_values(self, values: torch.Tensor) -> Ragged:
        """The same sizes over another buffer of the same length."""
        if len(values) != len(self.values):
            raise ValueError(f"expected {len(self.values)} rows of values, got {len(values)}")
        host, last = (self._host_offsets, self._host_shapes), self.channels_last
        return Ragged._trusted(values, self.offsets, self.shapes, *host, channels_last=last)

    def contiguous(self) -> Ragged:
        """Items [C, H, W] in this order in memory: itself, or a copy if it is ``channels_last``."""
        if not self.channels_last:
            return self
        flat = [item.reshape(-1) for item in self]
        return Ragged.from_shapes(torch.cat(flat) if flat else self.values, self._host_shapes)

    # -- sizes ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._host_shapes)

    @property
    def dtype(self) -> torch.dtype:
        return self.values.dtype

    @property
    def device(self) -> torch.device:
        return self.values.device

    @property
    def inner(self) -> tuple[int, ...]:
        """The trailing sizes that all items share."""
        return tuple(self.values.shape[1:])

    @property
    def item_ndim(self) -> int:
        """How many dimensions one item has."""
        return self._host_shapes.shape[1] + len(self.inner)

    @property
    def host_shapes(self) -> np.ndarray:
        """int64 [B, k] on the host: reading it never waits for the device."""
        return self._host_shapes

    @property
    def host_offsets(self) -> np.ndarray:
        """int64 [B + 1] on the host."""
        return self._host_offsets

    @property
    def lengths(self) -> torch.Tensor:
        """int64 [B] on the device: the last varying size (tokens, frames, samples; width)."""
        return self.shapes[:, -1]

    @property
    def is_dense(self) -> bool:
        """True when all items have the same shape."""
        return len(self) > 0 and bool((self._host_shapes == self._host_shapes[0]).all())

    # -- items ---------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        """An int gives one item (a view); a slice, list or int tensor a smaller ``Ragged``."""
        if isinstance(index, torch.Tensor):
            index = index.cpu().numpy()[()]  # a tensor without dimensions becomes a number
        if isinstance(index, (int, np.integer)):
            i = int(index) + (len(self) if index < 0 else 0)
            if not 0 <= i < len(self):
                raise IndexError(f"item {index} of a Ragged of {len(self)}")
            part = self.values[int(self._host_offsets[i]) : int(self._host_offsets[i + 1])]
            shape = self._host_shapes[i].tolist()
            if self.channels_last:
                return part.view(*shape[1:], shape[0]).permute(2, 0, 1)
            return part.view(*shape, *self.inner)
        rows = np.arange(len(self))[index]
        pieces = [self.values[self._host_offsets[i] : self._host_offsets[i + 1]] for i in rows]
        return Ragged.from_shapes(
            torch.cat(pieces) if pieces else self.values[:0],
            self._host_shapes[rows],
            channels_last=self.channels_last,
        )

    def __iter__(self) -> Iterator[torch.Tensor]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        sizes = []
        for column in self._host_shapes.T:
            low, high = (column.min(), column.max()) if len(column) else (0, 0)
            sizes.append(str(low) if low == high else f"{low}..{high}")
        item = ", ".join(sizes + [str(n) for n in self.inner])
        name = str(self.dtype).removeprefix("torch.")
        return f"Ragged(B={len(self)}, items=[{item}], dtype={name}, device={self.device})"

    # -- moving --------------------------------------------------------------------------------

    def to(self, *args: Any, **kwargs: Any) -> Ragged:
        """Like ``torch.Tensor.to``; the dtype applies to ``values`` only."""
        values = self.values.to(*args, **kwargs)
        if values.device == self.values.device:
            return self if values is self.values else self.with_values(values)
        wait = bool(kwargs.get("non_blocking", False))
        return Ragged._trusted(
            values,
            self.offsets.to(values.device, non_blocking=wait),
            self.shapes.to(values.device, non_blocking=wait),
            self._host_offsets,
            self._host_shapes,
            channels_last=self.channels_last,
        )

    def pin_memory(self) -> Ragged:
        """A copy in page-locked memory, from which copies to CUDA run in the background."""
        return Ragged._trusted(
            self.values.pin_memory(),
            self.offsets.pin_memory(),
            self.shapes.pin_memory(),
            self._host_offsets,
            self._host_shapes,
            channels_last=self.channels_last,
        )

    def record_stream(self, stream: Any) -> None:
        """Tell CUDA's allocator that ``stream`` uses this batch."""
        for tensor in (self.values, self.offsets, self.shapes):
            tensor.record_stream(stream)

    # -- dense forms ---------------------------------------------------------------------------

    def dense(self) -> torch.Tensor:
        """[B, *item] without a copy; ValueError unless ``is_dense``."""
        if not self.is_dense:
            raise ValueError(f"{self!r} has items of different sizes: pad() makes them equal")
        shape = self._host_shapes[0].tolist()
        if self.channels_last:
            return self.values.view(len(self), *shape[1:], shape[0]).permute(0, 3, 1, 2)
        return self.values.view(len(self), *shape, *self.inner)

    def pad(
        self,
        value: float = 0,
        *,
        size: int | Sequence[int] | None = None,
        multiple_of: int = 1,
        side: str = "right",
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One dense tensor [B, *largest, *inner] and the lengths that undo it.

        Args:
            value: what fills the rest.
            size: the size of the last varying dimension (int) or of all of them (sequence); None
                takes the largest of the batch.
            multiple_of: round the last varying size up to a multiple of this.
            side: "right" or "left": where the padding of the last varying dimension goes.

        Returns:
            The tensor, and int64 lengths: [B] when one dimension varies, else the shapes [B, k].

        Raises:
            ValueError: when an item is larger than ``size``.
        """
        if side not in ("left", "right"):
            raise ValueError(f"side must be 'left' or 'right', got {side!r}")
        k = self._host_shapes.shape[1]
        largest = self._host_shapes.max(axis=0) if len(self) else np.zeros(k, np.int64)
        if size is not None:
            wanted = (
                [*largest[:-1].tolist(), int(size)]
                if isinstance(size, (int, np.integer))
                else list(size)
            )
            if len(wanted) != k or (largest > np.asarray(wanted)).any():
                raise ValueError(f"cannot pad {self!r} to {wanted}: the largest item is {largest}")
            largest = np.asarray(wanted, dtype=np.int64)
        largest = largest.copy()
        largest[-1] = -(-largest[-1] // multiple_of) * multiple_of
        out = self.values.new_full((len(self), *largest.tolist(), *self.inner), value)
        if k == 1:  # one masked copy instead of a loop over the batch
            column = torch.arange(out.shape[1], device=self.device)
            lengths = self.lengths[:, None]
            inside = column < lengths if side == "right" else column >= out.shape[1] - lengths
            out[inside] = self.values
            return out, self.shapes[:, 0].clone()
        for i, item in enumerate(self):
            where = [slice(0, n) for n in item.shape[: k - 1]]
            n, full = item.shape[k - 1], int(largest[-1])
            where.append(slice(0, n) if side == "right" else slice(full - n, full))
            out[i][tuple(where)] = item
        return out, self.shapes.clone()

    @classmethod
    def unpad(cls, dense: torch.Tensor, lengths: torch.Tensor, *, side: str = "right") -> Ragged:
        """Undo ``pad``: ``dense`` [B, L, *inner] and lengths [B], or [B, *sizes] and shapes."""
        if lengths.ndim == 1:
            column = torch.arange(dense.shape[1], device=dense.device)
            n = lengths.to(dense.device)[:, None]
            inside = column < n if side == "right" else column >= dense.shape[1] - n
            return cls.from_shapes(dense[inside], lengths.cpu().numpy())
        k = lengths.shape[1]
        items = []
        for row, shape in zip(dense, lengths.tolist(), strict=True):
            where = [slice(0, n) for n in shape]
            if side == "left":
                where[-1] = slice(row.shape[k - 1] - shape[-1], row.shape[k - 1])
            items.append(row[tuple(where)])
        if not items:
            return cls.from_shapes(dense.new_empty(0, *dense.shape[1 + k :]), np.empty((0, k)))
        return cls.from_list(items, inner=dense.ndim - 1 - k)

    @classmethod
    def cat(cls, batches: Sequence[Ragged]) -> Ragged:
        """The items of several batches, in order, as one."""
        last = all(b.channels_last for b in batches)
        if not last:
            batches = [b.contiguous() for b in batches]
        return cls.from_shapes(
            torch.cat([b.values for b in batches]),
            np.concatenate([b._host_shapes for b in batches]),
            channels_last=last,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Ragged, (self.values, self.offsets, self.shapes, self.channels_last)


def _lies_channels_last(item: torch.Tensor) -> bool:
    """Whether a picture [C, H, W] lies as [H, W, C] and not also as [C, H, W] (one channel)."""
    return not item.is_contiguous() and item.permute(1, 2, 0).is_contiguous()


def _check_layout(channels_last: bool, values: torch.Tensor, shapes: np.ndarray) -> None:
    if channels_last and (shapes.shape[1] != 3 or values.ndim != 1):
        raise ValueError(
            "channels_last is for pictures [C, H, W] in a flat buffer: shapes [B, 3], got "
            f"{list(shapes.shape)} with inner sizes {tuple(values.shape[1:])}"
        )
