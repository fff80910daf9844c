"""``FashionCNN``: a small network for 28x28 grey pictures, about 70,000 parameters.

3x3 convolutions with batch norm in three stages, halving the picture twice, then the mean over what
is left and one linear layer: the plain pattern of VGG (Simonyan and Zisserman, 2014) with batch
norm and global pooling. The first stage has one convolution only: at full size it costs the most.
"""

from __future__ import annotations

import torch
from torch import nn

from domainkit.errors import TransformError

__all__ = ["FashionCNN"]


class FashionCNN(nn.Module):
    """Classify grey pictures.

    Args:
        num_classes: number of logits.
        width: channels of the first stage; the others have twice and four times as many.

    The input is float32 [B, 1, 28, 28], normalised as its recipe does; the output is float32
    [B, num_classes]. TransformError for another shape or dtype.

    Example:
        >>> FashionCNN(num_classes=10)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    def __init__(self, num_classes: int = 10, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(1, width),
            nn.MaxPool2d(2),
            *_convolution(width, 2 * width),
            *_convolution(2 * width, 2 * width),
            nn.MaxPool2d(2),
            *_convolution(2 * width, 4 * width),
            *_convolution(4 * width, 4 * width),
        )
        self.head = nn.Linear(4 * width, num_classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if image.dtype != torch.float32 or image.ndim != 4 or image.shape[1:] != (1, 28, 28):
            raise TransformError(
                "FashionCNN takes float32 [B, 1, 28, 28] as its recipe makes it, got "
                f"{image.dtype} {list(image.shape)}"
            )
        return self.head(self.features(image).mean((-2, -1)))


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]
