"""A file that is still growing: its pieces, how far each has come, and whose bytes they are.

    <key>.part    the bytes, each where it belongs in the file
    <key>.map     one uint64 (little-endian) per piece: how many of its bytes are there
    <key>.json    address, version, size of the file and of its pieces

Three rules let it be killed at any moment. The map counts bytes after they were written. The map is
emptied before anything else is thrown away, and filled with zeros after the note was written: so
bytes that count belong to the note. And bytes that nothing can be held to later (no digest, from
nobody) do not outlive a power cut, after which a file may have its length but not its content: the
note says in which run of the machine they came.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import struct
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Self

from domainkit.cache.digest import Sums
from domainkit.cache.layout import read_json, write_json
from domainkit.progress import Progress

__all__ = ["ClosedError", "Partial"]

_READ = 1 << 20
_NAP = 0.25  # seconds
_WHOLE = 1 << 62  # the size of the one piece of a file that is not cut into several
_BLOCK = 24  # bits: 16 MiB are written back at a time
_AHEAD = 4 << 20  # bytes unread by the digest from which on a thread of its own is worth it
_one_at_a_time = threading.Lock()


class ClosedError(Exception):
    """The partial file was closed meanwhile; a transfer that still runs is to end."""


class Partial:
    """The growing file of one fetch, written by any number of threads, digested as it grows.

    Attributes:
        url, validator: where the bytes come from, and what names that very version for certain;
            None where nothing does.
        total: bytes of the whole file, None while unknown.
        digest: what the sender says its digest is; None where it says nothing.
        held: bytes that are there.
        resumed: some of them come from an earlier run, or from another address.
    """

    url: str | None
    validator: str | None
    total: int | None
    digest: str | None
    held: int
    resumed: bool
    _done: list[int]  # bytes there of each piece
    _front: int  # everything before it is there
    _summed: int  # everything before it is digested
    _digesting: bool

    def __init__(self, path: Path, algorithm: str, shown: Progress, promised: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._note = path.with_suffix(".json")
        self._map = path.with_suffix(".map")
        self._algorithm, self._shown, self._promised = algorithm, shown, promised
        self._lock = threading.RLock()
        self._grown = threading.Condition(self._lock)
        # "a" makes the file but would write at its end only
        path.open("ab").close()
        self._file = path.open("r+b", buffering=0)
        self._counts = self._map.open("r+b" if self._map.exists() else "w+b", buffering=0)
        self._writers = 0
        self._round = 0  # a digest that was begun before the bytes were thrown away is void
        try:
            with self._lock:
                self._clear()
                self._take_up()
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        resumable = self.resumable
        self._close()
        if not resumable:
            self.forget()

    @property
    def resumable(self) -> bool:
        """Whether the next attempt may go on from here."""
        return self.held > 0 and self.validator is not None

    @property
    def complete(self) -> bool:
        return self.total is not None and self.held == self.total and bool(self._done)

    @property
    def pieces(self) -> int:
        return len(self._done)

    def span(self, index: int) -> tuple[int, int | None]:
        """The half-open range that is missing of a piece; its end is None where unknown."""
        start = index * self._piece + self._done[index]
        if self.total is None:
            return start, None
        return start, min(self.total, (index + 1) * self._piece)

    def begun(self, index: int) -> bool:
        """Whether some bytes of a piece are there."""
        return self._done[index] > 0

    def full(self, index: int) -> bool:
        start, stop = self.span(index)
        return start == stop

    def begin(
        self,
        url: str,
        validator: str | None,
        total: int | None,
        piece: int | None = None,
        digest: str | None = None,
    ) -> None:
        """Starts again from nothing with another version, in pieces of so many bytes or in one.

        Raises:
            OSError: there is no room for so many bytes.
        """
        self.reset()
        with self._lock:
            self.url, self.validator, self.digest, self.total = url, validator, digest, total
            if total is not None:
                _room(self.path.parent, total)
            self._save(piece)
            self._lay_out(total, piece, b"")
            self._sums = Sums(self._algorithm, *([digest.partition(":")[0]] if digest else []))

    def moved(self, url: str, validator: str | None) -> None:
        """The rest comes from another address of the same file."""
        with self._lock:
            self.url, self.validator, self.resumed = url, validator, True
            self._save(None if self._piece == _WHOLE else self._piece)

    def know(self, total: int) -> None:
        """The size of a file in one piece became known."""
        with self._lock:
            self.total = total
            self._shown.set_total(total)

    def write(self, index: int, data: bytes, at: int) -> None:
        """Adds bytes to a piece, which has one writer at a time; it keeps within the span.

        Args:
            at: the offset in the file of the first of them.

        Raises:
            ClosedError: the fetch has ended meanwhile.
            RuntimeError: they belong elsewhere, which nobody has asked for.
        """
        with self._lock:
            if self._file.closed:
                raise ClosedError
            start = self.span(index)[0]
            if start != at:
                raise RuntimeError(f"{self.path}: byte {at:,} came where {start:,} is missing")
            self._writers += 1  # until then the file is not closed, nor its number another's
        try:
            _put(self._file, data, start)
        finally:
            with self._grown:
                self._writers -= 1
                self._grown.notify_all()
        with self._lock:
            if self._file.closed:
                raise ClosedError
            self._done[index] += len(data)
            _put(self._counts, struct.pack("<Q", self._done[index]), 8 * index)
            self.held += len(data)
            self._move_front()
        self._shown.advance(len(data))
        _write_back(self._file, start, start + len(data))
        self._digest_along()

    def reset(self) -> None:
        """Throws the bytes away; no piece may have a writer."""
        with self._lock:
            if self._file.closed:
                raise ClosedError
            self._counts.truncate(0)
            if os.fstat(self._file.fileno()).st_size:  # else ext4 would flush it, which takes time
                self._file.truncate(0)
            self._shown.advance(-self.held)
            self._clear()

    def finish(self) -> Sums:
        """The digests of the whole file."""
        while True:
            with self._grown:
                while self._digesting:
                    self._grown.wait(_NAP)  # in small steps: Ctrl-C gets through everywhere
                if self._summed >= self._front:
                    return self._sums
                self._digesting = True
            self._digest(self._round)

    def seal(self) -> None:
        """Puts the bytes on disk for good; nothing more is written."""
        if os.fstat(self._file.fileno()).st_size > self.held:
            # killed before they were counted, and then the file turned out to be shorter
            self._file.truncate(self.held)
        os.fsync(self._file.fileno())
        self._close()

    def forget(self) -> None:
        """Removes all three files: the bytes have their final name, or there are none."""
        for path in (self._map, self.path, self._note):
            path.unlink(missing_ok=True)

    def head(self, count: int = 512) -> bytes:
        """The first bytes, to tell a web page by."""
        with self.path.open("rb") as file:
            return file.read(count)

    def _close(self) -> None:
        with self._grown:
            self._round += 1  # a digest that is under way stops
            while self._writers:
                self._grown.wait()
            self._file.close()
            self._counts.close()

    def _clear(self) -> None:
        self.url = self.validator = self.total = self.digest = None
        self.held, self.resumed = 0, False
        self._piece = 0
        self._done = []
        self._sums, self._summed, self._digesting = Sums(self._algorithm), 0, False
        self._front, self._front_piece = 0, 0
        self._round += 1
        self._grown.notify_all()

    def _save(self, piece: int | None) -> None:
        write_json(
            self._note,
            {
                "url": self.url,
                "validator": self.validator,
                "total": self.total,
                "piece": piece,
                "digest": self.digest,
                "boot": _boot(),
            },
        )

    def _lay_out(self, total: int | None, piece: int | None, counts: bytes) -> None:
        """Lays the pieces out, with the counts of an earlier run where there are any."""
        self.total = total
        self._shown.set_total(total)
        self._piece = piece if total and piece else _WHOLE
        number = -(-total // self._piece) if total else 1
        if not counts:
            counts = bytes(8 * number)
            _put(self._counts, counts, 0)
        self._done = list(struct.unpack(f"<{number}Q", counts))
        self.held = sum(self._done)
        self._move_front()

    def _take_up(self) -> None:
        """Goes on with what an earlier run left, or clears it."""
        note = read_json(self._note) or {}
        counts = self._map.read_bytes()
        try:
            fits = self._believe(note, counts)
        except (KeyError, TypeError, ValueError, struct.error):
            fits = False
        if not fits:
            self.held = 0
            self.reset()
            return
        self.resumed = True
        self._shown.advance(self.held, fresh=False)

    def _believe(self, note: dict[str, Any], counts: bytes) -> bool:
        url, validator, total, piece = (note[k] for k in ("url", "validator", "total", "piece"))
        digest = note["digest"]
        texts = isinstance(url, str) and isinstance(validator, str)
        if not (texts and (self._promised or digest or (note["boot"] and note["boot"] == _boot()))):
            return False
        self._sums = Sums(self._algorithm, *([digest.partition(":")[0]] if digest else []))
        self.url, self.validator, self.digest = url, validator, digest
        self._lay_out(total, piece, counts)
        ends = [self.span(i) for i in range(self.pieces)]
        size = self.path.stat().st_size
        right = all(stop is None or start <= stop for start, stop in ends)
        there = max(
            (i * self._piece + done for i, done in enumerate(self._done) if done), default=0
        )
        return right and 0 < there <= size

    def _move_front(self) -> None:
        """Everything before the front is there: the digest may read it."""
        while self._front_piece < self.pieces - 1 and self.full(self._front_piece):
            self._front_piece += 1
        if self.pieces:
            self._front = self.span(self._front_piece)[0]

    def _digest_along(self) -> None:
        """Lets a thread digest what has come, while more is coming."""
        with self._lock:
            if self._digesting or self._front - self._summed < _AHEAD or self._file.closed:
                return
            self._digesting = True
            round_ = self._round
        try:
            threading.Thread(target=self._digest_quietly, args=(round_,), daemon=True).start()
        except RuntimeError:  # the system gives no more threads; ``finish`` digests it all
            with self._grown:
                self._digesting = False
                self._grown.notify_all()

    def _digest_quietly(self, round_: int) -> None:
        with suppress(OSError):  # ``finish`` meets it again, and raises it
            self._digest(round_)

    def _digest(self, round_: int) -> None:
        """Digests up to the front; ends where the bytes are thrown away meanwhile."""
        try:
            sums, buffer = self._sums, memoryview(bytearray(_READ))
            with self.path.open("rb", buffering=0) as file:
                file.seek(self._summed)
                while True:
                    with self._lock:
                        left = self._front - self._summed
                        if round_ != self._round or left <= 0:
                            return
                    count = file.readinto(buffer[: min(left, _READ)])
                    if not count:
                        raise OSError(errno.EIO, f"{self.path} has become shorter")
                    sums.update(buffer[:count])
                    with self._lock:
                        if round_ == self._round:
                            self._summed += count
        finally:
            with self._grown:
                if round_ == self._round:
                    self._digesting = False
                self._grown.notify_all()


def _put(file: io.FileIO, data: bytes, start: int) -> None:
    """Writes at a place, whatever other threads write elsewhere."""
    view = memoryview(data)
    if hasattr(os, "pwrite"):
        while view:
            count = os.pwrite(file.fileno(), view, start)
            view, start = view[count:], start + count
        return
    with _one_at_a_time:  # Windows has no such call
        file.seek(start)
        while view:
            view = view[file.write(view) :]


def _write_back(file: io.FileIO, start: int, stop: int) -> None:
    """Lets the system write out what is ready, so that the sync at the end has little to do."""
    first, last = start >> _BLOCK, stop >> _BLOCK
    if first != last and hasattr(os, "posix_fadvise"):
        with suppress(OSError, ValueError):  # advice; the file may be closed meanwhile
            os.posix_fadvise(
                file.fileno(), first << _BLOCK, (last - first) << _BLOCK, os.POSIX_FADV_DONTNEED
            )


def _room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed:,} bytes are needed")


@cache
def _boot() -> str | None:
    """What names the time since the machine was started; None where nothing tells."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
