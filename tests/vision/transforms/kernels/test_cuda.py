"""The Triton kernels on a GPU: skipped where there is none, and never where there is one."""

from __future__ import annotations

import pytest
import torch

if not torch.cuda.is_available():
    pytest.skip("no GPU here", allow_module_level=True)
pytest.importorskip("triton")

from support.triton_color_cases import *  # noqa: F403  # the same cases, compiled
from support.triton_draws_cases import *  # noqa: F403
