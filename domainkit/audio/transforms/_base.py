"""The bases of audio transforms: a subclass writes its maths once, for a padded batch.

A ``Ragged`` is made dense with zeros behind each end, ``process`` is told the lengths, and what
lies behind the new ends is cut off again. So an op is right when nothing before an end depends on
what is behind it: the law that ``tests/support/audio_batches.py`` holds every transform to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch

from domainkit.audio.transforms._dense import (
    features_from_dense,
    waveforms_from_dense,
    waveforms_to_dense,
)
from domainkit.audio.transforms.checks import check_features, check_waveforms
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Transform

__all__ = [
    "FeatureTransform",
    "FrontEnd",
    "RandomWaveformTransform",
    "WaveformTransform",
    "check_probability",
    "inside",
    "where_chosen",
]

Result = torch.Tensor | tuple[torch.Tensor, np.ndarray]


class WaveformTransform(Transform):
    """Recordings in, recordings out.

    A subclass writes ``process``. ``varies`` says that new lengths differ from item to item even
    where the old ones do not (a draw per sample): the result is then always a ``Ragged``.
    """

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"
    varies: ClassVar[bool] = False
    mono: ClassVar[bool] = False  # whether items must have one channel

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        """Transform a padded batch.

        Args:
            x: [B, C, T], zero behind each item's end; not to be written into.
            lengths: int64 [B] on the host.
            draws: a row per sample.

        Returns:
            [B, C', T], the lengths kept; or that and the new lengths, int64 [B] on the host. What
            lies behind an end may be anything.
        """
        raise NotImplementedError

    def apply(self, x: Any, draws: Draws) -> Any:
        check_waveforms(self, x)
        self._check_channels(x)
        ragged = isinstance(x, Ragged)
        dense = waveforms_to_dense(x) if ragged else x
        lengths = x.host_shapes[:, 1] if ragged else np.full(len(x), x.shape[2], dtype=np.int64)
        done = self.process(dense, lengths, draws)
        y, after = done if isinstance(done, tuple) else (done, lengths)
        if not ragged and not self.varies:
            return y
        if ragged and y is dense and after is lengths:
            return x
        channels = np.full(len(y), y.shape[1], dtype=np.int64)
        if ragged and y.shape[1] == dense.shape[1]:
            channels = x.host_shapes[:, 0]
        return waveforms_from_dense(y, np.stack([channels, after], axis=1))

    def _check_channels(self, x: Any) -> None:
        if self.mono:
            most = x.host_shapes[:, 0].max(initial=1) if isinstance(x, Ragged) else x.shape[1]
            least = x.host_shapes[:, 0].min(initial=1) if isinstance(x, Ragged) else x.shape[1]
            if (most, least) != (1, 1):
                raise TransformError(
                    f"{type(self).__name__} takes one channel, got {most}: put Mono before it"
                )


class RandomWaveformTransform(WaveformTransform):
    """Recordings, each changed with probability ``p``, by a draw of its own; lengths are kept.

    A subclass has a field ``p`` and writes ``change``. ``numbers`` is how many uniform numbers a
    sample gets; on a CPU only the chosen samples are worked on.
    """

    random: ClassVar[bool] = True
    numbers: ClassVar[int] = 1
    p: float

    def change(
        self, x: torch.Tensor, lengths: torch.Tensor, u: torch.Tensor, draws: Draws
    ) -> torch.Tensor:
        """Change samples.

        Args:
            x: [R, C, T], zero behind each item's end; not to be written into.
            lengths: int64 [R], on x's device.
            u: float32 [R, numbers], uniform in [0, 1), on x's device.
            draws: of the same samples, for those who need more; numbers from 1 + ``numbers`` on
                are free.

        Returns:
            [R, C, T].
        """
        raise NotImplementedError

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        u = draws.uniform(1 + self.numbers, device=x.device)
        sizes = torch.from_numpy(lengths).to(x.device)

        def change(rows: torch.Tensor | None) -> torch.Tensor:
            if rows is None:
                return self.change(x, sizes, u[:, 1:], draws)
            some = Draws(draws.seed, draws.epoch, draws.ids[rows.cpu()], draws.op, draws.depth)
            return self.change(x[rows], sizes[rows], u[rows, 1:], some)

        return where_chosen(u[:, 0] < self.p, x, change)


class FrontEnd(WaveformTransform):
    """Recordings in, features out, frames first; ``process`` gives [B, F, M] and host lengths [B].

    ``process`` must return the lengths. A subclass that is to be traced into a graph writes
    ``whole`` too: what asks for numbers in an array of lengths ends a graph.
    """

    def whole(self, x: torch.Tensor, draws: Draws) -> torch.Tensor:
        """``process`` of [B, C, T] where no item is shorter than T: [B, F, M]."""
        done = self.process(x, np.full(len(x), x.shape[2], dtype=np.int64), draws)
        return done[0] if isinstance(done, tuple) else done

    def apply(self, x: Any, draws: Draws) -> Any:
        check_waveforms(self, x)
        self._check_channels(x)
        if not isinstance(x, Ragged):
            return self.whole(x, draws)
        done = self.process(waveforms_to_dense(x), x.host_shapes[:, 1], draws)
        assert isinstance(done, tuple), "a front-end tells the lengths"
        return features_from_dense(*done)


class FeatureTransform(Transform):
    """Features in, features out: [B, F, M] or items [F_i, M]; ``process`` as of waveforms."""

    field: ClassVar[str] = "audio"
    kind: ClassVar[str] = "signal"

    def process(self, x: torch.Tensor, lengths: np.ndarray, draws: Draws) -> Result:
        """Transform a padded batch: [B, F, M] and int64 [B] on the host; see the bases above."""
        raise NotImplementedError

    def apply(self, x: Any, draws: Draws) -> Any:
        check_features(self, x)
        if not isinstance(x, Ragged):
            lengths = np.full(len(x), x.shape[1], dtype=np.int64)
            done = self.process(x, lengths, draws)
            return done[0] if isinstance(done, tuple) else done
        lengths = x.host_shapes[:, 0]
        done = self.process(x.pad()[0], lengths, draws)
        y, lengths = done if isinstance(done, tuple) else (done, lengths)
        return features_from_dense(y, lengths)


def where_chosen(
    chosen: torch.Tensor,
    x: torch.Tensor,
    change: Callable[[torch.Tensor | None], torch.Tensor],
) -> torch.Tensor:
    """``x`` with the rows where ``chosen`` [B] is true replaced.

    Args:
        change: given row numbers, or None for all rows, gives the changed rows. On a CPU it is
            asked for the chosen ones only; elsewhere for all, as their number is not known there
            without waiting.
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return torch.where(chosen.view(-1, *[1] * (x.ndim - 1)), change(None), x)
    rows = chosen.nonzero()[:, 0]
    if len(rows) == len(x):
        return change(None)
    if not len(rows):
        return x
    return x.index_copy(0, rows, change(rows))


def inside(lengths: torch.Tensor, longest: int) -> torch.Tensor:
    """bool [B, longest]: which places lie before each end."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


def check_probability(op: Any, p: float) -> None:
    """TransformError unless ``p`` is in [0, 1]."""
    if not 0.0 <= p <= 1.0:
        raise TransformError(f"{type(op).__name__} needs p in [0, 1], got {p}")
