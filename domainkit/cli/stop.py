"""Ctrl-C: stop soon, leave the terminal whole, say how to go on.

Downloads run in threads, and Python waits for its threads when it ends: a fetch of two gigabytes
would go on for minutes. So work gets a moment to clean up after the KeyboardInterrupt, then the
bars are wiped off and the process ends. That is safe by design: partial files, unfinished stores
and locks are made for it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import NoReturn

from domainkit import progress

__all__ = ["STOPPED", "Stop"]

STOPPED = 130  # 128 + SIGINT, as shells have it
_GRACE_SECONDS = 1.0
_WIPE_SECONDS = 0.5  # no longer than this: the terminal may be held up


class Stop:
    """The handler of SIGINT: raises KeyboardInterrupt, and ends the process if that takes long."""

    def __init__(self) -> None:
        self._leaving = threading.Lock()

    def __call__(self, signum: int, frame: object) -> None:
        threading.Thread(target=self._leave_later, daemon=True).start()
        raise KeyboardInterrupt

    def _leave_later(self) -> None:
        time.sleep(_GRACE_SECONDS)
        self.leave()

    def leave(self) -> NoReturn:
        """Say that the work was stopped, and end the process with ``STOPPED``."""
        with self._leaving:  # never released: whoever comes second waits for the end
            wipe = threading.Thread(target=progress.close_all, daemon=True)
            wipe.start()
            wipe.join(_WIPE_SECONDS)
            # the real stream: a live progress display stands in for sys.stderr
            out = sys.__stderr__
            if out is not None:
                lead = "\r" if out.isatty() else ""  # over the ^C that the terminal shows
                out.write(f"{lead}stopped; run the same command again to go on\n")
                out.flush()
            os._exit(STOPPED)
