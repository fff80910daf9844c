"""Pretrained models: weights through the cache, with the recipe and labels they belong to.

``load_model`` builds the network, fetches the weights (verified, once), loads them without
unpickling anything but tensors, and hangs on the module what a user needs to use it rightly:
``.card``, ``.recipe``, ``.labels`` and ``.predict``.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from domainkit import cache
from domainkit.batch import Batch
from domainkit.dataset import Dataset, load_dataset
from domainkit.errors import CardError, DecodeError, DomainkitError, NotFoundError
from domainkit.features import feature_from_spec
from domainkit.loader import Loader
from domainkit.model_cards import ModelCard, WeightsSpec, load_model_card
from domainkit.ragged import Ragged
from domainkit.recipe import build_steps, load_recipe
from domainkit.training import evaluate, fit
from domainkit.transform import Compose

__all__ = ["Prediction", "load_model", "reproduce"]


def load_model(
    name: str, weights: str | None = "default", *, device: Any = None, **args: Any
) -> Any:
    """A model of the zoo, in evaluation mode.

    Args:
        name: such as "vision/resnet50"; ``list_models()`` gives all.
        weights: such as "imagenet1k-v2"; "default" for the best published ones, None for an
            untrained network.
        device: where to put it.
        args: for the builder, such as ``num_classes=7`` (with ``weights=None``).

    Returns:
        An ``nn.Module`` with ``.card``, ``.recipe`` (a ``Compose`` or None), ``.labels`` and
        ``.predict(files or batch)``.

    Raises:
        NotFoundError: no such model or weights.
        FetchError: the weights could not be fetched, or are not what the card promises.

    Example:
        >>> model = load_model("text/sentiment-bag")
        >>> model.predict(["A wonderful film, I loved it."])[0].label
        'positive'
    """
    card = load_model_card(name)
    spec = None if weights is None else card.weights_spec(weights)
    model = _build(card, spec, args)
    known = spec or (card.weights[card.default] if card.default else None)
    model.card = card
    model.recipe = _recipe(card, known)
    model.labels = known.labels if known is not None else ()
    model.predict = _Predictor(model)
    return model.to(device).eval()


def _build(card: ModelCard, spec: WeightsSpec | None, args: Mapping[str, Any]) -> Any:
    module, _, function = card.builder.partition(":")
    builder = getattr(importlib.import_module(module), function)
    args = {**card.args, **args}
    state = None if spec is None else _read_weights(spec)
    try:
        # a builder of somebody else's models may have to know the weights while it builds
        if spec is not None and "state_dict" in inspect.signature(builder).parameters:
            return builder(**args, weights=spec.name, state_dict=state)
        model = builder(**args)
        if state is not None:
            model.load_state_dict(state)
    except (TypeError, ValueError, RuntimeError) as error:
        loaded = f"with the weights {spec.name!r}" if spec else "untrained"
        raise DomainkitError(
            f"{card.name} cannot be built {loaded} from {args}: {error}"
        ) from error
    return model


@dataclass(frozen=True)
class Prediction:
    """The best class of one sample: its label, its probability in [0, 1] and its index.

    ``top`` holds (label, probability) of the best few, best first.
    """

    label: str
    score: float
    index: int
    top: tuple[tuple[str, float], ...]


class _Predictor:
    """``model.predict``: from files, texts or a batch as it comes from a dataset, to classes.

    Args of the call:
        inputs: a path, bytes or (in the text domain) a string, or a list of them; a ``Dataset``; a
            batch (mapping, dense tensor or ``Ragged``) as decoded, before the recipe.
        top: how many classes ``Prediction.top`` names.
        batch_size: how many samples go through the network at once.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    @torch.inference_mode()
    def __call__(self, inputs: Any, *, top: int = 5, batch_size: int = 64) -> list[Prediction]:
        model, card = self._model, self._model.card
        if not card.task.endswith("classification") or model.recipe is None:
            raise DomainkitError(
                f"predict() gives classes; {card.name} is for {card.task}: call the model itself "
                "on a batch prepared by its recipe"
            )
        device = next(model.parameters()).device
        results: list[Prediction] = []
        for batch in self._batches(inputs, batch_size):
            ready = model.recipe(batch.to(device)).to(device)
            scores = model(ready[card.forward]).softmax(-1).cpu()
            results.extend(_prediction(row, model.labels, top) for row in scores)
        return results

    def _batches(self, inputs: Any, size: int) -> Any:
        card = self._model.card
        if isinstance(inputs, Dataset):
            rows = inputs.select_columns([card.field])
            yield from Loader(rows, size, rank=0, world_size=1)
            return
        if isinstance(inputs, (torch.Tensor, Ragged)):
            inputs = {card.field: inputs}
        if isinstance(inputs, Mapping):
            if card.field not in inputs:
                raise NotFoundError(f"{card.name} needs {card.field!r}, got {', '.join(inputs)}")
            yield Batch({card.field: inputs[card.field]})
            return
        single = isinstance(inputs, (str, bytes, Path))
        items: Sequence[Any] = [inputs] if single else list(inputs)
        feature = feature_from_spec(card.input)
        for start in range(0, len(items), size):
            part = [_decode(item, feature, card) for item in items[start : start + size]]
            yield Batch({card.field: feature.collate(part)})


def _decode(item: Any, feature: Any, card: ModelCard) -> Any:
    if card.domain == "text":
        if not isinstance(item, str):
            raise DecodeError(f"{card.name} takes strings, got {type(item).__name__}")
        return item
    if isinstance(item, bytes):
        return feature.decode(item)
    try:
        return feature.decode(Path(item).read_bytes())
    except (OSError, DecodeError) as error:
        raise DecodeError(f"{item}: {error}") from error


def _prediction(row: torch.Tensor, labels: Sequence[str], top: int) -> Prediction:
    scores, indices = row.topk(min(top, len(row)))
    best = [
        (labels[i] if i < len(labels) else str(i), round(float(s), 6))
        for s, i in zip(scores, indices.tolist(), strict=True)
    ]
    return Prediction(best[0][0], best[0][1], int(indices[0]), tuple(best))


def _read_weights(spec: WeightsSpec) -> dict[str, torch.Tensor]:
    file = spec.file
    if file.path is not None:
        if not file.path.is_file():
            raise CardError(f"weights {spec.name}: there is no file {file.path}")
        cache.check(file.path, digest=file.digest, size=file.size)
        path = file.path
    else:
        path = cache.fetch(file.urls, digest=file.digest, size=file.size)
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _recipe(card: ModelCard, spec: WeightsSpec | None) -> Compose | None:
    if spec is None or spec.recipe is None:
        return None
    if isinstance(spec.recipe, str):
        return load_recipe(spec.recipe)
    return build_steps(spec.recipe, card.domain, name=f"{card.name}, {spec.name}", where=card.name)


def reproduce(
    name: str, *, epochs: int | None = None, after_epoch: Any = None
) -> tuple[Any, float]:
    """Train a model of the zoo again, as its card says.

    Args:
        name: a model whose card has ``[training]``.
        epochs: fewer (or more) passes than the card's, for a quick look.
        after_epoch: called with the epoch and its mean loss.

    Returns:
        The freshly trained model and its accuracy on the held-out split.

    Raises:
        NotFoundError: the card does not say how it was trained.
    """
    card = load_model_card(name)
    if not card.training:
        raise NotFoundError(f"{name} was not trained here: its card has no [training]")
    plan = dict(card.training)
    seed, size = plan.pop("seed"), plan.pop("batch_size")
    train = load_dataset(plan.pop("dataset"), plan.pop("split"))
    test = load_dataset(train.info["name"], plan.pop("test_split"))
    recipe, test_recipe = plan.pop("recipe"), plan.pop("test_recipe")
    if epochs is not None:
        plan["epochs"] = epochs
    with torch.random.fork_rng(devices=[]):  # the caller's generator stays as it was
        torch.manual_seed(seed)
        model = load_model(name, weights=None)
        loader = Loader(train, size, shuffle=True, seed=seed, transform=recipe)
        fit(model, loader, field=card.forward, after_epoch=after_epoch, **plan)
    held_out = Loader(test, 500, transform=test_recipe)
    return model, evaluate(model, held_out, field=card.forward)
