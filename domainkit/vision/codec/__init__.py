"""Picture files to tensors and back.

JPEG goes through libjpeg-turbo (simplejpeg), which lets go of Python's lock while it works; every
other format, and the JPEGs that simplejpeg does not do as torchvision does, through Pillow. Pixels
of JPEG and PNG files are those of ``torchvision.io.decode_image``, bit for bit, but for the grey of
a coloured PNG (``mode="L"``), which may be rounded the other way.

Pictures are turned upright as their EXIF orientation says, unless ``orient=False``. JPEG, PNG
and WebP files tell it in their EXIF block (Pillow believes XMP text too, this module does not),
TIFF files in their tags.

A cut-off picture is an error, never a picture that is half grey.
"""

from __future__ import annotations

from domainkit.vision.codec.batch import decode
from domainkit.vision.codec.encode import encode_jpeg, encode_png
from domainkit.vision.codec.single import (
    decode_image,
    decode_image_into,
    from_pillow,
    image_shape,
)

__all__ = [
    "decode",
    "decode_image",
    "decode_image_into",
    "encode_jpeg",
    "encode_png",
    "from_pillow",
    "image_shape",
]
