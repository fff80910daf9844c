"""``stream``: a recording block by block, so that its length does not matter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import numpy as np
import torch

from domainkit.audio.codec.arguments import as_whole
from domainkit.audio.codec.loading import span
from domainkit.audio.codec.raw import Raw
from domainkit.audio.codec.reading import failures_named, open_recording
from domainkit.audio.codec.source import AudioFile
from domainkit.errors import DecodeError

__all__ = ["AudioStream", "stream"]


class AudioStream:
    """Blocks [C, n] of an open recording, one after the other; made by ``stream``.

    Attributes:
        sample_rate: in Hz.
        num_channels: C.
        num_frames: samples per channel that the blocks hold together (what overlaps counts once);
            None where only decoding tells.
    """

    def __init__(
        self,
        file: AudioFile,
        block: int,
        overlap: int,
        *,
        start: int,
        count: int,
        dtype: torch.dtype,
        partial: bool,
        raw: Raw | None,
    ) -> None:
        self._block, self._overlap = block, overlap
        self._dtype = "int16" if dtype == torch.int16 else "float32"
        self._partial = partial
        self._closing = ExitStack()
        self._kept: np.ndarray | None = None
        with ExitStack() as opening:
            recording = opening.enter_context(open_recording(file, raw, partial=partial))
            with failures_named(recording.label):
                left = span(recording, start, count, partial)
                if left:
                    recording.go(start, left)
            self._closing = opening.pop_all()
        self._recording = recording
        self._left = left
        self.sample_rate = recording.rate
        self.num_channels = recording.channels
        self.num_frames = left if left >= 0 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[torch.Tensor]:
        return self

    def __next__(self) -> torch.Tensor:
        kept = 0 if self._kept is None else len(self._kept)
        asked = self._block - kept
        if self._left >= 0:
            asked = min(asked, self._left)
        new = self._take(asked) if asked else None
        if new is None or not len(new):
            self.close()
            raise StopIteration
        block = new if self._kept is None else np.concatenate([self._kept, new])
        # a copy: the block is the caller's, who may write into it
        self._kept = block[len(block) - self._overlap :].copy() if self._overlap else None
        return torch.from_numpy(np.ascontiguousarray(block.T))

    def close(self) -> None:
        """Close the file; the iteration is over."""
        self._left = 0
        self._closing.close()

    def _take(self, asked: int) -> np.ndarray:
        try:
            with failures_named(self._recording.label):
                new = self._recording.read(asked, self._dtype)
                if len(new) < asked and self._left > 0 and not self._partial:
                    raise DecodeError(
                        f"the {self._recording.format} recording is cut off or damaged: "
                        f"{self._left} samples more were promised, {len(new)} could be read. Fetch "
                        "the file again, or take what is there with partial=True"
                    )
        except BaseException:
            self.close()
            raise
        if self._left > 0:
            self._left -= len(new)
        return new


def stream(
    file: AudioFile,
    frames_per_block: int,
    overlap: int = 0,
    *,
    frame_offset: int = 0,
    num_frames: int = -1,
    dtype: torch.dtype = torch.float32,
    partial: bool = False,
    raw: Raw | None = None,
) -> AudioStream:
    """Go through a recording block by block.

    The blocks put together are what ``load`` gives, bit by bit. The file is closed at the end of
    the iteration, at the end of the ``with``, and where an error ends it.

    Args:
        file, frame_offset, num_frames, dtype, partial, raw: as for ``load``. An archive's member
            and a file object that cannot seek are held in memory.
        frames_per_block: samples of a block, n; the last one may be shorter.
        overlap: samples that each block but the first repeats from the one before it.

    Returns:
        An iterator over blocks [C, n] that knows ``sample_rate``, ``num_channels`` and
        ``num_frames``.

    Raises:
        DecodeError: as ``load``, now or when the damaged place is reached; an overlap that is not
            in [0, frames_per_block).

    Example:
        >>> from domainkit.audio.codec import encode_wav
        >>> data = encode_wav(torch.arange(5.0)[None] / 8, 8000)
        >>> with stream(data, 3, overlap=1) as blocks:
        ...     print(blocks.sample_rate, [block.tolist() for block in blocks])
        8000 [[[0.0, 0.125, 0.25]], [[0.25, 0.375, 0.5]]]
    """
    frames_per_block = as_whole("frames_per_block", frames_per_block, 1)
    if not 0 <= as_whole("overlap", overlap, 0) < frames_per_block:
        raise DecodeError(
            f"expected an overlap in [0, frames_per_block), got {overlap} of {frames_per_block}"
        )
    if dtype not in (torch.float32, torch.int16):
        raise DecodeError(f"dtype is torch.float32 or torch.int16, got {dtype}")
    return AudioStream(
        file,
        frames_per_block,
        overlap,
        start=as_whole("frame_offset", frame_offset, 0),
        count=as_whole("num_frames", num_frames, -1),
        dtype=dtype,
        partial=partial,
        raw=raw,
    )
