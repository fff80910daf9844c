"""A card's table of a feature <-> the feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domainkit.errors import CardError, nearest
from domainkit.features.arrays import Boxes, Tensor
from domainkit.features.base import Feature
from domainkit.features.media import Audio, Image, Mask
from domainkit.features.numbers import Float, Int, Label
from domainkit.features.text import Text, Tokens

__all__ = ["FEATURES", "feature_from_spec"]

FEATURES: dict[str, type[Feature]] = {
    kind.__name__: kind
    for kind in (Audio, Boxes, Float, Image, Int, Label, Mask, Tensor, Text, Tokens)
}


def feature_from_spec(spec: Mapping[str, Any], where: str = "feature") -> Feature:
    """Build a feature from a card's table, for example ``{"type": "Label", "names": [...]}``.

    Raises:
        CardError: unknown type or argument.

    Example:
        >>> feature_from_spec({"type": "Image", "shape": [1, 28, 28]}).width
        784
    """
    args = {k: tuple(v) if isinstance(v, list) else v for k, v in spec.items() if k != "type"}
    kind = FEATURES.get(str(spec.get("type")))
    if kind is None:
        raise CardError(
            f"{where}: unknown type {spec.get('type')!r}. "
            f"{nearest(str(spec.get('type')), FEATURES)}"
        )
    try:
        return kind(**args)
    except TypeError as error:
        raise CardError(f"{where}: {error}") from error
