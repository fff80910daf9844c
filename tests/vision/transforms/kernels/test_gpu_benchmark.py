"""The GPU benchmark says what it lacks; its chains and comparison work on a CPU too."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[3] / "benchmarks" / "vision_gpu.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vision_gpu", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = path
    return module


def test_without_cuda_it_ends_with_code_2() -> None:
    done = subprocess.run(
        [sys.executable, str(FILE)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "vision_gpu.py needs a GPU with CUDA, and torch sees none here.\n"


def test_its_rows_can_be_made_and_compared(benchmark: ModuleType) -> None:
    x = benchmark.pictures(2, "cpu")
    for row in benchmark.ROWS:
        assert benchmark.compare(row, benchmark.ours(row), x)["right"]
        assert len(benchmark.torchvision_job(row, x)()) == 2
