"""Other libraries that tests compare with, where they load."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

__all__ = ["scipy_load", "torchaudio_or_skip"]


def torchaudio_or_skip() -> Any:
    """torchaudio, or a skip that says why it does not load.

    It is tied to one CUDA build of torch, and beside another it fails while its shared library is
    loaded: that is an OSError, not an ImportError.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torchaudio
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"torchaudio does not load beside torch {torch.__version__}: {error}")
    return torchaudio


def scipy_load(path: Any, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, int]:
    """What ``torchaudio.load`` gives for a 16-bit WAV file, by scipy.

    torchaudio's own loader needs FFmpeg. Put in its place, this leaves torchaudio's indexing,
    labels and splits as what a test compares, and scipy as the truth about the sound.
    """
    from scipy.io import wavfile

    rate, samples = wavfile.read(path)
    assert samples.dtype == "int16"
    return torch.from_numpy(samples.reshape(len(samples), -1).T / 32768).float(), rate
