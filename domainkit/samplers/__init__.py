"""Samplers: which row comes at which place of an epoch, as a function of seed, epoch and place.

    Sequential      the dataset's own order
    Shuffled        every row once, in a random order; no table at any size
    Blocks          every row once, shuffled so that neighbours in time lie in few blocks on disk
    Weighted        rows by weight, with or without replacement
    ClassBalanced   every class equally often
    Repeated        every row several times, the copies side by side (repeated augmentation)
    Mixture         the parts of a ``concat``, in proportions by weight or by temperature
    Endless         one epoch after another, without an end

A sampler holds settings and no place: ``sampler.order(dataset, seed, epoch)`` is that epoch's
order, and ``order[positions]`` gives rows. So any number of ranks, threads and restarts asks for
the positions it needs, and together they get every position once. The same seed gives the same
rows on every machine. An own sampler is a subclass of ``Sampler``.

What needs no sampler: a subset is ``dataset.select(rows)``; an evaluation on several ranks that
counts no row twice is the loader's ``last="short"``.
"""

from domainkit.samplers.balanced import ClassBalanced
from domainkit.samplers.base import Order, Sampler
from domainkit.samplers.blocks import Blocks
from domainkit.samplers.choose import as_sampler
from domainkit.samplers.endless import Endless
from domainkit.samplers.mixture import Mixture
from domainkit.samplers.repeated import Repeated
from domainkit.samplers.sequential import Sequential
from domainkit.samplers.shuffled import Shuffled
from domainkit.samplers.weighted import Weighted

__all__ = [
    "Blocks",
    "ClassBalanced",
    "Endless",
    "Mixture",
    "Order",
    "Repeated",
    "Sampler",
    "Sequential",
    "Shuffled",
    "Weighted",
    "as_sampler",
]
