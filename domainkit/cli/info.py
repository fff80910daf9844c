"""``domainkit info``: the facts of one dataset, model or recipe, and what of it is here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from domainkit.cards import DIGESTS, Card
from domainkit.cli.held import HeldFile, held_file, prepared_split
from domainkit.cli.names import RecipeFile, find
from domainkit.cli.options import Json, new_app
from domainkit.cli.show import document, fields, line, paint, plural, size, table
from domainkit.model_cards import ModelCard

__all__ = ["app"]

SHOWN_CLASSES = 12

app = new_app()


@app.command(short_help="Tell what a dataset, model or recipe is.")
def info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset, a model or a recipe.")],
    json: Json = False,
) -> None:
    """Tell what a dataset, model or recipe is, and whether it is on this machine.

    \b
    Examples:
      domainkit info vision/fashion-mnist
      domainkit info vision/resnet50 --json
    """
    found = find(name)
    if isinstance(found, Card):
        facts, show = _dataset_facts(found), _show_dataset
    elif isinstance(found, ModelCard):
        facts, show = _model_facts(found), _show_model
    else:
        facts, show = _recipe_facts(found), _show_recipe
    if json:
        document(facts)
    else:
        show(facts)


# -- facts: what --json prints, and what the text is made from ---------------------------------


def _dataset_facts(card: Card) -> dict[str, Any]:
    splits = []
    for spec in card.splits.values():
        held = prepared_split(card, spec.name)
        splits.append(
            {
                "name": spec.name,
                "rows": spec.rows,
                "reader": spec.reader,
                "prepared": str(held.folder) if held else None,
                "bytes": held.size if held else None,
            }
        )
    return {
        "kind": "dataset",
        "name": card.name,
        "task": card.task,
        "summary": card.summary,
        "license": card.license,
        "homepage": card.homepage,
        "citation": card.citation,
        "card": str(card.source),
        "columns": {column: dict(spec) for column, spec in card.features.items()},
        "splits": splits,
        "files": [_file_facts(held_file(card.name, spec)) for spec in card.files.values()],
    }


def _file_facts(held: HeldFile) -> dict[str, Any]:
    spec = held.spec
    return {
        "key": spec.key,
        "state": held.state,
        "path": str(held.path) if held.path else None,
        "bytes": held.size,
        "digest": spec.digest,
        "sha256": held.entry.sha256 if held.entry else None,  # of the copy here, in full
        "urls": list(spec.urls),
        "manual": spec.manual,
    }


def _model_facts(card: ModelCard) -> dict[str, Any]:
    weights = [
        {
            **_file_facts(held_file(card.name, spec.file)),
            "key": key,
            "default": key == card.default,
            "recipe": spec.recipe if isinstance(spec.recipe, str | None) else list(spec.recipe),
            "metrics": dict(spec.metrics),
            "license": spec.license,
            "labels": list(spec.labels),
        }
        for key, spec in card.weights.items()
    ]
    return {
        "kind": "model",
        "name": card.name,
        "task": card.task,
        "summary": card.summary,
        "license": card.license,
        "homepage": card.homepage,
        "builder": card.builder,
        "input": dict(card.input),
        "weights": weights,
        "training": dict(card.training),
    }


def _recipe_facts(recipe: RecipeFile) -> dict[str, Any]:
    keys = ("summary", "input", "output", "source", "steps")
    return {
        "kind": "recipe",
        "name": recipe.name,
        **{key: recipe.data.get(key) for key in keys},
        "file": str(recipe.file),
    }


# -- text --------------------------------------------------------------------------------------


def _title(facts: Mapping[str, Any], names: Mapping[str, str]) -> None:
    line(paint(facts["name"], "bold"))
    rows = [("", facts["summary"])]
    fields(rows)
    line()
    fields((label, str(facts[key] or "")) for key, label in names.items())


def _show_dataset(facts: dict[str, Any]) -> None:
    names = {key: key for key in ("task", "license", "homepage", "citation", "card")}
    _title(facts, names | {"license": "licence"})
    line("\ncolumns")
    fields(((name, _feature(spec)) for name, spec in facts["columns"].items()), indent=2)
    line("\nsplits")
    table(
        (
            s["name"],
            plural(s["rows"], "row") if s["rows"] is not None else "rows unknown",
            f"prepared, {size(s['bytes'])}" if s["prepared"] else "not prepared",
        )
        for s in facts["splits"]
    )
    for split in facts["splits"]:
        if split["prepared"]:
            line(f"  {split['name']} is in {split['prepared']}")
    line("\nfiles")
    _show_files(facts["files"])


def _show_files(files: list[dict[str, Any]]) -> None:
    for file in files:
        bytes_ = size(file["bytes"]) if file["bytes"] is not None else "size unknown"
        line(f"  {file['key']}: {bytes_}, {_STATES[file['state']]}")
        for text in (*file["urls"], file["manual"], *_digests(file), file["path"]):
            if text:
                line(f"      {text}")


def _digests(file: dict[str, Any]) -> list[str]:
    """What the publisher promises, and the full sha256 of the copy here where that says more."""
    published, recorded = file["digest"], file["sha256"]
    kind, _, digits = (published or "").partition(":")
    if published and len(digits) == DIGESTS[kind]:
        return [published]
    first = "no digest published: the first copy is trusted"
    if published:
        first = f"{kind} starts with {digits}"
    return [first, f"the copy here has sha256:{recorded}"] if recorded else [first]


def _show_model(facts: dict[str, Any]) -> None:
    names = {key: key for key in ("task", "license", "homepage", "builder")}
    _title(facts, names | {"license": "licence"})
    if not facts["weights"]:
        line("\nno published weights: load it with weights=None")
    for weights in facts["weights"]:
        line(f"\nweights {weights['key']}{' (default)' if weights['default'] else ''}")
        recipe = weights["recipe"]
        fields(
            [
                ("metrics", ", ".join(f"{k}: {v}" for k, v in weights["metrics"].items())),
                ("recipe", recipe if isinstance(recipe, str) else _steps(recipe)),
                ("labels", _classes(weights["labels"])),
                ("licence", weights["license"]),
            ],
            indent=2,
        )
        _show_files([weights | {"key": "file"}])
    if facts["training"]:
        line("\ntrained with")
        fields(((k, str(v)) for k, v in facts["training"].items()), indent=2)
        line(f"  again: domainkit reproduce {facts['name']}")


def _show_recipe(facts: dict[str, Any]) -> None:
    _title(facts, {key: key for key in ("input", "output", "source", "file")})
    line("\nsteps")
    for number, step in enumerate(facts["steps"] or (), 1):
        line(f"  {number}. {_step(step)}")


_STATES = {
    "shipped": "comes with domainkit",
    "cached": "downloaded",
    "manual": "put in place by hand",
    "absent": "not downloaded",
    "damaged": "damaged: see `domainkit verify`",
}


def _feature(spec: Mapping[str, Any]) -> str:
    parts = [str(spec["type"])]
    for key, value in spec.items():
        if key == "names":
            parts.append(_classes(value))
        elif key != "type":
            shown = " x ".join(map(str, value)) if isinstance(value, list) else value
            parts.append(f"{key.replace('_', ' ')} {shown}")
    return ", ".join(parts)


def _classes(names: list[str]) -> str:
    if not names:
        return ""
    more = ", ..." if len(names) > SHOWN_CLASSES else ""
    return f"{plural(len(names), 'class', 'classes')}: {', '.join(names[:SHOWN_CLASSES])}{more}"


def _steps(steps: list[Mapping[str, Any]] | None) -> str:
    return "; ".join(_step(step) for step in steps or ())


def _step(step: Mapping[str, Any]) -> str:
    args = ", ".join(f"{k}={v!r}" for k, v in step.items() if k != "op")
    return f"{step.get('op')}({args})"
