"""One downloader in a process of its own: ``tests/benchmarks/reliability.py`` sends it jobs.

What is slow to import is imported once; each call is a fork of that process, killed where it does
not come to an end.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from support.reliability_peers import Peer

__all__ = ["work"]


def work(peer: Peer) -> None:
    """Reads jobs, one a line, and answers each with one line."""
    peer.prepare()
    for line in sys.stdin:
        job = json.loads(line)
        children = [_start(peer, job) for _ in range(job.get("count", 1))]
        until = time.monotonic() + job["limit"]
        print(json.dumps([_finish(*child, until) for child in children]), flush=True)


def _start(peer: Peer, job: dict[str, Any]) -> tuple[int, Path]:
    handle, name = tempfile.mkstemp()
    os.close(handle)
    child = os.fork()
    if child:
        return child, Path(name)
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        if job.get("room"):
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (job["room"], resource.RLIM_INFINITY))
        os.environ["DOMAINKIT_HOME"] = job["folder"]
        try:
            data = peer.fetch(job["url"], Path(job["folder"])).read_bytes()
            said = {"state": "ok", "sha256": hashlib.sha256(data).hexdigest()}
        except BaseException as error:
            said = {"state": "error", "error": f"{type(error).__name__}: {error}"}
        Path(name).write_text(json.dumps(said))
    finally:
        os._exit(0)


def _finish(child: int, name: Path, until: float) -> dict[str, str]:
    while True:
        ended, _ = os.waitpid(child, os.WNOHANG)
        if ended or time.monotonic() > until:
            break
        time.sleep(0.01)
    if not ended:
        os.kill(child, 9)
        os.waitpid(child, 0)
    text = name.read_text()
    name.unlink()
    state = "error" if ended else "hang"
    said = {"state": state, "error": "ended without a word", "sha256": ""}
    return said | (json.loads(text) if text and ended else {})
