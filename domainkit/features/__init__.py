"""Typed columns: how each kind of value is stored, decoded and put into a batch.

    feature   stored as                          decoded                   in a batch
    Image     the published bytes, or raw        uint8 tensor [C, H, W]    dense or Ragged
              uint8 where ``shape`` is given
    Audio     the published bytes                float32 tensor [C, T]     dense or Ragged
    Text      UTF-8                              str                       list of str
    Label     int32, an index into ``names``     int                       int64 [B]
    Int       int64                              int                       int64 [B]
    Float     float64                            float                     float32 [B]
    Tokens    list of int32                      int64 tensor [L]          dense or Ragged
    Boxes     list of float32, four a box        float32 tensor [n, 4]     Ragged
    Mask      PNG bytes                          uint8 tensor [H, W]       dense or Ragged
    Tensor    raw bytes, one dtype and shape     tensor of that shape      dense

Media bytes are decoded by the codec of their domain, which is looked up by name when the first
sample is decoded: this package imports no domain.
"""

from __future__ import annotations

from domainkit.features.arrays import Boxes, Tensor
from domainkit.features.base import Feature
from domainkit.features.media import Audio, Image, Mask
from domainkit.features.numbers import Float, Int, Label
from domainkit.features.spec import feature_from_spec
from domainkit.features.text import Text, Tokens

__all__ = [
    "Audio",
    "Boxes",
    "Feature",
    "Float",
    "Image",
    "Int",
    "Label",
    "Mask",
    "Tensor",
    "Text",
    "Tokens",
    "feature_from_spec",
]
