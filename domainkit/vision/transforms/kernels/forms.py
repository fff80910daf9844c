"""Which form of a kernel runs: the quickest that can, unless ``use_form`` says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec

import torch

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["FORMS", "chosen_form", "numba_can", "triton_can", "use_form"]

FORMS = ("auto", "torch", "numba", "triton")
_FORM: ContextVar[str] = ContextVar("domainkit_vision_form", default="auto")


@contextmanager
def use_form(form: str) -> Iterator[None]:
    """Have the kernels of this thread (or task) run in one form, to compare or to find a fault.

    Args:
        form: "auto" takes the quickest that can do the work; "torch", "numba" or "triton" that
            one. A form that cannot do a piece of work (another device or dtype) leaves it to torch.

    Raises:
        TransformError: no such form.

    Example:
        >>> with use_form("torch"):
        ...     chosen_form()
        'torch'
    """
    if form not in FORMS:
        raise TransformError(f"use_form takes {', '.join(FORMS)}, got {form!r}")
    token = _FORM.set(form)
    try:
        yield
    finally:
        _FORM.reset(token)


def chosen_form() -> str:
    """What ``use_form`` says here; "auto" where nobody said anything.

    Example:
        >>> chosen_form()
        'auto'
    """
    return _FORM.get()


def numba_can(x: torch.Tensor) -> bool:
    """Whether the Numba form of a filter is wanted and can work on these pictures.

    Example:
        >>> numba_can(torch.zeros(1, 3, 4, 4, dtype=torch.float16))
        False
    """
    return (
        chosen_form() in ("auto", "numba")
        and x.device.type == "cpu"
        and x.dtype in (torch.uint8, torch.float32)
        and not x.requires_grad
        and not torch.compiler.is_compiling()
        and find_spec("numba") is not None
    )


def triton_can(x: torch.Tensor | Ragged) -> bool:
    """Whether the Triton form is wanted, and the pictures lie where it works.

    Example:
        >>> triton_can(torch.zeros(1, 3, 4, 4))
        False
    """
    wanted = x.device.type == "cuda" and chosen_form() in ("auto", "triton")
    return wanted and find_spec("triton") is not None
