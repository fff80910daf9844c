"""Loading: from a dataset to device batches, exact, restartable and the same for any machine.

loader       ``Loader``: arguments, epochs, state
sequence     which sample comes at which place: the order, with windows of like lengths
steps        which places make this rank's next batch
batching     ``Bucketed`` and ``Budget``: batches of samples alike in size
maker        a step in, a finished batch out
engine       one epoch: threads, ordered delivery, limits
pool         the threads
processes    processes in the place of threads
memory       buffers that are used again
bad_samples  what becomes of samples that cannot be decoded
state        the saved form of where a loader stands
ranks        this process's place among the others
recorder     what was done when, and ``stats``: what came of it
"""

from __future__ import annotations

from domainkit.loader.batching import Bucketed, Budget
from domainkit.loader.loader import Loader
from domainkit.loader.recorder import Recorder
from domainkit.loader.stats import Stats

__all__ = ["Bucketed", "Budget", "Loader", "Recorder", "Stats"]
