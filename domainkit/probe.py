"""What the libraries on this machine say of themselves, asked in a process of its own.

A broken build can end the process that imports it, or hang it. So this file is run as a script by
``ask``: it imports one library after the other and writes a line of JSON for each. Where it dies,
the first library without a line is the culprit, and the rest are asked in a new process.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "ask"]

_MARK = "domainkit-probe "  # libraries may print lines of their own


@dataclass(frozen=True)
class Answer:
    """What came of importing one library.

    ``error`` is empty when it loaded; ``missing`` tells that it is not installed; ``facts`` are
    what its probe found, ``warnings`` what it warned of meanwhile.
    """

    version: str = ""
    error: str = ""
    missing: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def ask(libraries: Sequence[str], timeout: float = 180.0) -> dict[str, Answer]:
    """Import each library in another process, in this order.

    Args:
        libraries: module names.
        timeout: seconds for each process; a slow disk may take a minute for torch.

    Example:
        >>> ask(["json", "no_such_library"])["no_such_library"].missing
        True
    """
    answers: dict[str, Answer] = {}
    while left := [name for name in libraries if name not in answers]:
        lines, end = _run(left, timeout)
        for line in lines:
            name = line.pop("library")
            answers[name] = Answer(**line)
        silent = [name for name in left if name not in answers]
        if silent:
            answers[silent[0]] = Answer(error=end)
    return answers


def _run(libraries: Sequence[str], timeout: float) -> tuple[list[dict[str, Any]], str]:
    """The lines of one process, and how it ended."""
    # -P: this file's folder has modules named like others'
    command = [sys.executable, "-P", os.path.abspath(__file__), *libraries]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
        out, end = done.stdout, f"the process that imported it ended with {_code(done.returncode)}"
    except subprocess.TimeoutExpired as error:
        out, end = error.stdout or b"", f"importing it did not end within {timeout:.0f} s"
    text = out.decode("utf-8", "replace")
    found = [line.removeprefix(_MARK) for line in text.splitlines() if line.startswith(_MARK)]
    return [json.loads(line) for line in found], end


def _code(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


# -- in the other process ----------------------------------------------------------------------


def _main(libraries: Sequence[str]) -> None:
    for name in libraries:
        line = json.dumps({"library": name, **_probe(name)})
        sys.stdout.write(f"\n{_MARK}{line}\n")
        sys.stdout.flush()


def _probe(name: str) -> dict[str, Any]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            module = importlib.import_module(name)
            facts = _FACTS[name](module) if name in _FACTS else {}
            answer: dict[str, Any] = {"version": str(getattr(module, "__version__", ""))}
            answer["facts"] = facts
        except (Exception, SystemExit) as error:
            text = " ".join(str(error).split())
            missing = isinstance(error, ModuleNotFoundError) and error.name == name
            answer = {"error": f"{type(error).__name__}: {text}", "missing": missing}
    seen = (w for w in caught if not issubclass(w.category, DeprecationWarning))
    answer["warnings"] = list(dict.fromkeys(" ".join(str(w.message).split()) for w in seen))
    return answer


def _torch(torch: Any) -> dict[str, Any]:
    float((torch.ones(8, 8) @ torch.ones(8, 8)).sum())  # a build for other CPUs dies here
    devices = []
    if torch.cuda.is_available():
        devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    mps = getattr(torch.backends, "mps", None)
    return {
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "devices": devices,
        "mps": bool(mps is not None and mps.is_available()),
        "threads": torch.get_num_threads(),
    }


def _torchvision(torchvision: Any) -> dict[str, Any]:
    import torch

    # torchvision loads even where its compiled part does not; using it tells
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    try:
        torchvision.ops.nms(boxes, torch.ones(1), 0.5)
    except Exception as error:
        return {"ops": " ".join(str(error).split())}
    return {"ops": ""}


def _soundfile(soundfile: Any) -> dict[str, Any]:
    return {"libsndfile": soundfile.__libsndfile_version__}


_FACTS = {"torch": _torch, "torchvision": _torchvision, "soundfile": _soundfile}

if __name__ == "__main__":
    _main(sys.argv[1:])
