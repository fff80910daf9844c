"""How the cases of Triton kernels run: by Triton's interpreter on a CPU, or on a GPU as they are.

Triton decides when a kernel is defined whether it will be interpreted, so the interpreted cases
have a process of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"


def run_interpreted(name: str) -> None:
    """Run the tests in tests/support/<name>.py by the interpreter; AssertionError if one fails."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*command, str(Path(__file__).with_name(f"{name}.py"))],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
