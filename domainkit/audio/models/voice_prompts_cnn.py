"""A small convolutional network over log-mel frames, which tells whose voice prompt it hears."""

from __future__ import annotations

import torch
from torch import nn

from domainkit.errors import TransformError
from domainkit.ragged import Ragged

__all__ = ["VoicePromptsCNN"]

STRIDES = (2, 2, 1, 1)


class VoicePromptsCNN(nn.Module):
    """Four convolutions over time, then the mean and deviation of every channel over the frames.

    Pooling mean and deviation is the statistics pooling of speaker embeddings (D. Snyder et al.,
    Interspeech 2017): a voice is in how the spectrum is distributed, not in when.

    Input: log-mel features, frames first: float32 dense [B, T, bands], or a ``Ragged`` of items
    [T_i, bands]. Output: logits, float32 [B, num_classes]. Recordings are padded inside, and what
    lies behind a recording's end stays zero in every layer and counts in no mean, so its logits are
    the same alone and in any batch, to 1e-4. While training, batch normalisation looks at true
    frames only.

    Args:
        bands: mel bands of the input.
        num_classes: number of logits.
        width: channels of every layer.
        dropout: of the pooled vector, while training.

    Raises:
        TransformError: features of another shape.

    Example:
        >>> model = VoicePromptsCNN(bands=40).eval()
        >>> model(torch.zeros(2, 150, 40)).shape
        torch.Size([2, 5])
        >>> sum(p.numel() for p in model.parameters())
        59269
    """

    def __init__(
        self, bands: int = 40, num_classes: int = 5, width: int = 64, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.bands = bands
        kernels = (5, 5, 3, 3)
        inputs = (bands, width, width, width)
        self.convs = nn.ModuleList(
            nn.Conv1d(channels, width, kernel, stride=stride, padding=kernel // 2)
            for channels, kernel, stride in zip(inputs, kernels, STRIDES, strict=True)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in STRIDES)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * width, num_classes)

    def forward(self, x: torch.Tensor | Ragged) -> torch.Tensor:
        h, lengths = self._padded(x)
        real: torch.Tensor | None = None
        for conv, norm, stride in zip(self.convs, self.norms, STRIDES, strict=True):
            h = conv(h)
            if lengths is not None:
                lengths = -(-lengths // stride)
                position = torch.arange(h.shape[2], device=h.device)
                real = position[None, :] < lengths[:, None]
            h = nn.functional.relu(self._normalised(norm, h, real))
            if real is not None:
                h = h * real[:, None, :]
        return self.head(self.dropout(_statistics(h, real)))

    def _padded(self, x: torch.Tensor | Ragged) -> tuple[torch.Tensor, torch.Tensor | None]:
        """[B, bands, T] and the true lengths [B]; None where nothing was padded."""
        shape = [len(x), "T", *x.inner] if isinstance(x, Ragged) else list(x.shape)
        if len(shape) != 3 or shape[2] != self.bands:
            raise TransformError(
                f"VoicePromptsCNN takes features [B, T, {self.bands}], got {shape}: "
                "run its recipe on the waveforms first"
            )
        if isinstance(x, Ragged):
            dense, lengths = x.pad()
            return dense.transpose(1, 2), lengths
        return x.transpose(1, 2), None

    def _normalised(
        self, norm: nn.Module, h: torch.Tensor, real: torch.Tensor | None
    ) -> torch.Tensor:
        if real is None or not self.training:
            return norm(h)  # with fixed statistics every frame is treated alike
        frames = h.transpose(1, 2)
        return (
            torch.zeros_like(frames)
            .masked_scatter(real[..., None], norm(frames[real]))
            .transpose(1, 2)
        )


def _statistics(h: torch.Tensor, real: torch.Tensor | None) -> torch.Tensor:
    """Mean and deviation over the true frames: [B, C, T] -> [B, 2 C]."""
    if real is None:
        real = h.new_ones(h.shape[0], h.shape[2], dtype=torch.bool)
    weight = real / real.sum(1, keepdim=True).clamp(min=1)
    mean = torch.einsum("bct,bt->bc", h, weight)
    spread = torch.einsum("bct,bt->bc", (h - mean[..., None]).square(), weight)
    return torch.cat([mean, (spread + 1e-5).sqrt()], 1)
