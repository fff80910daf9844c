"""The public names of domainkit.audio: sorted, all there, loaded on first touch."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from support.peers import torchaudio_or_skip

from domainkit import audio
from domainkit.audio import functional, models, transforms
from domainkit.audio.readers import READERS
from domainkit.transform import Compose, Transform

# torchaudio's modules of several tensors, which are no steps of a pipeline
SEVERAL = {
    *("AddNoise", "Convolve", "FFTConvolve", "MVDR", "PSD", "RNNTLoss", "RTFMVDR", "SoudenMVDR"),
}


@pytest.mark.parametrize("module", [audio, functional, models, transforms])
def test_all_is_sorted_and_resolves(module: object) -> None:
    names = list(module.__all__)  # type: ignore[attr-defined]
    assert names == sorted(names) and names == dir(module)
    assert all(hasattr(module, name) for name in names)


def test_every_transform_works_on_audio() -> None:
    for name in transforms.__all__:
        op = getattr(transforms, name)
        if op is not Compose and name not in SEVERAL:
            assert issubclass(op, Transform) and op.field == "audio"


def test_all_that_torchaudio_has_is_here() -> None:
    torchaudio = torchaudio_or_skip()
    assert set(torchaudio.transforms.__all__) <= set(transforms.__all__)
    assert set(torchaudio.functional.__all__) <= set(functional.__all__)


def test_what_takes_several_tensors_is_a_module() -> None:
    assert all(issubclass(getattr(transforms, name), torch.nn.Module) for name in SEVERAL)


@pytest.mark.parametrize("module", [audio, functional, models, transforms])
def test_an_unknown_name_is_an_attribute_error(module: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        module.Nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_looking_at_the_readers_loads_no_torch() -> None:
    code = "import sys, domainkit.audio.readers as r; print(len(r.READERS), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(READERS)), "False"]
