"""Model cards: find, parse and check ``domainkit/<domain>/models/*.toml``. No torch here.

A file describes one model, or, with ``[models.*]`` tables, a collection of models that share label
lists and recipes (torchvision's). A card holds facts: what builds the network, which weights there
are, their digest, the recipe they need, what they score on what, and how they were trained.

torchvision publishes the first 8 hex digits of the sha256 of its weights, in their file names. So
a download of them is held to that prefix only; the full sha256 of what came is recorded in the
cache, shown by ``domainkit info``, and what ``domainkit verify`` holds the file to from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from domainkit.cards import DIGESTS, DOMAINS, FileSpec, load_card, read_toml
from domainkit.errors import CardError, NotFoundError, nearest

__all__ = ["ModelCard", "WeightsSpec", "list_models", "load_model_card"]

# which field of a batch a domain's samples are in, and which one its models take
FIELDS = {"vision": ("image", "image"), "audio": ("audio", "audio"), "text": ("text", "tokens")}
INPUTS = {"vision": {"type": "Image"}, "audio": {"type": "Audio"}, "text": {"type": "Text"}}


@dataclass(frozen=True)
class WeightsSpec:
    """One set of weights: its file, the recipe its inputs need, what it scores.

    ``recipe`` is the name of a recipe, or its steps, or None when inputs have no preset;
    ``metrics`` maps what was measured to numbers; ``labels`` are the classes in logit order.
    """

    name: str
    file: FileSpec
    recipe: str | tuple[Mapping[str, Any], ...] | None
    labels: tuple[str, ...]
    metrics: Mapping[str, Any]
    license: str


@dataclass(frozen=True)
class ModelCard:
    """The facts of one model.

    ``builder`` is "module:function"; ``input`` the feature that decodes one sample; ``field`` and
    ``forward`` the batch fields that hold samples and that the network takes; ``training`` the
    arguments that reproduce the default weights (empty when they are somebody else's).
    """

    name: str
    task: str
    summary: str
    homepage: str
    license: str
    builder: str
    weights: Mapping[str, WeightsSpec]
    default: str | None
    args: Mapping[str, Any] = field(default_factory=dict)
    input: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        return self.name.split("/")[0]

    @property
    def field(self) -> str:
        return FIELDS[self.domain][0]

    @property
    def forward(self) -> str:
        return FIELDS[self.domain][1]

    def weights_spec(self, name: str) -> WeightsSpec:
        """The weights called ``name``, or the default ones for "default"."""
        wanted = self.default if name == "default" else name
        if wanted is None:
            raise NotFoundError(f"{self.name} has no published weights: load it with weights=None")
        if wanted not in self.weights:
            raise NotFoundError(
                f"{self.name} has no weights {wanted!r}. {nearest(wanted, self.weights)}"
            )
        return self.weights[wanted]


def list_models(domain: str | None = None) -> list[str]:
    """The names of all models, sorted; of one domain when given.

    Example:
        >>> "vision/resnet50" in list_models("vision")
        True
    """
    return sorted(_index(domain))


def load_model_card(name: str) -> ModelCard:
    """Parse the card of a model.

    Raises:
        NotFoundError: no such model; offers the nearest names.
        CardError: the card is malformed.

    Example:
        >>> load_model_card("vision/resnet50").default
        'imagenet1k-v2'
    """
    known = _index(None)
    if name not in known:
        raise NotFoundError(
            f"There is no model {name!r}. {nearest(name, known)} "
            "`domainkit list --models` shows all."
        )
    path = known[name]
    data = _read(path)
    try:
        if "models" in data:
            return _parse(name, data["models"][name.split("/")[1]], data, path)
        return _parse(name, data, {}, path)
    except KeyError as error:
        raise CardError(f"{path}: {name}: {error} is missing: add it") from error


def _index(domain: str | None) -> dict[str, Path]:
    if domain is not None and domain not in DOMAINS:
        raise NotFoundError(f"There is no domain {domain!r}. {nearest(domain, DOMAINS)}")
    return dict(_names(domain))


def _names(domain: str | None) -> Iterator[tuple[str, Path]]:
    for part in [domain] if domain else DOMAINS:
        for path in sorted((Path(__file__).parent / part / "models").glob("*.toml")):
            data = _read(path)
            for stem in data.get("models", [path.stem]):
                yield f"{part}/{stem}", path


@lru_cache(maxsize=64)
def _read(path: Path) -> dict[str, Any]:
    return read_toml(path)  # released cards never change while a process runs


def _parse(name: str, data: Mapping[str, Any], shared: Mapping[str, Any], path: Path) -> ModelCard:
    domain = name.split("/", maxsplit=1)[0]
    default = data.get("default")
    weights = {
        key: _weights(key, spec, data, shared, path) for key, spec in data["weights"].items()
    }
    if default is not None and default not in weights:
        raise CardError(f"{path}: {name}: default {default!r} is not among its weights")
    return ModelCard(
        name=name,
        task=data["task"],
        summary=data["summary"],
        homepage=data.get("homepage", shared.get("homepage", "")),
        license=data.get("license", shared.get("license", "")),
        builder=data["builder"],
        weights=weights,
        default=default,
        args=data.get("args", {}),
        input=data.get("input", INPUTS[domain]),
        training=data.get("training", {}),
    )


def _weights(
    key: str,
    spec: Mapping[str, Any],
    data: Mapping[str, Any],
    shared: Mapping[str, Any],
    path: Path,
) -> WeightsSpec:
    digest = next((f"{kind}:{spec[kind]}" for kind in DIGESTS if kind in spec), None)
    recipe = spec.get("recipe")
    if recipe in shared.get("recipes", {}):
        recipe = tuple(shared["recipes"][recipe])
    labels = spec.get("labels", data.get("labels", ()))
    if isinstance(labels, str):  # a shared list, or the classes of a dataset
        labels = shared.get("labels", {}).get(labels) or _dataset_labels(labels, path)
    return WeightsSpec(
        name=key,
        file=FileSpec(
            key=key,
            urls=(spec["url"],) if "url" in spec else (),
            path=path.parent / spec["path"] if "path" in spec else None,
            digest=digest,
            size=spec.get("size"),
        ),
        recipe=recipe,
        labels=tuple(labels),
        metrics=spec.get("metrics", {}),
        license=spec.get("license", data.get("license", shared.get("license", ""))),
    )


def _dataset_labels(name: str, path: Path) -> list[str]:
    for spec in load_card(name).features.values():
        if spec["type"] == "Label":
            return list(spec["names"])
    raise CardError(f"{path}: labels: the dataset {name} has no Label column")
