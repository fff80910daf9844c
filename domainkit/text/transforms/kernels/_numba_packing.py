"""The loops behind ``packing``, compiled by Numba. Imported only by what runs them."""

from __future__ import annotations

from typing import Any

from domainkit.jit import jit

__all__ = ["move", "number"]


@jit()
def move(values: Any, source: Any, sizes: Any, at: Any, out: Any) -> None:
    """out[at[i] : + sizes[i]] = values[source[i] : + sizes[i]]."""
    for i in range(len(sizes)):
        a = values[source[i] : source[i] + sizes[i]]
        b = out[at[i] : at[i] + sizes[i]]
        for j in range(len(b)):
            b[j] = a[j]


@jit()
def number(document: Any, at: Any, sizes: Any, position: Any, documents: Any) -> None:
    """Each token's place in its piece, and its document."""
    for i in range(len(sizes)):
        a = position[at[i] : at[i] + sizes[i]]
        b = documents[at[i] : at[i] + sizes[i]]
        for j in range(len(a)):
            a[j] = j
        for j in range(len(b)):
            b[j] = document[i]
