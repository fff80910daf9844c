"""Does a pipeline fit a dataset? Asked once, before the first batch.

Two mistakes give wrong numbers without any error: a pipeline made for another sample rate, and one
that moves pixels while boxes and masks stay where they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from domainkit.errors import TransformError
from domainkit.features import Audio, Boxes, Feature, Mask
from domainkit.transform import Transform

__all__ = ["check_pipeline"]


def check_pipeline(steps: Iterable[Transform], features: Mapping[str, Feature]) -> None:
    """Compare the steps of a pipeline with the columns they will work on.

    Raises:
        TransformError: a step expects another sample rate than the recordings have, or the
            recordings declare none; or a step moves pixels of a dataset with boxes or masks.

    Example:
        >>> from domainkit.audio.transforms import LogMel
        >>> check_pipeline([LogMel(sample_rate=16000)], {"audio": Audio(sample_rate=8000)})
        Traceback (most recent call last):
        domainkit.errors.TransformError: LogMel expects 16000 Hz, the recordings have 8000 Hz: ...
    """
    steps = list(steps)
    sound = features.get("audio")
    if isinstance(sound, Audio):
        _check_rates(steps, sound)
    shapes = [name for name, f in features.items() if isinstance(f, (Boxes, Mask))]
    moving = [type(s).__name__ for s in steps if s.kind == "geometry"]
    if shapes and moving:
        raise TransformError(
            f"{moving[0]} moves pixels and would leave {shapes[0]!r} where it was: geometry does "
            "not carry boxes and masks yet. Leave these columns out with select_columns(), or "
            "transform them yourself in a callable"
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
