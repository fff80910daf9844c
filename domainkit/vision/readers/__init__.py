"""Readers of published vision datasets: card argument ``reader = "idx"`` -> module and function.

Listing them imports none of them.
"""

from __future__ import annotations

__all__ = ["READERS"]

READERS: dict[str, str] = {
    "cifar-pickle": "domainkit.vision.readers.cifar:read_cifar_pickle",
    "idx": "domainkit.vision.readers.idx:read_idx",
    "image-folder": "domainkit.vision.readers.image_folder:read_image_folder",
}
