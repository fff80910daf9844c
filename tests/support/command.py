"""The command line under test: in this process, or as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from typer.testing import CliRunner

from domainkit import progress

__all__ = ["COMMAND", "invoke", "run"]

COMMAND = [sys.executable, "-m", "domainkit"]


def invoke(*args: object, **kwargs: Any) -> Any:
    """``domainkit *args`` in this process: ``.exit_code``, ``.stdout``, ``.stderr``."""
    from domainkit.cli.main import app

    try:
        result = CliRunner().invoke(app, [str(a) for a in args], prog_name="domainkit", **kwargs)
    finally:
        progress.enable(None)  # the command switches it on for its whole process
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run(*args: object, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """``domainkit *args`` in a process of its own, its output captured."""
    return subprocess.run(
        [*COMMAND, *(str(a) for a in args)],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
