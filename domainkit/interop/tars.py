"""Webdataset tars as samples: one walk finds what is in them, a second one gives the rows."""

from __future__ import annotations

import importlib
import io
import json
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from domainkit.archive import Limits, Member, walk
from domainkit.errors import ReaderError
from domainkit.features import (
    Audio,
    Feature,
    Float,
    Image,
    Int,
    Label,
    Tensor,
    Text,
    Tokens,
    feature_from_spec,
)
from domainkit.interop.media import kind_of_name
from domainkit.interop.own import Overrides

__all__ = ["FACTS", "Survey", "bare_column", "survey"]

FACTS = "__domainkit__"
_LIMITS = Limits(case_clashes=True)  # keys are anybody's, and no names of files
BARE = {"cls": "label", "npy": "array"}

# (column, extension, member) -> what is wanted of it; None: nothing
Take = Callable[[str, str, Member], Any]


def bare_column(extension: str) -> str | None:
    """The column of a member whose name has nothing but this extension; None for unknown ones."""
    return BARE.get(extension) or kind_of_name(f".{extension}")


@dataclass
class Survey:
    """What a first walk found.

    Attributes:
        samples: how many there are.
        counts: column -> in how many samples it is.
        kinds: column -> its types: a feature's name, or (dtype, shape) for an array.
        classes: column -> what its .cls members say.
        facts: what ``to_webdataset`` kept along.
    """

    samples: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, set[Any]] = field(default_factory=dict)
    classes: dict[str, set[str]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def info(self) -> dict[str, Any]:
        return dict(self.facts.get("info", {}))

    def features(self, given: Overrides) -> dict[str, Feature]:
        """The columns, in the order of the facts, else of the samples.

        Raises:
            ReaderError: no column, an override for no column, a column that some samples lack, or
                one of several types.
        """
        if not self.counts:
            raise ReaderError("there is no column: expected members such as 0001.jpg and 0001.cls")
        for column in given:
            if column not in self.counts and given[column] is not None:
                raise ReaderError(f"features names {column!r}; the columns are {list(self.counts)}")
        told = self.facts.get("features", {})
        order = [c for c in told if c in self.counts] + [c for c in self.counts if c not in told]
        found: dict[str, Feature] = {}
        for column in order:
            if column in given and given[column] is None:
                continue
            if self.counts[column] != self.samples:
                raise ReaderError(
                    f"column {column!r} is in {self.counts[column]} of {self.samples} samples: "
                    f"leave it out with features={{{column!r}: None}}"
                )
            if column in told and column not in given:
                found[column] = feature_from_spec(told[column], f"{FACTS}: column {column!r}")
            else:
                found[column] = given.get(column) or self._feature(column)
        return found

    def _feature(self, column: str) -> Feature:
        kinds = self.kinds[column]
        if kinds == {"Int", "Float"}:
            return Float()
        if len(kinds) > 1:
            raise ReaderError(
                f"column {column!r} is {' in some samples, '.join(sorted(map(str, kinds)))} in "
                f"others: leave it out with features={{{column!r}: None}}"
            )
        (kind,) = kinds
        if kind == "Label":
            return Label(tuple(sorted(self.classes[column])) if self._named(column) else ())
        if isinstance(kind, tuple):
            return Tensor(*kind)
        return {
            "Image": Image(), "Audio": Audio(), "Text": Text(), "Int": Int(), "Float": Float(),
            "Tokens": Tokens(),
        }[kind]  # fmt: skip

    def _named(self, column: str) -> bool:
        """Whether a column's .cls members hold names, not indices."""
        return not all(_is_index(c) for c in self.classes.get(column, ()))

    def records(self, files: Iterable[Path], columns: Mapping[str, Feature]) -> Iterator[dict]:
        """The rows, in the order of the tars."""
        named = {column for column in columns if self._named(column)}

        def take(column: str, extension: str, member: Member) -> Any:
            if extension == "json":
                return {key: value for key, value in _json(member).items() if key in columns}
            if column not in columns:
                return None
            return _value(columns[column], extension, member, column in named)

        for sample in _samples(files, take, {}):
            yield {column: sample.get(column) for column in columns}


def survey(files: Iterable[Path], given: Overrides) -> Survey:
    """Walk tars once and note what their samples are made of.

    Raises:
        ArchiveError: a tar is damaged or not safe.
        ReaderError: a member of a type we do not know, or tars that contradict each other.
    """
    seen = Survey()

    def look(column: str, extension: str, member: Member) -> Any:
        if extension == "json":
            wanted = {**seen.facts.get("features", {}), **given}
            kinds = {k: _json_kind(v) for k, v in _json(member).items()}
            return {k: v or "given" for k, v in kinds.items() if v or wanted.get(k)}
        if column in given and given[column] is None:
            return None
        if extension == "cls":
            seen.classes.setdefault(column, set()).add(_text(member).strip())
            return "Label"
        if extension == "npy":
            array = _array(member)
            return str(array.dtype), array.shape
        kind = kind_of_name(f".{extension}")
        if kind is None and column not in given:
            raise ReaderError(
                f"{member.name}: .{extension} is of no type we know. Say what it is with "
                f"features={{{column!r}: ...}}, or leave it out with None"
            )
        return kind.capitalize() if kind else "given"

    for sample in _samples(files, look, seen.facts):
        seen.samples += 1
        for column, kind in sample.items():
            seen.counts[column] = seen.counts.get(column, 0) + 1
            seen.kinds.setdefault(column, set()).add(kind)
    return seen


def _samples(files: Iterable[Path], take: Take, facts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What ``take`` makes of the members, one dict per sample; ``facts`` is filled on the way."""
    for file in files:
        current = None
        members: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        for member in walk(file, limits=_LIMITS):
            folder, base = posixpath.split(member.name)
            if member.name == FACTS:
                _take_facts(file, member, facts)
            stem, _, suffix = base.partition(".")
            if not stem or not suffix or base.startswith("__") or "__MACOSX" in folder:
                continue  # hidden files, other libraries' facts, a README
            key = posixpath.join(folder, stem)
            if key != current:
                if current is not None:
                    yield {**keys, **members}
                current, members, keys = key, {}, {}
            name, _, extension = suffix.rpartition(".")
            extension = extension.lower()
            column = name or bare_column(extension) or extension
            if column in members:
                raise ReaderError(f"{file}: {member.name}: sample {key!r} has {column!r} twice")
            value = take(column, extension, member)
            if extension == "json":
                keys.update(value)
            elif value is not None:
                members[column] = value
        if current is not None:
            yield {**keys, **members}


def _take_facts(file: Path, member: Member, facts: dict[str, Any]) -> None:
    new = _json(member)
    if facts and facts.get("features") != new.get("features"):
        raise ReaderError(f"{file}: its columns' facts ({FACTS}) are not those of the tars before")
    facts.update(new)


def _value(feature: Feature, extension: str, member: Member, named: bool) -> Any:
    if extension == "cls":
        text = _text(member).strip()
        return int(text) if _is_index(text) and not named else text
    if isinstance(feature, Text):
        return _text(member)
    if extension == "npy":
        return _array(member)
    if isinstance(feature, Image) and feature.shape:
        codec = importlib.import_module("domainkit.vision.codec")
        mode = "L" if feature.shape[0] == 1 else "RGB"
        return codec.decode_image(member.read(), mode=mode).numpy()
    return member.read()


def _is_index(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def _text(member: Member) -> str:
    try:
        return member.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReaderError(f"{member.name} is not UTF-8 text: {error}") from error


def _array(member: Member) -> np.ndarray:
    try:
        return np.load(io.BytesIO(member.read()), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ReaderError(f"{member.name} is not a .npy file of plain numbers: {error}") from error


def _json(member: Member) -> dict[str, Any]:
    try:
        value = json.loads(member.read())
    except ValueError as error:
        raise ReaderError(f"{member.name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ReaderError(f"{member.name} must hold a JSON object, got a {type(value).__name__}")
    return value


def _json_kind(value: Any) -> str | None:
    if isinstance(value, list):
        return "Tokens" if all(isinstance(v, int) for v in value) else None
    kinds = {bool: "Int", int: "Int", float: "Float", str: "Text"}
    return kinds.get(type(value))
