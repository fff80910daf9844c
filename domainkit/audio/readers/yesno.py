"""The YesNo set (OpenSLR 1): sixty recordings whose file names spell what is said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from domainkit.archive import walk
from domainkit.errors import ReaderError

__all__ = ["read_yesno"]

NAME = re.compile(r"[01](_[01]){7}")


def read_yesno(files: Mapping[str, Path], split: str) -> Iterator[dict[str, Any]]:
    """Yield one record per recording, in archive order.

    Args:
        files: ``archive``: ``waves_yesno.tar.gz``.
        split: used in messages only: the set has one.

    Yields:
        ``audio`` bytes and ``labels``, eight ints: 1 where "yes" is said, 0 where "no".

    Raises:
        ReaderError: a recording is not called like ``0_1_1_0_0_1_0_1.wav``, or there is none.

    Example:
        >>> import tempfile, zipfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.zip"
        ...     with zipfile.ZipFile(path, "w") as file:
        ...         file.writestr("waves_yesno/0_1_1_0_0_1_0_1.wav", b"RIFF")
        ...     list(read_yesno({"archive": path}, "train"))
        [{'audio': b'RIFF', 'labels': [0, 1, 1, 0, 0, 1, 0, 1]}]
    """
    archive = files["archive"]
    empty = True
    for member in walk(archive):
        name = member.name.rpartition("/")[2]
        if not name.endswith(".wav") or member.leftover:
            continue
        stem = name.removesuffix(".wav")
        if not NAME.fullmatch(stem):
            raise ReaderError(
                f"{archive}: {member.name} should be called like 0_1_1_0_0_1_0_1.wav: "
                "is this the published archive?"
            )
        empty = False
        yield {"audio": member.read(), "labels": [int(digit) for digit in stem.split("_")]}
    if empty:
        raise ReaderError(f"{archive}: expected recordings (*.wav) for {split!r}, found none")
