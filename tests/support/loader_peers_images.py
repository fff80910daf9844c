"""The loaders of pictures that ``tests/benchmarks/loader.py`` compares, each as its users call it.

All of them read the same JPEG files in a random order and give batches of 64. The form "crop" is
decode, RandomResizedCrop(224) and stack to uint8 [64, 3, 224, 224]; the form "decode" gives the
decoded pictures in their own sizes: a list, or domainkit's ``Ragged``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from support.loader_jobs import Job, Peer
from torch.utils.data import DataLoader, Dataset

__all__ = ["PEERS"]

SIZE = 224
Sample = tuple[str, int]


def samples(job: Job) -> list[Sample]:
    """Paths and classes, as ``ImageFolder`` keeps them."""
    folder = Path(job.folder) / "pictures"
    return [(str(folder / f"{i:06d}.jpg"), i % 1000) for i in range(job.count)]


def by_pillow(job: Job) -> Callable[[str], torch.Tensor]:
    return _Pillow(job.form == "crop")


def by_torchvision(job: Job) -> Callable[[str], torch.Tensor]:
    return _Torchvision(job.form == "crop")


class _Pillow:
    """A picture by Pillow, cropped by Pillow; a class, so that spawned workers can have it."""

    def __init__(self, crop: bool) -> None:
        from torchvision.transforms import v2

        self.crop = v2.RandomResizedCrop(SIZE) if crop else None

    def __call__(self, path: str) -> torch.Tensor:
        from PIL import Image
        from torchvision.transforms.v2.functional import pil_to_tensor

        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        return pil_to_tensor(self.crop(picture) if self.crop else picture)


class _Torchvision:
    """A picture by torchvision's own decoder, cropped as a tensor."""

    def __init__(self, crop: bool) -> None:
        from torchvision.transforms import v2

        self.crop = v2.RandomResizedCrop(SIZE, antialias=True) if crop else None

    def __call__(self, path: str) -> torch.Tensor:
        from torchvision.io import decode_image

        picture = decode_image(path, mode="RGB")
        return self.crop(picture) if self.crop else picture


class Pictures(Dataset):
    """A map-style dataset over loose files."""

    def __init__(self, found: list[Sample], load: Callable[[str], torch.Tensor]) -> None:
        self.found, self.load = found, load

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        path, label = self.found[index]
        return self.load(path), label


def stacked(pairs: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.stack([p for p, _ in pairs]), torch.tensor([n for _, n in pairs])


def listed(pairs: Any) -> tuple[list[torch.Tensor], torch.Tensor]:
    return [p for p, _ in pairs], torch.tensor([n for _, n in pairs])


def collate(job: Job) -> Callable[[Any], Any]:
    return stacked if job.form == "crop" else listed


# --- the peers ------------------------------------------------------------------------------------


def domainkit(job: Job, **options: Any) -> Any:
    import domainkit as dk
    from domainkit.dataset import Dataset as Rows
    from domainkit.store import Store
    from domainkit.vision.transforms import Compose, RandomResizedCrop

    rows = Rows(Store(Path(job.folder) / "pictures-store"))[: job.count]
    crop = Compose([RandomResizedCrop(SIZE)]) if job.form == "crop" else None
    return dk.Loader(rows, job.batch, shuffle=True, transform=crop, **options)


def torch_loader(decode: Callable[..., Any], **options: Any) -> Callable[[Job], Any]:
    def make(job: Job) -> Any:
        rows = Pictures(samples(job), decode(job))
        return DataLoader(rows, job.batch, shuffle=True, collate_fn=collate(job), **options)

    return make


def stateful(job: Job) -> Any:
    from torchdata.stateful_dataloader import StatefulDataLoader

    rows = Pictures(samples(job), by_torchvision(job))
    return StatefulDataLoader(rows, job.batch, shuffle=True, collate_fn=collate(job), num_workers=2)


def nodes(job: Job) -> Any:
    from torch.utils.data import RandomSampler
    from torchdata import nodes as n

    rows = Pictures(samples(job), by_torchvision(job))
    node: Any = n.SamplerWrapper(RandomSampler(rows))
    node = n.ParallelMapper(node, rows.__getitem__, num_workers=2, method="thread")
    node = n.Mapper(n.Batcher(node, job.batch, drop_last=False), collate(job))
    return n.Loader(n.Prefetcher(node, prefetch_factor=2))


def grain(job: Job) -> Any:
    import grain.python as g

    rows = Pictures(samples(job), by_torchvision(job))
    order = g.MapDataset.source(rows).seed(0).shuffle()
    read = order.to_iter_dataset(g.ReadOptions(num_threads=2, prefetch_buffer_size=128))
    return read.batch(job.batch, batch_fn=collate(job))


class Spdl:
    """A pipeline of SPDL: two threads decode one picture each, one thread makes batches."""

    def __init__(self, job: Job, own_decoder: bool) -> None:
        self.job, self.found = job, samples(job)
        self.one = self.by_ffmpeg if own_decoder else self.by_torchvision
        self.load = by_torchvision(job)
        self.join = self.joined if own_decoder else collate(job)

    def __iter__(self) -> Iterator[Any]:
        from spdl.pipeline import PipelineBuilder

        order = random.sample(self.found, len(self.found))
        builder = PipelineBuilder().add_source(order).pipe(self.one, concurrency=2)
        builder = builder.aggregate(self.job.batch).pipe(self.join).add_sink(3)
        pipeline = builder.build(num_threads=2)
        with pipeline.auto_stop():
            yield from pipeline.get_iterator()

    def by_torchvision(self, sample: Sample) -> tuple[torch.Tensor, int]:
        return self.load(sample[0]), sample[1]

    def by_ffmpeg(self, sample: Sample) -> tuple[Any, int]:
        import spdl.io

        packets = spdl.io.demux_image(sample[0])
        how = "format=rgb24"
        if self.job.form == "crop":
            top, left, height, width = window(packets.height, packets.width)
            scale = f"scale={SIZE}:{SIZE}:flags=bilinear"
            how = f"crop={width}:{height}:{left}:{top},{scale},{how}"
        frames = spdl.io.decode_packets(packets, filter_desc=how)
        return (frames if self.job.form == "crop" else unpacked(frames)), sample[1]

    def joined(self, pairs: Any) -> Any:
        if self.job.form != "crop":
            return listed(pairs)
        return unpacked([f for f, _ in pairs]), torch.tensor([n for _, n in pairs])


def unpacked(frames: Any) -> torch.Tensor:
    """[..., 3, H, W], a view of rows of pixels."""
    import spdl.io

    return spdl.io.to_torch(spdl.io.convert_frames(frames)).movedim(-1, -3)


def window(height: int, width: int) -> tuple[int, int, int, int]:
    """Top, left, height and width as ``RandomResizedCrop`` draws them."""
    for _ in range(10):
        area = height * width * random.uniform(0.08, 1.0)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return random.randint(0, height - h), random.randint(0, width - w), h, w
    side = min(height, width)
    return (height - side) // 2, (width - side) // 2, side, side


class Threads:
    """Two plain threads, torchvision's decoder and nothing else: what the bare parts can do."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.rows = Pictures(samples(job), by_torchvision(job))

    def __iter__(self) -> Iterator[Any]:
        order, size, join = (
            torch.randperm(len(self.rows)).tolist(),
            self.job.batch,
            collate(self.job),
        )
        with ThreadPoolExecutor(2, initializer=one_thread) as pool:
            waiting = [pool.submit(self.rows.__getitem__, i) for i in order[: 4 * size]]
            for start in range(0, len(order), size):
                more = order[start + 4 * size : start + 5 * size]
                yield join([f.result() for f in waiting[:size]])
                waiting = waiting[size:] + [pool.submit(self.rows.__getitem__, i) for i in more]


def one_thread() -> None:
    torch.get_num_threads()
    torch.set_num_threads(1)


def amount(batch: Any) -> float:
    """Pictures in a batch, which is checked on the way."""
    pictures = batch["image"] if isinstance(batch, dict) else batch[0]
    if isinstance(pictures, torch.Tensor):
        assert pictures.shape[1:] == (3, SIZE, SIZE), pictures.shape
    else:
        assert pictures[0].shape[0] == 3, pictures[0].shape
    assert pictures[0].dtype == torch.uint8
    return len(pictures)


_TV = ("torchvision",)
_SPDL = ("spdl.pipeline", "torchvision")

PEERS = [
    Peer("domainkit", ("domainkit",), domainkit, amount),
    Peer("domainkit, 0 threads", ("domainkit",), lambda j: domainkit(j, num_threads=0), amount),
    Peer("DataLoader, 0 workers, Pillow", _TV, torch_loader(by_pillow), amount, True),
    Peer("DataLoader, 0 workers, torchvision", _TV, torch_loader(by_torchvision), amount, True),
    Peer("DataLoader, 2 workers, Pillow", _TV,
         torch_loader(by_pillow, num_workers=2), amount, True),
    Peer("DataLoader, 2 workers, torchvision", _TV,
         torch_loader(by_torchvision, num_workers=2), amount, True),
    Peer("DataLoader, 2 spawned, torchvision", _TV,
         torch_loader(by_torchvision, num_workers=2, multiprocessing_context="spawn"),
         amount, True, slow=True),
    Peer("StatefulDataLoader, 2 workers", ("torchdata.stateful_dataloader",), stateful, amount),
    Peer("torchdata.nodes, 2 threads", ("torchdata.nodes",), nodes, amount),
    Peer("grain, 2 threads", ("grain.python",), grain, amount),
    Peer("SPDL, 2 threads, FFmpeg", (*_SPDL, "spdl.io"), lambda j: Spdl(j, True), amount),
    Peer("SPDL, 2 threads, torchvision", _SPDL, lambda j: Spdl(j, False), amount),
    Peer("2 plain threads, torchvision", _TV, Threads, amount),
]  # fmt: skip
