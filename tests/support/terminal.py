"""A terminal for tests: a program on a pty, and the screen that what it writes leaves.

``Screen`` knows what bars need: text that wraps, carriage return, line feed, cursor movements and
erasing, scrolling. Colours are dropped; anything else is an error, so that nothing is missed.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence

__all__ = ["Screen", "Session"]

# so that Ctrl-C typed there reaches the program
_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

_TOKEN = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|[\r\n]|[^\x1b\r\n]")


class Screen:
    """Rows of characters; ``above`` holds what has scrolled away.

    Attributes:
        cursor: whether it can be seen.
        row, column: where it is.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.above: list[str] = []
        self.rows = [[" "] * width for _ in range(height)]
        self.row = self.column = 0
        self.cursor = True

    def feed(self, text: str) -> None:
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            assert token, f"unknown escape {text[at : at + 12]!r}"
            at = token.end()
            if token[2]:
                self._control(token[1], token[2])
            elif token[0] == "\r":
                self.column = 0
            elif token[0] == "\n":
                self._down()
            else:
                self._put(token[0])

    def _control(self, numbers: str, letter: str) -> None:
        count = int(numbers) if numbers.isdecimal() else 1
        if letter == "A":
            self.row = max(0, self.row - count)
        elif letter == "K" and numbers == "2":
            self.rows[self.row] = [" "] * self.width
        elif letter in "hl" and numbers == "?25":
            self.cursor = letter == "h"
        else:
            assert letter == "m", f"unknown control {numbers}{letter}"

    def _put(self, character: str) -> None:
        wide = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self.column + wide > self.width:  # the last column was full: now the line is over
            self.column = 0
            self._down()
        self.rows[self.row][self.column : self.column + wide] = [character] + [""] * (wide - 1)
        self.column += wide

    def _down(self) -> None:
        if self.row + 1 < self.height:
            self.row += 1
            return
        self.above.append("".join(self.rows.pop(0)).rstrip())
        self.rows.append([" "] * self.width)

    @property
    def lines(self) -> list[str]:
        """What can be seen, without the empty lines at the end."""
        lines = ["".join(row).rstrip() for row in self.rows]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def text(self) -> str:
        """All that was ever left standing, above and on the screen."""
        return "\n".join([*self.above, *self.lines])


class Session:
    """A program whose stdin, stdout and stderr are one terminal; ``command`` starts with a path.

    Args:
        stdout: where stdout leads instead.
        echo: whether the terminal shows what is typed.

    Attributes:
        screen: what is on it.
        raw: all that was written, escapes and all.
        seen: the lines of the screen after each piece that came.
    """

    def __init__(
        self,
        command: Sequence[str],
        width: int = 80,
        height: int = 24,
        env: Mapping[str, str] | None = None,
        stdout: int | None = None,
        echo: bool = False,
    ) -> None:
        self.screen = Screen(width, height)
        self.raw = ""
        self.seen: list[list[str]] = []
        self._terminal, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        if not echo:
            settings = termios.tcgetattr(end)
            settings[3] &= ~termios.ECHO
            termios.tcsetattr(end, termios.TCSANOW, settings)
        clean = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _TAKE_TERMINAL, *command],
            stdin=end,
            stdout=end if stdout is None else stdout,
            stderr=end,
            env={**clean, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **(env or {})},
            start_new_session=True,
        )
        os.close(end)
        self._left = b""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *unused: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._terminal)

    def until(self, seen: Callable[[Screen], bool], seconds: float = 20.0) -> None:
        """Reads until the screen is as wanted."""
        end = time.monotonic() + seconds
        while not seen(self.screen):
            assert time.monotonic() < end, f"not seen in {seconds} s:\n{self.screen.text}"
            assert self._read(0.1), f"never seen, the program ended:\n{self.screen.text}"

    def finish(self, seconds: float = 60.0) -> int:
        """Reads to the end; the exit code."""
        end = time.monotonic() + seconds
        while self._read(0.1):
            assert time.monotonic() < end, f"still running after {seconds} s:\n{self.screen.text}"
        return self.process.wait(10)

    def type(self, text: str) -> None:
        """Presses keys; ``"\x03"`` is Ctrl-C.

        First reads what was written: the kernel throws away what is not read yet at Ctrl-C.
        """
        while select.select([self._terminal], [], [], 0.02)[0] and self._read(0):
            pass
        os.write(self._terminal, text.encode())

    def _read(self, seconds: float) -> bool:
        """Takes in what was written; False when nobody can write any more."""
        ready, _, _ = select.select([self._terminal], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._terminal, 1 << 16)
        except OSError:  # how Linux says that the other end is closed
            data = b""
        if not data:
            return False
        # a character or an escape may be cut where the piece ends
        whole, self._left = _whole(self._left + data)
        text = whole.decode()
        self.raw += text
        self.screen.feed(text)
        self.seen.append(self.screen.lines)
        return True


def _whole(data: bytes) -> tuple[bytes, bytes]:
    cut = len(data)
    escape = data.rfind(b"\x1b")
    if escape >= 0 and not re.match(rb"\x1b\[\??[\d;]*[A-Za-z]", data[escape:]):
        cut = escape
    while True:
        try:
            data[:cut].decode()
            return data[:cut], data[cut:]
        except UnicodeDecodeError as error:
            cut = error.start
