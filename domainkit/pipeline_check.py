"""Does a pipeline fit a dataset? Asked once, before the first batch.

Two mistakes give wrong numbers without any error: a pipeline made for another sample rate, and one
that moves pixels while boxes and masks stay where they were, or moves boxes of another format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from domainkit.errors import TransformError
from domainkit.features import Audio, Boxes, Feature, Mask
from domainkit.transform import Transform

__all__ = ["check_pipeline"]


def check_pipeline(steps: Iterable[Transform], features: Mapping[str, Feature]) -> None:
    """Compare the steps of a pipeline with the columns they will work on.

    Raises:
        TransformError: a step expects another sample rate than the recordings have, or the
            recordings declare none; or a step moves pixels and would leave a column of boxes or
            masks behind, or misread its boxes.

    Example:
        >>> from domainkit.audio.transforms import LogMel
        >>> check_pipeline([LogMel(sample_rate=16000)], {"audio": Audio(sample_rate=8000)})
        Traceback (most recent call last):
        domainkit.errors.TransformError: LogMel expects 16000 Hz, the recordings have 8000 Hz: ...
    """
    steps = list(_all_steps(steps))
    sound = features.get("audio")
    if isinstance(sound, Audio):
        _check_rates(steps, sound)
    moving = [step for step in steps if getattr(step, "kind", None) == "geometry"]
    if moving:
        for name, feature in features.items():
            if isinstance(feature, (Boxes, Mask)):
                _check_carried(steps, moving, name, feature)


def _all_steps(steps: Iterable[Any]) -> Iterator[Any]:
    """The steps and, after each, those that it chooses from (``RandomApply``)."""
    for step in steps:
        yield step
        inner = getattr(step, "transforms", ())
        yield from _all_steps(inner if isinstance(inner, (list, tuple)) else ())


def _check_carried(
    steps: list[Transform], moving: list[Transform], name: str, feature: Boxes | Mask
) -> None:
    kind = type(feature).__name__
    for step in moving:
        carried = getattr(step, "carries", {}).get(kind, ())
        title = type(step).__name__
        if not carried:
            raise TransformError(
                f"{title} moves pixels and would leave {name!r} where it was. Leave this column "
                "out with select_columns(), or transform it yourself in a callable"
            )
        if name not in carried:
            raise TransformError(
                f"{title} moves pixels and finds {kind} by the name {' or '.join(carried)}: the "
                f"column {name!r} would stay where it was. Name it so in its card, or leave it out "
                "with select_columns()"
            )
    if not isinstance(feature, Boxes) or feature.format == "xyxy":
        return
    before = steps[: steps.index(moving[0])]
    changed = [s for s in before if type(s).__name__ == "ConvertBoundingBoxFormat"]
    found = [getattr(s, "old_format", None) for s in changed[:1]]
    if found != [feature.format] or getattr(changed[-1], "format", None) != "xyxy":
        raise TransformError(
            f"{type(moving[0]).__name__} reads boxes as xyxy, those of {name!r} are "
            f'{feature.format}: put ConvertBoundingBoxFormat("xyxy", '
            f'old_format="{feature.format}") before it'
        )


def _check_rates(steps: list[Transform], sound: Audio) -> None:
    rate = sound.sample_rate
    for step in steps:
        expected = getattr(step, "orig_freq", getattr(step, "sample_rate", None))
        if expected is None:
            continue
        name = type(step).__name__
        if rate is None:
            raise TransformError(
                f"{name} expects {expected} Hz, and the recordings do not say what they have: "
                'declare it, features={"audio": {"type": "Audio", "sample_rate": ...}}'
            )
        if rate != expected:
            raise TransformError(
                f"{name} expects {expected} Hz, the recordings have {rate} Hz: put "
                f"Resample({rate}, {expected}) before it"
            )
        rate = getattr(step, "new_freq", rate)
