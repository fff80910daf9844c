"""Recipes: a preprocessing as a TOML file, and back.

A recipe ``transforms/<domain>/<name>.toml`` names transforms of its domain and their arguments. It
never changes once it is released: a change is the next number. Weights name the recipe they need.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domainkit.cards import DOMAINS, data_folder, find_files, read_toml
from domainkit.errors import CardError, NotFoundError, TransformError, nearest
from domainkit.transform import Compose, Transform

__all__ = ["Recipe", "build_steps", "list_recipes", "load_recipe", "read_recipe", "save_recipe"]

TEXTS = ("name", "summary", "input", "output", "source")


@dataclass(frozen=True)
class Recipe:
    """The facts of one recipe file; ``build()`` makes the transforms."""

    name: str
    summary: str
    input: str
    output: str
    source: str
    steps: tuple[Mapping[str, Any], ...]
    file: Path

    def build(self) -> Compose:
        """The pipeline. CardError: an unknown op or argument, named with the file."""
        domain = self.name.split("/")[0]
        folder = self.file.parent / self.file.stem
        return build_steps(self.steps, domain, name=self.name, folder=folder, where=str(self.file))


def list_recipes(domain: str | None = None) -> list[str]:
    """The names of all recipes, sorted; of one domain when given.

    Example:
        >>> "vision/imagenet-eval-1" in list_recipes("vision")
        True
    """
    return sorted(name for name, _ in find_files([data_folder("transforms")], domain))


def load_recipe(name: str | Path) -> Compose:
    """The pipeline of a recipe, by name, or by the path of a ``.toml`` file of your own.

    Raises:
        NotFoundError: no such recipe; offers the nearest names.
        CardError: the file is malformed, or names an op or argument that does not exist.

    Example:
        >>> load_recipe("vision/imagenet-eval-1").steps[0]
        Resize(size=256, interpolation='bilinear', max_size=None, antialias=True)
    """
    return read_recipe(name).build()


def read_recipe(name: str | Path) -> Recipe:
    """The facts of a recipe, by name or path, without building it."""
    file = Path(name)
    if file.suffix != ".toml":
        known = dict(find_files([data_folder("transforms")]))
        if str(name) not in known:
            raise NotFoundError(f"There is no recipe {str(name)!r}. {nearest(str(name), known)}")
        file = known[str(name)]
    data = read_toml(file)
    for key in TEXTS:
        if not isinstance(data.get(key), str):
            raise CardError(f"{file}: {key} is missing: add it (a string)")
    steps = data.get("steps")
    if not isinstance(steps, list) or not steps:
        raise CardError(f"{file}: [[steps]] is missing: add at least one table with op = ...")
    if not all(isinstance(step, dict) for step in steps):
        raise CardError(f"{file}: [[steps]] must be tables with op = ..., got {steps!r:.80}")
    if data["name"].split("/")[0] not in DOMAINS:
        raise CardError(
            f"{file}: name is {data['name']!r}, expected <domain>/<name> with one of the domains "
            f"{', '.join(DOMAINS)}"
        )
    if unknown := data.keys() - {*TEXTS, "steps"}:
        raise CardError(f"{file}: unknown field {min(unknown)!r}")
    return Recipe(**{key: data[key] for key in TEXTS}, steps=tuple(steps), file=file)


def build_steps(
    steps: Iterable[Mapping[str, Any]],
    domain: str,
    *,
    name: str | None = None,
    folder: Path | None = None,
    where: str = "recipe",
) -> Compose:
    """Turn ``[{"op": "Resize", "size": 256}, ...]`` into transforms of a domain.

    ``folder`` is what "./file" and "../file" in an argument are relative to.
    """
    module = importlib.import_module(f"domainkit.{domain}.transforms")
    built = []
    for number, step in enumerate(steps, 1):
        args = {k: _argument(v, folder) for k, v in step.items() if k != "op"}
        op = str(step.get("op"))
        kind = getattr(module, op, None) if op in module.__all__ else None
        if not (isinstance(kind, type) and issubclass(kind, Transform)):
            raise CardError(
                f"{where}: step {number}: there is no transform {op!r} in domainkit.{domain}. "
                f"{nearest(op, module.__all__)}"
            )
        try:
            built.append(kind(**args))
        except (TypeError, TransformError) as error:
            raise CardError(f"{where}: step {number}, {op}: {error}") from error
    return Compose(built, name=name)


def save_recipe(
    pipeline: Compose,
    path: str | Path,
    *,
    summary: str,
    input: str = "",
    output: str = "",
    source: str = "",
) -> None:
    """Write a pipeline as a recipe file; ``load_recipe(path)`` gives an equal one back.

    The name becomes ``<domain>/<file name>``, the domain being that of the transforms.

    Raises:
        TransformError: a step is not a transform of one domain with plain arguments.

    Example:
        >>> import tempfile
        >>> from domainkit.vision import transforms as T
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "own-eval-1.toml")
        ...     save_recipe(T.Compose([T.Resize(64), T.CenterCrop(56)]), path, summary="Mine.")
        ...     load_recipe(path).steps[1]
        CenterCrop(size=56)
    """
    path = Path(path)
    modules = [type(step).__module__.split(".") for step in pipeline.steps]
    domains = {module[1] if module[0] == "domainkit" else "" for module in modules}
    if (
        len(domains) != 1
        or not domains <= {*DOMAINS}
        or not all(dataclasses.is_dataclass(s) for s in pipeline.steps)
    ):
        raise TransformError(
            "a recipe holds transforms of one domain of domainkit, got "
            + ", ".join(type(s).__qualname__ for s in pipeline.steps)
        )
    facts = {
        "name": f"{domains.pop()}/{path.stem}",
        "summary": summary,
        "input": input,
        "output": output,
        "source": source,
    }
    lines = [f"{key} = {_toml(value)}" for key, value in facts.items()]
    for step in pipeline.steps:
        lines += ["", "[[steps]]", *_lines(step)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _lines(step: Any) -> list[str]:
    """``op = "..."`` and the arguments of a step that are not its defaults."""
    lines = [f"op = {_toml(type(step).__name__)}"]
    for field in dataclasses.fields(step):
        value = getattr(step, field.name)
        if value is None and field.default is not None:
            raise TransformError(
                f"{type(step).__name__}: {field.name} is None, which TOML cannot write"
            )
        if value != field.default:
            lines.append(f"{field.name} = {_toml(value)}")
    return lines


def _argument(value: Any, folder: Path | None) -> Any:
    if isinstance(value, list):
        return tuple(_argument(v, folder) for v in value)
    if isinstance(value, dict):  # a step of a container
        return {k: _argument(v, folder) for k, v in value.items()}
    if folder is not None and isinstance(value, str) and value.startswith(("./", "../")):
        return str((folder / value).resolve())
    return value


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return repr(int(value))
    if isinstance(value, float):
        return repr(float(value))  # without the type's name that numpy prints
    if isinstance(value, str):  # JSON's escapes are TOML's, but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    if isinstance(value, Compose):
        return _toml(value.steps)
    if isinstance(value, Transform) and dataclasses.is_dataclass(value):  # a step of a container
        return "{ " + ", ".join(_lines(value)) + " }"
    raise TransformError(f"a recipe holds numbers, strings and lists, got {type(value).__name__}")
