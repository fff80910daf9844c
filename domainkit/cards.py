"""Dataset cards: find, parse and check ``datasets/<domain>/<name>.toml``.

A card holds facts only: where the files are, their digests, what the columns are, which reader
makes the rows of each split. Listing reads file names; a card is parsed when somebody asks for it.

Cards are looked for in the folders of ``DOMAINKIT_CARDS`` first (separated like ``PATH``, each with
the layout ``<domain>/<name>.toml``), then among those that come with domainkit. That is how private
datasets get in, and how a card of the same name is overridden.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domainkit.errors import CardError, NotFoundError, nearest

__all__ = [
    "Card",
    "FileSpec",
    "SplitSpec",
    "card_folders",
    "data_folder",
    "list_datasets",
    "load_card",
    "parse_card",
]

DOMAINS = ("audio", "text", "vision")
DIGESTS = {"sha256": 64, "sha512": 128, "md5": 32, "crc32": 8}  # name -> hex digits, best first
FEATURES = ("Audio", "Boxes", "Float", "Image", "Int", "Label", "Mask", "Tensor", "Text", "Tokens")
CARD_KEYS = {
    "name", "task", "summary", "homepage", "license", "citation",
    "base", "files", "features", "splits",
}  # fmt: skip
FILE_KEYS = {"url", "urls", "path", "size", "manual", *DIGESTS}


@dataclass(frozen=True)
class FileSpec:
    """One file of a dataset: where it is and what its bytes must be.

    Exactly one of ``urls`` (mirrors, in order), ``path`` (a file shipped beside the card) and
    ``manual`` (how a person gets it) is set. ``digest`` is like ``"sha256:..."``; ``size`` is in
    bytes.
    """

    key: str
    urls: tuple[str, ...] = ()
    path: Path | None = None
    manual: str | None = None
    digest: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class SplitSpec:
    """How the rows of one split are made.

    ``files`` maps the reader's roles to keys of the card's files; ``args`` are the reader's other
    arguments; ``rows`` is the published number of rows (None when unknown).
    """

    name: str
    reader: str
    files: Mapping[str, str]
    args: Mapping[str, Any]
    rows: int | None = None


@dataclass(frozen=True)
class Card:
    """The facts of one dataset, checked. ``features`` maps column names to feature specs."""

    name: str
    task: str
    summary: str
    homepage: str
    license: str
    citation: str
    files: Mapping[str, FileSpec]
    features: Mapping[str, Mapping[str, Any]]
    splits: Mapping[str, SplitSpec]
    source: Path

    @property
    def domain(self) -> str:
        return self.name.split("/")[0]

    def split(self, name: str) -> SplitSpec:
        """The split called ``name``; NotFoundError offers the nearest ones."""
        if name not in self.splits:
            raise NotFoundError(
                f"{self.name} has no split {name!r}. {nearest(name, self.splits)} "
                f"Its splits: {', '.join(self.splits)}."
            )
        return self.splits[name]


def data_folder(kind: str) -> Path:
    """The folder of the facts that come with domainkit: ``kind`` is "datasets" or "transforms"."""
    shipped = Path(__file__).parent / "_data" / kind
    # an editable install has no _data: there the folder stands beside the package
    return shipped if shipped.is_dir() else Path(__file__).parent.parent / kind


def card_folders() -> list[Path]:
    """Where cards are looked for, in order: ``DOMAINKIT_CARDS``, then domainkit's own."""
    extra = os.environ.get("DOMAINKIT_CARDS", "")
    return [Path(p).expanduser() for p in extra.split(os.pathsep) if p] + [data_folder("datasets")]


def list_datasets(domain: str | None = None) -> list[str]:
    """The names of all datasets, sorted; of one domain when given.

    Example:
        >>> "vision/cifar10" in list_datasets("vision")
        True
    """
    return sorted(_find(domain))


def load_card(name: str) -> Card:
    """Parse the card of a dataset.

    Raises:
        NotFoundError: no such dataset; offers the nearest names.
        CardError: the card is malformed; names the file and the field.

    Example:
        >>> load_card("vision/fashion-mnist").splits["train"].rows
        60000
    """
    found = _find(None)
    if name not in found:
        raise NotFoundError(
            f"There is no dataset {name!r}. {nearest(name, found)} `domainkit list` shows all."
        )
    return parse_card(found[name], name)


def parse_card(path: Path, name: str | None = None) -> Card:
    """Read and check one card file; ``name`` is what its ``name`` field must say."""
    data = read_toml(path)
    _only(data, CARD_KEYS, path, "the card")
    texts = {
        key: _get(data, key, str, path)
        for key in ("name", "task", "summary", "homepage", "license", "citation")
    }
    expected = name or f"{path.parent.name}/{path.stem}"
    if texts["name"] != expected:
        raise CardError(f"{path}: name is {texts['name']!r}, its place says {expected!r}")
    base = _get(data, "base", str, path) if "base" in data else ""
    files = {
        key: _file(key, spec, base, path) for key, spec in _get(data, "files", dict, path).items()
    }
    features = _get(data, "features", dict, path)
    if not features:
        raise CardError(f"{path}: [features] is empty: a dataset needs at least one column")
    for column, spec in features.items():
        kind = spec.get("type") if isinstance(spec, dict) else None
        if kind not in FEATURES:
            raise CardError(
                f"{path}: features.{column}: type is {kind!r}, expected one of "
                f"{', '.join(FEATURES)}"
            )
    splits = {
        key: _split(key, spec, files, path)
        for key, spec in _get(data, "splits", dict, path).items()
    }
    if not splits:
        raise CardError(f"{path}: [splits] is empty: a dataset needs at least one split")
    return Card(**texts, files=files, features=features, splits=splits, source=path)


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; CardError names the file, the line and the fault."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CardError(f"{path} is not valid TOML: {error}") from error
    except OSError as error:
        raise CardError(f"{path} cannot be read: {error.strerror}") from error


def find_files(folders: list[Path], domain: str | None = None) -> Iterator[tuple[str, Path]]:
    """(name, path) of every ``<domain>/<name>.toml`` below the folders, the first folder first."""
    if domain is not None and domain not in DOMAINS:
        raise NotFoundError(f"There is no domain {domain!r}. {nearest(domain, DOMAINS)}")
    for folder in folders:
        for part in DOMAINS if domain is None else [domain]:
            try:
                entries = sorted(os.listdir(folder / part))
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                if entry.endswith(".toml"):
                    yield f"{part}/{entry.removesuffix('.toml')}", folder / part / entry


def _find(domain: str | None) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, path in find_files(card_folders(), domain):
        found.setdefault(name, path)
    return found


def _get(data: Mapping[str, Any], key: str, kind: type, path: Path, where: str = "") -> Any:
    if key not in data:
        raise CardError(f"{path}: {where}{key} is missing: add it (a {_name(kind)})")
    # to Python a bool is an int, to a card it is not
    if not isinstance(data[key], kind) or (kind is int and isinstance(data[key], bool)):
        raise CardError(
            f"{path}: {where}{key} must be a {_name(kind)}, got {_name(type(data[key]))} "
            f"{data[key]!r}"
        )
    return data[key]


def _count(data: Mapping[str, Any], key: str, path: Path, where: str) -> int | None:
    value = _get(data, key, int, path, where) if key in data else None
    if value is not None and value < 0:
        raise CardError(f"{path}: {where}{key} must not be negative, got {value}")
    return value


def _name(kind: type) -> str:
    return {str: "string", dict: "table", int: "number", list: "list"}.get(kind, kind.__name__)


def _only(data: Mapping[str, Any], known: set[str], path: Path, where: str) -> None:
    for key in data:
        if key not in known:
            raise CardError(f"{path}: {where} has an unknown field {key!r}. {nearest(key, known)}")


def _file(key: str, spec: Any, base: str, path: Path) -> FileSpec:
    where = f"files.{key}"
    if not isinstance(spec, dict):
        raise CardError(f"{path}: {where} must be a table with url, digest and size")
    _only(spec, FILE_KEYS, path, where)
    urls = spec.get("urls", [spec["url"]] if "url" in spec else [])
    if not isinstance(urls, list) or not all(isinstance(u, str) for u in urls):
        raise CardError(f"{path}: {where}.urls must be a list of strings, got {urls!r}")
    sources = [bool(urls), "path" in spec, "manual" in spec]
    if sum(sources) != 1:
        raise CardError(f"{path}: {where} needs exactly one of url, urls, path and manual")
    digest = None
    for kind, digits in DIGESTS.items():
        if kind in spec:
            value = _get(spec, kind, str, path, f"{where}.").lower()
            if len(value) != digits or set(value) - set("0123456789abcdef"):
                raise CardError(f"{path}: {where}.{kind} must be {digits} hex digits: {value!r}")
            digest = digest or f"{kind}:{value}"
    size = _count(spec, "size", path, f"{where}.")
    beside = None
    if "path" in spec:
        beside = path.parent / path.stem / _get(spec, "path", str, path, f"{where}.")
    return FileSpec(
        key=key,
        urls=tuple(u if "://" in u else base.rstrip("/") + "/" + u for u in urls),
        path=beside,
        manual=_get(spec, "manual", str, path, f"{where}.") if "manual" in spec else None,
        digest=digest,
        size=size,
    )


def _split(key: str, spec: Any, files: Mapping[str, FileSpec], path: Path) -> SplitSpec:
    where = f"splits.{key}."
    if not isinstance(spec, dict):
        raise CardError(f"{path}: splits.{key} must be a table with rows, reader and files")
    args = dict(spec)
    reader = _get(args, "reader", str, path, where)
    roles = _get(args, "files", dict, path, where)
    rows = _count(args, "rows", path, where)
    for role, wanted in roles.items():
        if not isinstance(wanted, str) or wanted not in files:
            raise CardError(
                f"{path}: {where}files.{role} names {wanted!r}, which [files] does not have. "
                f"{nearest(str(wanted), files)}"
            )
    for taken in ("reader", "files", "rows"):
        args.pop(taken, None)
    for name, value in args.items():
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, (str, int, float)):
                raise CardError(
                    f"{path}: {where}{name} must be a string, number, boolean or a list of them, "
                    f"got {_name(type(part))} {part!r}"
                )
    return SplitSpec(name=key, reader=reader, files=roles, args=args, rows=rows)
