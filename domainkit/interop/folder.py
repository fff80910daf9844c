"""``from_folder``: a folder of pictures, recordings or texts, its subfolders the classes.

The layout is the one of torchvision's ``ImageFolder`` and of most hand-made data:

    pets/cat/001.jpg        pets/train/cat/001.jpg      with split="train"
    pets/dog/rex/7.png      pets/test/dog/7.png         with split="test"
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from domainkit.dataset import Dataset
from domainkit.errors import NotFoundError, ReaderError, nearest
from domainkit.features import Audio, Feature, Image, Label, Text
from domainkit.interop.media import EXTENSIONS, kind_of_name
from domainkit.interop.own import Rows, file_facts, override_facts, overrides, own_dataset

__all__ = ["from_folder"]

SPLITS = {
    "train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing",
}  # fmt: skip
HIDDEN = (".", "__MACOSX")


def from_folder(
    path: str | os.PathLike[str],
    *,
    split: str | None = None,
    task: str | None = None,
    features: Mapping[str, Any] | None = None,
) -> Dataset:
    """Class folders of pictures, recordings or .txt files as a dataset.

    The columns are "image", "audio" or "text" and, where the files lie in class folders, "label";
    deeper folders belong to the class folder above them. Rows are in the order of class and name.
    Hidden files and files of other types are passed over. The class names are sorted; with
    ``split`` they are those of all splits together, so that an index means the same class in each.

    Pictures are decoded as RGB. The sample rate of a column of recordings is that of its files'
    headers where all agree, else None; a recipe that needs a sample rate then refuses the dataset.

    Args:
        path: the folder.
        split: a subfolder such as "train" that stands for a split, not for a class.
        task: such as "image-classification". Needed only where the folder holds several kinds of
            files: its first word (image, audio or text) chooses one.
        features: what a column is instead, for example
            ``{"image": {"type": "Image", "mode": "L"}}``.

    Raises:
        NotFoundError: no such folder or split, or ``split`` was left out where it is needed.
        ReaderError: no file of a known type, several kinds of files, or files both inside class
            folders and beside them.

    Example:
        >>> import os, tempfile, unittest.mock
        >>> with tempfile.TemporaryDirectory() as home:
        ...     for label, text in {"good": "I like it", "bad": "No"}.items():
        ...         os.makedirs(f"{home}/notes/{label}")
        ...         _ = Path(f"{home}/notes/{label}/1.txt").write_text(text)
        ...     with unittest.mock.patch.dict(os.environ, {"DOMAINKIT_HOME": f"{home}/cache"}):
        ...         ds = from_folder(f"{home}/notes")
        ...     ds, ds[0]
        (Dataset(notes: 2 rows; text: Text, label: Label), {'text': 'No', 'label': 0})
    """
    top = Path(path).expanduser().resolve()
    if not top.is_dir():
        raise NotFoundError(f"There is no folder {top}")
    wanted = _kind_of_task(task)
    root = _split_folder(top, split)
    kind, files = _choose(root, list(_walk(root)), wanted)
    classed = _classed(root, files, task)
    names: tuple[str, ...] = ()
    if classed:
        found = {file.relative_to(root).parts[0] for file in files}
        for sibling in _splits(top) if split else []:
            found.update(_classes(sibling, kind))
        names = tuple(sorted(found))
    given = overrides(features)
    facts = {
        "format": "folder",
        "kind": kind,
        "files": file_facts(files, root),
        "names": names,
        "features": override_facts(given),
    }

    def make() -> Rows:
        columns: dict[str, Feature] = {kind: _feature(kind, files)}
        if classed:
            columns["label"] = Label(names)
        columns.update({n: f for n, f in given.items() if f is not None and n in columns})
        records = _records(root, files, kind, classed)
        return Rows(columns, records, len(files), {"task": task} if task else {})

    for column in given:
        if column not in (kind, "label") or given[column] is None:
            raise TypeError(f"features may describe {kind!r} and 'label' here, got {column!r}")
    return own_dataset(facts, make, name=top.name, split=split or "", place=str(root))


def _kind_of_task(task: str | None) -> str | None:
    kind = task.partition("-")[0] if task else None
    if kind is not None and kind not in EXTENSIONS:
        raise TypeError(f"task must begin with {', '.join(EXTENSIONS)}, got {task!r}")
    return kind


def _split_folder(top: Path, split: str | None) -> Path:
    folders = [f.name for f in _subfolders(top)]
    if split is None:
        if folders and SPLITS.issuperset(name.lower() for name in folders):
            raise NotFoundError(
                f"{top} holds splits, not classes: choose one with split=, "
                f"{' or '.join(map(repr, folders))}"
            )
        return top
    if split not in folders:
        raise NotFoundError(f"{top} has no folder {split!r}. {nearest(split, folders)}")
    return top / split


def _splits(top: Path) -> list[Path]:
    return [f for f in _subfolders(top) if f.name.lower() in SPLITS]


def _subfolders(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith(HIDDEN))


def _classes(root: Path, kind: str) -> set[str]:
    return {
        folder.name
        for folder in _subfolders(root)
        if any(kind_of_name(file.name) == kind for file in _walk(folder))
    }


def _walk(root: Path) -> Iterator[Path]:
    """All files below, in order, without hidden ones; a link that leads to where we were ends."""
    seen = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not f.startswith(HIDDEN))
        yield from (Path(folder, n) for n in sorted(names) if not n.startswith(HIDDEN))


def _choose(root: Path, files: list[Path], wanted: str | None) -> tuple[str, list[Path]]:
    """The kind of files there is, and the files of that kind."""
    first: dict[str, Path] = {}
    for file in files:
        if kind := kind_of_name(file.name):
            first.setdefault(kind, file)
    if wanted is None and len(first) > 1:
        (one, a), (two, b) = list(first.items())[:2]
        raise ReaderError(
            f"{root} holds several kinds of files: {a.relative_to(root)} ({one}) and "
            f"{b.relative_to(root)} ({two}). Say which to take, for example "
            f"task='{one}-classification'"
        )
    kind = wanted or next(iter(first), None)
    if kind is None or kind not in first:
        known = EXTENSIONS[wanted] if wanted else [e for k in EXTENSIONS.values() for e in k]
        raise ReaderError(f"{root} holds no file that ends with .{', .'.join(known)}")
    return kind, [f for f in files if kind_of_name(f.name) == kind]


def _classed(root: Path, files: Sequence[Path], task: str | None) -> bool:
    inside = [f for f in files if f.parent != root]
    beside = [f for f in files if f.parent == root]
    if inside and beside:
        raise ReaderError(
            f"{root}: {inside[0].relative_to(root)} is in a class folder, {beside[0].name} is not: "
            "put all files into class folders, or none"
        )
    if beside and task and task.endswith("-classification"):
        raise ReaderError(f"{root}: {task} needs class folders, {beside[0].name} is in none")
    return bool(inside)


def _feature(kind: str, files: Sequence[Path]) -> Feature:
    if kind == "audio":
        return Audio(_common_rate(files))
    return Image() if kind == "image" else Text()


def _common_rate(files: Sequence[Path]) -> int | None:
    import soundfile

    rates = set()
    for file in files:
        try:
            rates.add(soundfile.info(str(file)).samplerate)
        except soundfile.SoundFileError:
            continue  # a damaged file is told when its row is decoded
        if len(rates) > 1:
            return None
    return rates.pop() if rates else None


def _records(
    root: Path, files: Sequence[Path], kind: str, classed: bool
) -> Iterator[dict[str, Any]]:
    for file in files:
        data: bytes | str = file.read_bytes()
        if kind == "text":
            try:
                data = bytes(data).decode("utf-8-sig")  # type: ignore[arg-type]
            except UnicodeDecodeError as error:
                raise ReaderError(
                    f"{file} is not UTF-8 text ({error}): convert it, for example with iconv"
                ) from error
        record: dict[str, Any] = {kind: data}
        if classed:
            record["label"] = file.relative_to(root).parts[0]
        yield record
