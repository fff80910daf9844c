"""The CPU kernels compile and work where Numba finds no folder to keep them in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# two kernels; the colour pass, whose compilation takes too long here, is only loaded
WORK = """
import sys
import torch
from domainkit.draws import Draws
from domainkit.vision import transforms as T
from domainkit.vision.transforms.kernels.forms import use_form
from domainkit.vision.transforms.kernels.numba_color import kernel

x = torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(0))
draws = Draws(0, 0, torch.arange(2))
for op in (T.GaussianBlur(3), T.GaussianNoise()):
    made = {}
    for form in ("torch", "numba"):
        with use_form(form):
            made[form] = op(x, draws)
    assert float((made["torch"] - made["numba"]).abs().max()) < 1e-5, op
from domainkit.vision.transforms.kernels.numba_filters import compiled
from domainkit.vision.transforms.kernels import numba_noise
used = (compiled("blur"), numba_noise.compiled("unit_pairs"))
assert all(one.signatures for one in used)
assert kernel() is not None
print(type(compiled("blur")._cache).__name__, type(kernel()._cache).__name__)
"""


@pytest.mark.parametrize("only", [True, False], ids=["nowhere else", "somewhere else"])
def test_a_cache_folder_that_cannot_be_written(only: bool, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder can be made below this", encoding="utf-8")
    # by path and not by permissions, which do not hold root
    there = {**os.environ, "NUMBA_CACHE_DIR": str(file / "numba")}
    if only:  # as in a container whose file system is read-only
        there["NUMBA_CACHE_LOCATOR_CLASSES"] = "UserProvidedCacheLocator"
    done = subprocess.run(
        [sys.executable, "-c", WORK],
        env=there,
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kind = "NullCache" if only else "FunctionCache"
    assert done.stdout.split() == [kind, kind]
