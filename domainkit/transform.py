"""What a transform is, and ``Compose``, which runs several.

A transform is a frozen dataclass whose fields are its arguments (so it prints, compares and turns
into a recipe by itself) with one method to write, ``apply(batch, draws)``. It works on a whole
batch - a dense tensor with the batch in front, or a ``Ragged`` - and takes every random number from
``draws``, one row per sample.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, ClassVar, Protocol

import numpy as np
import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["Compose", "Pass", "PerSample", "Plan", "Transform"]


class Transform:
    """The base of every transform: calls ``apply`` on the right field of a batch.

    ``t(x)`` transforms a dense tensor [B, ...], a ``Ragged`` or (for text) a list of strings.
    ``t(batch)`` with a mapping transforms ``batch[t.field]`` and returns a new mapping.
    Without ``draws`` the numbers come from torch's default generator, so ``torch.manual_seed``
    decides; the loader passes draws made of (seed, epoch, sample ids).

    A subclass sets:
        field: the key it reads and writes in a batch ("image", "audio", "text", "tokens").
        kind: what it touches, for the planner: "geometry", "color", "pointwise", "signal" or
            "tokens".
        random: whether it uses draws.
        planner: the dotted name of a module that joins neighbouring steps into passes with its
            ``plan_passes(steps)``, or None: the step runs on its own.
    """

    field: ClassVar[str]
    kind: ClassVar[str]
    random: ClassVar[bool] = False
    planner: ClassVar[str | None] = None

    def __call__(self, batch: Any, draws: Draws | None = None) -> Any:
        if isinstance(batch, Mapping):
            if self.field not in batch:
                raise TransformError(
                    f"{type(self).__name__} works on {self.field!r}; the batch has "
                    f"{', '.join(map(repr, batch)) or 'no fields'}"
                )
            return self.apply_batch(batch, self._draws(batch[self.field], draws))
        return self.apply(batch, self._draws(batch, draws))

    def apply(self, x: Any, draws: Draws) -> Any:
        """Transform one field: a dense tensor [B, ...], a ``Ragged`` or a list."""
        raise NotImplementedError

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        """Transform a mapping; override it to write more than one key."""
        return replace_fields(batch, {self.field: self.apply(batch[self.field], draws)})

    def _draws(self, x: Any, draws: Draws | None) -> Draws:
        if not hasattr(x, "__len__") or (isinstance(x, torch.Tensor) and x.ndim == 0):
            got = "a tensor ()" if isinstance(x, torch.Tensor) else type(x).__name__
            raise TransformError(f"{type(self).__name__} takes a batch, got {got}{_remedy(x)}")
        if draws is None:
            return Draws.from_generator(len(x))
        if len(draws) != len(x):
            raise TransformError(f"got draws for {len(draws)} samples and a batch of {len(x)}")
        return draws


def replace_fields(batch: Mapping[str, Any], fields: Mapping[str, Any]) -> Any:
    """A copy of ``batch``, of its own type, with some fields replaced or added."""
    new = batch.copy() if hasattr(batch, "copy") else dict(batch)
    new.update(fields)
    return new


class PerSample(Protocol):
    """A pass's work on one batch, done sample by sample: each straight to its place.

    Attributes:
        shapes: int64 [B, ndim], what each sample comes out as.
    """

    shapes: np.ndarray

    def run(self, index: int, sample: torch.Tensor, out: torch.Tensor) -> None:
        """Write what becomes of sample ``index`` into ``out``; any thread, any order."""


@dataclass(frozen=True)
class Pass:
    """One pass over the batch: which steps it runs and in which form.

    This one runs its steps one after the other; a planner's passes override ``run``.

    Attributes:
        steps: what it does, in order.
        form: "torch" is the reference form.
        why: what joined, or what kept it from joining its neighbours; may be empty.
        ops: the place of each step in the pipeline, which its draws belong to.
    """

    steps: tuple[Transform, ...]
    form: str
    why: str = field(default="", compare=False)
    ops: tuple[int, ...] = field(default=(), compare=False)

    def run(self, batch: Any, draws: Draws) -> Any:
        """Do the work; ``draws`` are the pipeline's, not yet those of a step."""
        for op, step in zip(self.ops, self.steps, strict=True):
            batch = step(batch, draws.at(op))
        return batch

    def tried(self, batch: Any, draws: Draws) -> tuple[Any, Pass]:
        """``run``, and this pass as it ran: a planner's pass may leave a batch to its steps."""
        return self.run(batch, draws), self

    def per_sample(
        self, columns: Sequence[str], field: str, shapes: np.ndarray, draws: Draws
    ) -> PerSample | None:
        """The same work sample by sample, so that a loader does it while it decodes.

        Args:
            columns: names of all fields that the batch will have.
            field: the one whose samples these are, uint8.
            shapes: int64 [B, ndim], their sizes before.
            draws: the pipeline's.

        Returns:
            None where the pass needs the whole batch, or has no such form for it.
        """
        return None

    def __str__(self) -> str:
        names = " + ".join(type(s).__name__ for s in self.steps)
        # a callable that is no Transform may be a step too
        kinds = ", ".join(dict.fromkeys(getattr(s, "kind", "function") for s in self.steps))
        drawn = (
            ", a draw per sample" if any(getattr(s, "random", False) for s in self.steps) else ""
        )
        return f"{names}  [{self.form}; {kinds}{drawn}]{': ' if self.why else ''}{self.why}"


@dataclass(frozen=True)
class Plan:
    """How a ``Compose`` will run: its passes in order. ``str(plan)`` is one line per pass."""

    passes: tuple[Pass, ...]

    def __str__(self) -> str:
        return "\n".join(f"{i}. {p}" for i, p in enumerate(self.passes, 1)) or "no passes"


class Compose:
    """Several transforms, one after the other.

    Step number i draws from op i, so two random steps never share a number, and a nested
    ``Compose`` is flattened. Neighbours that can are joined into one pass over the batch, which
    draws the same numbers and gives the same result within the tolerance of the pass (for pictures
    one level of uint8, 1e-5 of floating numbers); ``plan`` shows the passes.

    Args:
        steps: transforms or other ``Compose`` objects.
        name: the name of the recipe it came from, if any.
        fuse: False runs every step on its own, to compare or to find a fault.

    Example:
        >>> from domainkit.vision import transforms as T
        >>> pipeline = T.Compose([T.CenterCrop(224), T.ToDtype("float32", scale=True)])
        >>> print(pipeline.plan())
        1. CenterCrop  [torch; geometry]
        2. ToDtype  [torch; pointwise]
        >>> pipeline(torch.zeros(2, 3, 256, 256, dtype=torch.uint8)).shape
        torch.Size([2, 3, 224, 224])
    """

    def __init__(self, steps: Any, *, name: str | None = None, fuse: bool = True) -> None:
        flat: list[Transform] = []
        for step in steps:
            if not callable(step):
                raise TransformError(
                    f"Compose takes transforms, got {type(step).__name__}: {step!r}"
                )
            flat.extend(step.steps if isinstance(step, Compose) else [step])
        self.steps: tuple[Transform, ...] = tuple(flat)
        self.name, self.fuse = name, fuse
        self._passes: tuple[Pass, ...] | None = None

    def __call__(self, batch: Any, draws: Draws | None = None) -> Any:
        compiling = torch.compiler.is_compiling()
        if draws is None:
            draws = self._own_draws(batch, compiling)
        if compiling:  # the compiler joins steps in its own way, from their torch form
            for op, step in enumerate(self.steps):
                batch = step(batch, draws.at(op))
            return batch
        return self._run(self.plan().passes, batch, draws)

    def after_first(self, batch: Any, draws: Draws) -> Any:
        """What follows the first pass, for a batch whose samples went through that one singly."""
        return self._run(self.plan().passes[1:], batch, draws)

    @staticmethod
    def _run(passes: Sequence[Pass], batch: Any, draws: Draws) -> Any:
        for one in passes:
            batch = one.run(batch, draws)
        return batch

    def plan(self, batch: Any = None) -> Plan:
        """The passes this pipeline makes over a batch.

        A pass leaves batches that it has no fused form for (videos, targets that move along, rare
        dtypes) to its steps.

        Args:
            batch: one to try, as ``__call__`` takes it. The pipeline runs on it once, with draws of
                its own (torch's generator stays as it is), and the plan says how each pass went for
                this batch: in which form on a CPU, or step by step and why. None: the plan for
                batches of plain uint8 or float32 pictures.
        """
        if self._passes is None:
            self._passes = self._planned()
        if batch is None:
            return Plan(self._passes)
        draws = Draws(0, 0, torch.arange(batch_length(batch)))
        went: list[Pass] = []
        for one in self._passes:
            batch, how = one.tried(batch, draws)
            went.append(how)
        return Plan(tuple(went))

    def _planned(self) -> tuple[Pass, ...]:
        passes: list[Pass] = []
        numbered = enumerate(self.steps)
        for planner, run in groupby(numbered, lambda p: getattr(p[1], "planner", None)):
            if planner is None or not self.fuse:
                passes.extend(Pass((step,), "torch", ops=(op,)) for op, step in run)
            else:  # by its name: the root knows no domain
                passes.extend(importlib.import_module(planner).plan_passes(list(run)))
        return tuple(passes)

    def _own_draws(self, batch: Any, compiling: bool) -> Draws:
        length = batch_length(batch)
        if compiling and not any(getattr(step, "random", True) for step in self.steps):
            return Draws(0, 0, torch.zeros(length, dtype=torch.int64))  # nobody asks for a number
        return Draws.from_generator(length)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_passes": None}  # another machine may plan otherwise

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.steps)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Compose) and self.steps == other.steps

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        inner = "".join(f"\n    {step!r}," for step in self.steps)
        title = f"Compose(  # {self.name}" if self.name else "Compose("
        return f"{title}{inner}\n)"


def batch_length(batch: Any) -> int:
    """How many samples a batch holds: a mapping of fields, a tensor, a ``Ragged`` or a list."""
    if isinstance(batch, Mapping):
        if not batch:
            raise TransformError("a batch needs at least one field")
        batch = next(iter(batch.values()))
    if isinstance(batch, (torch.Tensor, Ragged, list, tuple)):
        return len(batch)
    raise TransformError(
        f"expected a tensor, Ragged, list or mapping, got {type(batch).__name__}{_remedy(batch)}"
    )


def _remedy(value: Any) -> str:
    """What to do with a value that is no batch, where that is known."""
    if type(value).__module__.split(".")[0] in {"PIL", "numpy"}:
        return ": make a batch of it first; for pictures, T.ToImage()([picture]) does"
    return ""
