"""Pictures in one folder per class, inside a zip or tar: ``<folder>/<class>/.../<picture>``."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from domainkit.archive import walk
from domainkit.errors import ReaderError

__all__ = ["read_image_folder"]

_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def read_image_folder(
    files: Mapping[str, Path],
    split: str,
    *,
    folder: str = "",
    classes: Sequence[str] = (),
    extensions: Sequence[str] = _EXTENSIONS,
) -> Iterator[dict[str, Any]]:
    """The pictures below ``folder``, as stored, each with the class that its folder names.

    Rows come in the archive's own order, which is the same every time and lets a compressed tar be
    read once. torchvision sorts by class and file name instead.

    Args:
        files: "archive", a zip or tar.
        split: not used: ``folder`` says which rows.
        folder: path inside the archive that holds the class folders; "" is the top.
        classes: names of the class folders in the order of the labels. Without it the label is the
            folder's name, for the card's Label names to number.
        extensions: file names that end so (in any case) are pictures; others are passed over, and
            so are the ``._*`` files that macOS leaves.

    Yields:
        ``image`` bytes as published and ``label`` int (with ``classes``) or str.

    Raises:
        ReaderError: a class folder that ``classes`` does not list, or no picture at all.
        ArchiveError: a damaged or unsafe archive.

    Example:
        >>> import tempfile, zipfile
        >>> with tempfile.TemporaryDirectory() as name:
        ...     with zipfile.ZipFile(f"{name}/a.zip", "w") as file:
        ...         file.writestr("pets/train/dog/1.jpg", b"(a JPEG)")
        ...     files = {"archive": Path(name, "a.zip")}
        ...     list(read_image_folder(files, "train", folder="pets/train", classes=["cat", "dog"]))
        [{'image': b'(a JPEG)', 'label': 1}]
    """
    archive = files["archive"]
    top = folder.strip("/")
    index = {name: i for i, name in enumerate(classes)}
    endings = tuple(extension.lower() for extension in extensions)
    others: dict[str, None] = {}  # where pictures are instead, for the message
    found = False
    for member in walk(archive):
        if not member.name.lower().endswith(endings) or member.leftover:
            continue
        inside = posixpath.relpath(member.name, top) if top else member.name
        name, _, rest = inside.partition("/")
        if name == ".." or not rest:
            if len(others) < 5:
                others.setdefault(posixpath.dirname(posixpath.dirname(member.name)) or ".")
            continue
        if classes and name not in index:
            raise ReaderError(
                f"{archive}: {member.name} lies in a folder {name!r}, which is not one of the "
                f"{len(index)} classes {', '.join(index)}"
            )
        found = True
        yield {"image": member.read(), "label": index[name] if classes else name}
    if not found:
        elsewhere = f"; there are pictures below {', '.join(others)}" if others else ""
        raise ReaderError(
            f"{archive}: no picture ({', '.join(endings)}) in a class folder below "
            f"{top or 'the top'!r}{elsewhere}"
        )
