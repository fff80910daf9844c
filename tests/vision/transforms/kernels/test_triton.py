"""The Triton kernels by Triton's interpreter, without a GPU; tests/support holds the cases."""

from __future__ import annotations

import pytest
from support.triton_cases import run_interpreted

pytest.importorskip("triton")


def test_draws():
    run_interpreted("triton_draws_cases")


def test_color():
    run_interpreted("triton_color_cases")


def test_warp():
    run_interpreted("triton_warp_cases")


def test_resize():
    run_interpreted("triton_resize_cases")
