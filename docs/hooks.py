"""What mkdocs calls while it builds: the pages that are made from cards, recipes and code.

``datasets.md``, ``models.md`` and ``recipes.md`` say what the TOML files say, so they cannot drift
from them. ``api/transforms-<domain>.md`` has one entry per public transform. CONTRIBUTING.md and
CHANGELOG.md of the repository are pages too.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))  # mkdocs loads this file alone

import audio_gallery
import gallery

from domainkit.cards import Card, list_datasets, load_card
from domainkit.model_cards import ModelCard, list_models, load_model_card
from domainkit.recipe import list_recipes, read_recipe

ROOT = Path(__file__).parent.parent
DOMAINS = {"vision": "Vision", "audio": "Audio", "text": "Text"}
NO_RUN = re.compile(r"^(\s*```python) no-run", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those in ``docs/``."""
    for place, content in {**generated(), **gallery.pages(), **audio_gallery.pages()}.items():
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """``no-run`` is for the test that runs the examples; the highlighter does not know it."""
    return NO_RUN.sub(r"\1", markdown)


def generated() -> dict[str, str]:
    """Every generated page: its place in ``docs/`` and its Markdown."""
    pages = {
        "datasets.md": datasets_page(),
        "models.md": models_page(),
        "recipes.md": recipes_page(),
        "contributing.md": (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
    }
    for domain in DOMAINS:
        pages[f"api/transforms-{domain}.md"] = transforms_page(domain)
    return pages


# -- datasets ----------------------------------------------------------------------------------


def datasets_page() -> str:
    names = list_datasets()
    lines = [
        "# Datasets",
        "",
        f"{len(names)} datasets, made from their cards in `datasets/`. The first use of a split "
        "fetches its files, checks them against the digests in the card and prepares the rows; "
        "every later use opens what is there. `domainkit info NAME` says the same on the command "
        "line.",
    ]
    for domain, title in DOMAINS.items():
        lines += ["", f"## {title}"]
        for name in list_datasets(domain):
            lines += ["", *_dataset(load_card(name))]
    return "\n".join(lines) + "\n"


def _dataset(card: Card) -> Iterable[str]:
    shipped = all(file.path is not None for file in card.files.values())
    sizes = [file.size for file in card.files.values()]
    fetched = _bytes(sum(s for s in sizes if s is not None)) if all(sizes) else "size not published"
    split = next(iter(card.splits))
    yield from [
        _heading(card.name),
        "",
        card.summary,
        "",
        f"- Task: {card.task}",
        f"- Files: {'shipped with domainkit' if shipped else 'fetched on first use'}, {fetched}",
        f"- Licence: {card.license}",
        f"- Homepage: <{card.homepage}>",
        f"- Citation: {card.citation}",
        "",
        "| Split | Rows |",
        "|---|---|",
    ]
    for name, spec in card.splits.items():
        yield f"| `{name}` | {'unknown' if spec.rows is None else f'{spec.rows:,}'} |"
    yield from ["", "| Column | Type |", "|---|---|"]
    for column, feature in card.features.items():
        yield f"| `{column}` | {_cell(_feature(feature))} |"
    yield from [
        "",
        "```python" if shipped else "```python no-run",
        "import domainkit as dk",
        f'ds = dk.load_dataset("{card.name}", split="{split}")',
        "```",
    ]


def _feature(spec: Mapping[str, Any]) -> str:
    rest = {k: v for k, v in spec.items() if k not in ("type", "names")}
    text = spec["type"] + (f" ({', '.join(f'{k} {v}' for k, v in rest.items())})" if rest else "")
    if names := spec.get("names"):
        shown = ", ".join(names[:10])
        text += f", {len(names)} classes: {shown}" + (", ..." if len(names) > 10 else "")
    return text


# -- models ------------------------------------------------------------------------------------


def models_page() -> str:
    cards = [load_model_card(name) for name in list_models()]
    ours = [card for card in cards if card.training]
    others = [card for card in cards if not card.training]
    lines = [
        "---",
        "hide: [toc]",  # room for the table
        "---",
        "",
        "# Models",
        "",
        f"{len(cards)} models by name, from the model cards beside the code. `load_model` builds "
        "the network, brings the weights through the cache, checks them against the digest in "
        "the card and loads tensors only.",
        "",
        "## Trained here",
        "",
        "Small models, shipped with domainkit. The card of each says how it was trained, and "
        "`domainkit reproduce NAME` does it again.",
    ]
    for card in ours:
        lines += ["", *_model(card)]
    lines += [
        "",
        "## torchvision's",
        "",
        f"All {len(others)} models of torchvision by its own names. The weights are torchvision's "
        "files, fetched from their published address and checked against the digits of the sha256 "
        "in their names. Those for classification, detection and segmentation bring torchvision's "
        "preprocessing as `.recipe`. Weights are named as torchvision names them, in lower case "
        "with hyphens; the first one here is the default. The numbers are those that torchvision "
        "publishes.",
        "",
        "```python no-run",
        "import domainkit as dk",
        'model = dk.load_model("vision/resnet50", weights="imagenet1k-v2")',
        "```",
        "",
        "| Model | Task | Weights | The default's score |",
        "|---|---|---|---|",
    ]
    lines += [_row(card) for card in others]
    return "\n".join(lines) + "\n"


def _model(card: ModelCard) -> Iterable[str]:
    yield from [_heading(card.name), "", card.summary, ""]
    yield f"- Task: {card.task}"
    yield f"- Licence: {card.license}"
    for name, spec in card.weights.items():
        default = ", the default" if name == card.default and len(card.weights) > 1 else ""
        shown = ", ".join(spec.labels[:10])
        yield f"- Weights: `{name}`{default}, with the recipe {_recipe_link(spec.recipe)}"
        yield f"- Classes: {len(spec.labels)}: {shown}{', ...' if len(spec.labels) > 10 else ''}"
        yield from (f"- Score: {what} {number}" for what, number in spec.metrics.items())
    plan = ", ".join(f"{key} {value}" for key, value in card.training.items())
    yield f"- Trained with: {plan}"
    yield from [
        "",
        "```python",
        "import domainkit as dk",
        f'model = dk.load_model("{card.name}")',
        "```",
    ]


def _recipe_link(recipe: Any) -> str:
    return f"[{recipe}](recipes.md#{_anchor(recipe)})" if isinstance(recipe, str) else "its own"


def _row(card: ModelCard) -> str:
    names = sorted(card.weights, key=lambda name: name != card.default)
    score = ""
    if card.default is not None:
        metrics = card.weights[card.default].metrics
        score = next((f"{number} {what}" for what, number in metrics.items()), "")
    return f"| {card.name} | {card.task} | {', '.join(names) or 'none'} | {_cell(score)} |"


# -- recipes -----------------------------------------------------------------------------------


def recipes_page() -> str:
    lines = [
        "# Recipes",
        "",
        "A recipe is a preprocessing as a TOML file in `transforms/`. A released one never "
        "changes: a change is the next number. Its name goes into "
        "`Loader(..., transform=NAME)` or `load_recipe(NAME)`.",
    ]
    for domain, title in DOMAINS.items():
        lines += ["", f"## {title}"]
        for name in list_recipes(domain):
            recipe = read_recipe(name)
            lines += [
                "",
                _heading(name),
                "",
                recipe.summary,
                "",
                f"- Input: {_plain(recipe.input)}",
                f"- Output: {_plain(recipe.output)}",
                f"- Source: {_plain(recipe.source)}",
                "",
                "Steps:",
                "",
                *(f"{number}. {_step(step)}" for number, step in enumerate(recipe.steps, 1)),
            ]
    return "\n".join(lines) + "\n"


def _step(step: Mapping[str, Any]) -> str:
    args = ", ".join(f"{k}={v!r}" for k, v in step.items() if k != "op")
    return f"`{step['op']}({args})`"


# -- transforms --------------------------------------------------------------------------------


def transforms_page(domain: str) -> str:
    module = importlib.import_module(f"domainkit.{domain}.transforms")
    lines = [f"# {DOMAINS[domain]} transforms", "", (module.__doc__ or "").split("\n\nExample")[0]]
    for name in module.__all__:
        home = getattr(module, name).__module__
        if home.startswith(module.__name__):  # Compose has its own page
            lines += ["", f"::: {home}.{name}"]
    return "\n".join(lines) + "\n"


# -- Markdown ----------------------------------------------------------------------------------


def _heading(name: str) -> str:
    return f"### {name} {{ #{_anchor(name)} }}"


def _anchor(name: str) -> str:
    return name.replace("/", "-")


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _plain(text: str) -> str:
    """Without what Markdown would read as a link: shapes are written in brackets."""
    return re.sub(r"([\[\]_*])", r"\\\1", " ".join(text.split()))


def _bytes(count: int) -> str:
    for scale, word in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= scale:
            return f"{count / scale:.1f} {word}"
    return f"{count} B"
