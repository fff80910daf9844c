"""An archive with one folder per label, whose splits are lists of file names inside it.

The layout is that of Speech Commands (P. Warden, arXiv:1804.03209): ``yes/0a7c2a8d_nohash_0.wav``
beside ``validation_list.txt`` and ``testing_list.txt``; what no list names is for training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from domainkit.archive import walk
from domainkit.audio.readers.utf8 import utf8
from domainkit.errors import ReaderError

__all__ = ["read_labelled_folder"]


def read_labelled_folder(
    files: Mapping[str, Path],
    split: str,
    *,
    listed_in: str = "",
    not_listed_in: Sequence[str] = (),
    ignore: Sequence[str] = (),
    divider: str = "",
    extension: str = ".wav",
) -> Iterator[dict[str, Any]]:
    """Yield one record per recording, in archive order.

    Args:
        files: ``archive``: the tar or zip.
        split: used in messages only.
        listed_in: the member that lists this split, one ``label/name.wav`` per line; empty takes
            every recording.
        not_listed_in: members with lists of what to leave out.
        ignore: names of folders that are no label.
        divider: what stands between speaker and utterance number in a file name (``_nohash_``);
            empty means that names say nothing, and the records have no such fields.
        extension: of the recordings.

    Yields:
        ``audio`` bytes, ``label`` str and, with a divider, ``speaker`` str and ``utterance`` int.

    Raises:
        ReaderError: a list is missing or not UTF-8, a listed recording is missing, or a name is
            laid out otherwise.

    Example:
        >>> import tempfile, zipfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.zip"
        ...     with zipfile.ZipFile(path, "w") as file:
        ...         file.writestr("yes/0a7c_nohash_1.wav", b"RIFF")
        ...     list(read_labelled_folder({"archive": path}, "train", divider="_nohash_"))
        [{'audio': b'RIFF', 'label': 'yes', 'speaker': '0a7c', 'utterance': 1}]
    """
    archive = files["archive"]
    lists = _read_lists(archive, [*([listed_in] if listed_in else []), *not_listed_in])
    wanted = lists.pop(listed_in) if listed_in else None
    unwanted = set().union(*lists.values())
    found = 0
    for member in walk(archive):
        label, _, name = member.name.rpartition("/")
        label = label.rpartition("/")[2]
        if not name.endswith(extension) or member.leftover or not label or label in ignore:
            continue
        place = f"{label}/{name}"
        if place in unwanted or (wanted is not None and place not in wanted):
            continue
        found += 1
        record: dict[str, Any] = {"audio": member.read(), "label": label}
        if divider:
            speaker, mark, utterance = name.removesuffix(extension).partition(divider)
            if not mark or not utterance.isdecimal():
                raise ReaderError(
                    f"{archive}: {member.name} should be called "
                    f"<speaker>{divider}<number>{extension}: is this the published archive?"
                )
            record |= {"speaker": speaker, "utterance": int(utterance)}
        yield record
    if found == 0 or (wanted is not None and found != len(wanted)):
        expected = f"the {len(wanted)} recordings of {listed_in}" if wanted else "recordings"
        raise ReaderError(
            f"{archive}: expected {expected} for the split {split!r} as <label>/*{extension}, "
            f"found {found}: is this the published archive?"
        )


def _read_lists(archive: Path, names: Sequence[str]) -> dict[str, set[str]]:
    """The lines of some members; the walk ends as soon as all are found."""
    lists: dict[str, set[str]] = {}
    if not names:
        return lists
    for member in walk(archive):
        name = member.name.rpartition("/")[2]
        if name in names and name not in lists:
            text = utf8(archive, member.name, member.read())
            lists[name] = {line.strip() for line in text.splitlines() if line.strip()}
            if len(lists) == len(set(names)):
                return lists
    missing = ", ".join(name for name in names if name not in lists)
    raise ReaderError(f"{archive}: expected {missing} in it: is this the published archive?")
