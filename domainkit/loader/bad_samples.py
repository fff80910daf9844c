"""What becomes of samples that cannot be read or decoded: an error, or a count and a log line."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from domainkit.assembly import BadSample
from domainkit.dataset import Dataset
from domainkit.errors import DecodeError

__all__ = ["ON_ERROR", "BadSamples"]

ON_ERROR = ("raise", "skip")
log = logging.getLogger("domainkit.loader")


class BadSamples:
    """The bad samples of a loader.

    Args:
        dataset: whose samples.
        on_error: "raise" or "skip".
        limit: how many different samples may be skipped.

    Attributes:
        skipped: how often a sample was left out.
        rows: the ids of the samples that were.
    """

    def __init__(self, dataset: Dataset, on_error: str, limit: int) -> None:
        if on_error not in ON_ERROR:
            names = " or ".join(map(repr, ON_ERROR))
            raise ValueError(f"on_error must be {names}, got {on_error!r}")
        if limit < 0:
            raise ValueError(f"max_errors must be at least 0, got {limit}")
        self._dataset, self._on_error, self._limit = dataset, on_error, limit
        self.skipped = 0
        self.rows: set[int] = set()

    def meet(self, samples: Iterable[BadSample], *, none_left: bool, ranks: int) -> None:
        """Raise, or count and log each sample the first time.

        Args:
            samples: of one batch.
            none_left: whether the batch has no other ones.
            ranks: how many ranks there are, which all expect a batch.

        Raises:
            DecodeError, StoreError: of the first sample, if it may not be skipped.
        """
        for sample in samples:
            told = self._dataset.told(sample.row, sample.column, sample.error)
            if self._on_error == "raise":
                raise type(sample.error)(told) from sample.error
            self.skipped += 1
            if sample.row not in self.rows:
                self.rows.add(sample.row)
                log.warning("skipped: %s", told)
            if len(self.rows) > self._limit:
                raise DecodeError(
                    f"{len(self.rows)} samples of {self._dataset.name} are bad, more than "
                    f"max_errors={self._limit} allows; the last one: {told}"
                ) from sample.error
            if len(self.rows) >= len(self._dataset):  # or an endless loader would look for ever
                raise DecodeError(
                    f"every sample of {self._dataset.name} is bad; the last one: {told}"
                ) from sample.error
            if none_left and ranks > 1:
                raise DecodeError(
                    "every sample of this rank's batch is bad, and a rank without a batch would "
                    f"make the {ranks} ranks' steps uneven; the first one: {told}"
                ) from sample.error
