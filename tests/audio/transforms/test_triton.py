"""The Triton kernels of sound, by Triton's interpreter and, where there is a GPU, as they are."""

from __future__ import annotations

import pytest
import torch
from support.audio_batches import waveforms
from support.triton_cases import run_interpreted

from domainkit.audio.functional.framing import signal_frames
from domainkit.audio.transforms import LogMel
from domainkit.audio.transforms._frames import frames_together
from domainkit.ragged import Ragged

pytest.importorskip("triton")


def test_log_mel():
    run_interpreted("triton_log_mel_cases")


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
def test_all_recordings_framed_together_are_framed_alone(pad_mode):
    """What a GPU does in one launch, done here on a CPU."""
    items = waveforms((900, 512, 900, 201, 337))
    together = frames_together(Ragged.from_list(items), 400, 160, pad_mode)
    for i, item in enumerate(items):
        alone = signal_frames(item[0], 400, 160, pad_mode)
        assert torch.equal(together[i, : len(alone)], alone)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_the_kernel_agrees_with_the_torch_form():
    x = Ragged.from_list(waveforms()).to("cuda")
    mel = LogMel(16000)
    kernel = mel(x).values
    trained = mel(x.with_values(x.values.clone().requires_grad_())).values.detach()
    torch.testing.assert_close(kernel, trained, rtol=0, atol=2e-5)
