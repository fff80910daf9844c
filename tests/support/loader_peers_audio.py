"""The loaders of recordings that ``tests/benchmarks/loader.py`` compares.

All of them read the same FLAC files (16 kHz, mono, 2 to 12 s) in a random order and give batches of
64 waveforms. The form "decode" gives them in their own lengths: a list, or domainkit's ``Ragged``;
"pad" gives float32 [64, 1, T] and the lengths.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from support.loader_jobs import Job, Peer
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

__all__ = ["PEERS"]

RATE = 16_000


def by_soundfile(path: str) -> torch.Tensor:
    import soundfile

    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T)


def by_torchaudio(path: str) -> torch.Tensor:
    import torchaudio

    waveform: torch.Tensor = torchaudio.load(path)[0]
    return waveform


def by_torchcodec(path: str) -> torch.Tensor:
    from torchcodec.decoders import AudioDecoder

    waveform: torch.Tensor = AudioDecoder(path).get_all_samples().data
    return waveform


class Clips(Dataset):
    """A map-style dataset over loose files."""

    def __init__(self, job: Job, load: Callable[[str], torch.Tensor]) -> None:
        folder = Path(job.folder) / "clips"
        self.paths = [str(folder / f"{i:06d}.flac") for i in range(job.count)]
        self.load = load

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.load(self.paths[index])


def listed(waveforms: list[torch.Tensor]) -> list[torch.Tensor]:
    return waveforms


def padded(waveforms: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """[B, 1, T] and the lengths [B]."""
    lengths = torch.tensor([w.shape[1] for w in waveforms])
    return pad_sequence([w[0] for w in waveforms], batch_first=True)[:, None], lengths


# --- the peers ------------------------------------------------------------------------------------


def domainkit(job: Job, **options: Any) -> Any:
    import domainkit as dk
    from domainkit.dataset import Dataset as Rows
    from domainkit.store import Store

    rows = Rows(Store(Path(job.folder) / "clips-store"))[: job.count]
    transform = _pad if job.form == "pad" else None
    return dk.Loader(rows, job.batch, shuffle=True, transform=transform, **options)


def _pad(batch: Any, draws: Any) -> Any:
    batch["audio"], sizes = batch["audio"].pad()
    batch["length"] = sizes[:, 1]  # of [C, T]
    return batch


def torch_loader(load: Callable[[str], torch.Tensor], **options: Any) -> Callable[[Job], Any]:
    def make(job: Job) -> Any:
        join = padded if job.form == "pad" else listed
        rows = Clips(job, load)
        rows[0]  # imports here, and not in each worker of each epoch
        return DataLoader(rows, job.batch, shuffle=True, collate_fn=join, **options)

    return make


def amount(batch: Any) -> float:
    """Seconds in a batch, which is checked on the way."""
    if isinstance(batch, tuple) or (isinstance(batch, dict) and "length" in batch):
        sound, lengths = (batch["audio"], batch["length"]) if isinstance(batch, dict) else batch
        assert sound.shape == (len(lengths), 1, int(lengths.max())), sound.shape
        assert sound.dtype == torch.float32 and lengths.ndim == 1
        return float(lengths.sum()) / RATE
    sounds = batch["audio"] if isinstance(batch, dict) else batch
    assert sounds[0].shape[0] == 1 and sounds[0].dtype == torch.float32, sounds[0].shape
    if isinstance(sounds, list):
        return sum(s.shape[1] for s in sounds) / RATE
    return len(sounds.values) / RATE


_OWN = ("domainkit", "soundfile")

PEERS = [
    Peer("domainkit", _OWN, domainkit, amount),
    Peer("domainkit, 0 threads", _OWN, lambda j: domainkit(j, num_threads=0), amount),
    *(
        Peer(f"DataLoader, {workers} workers, {name}", (package,),
             torch_loader(load, num_workers=workers), amount, True)
        for name, package, load in (
            ("soundfile", "soundfile", by_soundfile),
            ("torchaudio", "torchaudio", by_torchaudio),
            ("torchcodec", "torchcodec.decoders", by_torchcodec),
        )
        for workers in (0, 2)
    ),
]  # fmt: skip
