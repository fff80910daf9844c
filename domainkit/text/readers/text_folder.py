"""One text per file, in a folder per class, inside a tar or zip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from domainkit.archive import walk
from domainkit.errors import ReaderError

__all__ = ["read_text_folder"]


def read_text_folder(
    files: Mapping[str, Path], split: str, *, folder: str, labels: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield one record per file ``<folder>/<label>/<name>.txt``, in archive order.

    Args:
        files: ``archive``: the zip or tar.
        split: the split's name; the folder says which files it has.
        folder: the folder within the archive that holds the class folders, such as
            "aclImdb/train".
        labels: the names of the class folders to read; other folders are left out.

    Yields:
        ``text`` (UTF-8), ``label`` (the folder's name) and ``file`` (the name of the file).

    Raises:
        ReaderError: a class folder is missing or empty, or a text is not UTF-8.

    Example:
        >>> import tempfile, zipfile
        >>> with tempfile.TemporaryDirectory() as root:
        ...     path = Path(root) / "a.zip"
        ...     with zipfile.ZipFile(path, "w") as archive:
        ...         archive.writestr("set/train/pos/0_9.txt", "Fine.")
        ...     paths = {"archive": path}
        ...     list(read_text_folder(paths, "train", folder="set/train", labels=["pos"]))
        [{'text': 'Fine.', 'label': 'pos', 'file': '0_9.txt'}]
    """
    path = files["archive"]
    counts = dict.fromkeys(labels, 0)
    for member in walk(path):
        place, _, name = member.name.rpartition("/")
        parent, _, label = place.rpartition("/")
        if parent != folder or label not in counts or not name.endswith(".txt"):
            continue
        if member.leftover:
            continue
        try:
            text = member.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise ReaderError(f"{path}: {member.name} is not UTF-8: {error}") from error
        counts[label] += 1
        yield {"text": text, "label": label, "file": name}
    missing = [f"{folder}/{label}" for label, count in counts.items() if not count]
    if missing:
        raise ReaderError(f"{path}: there is no .txt file in {' nor in '.join(missing)}")
