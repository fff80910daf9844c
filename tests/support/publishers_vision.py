"""Small files in the exact layout of the publishers of the vision sets.

Each maker returns the files of the card by key. ``torchvision_dataset`` opens the same files with
torchvision's own class, which is the truth that the tests compare with.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torchvision
from PIL import Image

__all__ = [
    "idx_bytes",
    "make_cifar10",
    "make_cifar100",
    "make_fashion_mnist",
    "make_imagenette",
    "make_mnist",
    "python2_pickle",
    "torchvision_dataset",
    "write_tar_gz",
]

# as listed on https://www.cs.toronto.edu/~kriz/cifar.html, in the order of the archive's "meta"
FINE = b"""
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile
cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp
lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom
oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake
spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor
train trout tulip turtle wardrobe whale willow_tree wolf woman worm
""".split()
COARSE = b"""
aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
household_furniture insects large_carnivores large_man-made_outdoor_things
large_natural_outdoor_scenes large_omnivores_and_herbivores medium_mammals
non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2
""".split()
WNIDS = (
    "n01440764",
    "n02102040",
    "n02979186",
    "n03000684",
    "n03028079",
    "n03394916",
    "n03417042",
    "n03425413",
    "n03445777",
    "n03888257",
)


def idx_bytes(array: np.ndarray) -> bytes:
    """A uint8 array as an IDX file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def make_mnist(folder: Path) -> dict[str, Path]:
    """Four ``*-ubyte.gz``: 7 pictures to train on, 5 to test."""
    return _idx_files(folder, seed=1)


def make_fashion_mnist(folder: Path) -> dict[str, Path]:
    """Four ``*-ubyte.gz``: 7 pictures to train on, 5 to test."""
    return _idx_files(folder, seed=2)


def make_cifar10(folder: Path) -> dict[str, Path]:
    """``cifar-10-python.tar.gz``: five batches of 3 pictures and a test batch of 4.

    The batches are pickles as Python 2 wrote them, and stand in the archive out of order.
    """
    batches = {f"data_batch_{i}": _cifar_batch(i, 3, ("labels",), (10,)) for i in range(1, 6)}
    batches["test_batch"] = _cifar_batch(6, 4, ("labels",), (10,))
    names = b"airplane automobile bird cat deer dog frog horse ship truck".split()
    meta = {b"num_cases_per_batch": 10000, b"label_names": names, b"num_vis": 3072}
    order = ["data_batch_4", "test_batch", "data_batch_3", "data_batch_2", "data_batch_5"]
    top = "cifar-10-batches-py"
    members = {
        f"{top}/data_batch_4": python2_pickle(batches["data_batch_4"]),
        f"{top}/readme.html": b'<meta HTTP-EQUIV="REFRESH" content="0; url=http://example.org/">\n',
        **{f"{top}/{name}": python2_pickle(batches[name]) for name in order[1:3]},
        f"{top}/batches.meta": python2_pickle(meta),
        **{f"{top}/{name}": python2_pickle(batches[name]) for name in order[3:]},
        f"{top}/data_batch_1": python2_pickle(batches["data_batch_1"]),
    }
    return {"archive": write_tar_gz(folder / "cifar-10-python.tar.gz", members, folders=[top])}


def make_cifar100(folder: Path) -> dict[str, Path]:
    """``cifar-100-python.tar.gz``: 6 pictures to train on, 4 to test, with two labels each."""
    keys, counts = ("fine_labels", "coarse_labels"), (100, 20)
    top = "cifar-100-python"
    meta = {b"fine_label_names": FINE, b"coarse_label_names": COARSE}
    members = {
        f"{top}/file.txt~": b"",
        f"{top}/train": python2_pickle(_cifar_batch(7, 6, keys, counts)),
        f"{top}/test": python2_pickle(_cifar_batch(8, 4, keys, counts)),
        f"{top}/meta": python2_pickle(meta),
    }
    return {"archive": write_tar_gz(folder / "cifar-100-python.tar.gz", members, folders=[top])}


def make_imagenette(folder: Path) -> dict[str, Path]:
    """``imagenette2.tgz``: two photographs per class to train on, one to validate; some are grey.

    Classes and pictures stand in the archive in no order.
    """
    random = np.random.default_rng(9)
    members = {"imagenette2/noisy_imagenette.csv": b"path,noisy_labels_0\n"}
    places = [("train", wnid, i) for wnid in WNIDS for i in range(2)]
    places += [("val", wnid, 0) for wnid in WNIDS]
    for split, wnid, i in [places[k] for k in random.permutation(len(places))]:
        name = f"ILSVRC2012_val_{i:08d}" if split == "val" else f"{wnid}_{7 - i}"
        height, width = random.integers(20, 40, 2)
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels)
        if random.random() < 0.3:
            picture = picture.convert("L")
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=90)
        members[f"imagenette2/{split}/{wnid}/{name}.JPEG"] = out.getvalue()
    return {"archive": write_tar_gz(folder / "imagenette2.tgz", members, folders=["imagenette2"])}


def torchvision_dataset(
    name: str, files: dict[str, Path], root: Path, split: str, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A split of ``name`` ("mnist", "cifar10" ...) as torchvision's class reads the same files."""
    kinds = {
        "mnist": torchvision.datasets.MNIST,
        "fashion-mnist": torchvision.datasets.FashionMNIST,
        "cifar10": torchvision.datasets.CIFAR10,
        "cifar100": torchvision.datasets.CIFAR100,
        "imagenette": torchvision.datasets.Imagenette,
    }
    kind = kinds[name]
    if name in ("mnist", "fashion-mnist"):
        raw = root / kind.__name__ / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        for path in files.values():
            (raw / path.name.removesuffix(".gz")).write_bytes(gzip.decompress(path.read_bytes()))
        return kind(root, train=split == "train")
    root.mkdir(exist_ok=True)
    with tarfile.open(files["archive"]) as tar:
        tar.extractall(root, filter="data")
    if name == "imagenette":
        return kind(root, split=split)
    folder = root / kind.base_folder
    for attribute in ("train_list", "test_list"):
        faked = [[entry, _md5(folder / entry)] for entry, _ in getattr(kind, attribute)]
        monkeypatch.setattr(kind, attribute, faked)
    meta = {**kind.meta, "md5": _md5(folder / kind.meta["filename"])}
    monkeypatch.setattr(kind, "meta", meta)
    return kind(root, train=split == "train")


def write_tar_gz(path: Path, members: dict[str, bytes], folders: list[str] | None = None) -> Path:
    """A tar.gz with these members in this order, after entries for the folders."""
    with tarfile.open(path, "w:gz") as tar:
        for name in folders or []:
            info = tarfile.TarInfo(name)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def python2_pickle(value: Any) -> bytes:
    """A pickle of protocol 2 with the bytes that Python 2 and numpy 1 wrote.

    ``bytes`` become Python 2 strings, and arrays name ``numpy.core.multiarray``.
    """
    out = io.BytesIO()
    _Python2Pickler(out, protocol=2).dump(value)
    return out.getvalue()


class _Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]
    dispatch: ClassVar[dict[Any, Any]] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_string(self, value: bytes | str) -> None:
        data = value.encode("latin1") if isinstance(value, str) else value
        if len(data) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[bytes] = save_string
    dispatch[str] = save_string

    def save_global(self, value: Any, name: str | None = None) -> None:
        if getattr(value, "__name__", "") == "_reconstruct":
            self.write(pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n")
            self.memoize(value)
        else:
            super().save_global(value, name)

    dispatch[type(np.array)] = save_global
    dispatch[type(np.ndarray)] = save_global


def _idx_files(folder: Path, seed: int) -> dict[str, Path]:
    random = np.random.default_rng(seed)
    files = {}
    for key, prefix, count in (("train", "train", 7), ("test", "t10k", 5)):
        arrays = {
            "images": random.integers(0, 256, (count, 28, 28), dtype=np.uint8),
            "labels": random.integers(0, 10, count, dtype=np.uint8),
        }
        for role, array in arrays.items():
            path = folder / f"{prefix}-{role}-idx{array.ndim}-ubyte.gz"
            path.write_bytes(gzip.compress(idx_bytes(array), mtime=0))
            files[f"{key}-{role}"] = path
    return files


def _cifar_batch(
    seed: int, count: int, keys: tuple[str, ...], classes: tuple[int, ...]
) -> dict[bytes, Any]:
    random = np.random.default_rng(seed)
    return {
        b"data": random.integers(0, 256, (count, 3072), dtype=np.uint8),
        **{
            key.encode(): random.integers(0, n, count).tolist()
            for key, n in zip(keys, classes, strict=True)
        },
        b"batch_label": b"training batch %d of 5" % seed,
        b"filenames": [b"picture_s_%06d.png" % i for i in range(count)],
    }


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()
