"""Pretrained models: weights through the cache, with the recipe and labels they belong to.

``load_model`` builds the network, fetches the weights (verified, once), loads them without
unpickling anything but tensors, and hangs on the module what a user needs to use it rightly:
``.card``, ``.recipe``, ``.labels`` and ``.predict``.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from domainkit import cache
from domainkit.batch import Batch
from domainkit.dataset import Dataset, load_dataset
from domainkit.errors import (
    CardError,
    DecodeError,
    DomainkitError,
    NotFoundError,
    TransformError,
    nearest,
)
from domainkit.features import Audio, Feature, Image, feature_from_spec
from domainkit.loader import Loader
from domainkit.model_cards import ModelCard, WeightsSpec, load_model_card
from domainkit.ragged import Ragged
from domainkit.recipe import build_steps, load_recipe
from domainkit.training import evaluate, evaluating, fit
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
        An ``nn.Module`` with ``.card``, ``.recipe`` (the preprocessing of the weights, or of the
        default ones for an untrained network: a ``Compose`` or None), ``.labels`` (the classes in
        logit order; empty for an untrained network) and ``.predict(files or batch)``.

    Raises:
        NotFoundError: no such model or weights.
        FetchError: the weights could not be fetched, or are not what the card promises.
        DomainkitError: the builder refuses the arguments, or the weights do not fit them.

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
    model.labels = spec.labels if spec is not None else ()
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
        lines = str(error).splitlines()  # torch goes on with a line for each tensor
        reason = lines[0].rstrip(":") if lines else type(error).__name__
        if spec is not None and not isinstance(error, TypeError):
            reason += ". The weights do not fit: use weights=None for another shape"
        raise DomainkitError(
            f"{card.name} cannot be built {loaded} from {args}: {reason}"
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

    The network is in evaluation mode meanwhile; each of its modules gets its own mode back.

    Args of the call:
        inputs: a path, bytes, a Pillow picture or (in the text domain) a string; a decoded sample
            (``ds[0]``, or its tensor); a list of any of them; a ``Dataset``; a batch (mapping,
            dense tensor or ``Ragged``) as decoded, before the recipe.
        top: how many classes ``Prediction.top`` names.
        batch_size: how many samples go through the network at once.

    Raises:
        DecodeError: a file is missing or damaged.
        TransformError: the inputs went through a recipe already, are no uint8 pictures, or were
            recorded at another sample rate.
        DomainkitError: the model gives no classes, or nobody knows their names (untrained).
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
        if not model.labels:
            raise DomainkitError(
                f"predict() names classes, and those of this {card.name} are not known (it came "
                "untrained, or as a feature extractor): load it with weights that have classes, or "
                "set model.labels to their names, in the order of the logits, once it is trained"
            )
        device = next(model.parameters()).device
        results: list[Prediction] = []
        with evaluating(model):
            for batch in self._ready(inputs, batch_size, device):
                scores = model(batch[card.forward]).softmax(-1).cpu()
                results.extend(_prediction(row, model.labels, top) for row in scores)
        return results

    def _ready(self, inputs: Any, size: int, device: torch.device) -> Iterator[Batch]:
        """Batches that went through the recipe, on the model's device."""
        card, recipe = self._model.card, self._model.recipe
        feature = feature_from_spec(card.input)
        if isinstance(inputs, Dataset):
            if card.field not in inputs.columns:
                offer = nearest(card.field, inputs.columns)
                raise NotFoundError(f"{card.name} needs a column {card.field!r}. {offer}")
            _check_rate(inputs.features[card.field], feature, card)
            rows = inputs.select_columns([card.field])
            yield from Loader(rows, size, transform=recipe, device=device, rank=0, world_size=1)
            return
        for values in _decoded(inputs, size, feature, card):
            yield recipe(Batch({card.field: values}).to(device)).to(device)


def _decoded(inputs: Any, size: int, feature: Feature, card: ModelCard) -> Iterator[Any]:
    """The card's field of one batch after another, before the recipe."""
    if getattr(inputs, "transformed", False):
        raise TransformError(
            "the batch already went through a transform, and predict applies the model's recipe "
            f"itself: call the model itself on batch[{card.forward!r}]"
        )
    values = _field(inputs, card) if isinstance(inputs, Mapping) else inputs
    dims = 4 if isinstance(feature, Image) else 3  # [B, C, H, W] and [B, C, T]
    if isinstance(values, torch.Tensor) and values.ndim == dims - 1:
        values = values[None]
    if isinstance(values, (torch.Tensor, Ragged)):
        yield _check_decoded(values, feature)
        return
    single = isinstance(values, (str, bytes, Path)) or _is_pillow(values)
    items: Sequence[Any] = [values] if single else list(values)
    for start in range(0, len(items), size):
        yield feature.collate([_decode(i, feature, card) for i in items[start : start + size]])


def _field(sample: Mapping[str, Any], card: ModelCard) -> Any:
    if card.field not in sample:
        raise NotFoundError(f"{card.name} needs {card.field!r}, got {', '.join(sample)}")
    return sample[card.field]


def _check_decoded(values: Any, feature: Feature) -> Any:
    if isinstance(feature, Image) and values.dtype.is_floating_point:
        raise TransformError(
            f"predict takes decoded uint8 pictures before the recipe, got {values.dtype}: give it "
            "the pictures as they are decoded, or call the model itself on prepared ones"
        )
    return values


def _check_rate(theirs: Feature, mine: Feature, card: ModelCard) -> None:
    if not (isinstance(theirs, Audio) and isinstance(mine, Audio)) or mine.sample_rate is None:
        return
    if theirs.sample_rate is None:
        raise TransformError(
            f"{card.name} takes recordings of {mine.sample_rate} Hz, and the dataset does not say "
            "what its recordings have: give it, features="
            f'{{"{card.field}": {{"type": "Audio", "sample_rate": {mine.sample_rate}}}}}'
        )
    if theirs.sample_rate != mine.sample_rate:
        raise TransformError(
            f"{card.name} takes recordings of {mine.sample_rate} Hz, the dataset's have "
            f"{theirs.sample_rate} Hz: give predict a batch that went through "
            f"Resample({theirs.sample_rate}, {mine.sample_rate})"
        )


def _is_pillow(item: Any) -> bool:
    pillow = sys.modules.get("PIL.Image")  # who has such a picture has imported it
    return pillow is not None and isinstance(item, pillow.Image)


def _decode(item: Any, feature: Feature, card: ModelCard) -> Any:
    if isinstance(item, Mapping):
        item = _field(item, card)
    if card.domain == "text":
        if not isinstance(item, str):
            raise DecodeError(f"{card.name} takes strings, got {type(item).__name__}")
        return item
    if isinstance(item, torch.Tensor):
        return _check_decoded(item, feature)
    if isinstance(feature, Image) and _is_pillow(item):
        codec = importlib.import_module(f"domainkit.{card.domain}.codec")
        return codec.from_pillow(item, feature.mode)
    if isinstance(item, bytes):
        return feature.decode(item)
    if not isinstance(item, (str, Path)):
        raise DecodeError(
            f"{card.name} takes paths, bytes or decoded samples, got {type(item).__name__}"
        )
    try:
        return feature.decode(Path(item).read_bytes())
    except FileNotFoundError as error:
        raise DecodeError(f"{item}: no such file") from error
    except (OSError, DecodeError) as error:
        reason = getattr(error, "strerror", None) or error  # which does not repeat the path
        raise DecodeError(f"{item}: {reason}") from error


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
    model.labels = getattr(train.features["label"], "names", ())
    held_out = Loader(test, 500, transform=test_recipe)
    return model, evaluate(model, held_out, field=card.forward)
