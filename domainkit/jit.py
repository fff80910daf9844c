"""``jit``: how all CPU kernels are compiled: by Numba, without Python's lock, kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["jit"]


def jit(**how: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator like ``numba.njit``; it lets go of the GIL and keeps what is compiled on disk.

    Where no folder can be written - neither ``NUMBA_CACHE_DIR``, nor the package's own, nor the
    user's - a kernel is compiled anew in each process, and works as well.

    Args:
        how: what else ``numba.njit`` takes.

    Example:
        >>> jit(error_model="numpy")(lambda a, b: a / b)(1.0, 4.0)
        0.25
    """
    import numba

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            done = numba.njit(nogil=True, cache=True, **how)(function)
        except RuntimeError:  # Numba finds no place for its cache
            done = numba.njit(nogil=True, **how)(function)
        kernel: Callable[..., Any] = done
        return kernel

    return compiled
