"""LJ Speech (K. Ito and L. Johnson, 2017): ``metadata.csv`` and ``wavs/*.wav`` in one archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from domainkit.archive import Member, walk
from domainkit.audio.readers.utf8 import utf8
from domainkit.errors import ReaderError

__all__ = ["read_ljspeech"]

METADATA = "metadata.csv"


def read_ljspeech(files: Mapping[str, Path], split: str) -> Iterator[dict[str, Any]]:
    """Yield one record per recording, in archive order.

    Args:
        files: ``archive``: ``LJSpeech-1.1.tar.bz2``.
        split: used in messages only: the set has one.

    Yields:
        ``audio`` bytes, ``id`` (``LJ001-0001``), ``transcript`` as printed in the book and
        ``normalized_transcript`` with numbers and abbreviations written out.

    Raises:
        ReaderError: the metadata is missing or laid out otherwise, or it and the recordings do not
            belong together.

    Example:
        >>> import tempfile, zipfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.zip"
        ...     with zipfile.ZipFile(path, "w") as file:
        ...         file.writestr("LJSpeech-1.1/metadata.csv", "LJ1|No. 1|Number one")
        ...         file.writestr("LJSpeech-1.1/wavs/LJ1.wav", b"RIFF")
        ...     next(read_ljspeech({"archive": path}, "train"))["normalized_transcript"]
        'Number one'
    """
    archive = files["archive"]
    members = walk(archive)
    passed = False  # a recording went by before the metadata came
    for member in members:
        if member.name.rpartition("/")[2] == METADATA:
            rows = _rows(archive, member.read())
            break
        passed = passed or _is_recording(member)
    else:
        raise ReaderError(f"{archive}: expected {METADATA} in it: is this the published archive?")
    # one pass is enough when the metadata came first: bzip2 takes minutes for this archive
    for member in walk(archive) if passed else members:
        if not _is_recording(member):
            continue
        key = member.name.rpartition("/")[2].removesuffix(".wav")
        row = rows.pop(key, None)
        if row is None:
            raise ReaderError(f"{archive}: {METADATA} has no row for {member.name}")
        yield {
            "audio": member.read(),
            "id": key,
            "transcript": row[0],
            "normalized_transcript": row[1],
        }
    if rows:
        raise ReaderError(
            f"{archive}: {len(rows)} of the recordings of {METADATA} are missing, the first is "
            f"{next(iter(rows))}.wav (split {split!r})"
        )


def _is_recording(member: Member) -> bool:
    return member.name.endswith(".wav") and not member.leftover


def _rows(archive: Path, data: bytes) -> dict[str, tuple[str, str]]:
    """id -> (transcript, normalized). Quotes are text here: the file does not quote fields."""
    rows = {}
    for number, line in enumerate(utf8(archive, METADATA, data).split("\n"), 1):
        fields = line.rstrip("\r").split("|")
        if fields == [""]:
            continue
        if len(fields) != 3:
            raise ReaderError(
                f"{archive}: {METADATA} line {number} has {len(fields)} fields between |, "
                "expected 3: id, transcript, normalized transcript"
            )
        rows[fields[0]] = (fields[1], fields[2])
    return rows
