"""``JPEG``: pictures written as JPEG and read again, for the marks that leaves."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.vision.transforms._base import ImageTransform
from domainkit.vision.transforms._images import check_images, pixelwise

__all__ = ["JPEG", "jpeg"]


@dataclass(frozen=True)
class JPEG(ImageTransform):
    """Compress every picture as JPEG with a quality of its own, and decompress it.

    Takes uint8 pictures with 1 or 3 channels, dense [B, C, H, W] or ``Ragged`` [C, H_i, W_i], and
    gives the same form. The work is done on the host: pictures on a GPU go there and come back.

    Args:
        quality: 1..100, or (lowest, highest), all whole numbers between as likely.

    Exactness: equal to ``torchvision.transforms.v2.functional.jpeg`` of the same quality: chroma
    at half resolution, libjpeg-turbo's accurate DCT.

    Raises:
        TransformError: wrong arguments, dtype, shape or number of channels.

    Example:
        >>> JPEG((10, 50))(torch.zeros(2, 3, 8, 8, dtype=torch.uint8)).shape
        torch.Size([2, 3, 8, 8])
    """

    quality: int | tuple[int, int]

    random: ClassVar[bool] = True

    def __post_init__(self) -> None:
        value: Any = self.quality
        pair = (value, value) if type(value) is int else value
        if (
            not isinstance(pair, (tuple, list))
            or len(pair) != 2
            or not all(type(q) is int for q in pair)
            or not 1 <= pair[0] <= pair[1] <= 100
        ):
            raise TransformError(
                "JPEG: quality must be a whole number in 1..100 or (lowest, highest) of such, "
                f"got {value!r}"
            )
        if isinstance(value, list):
            object.__setattr__(self, "quality", tuple(value))

    def qualities(self, draws: Draws) -> torch.Tensor:
        """int64 [B] on the host."""
        value: Any = self.quality
        low, high = (value, value) if isinstance(value, int) else value
        return draws.integers(1, low, high + 1, device="cpu")[:, 0]

    def apply(self, x: torch.Tensor | Ragged, draws: Draws) -> torch.Tensor | Ragged:
        check_images(self, x, dtypes=(torch.uint8,), channels=(1, 3))
        quality = self.qualities(draws)
        return pixelwise(x, lambda pictures, samples: jpeg(pictures, quality[samples]))


def jpeg(x: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
    """Pictures uint8 [B, 1 or 3, H, W] through JPEG files of ``quality`` [B], 1..100.

    Example:
        >>> grey = torch.full((1, 3, 8, 8), 128, dtype=torch.uint8)
        >>> torch.equal(jpeg(grey, torch.tensor([90])), grey)
        True
    """
    if x.numel() == 0:
        return x
    import simplejpeg
    from PIL import Image

    form = "GRAY" if x.shape[1] == 1 else "RGB"
    rows = x.cpu().permute(0, 2, 3, 1).contiguous().numpy()
    out = torch.empty(rows.shape, dtype=torch.uint8)
    for picture, q, place in zip(rows, quality.tolist(), out.numpy(), strict=True):
        file = io.BytesIO()
        # simplejpeg writes with the fast, less accurate DCT below quality 96, whatever it is told
        whole = Image.fromarray(picture[..., 0] if form == "GRAY" else picture)
        whole.save(file, "JPEG", quality=q, subsampling="4:2:0")
        place[:] = simplejpeg.decode_jpeg(
            file.getvalue(), colorspace=form, fastdct=False, fastupsample=False
        )
    return out.permute(0, 3, 1, 2).to(x.device)
