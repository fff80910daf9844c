"""Importing this makes recordings that begin with a mark take the process down, or take it away.

A loader's process imports it when it unpickles ``plain``, the collate function of this module; the
process of the test must not.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import Any

from domainkit.audio import codec

__all__ = ["CRASH", "KILL", "KILL_ONCE", "plain"]

CRASH, KILL, KILL_ONCE = b"crash ", b"kill  ", b"once  "


def plain(values: list[Any]) -> list[Any]:
    """A collate function that changes nothing."""
    return values


def _crashing(decode: Any) -> Any:
    def decoder(data: Any) -> Any:
        mark = bytes(data[:6])
        if mark == CRASH:
            os.kill(os.getpid(), signal.SIGSEGV)
        if mark == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        if mark == KILL_ONCE:
            try:
                os.close(os.open(bytes(data[6:]), os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return plain, 8000
            os.kill(os.getpid(), signal.SIGKILL)
        return decode(data)

    return decoder


if multiprocessing.parent_process() is not None:
    codec.decode_audio = _crashing(codec.decode_audio)
