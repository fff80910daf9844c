"""What ``tests/benchmarks/loader.py`` loads: loose files, and a store of the same bytes."""

from __future__ import annotations

import argparse
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from support import loader_media

__all__ = ["PICTURES", "make", "small", "small_rows"]

PICTURES = 200  # of which the store's benchmark reads the bytes


def make(what: str, folder: Path, given: argparse.Namespace) -> str:
    """Makes the data unless it lies there; says what it is."""
    folder.mkdir(parents=True, exist_ok=True)
    makers = {"images": _images, "audio": _audio, "text": _text, "store": _few}
    return makers[what](folder, given)


def _images(folder: Path, given: argparse.Namespace) -> str:
    from domainkit.features import Image, Label

    found = loader_media.pictures(folder / "pictures", given.count, given.photos, given.seed)
    rows = ({"image": p.read_bytes(), "label": i % 1000} for i, p in enumerate(found))
    features = {"image": Image(), "label": Label()}
    _store(folder / "pictures-store", folder / "pictures", given.count, rows, features)
    return loader_media.told(folder / "pictures", "pixels")


def _few(folder: Path, given: argparse.Namespace) -> str:
    few = argparse.Namespace(**{**vars(given), "count": PICTURES})
    return f"{_images(folder, few)}; {given.count:,} rows of 28 x 28 pixels and a label"


def _audio(folder: Path, given: argparse.Namespace) -> str:
    from domainkit.features import Audio

    sounds = given.sounds or _voice_prompts(folder / "sounds")
    found = loader_media.clips(folder / "clips", given.count, sounds, given.seed)
    rows = ({"audio": p.read_bytes()} for p in found)
    _store(folder / "clips-store", folder / "clips", given.count, rows, {"audio": Audio()})
    return loader_media.told(folder / "clips", "s")


def _text(folder: Path, given: argparse.Namespace) -> str:
    from tokenizers import Tokenizer

    import domainkit as dk
    from domainkit.features import Text, Tokens

    sentences = dk.load_dataset("text/sentiment-sentences", "train")["text"]
    rows = loader_media.texts(sentences, given.count, given.seed)
    file = loader_media.tokenizer(sentences)
    ids = [e.ids for e in Tokenizer.from_str(file).encode_batch(rows)]
    (folder / "tokenizer.json").write_text(file)
    (folder / "texts.json").write_text(json.dumps(rows))
    (folder / "tokens.json").write_text(json.dumps(ids))
    made = folder / "texts.json"
    both = ({"text": t, "tokens": i} for t, i in zip(rows, ids, strict=True))
    _store(folder / "texts-store", made, given.count, both, {"text": Text(), "tokens": Tokens()})
    _hf_texts(folder / "texts-hf", ids)
    return f"{len(rows):,} texts, {sum(map(len, ids)) / len(ids):.0f} tokens each"


def _hf_texts(folder: Path, ids: list[list[int]]) -> None:
    """The token rows as HF datasets keep them, where it is installed."""
    try:
        import datasets as hf
    except ImportError:
        return
    shutil.rmtree(folder, ignore_errors=True)
    hf.Dataset.from_dict({"tokens": ids}).save_to_disk(str(folder))


def _voice_prompts(folder: Path) -> Path:
    """The recordings of the set that domainkit ships, joined to eight longer ones of 8 kHz."""
    import torch

    import domainkit as dk
    from domainkit.audio.codec import encode_wav

    folder.mkdir(exist_ok=True)
    prompts = dk.load_dataset("audio/voice-prompts", "train")
    for k in range(8):
        sounds = [prompts[i]["audio"] for i in range(k, len(prompts), 8)]
        (folder / f"{k}.wav").write_bytes(encode_wav(torch.cat(sounds, dim=1), 8000))
    return folder


def small_rows(count: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [count, 1, 28, 28] and labels [count]: small rows to get one by one."""
    pixels = np.random.default_rng(0).integers(0, 256, (count, 1, 28, 28), dtype=np.uint8)
    return pixels, np.arange(count) % 10


def small(folder: Path, count: int) -> None:
    """What ``loader_peers_store`` reads: small rows and some of the pictures, in every form."""
    from domainkit.features import Image, Label

    pixels, labels = small_rows(count)
    facts = folder / "small.json"
    key = [count, (folder / "pictures" / "made.json").stat().st_mtime_ns]
    if facts.exists() and json.loads(facts.read_text()) == key:
        return
    loose = folder / "small-loose"
    for old in ("small-loose", "small-store", "small-hf", "small-hf-bytes", "pictures-hf"):
        shutil.rmtree(folder / old, ignore_errors=True)
    loose.mkdir()
    for i in range(count):
        (loose / f"{i:06d}.bin").write_bytes(pixels[i].tobytes())
    rows = ({"image": pixels[i], "label": int(labels[i])} for i in range(count))
    features = {"image": Image(mode="L", shape=(1, 28, 28)), "label": Label()}
    _store(folder / "small-store", loose, count, rows, features)
    files = [folder / "pictures" / f"{i:06d}.jpg" for i in range(PICTURES)]
    pictures = [path.read_bytes() for path in files]
    _tar(folder / "pictures.tar", "jpg", pictures)
    _tar(folder / "small.tar", "bin", [p.tobytes() for p in pixels])
    try:
        import datasets as hf
    except ImportError:
        return  # made when it is installed
    square = hf.Array3D((1, 28, 28), "uint8")
    shape = hf.Features({"image": square, "label": hf.Value("int64")})
    made = hf.Dataset.from_dict({"image": pixels, "label": labels}, features=shape)
    made.save_to_disk(str(folder / "small-hf"))
    made = hf.Dataset.from_dict({"image": [p.tobytes() for p in pixels], "label": labels})
    made.save_to_disk(str(folder / "small-hf-bytes"))
    made = hf.Dataset.from_dict({"image": pictures, "label": [0] * PICTURES})
    made.save_to_disk(str(folder / "pictures-hf"))
    facts.write_text(json.dumps(key))


def _tar(path: Path, ending: str, values: list[bytes]) -> None:
    """Samples as webdataset wants them: ``000000.jpg`` and ``000000.cls``."""
    with tarfile.open(path, "w") as tar:
        for i, value in enumerate(values):
            for name, data in ((ending, value), ("cls", str(i % 10).encode())):
                info = tarfile.TarInfo(f"{i:06d}.{name}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def _store(
    folder: Path,
    source: Path,
    count: int,
    rows: Iterator[dict[str, Any]],
    features: dict[str, Any],
) -> None:
    """A store of these rows, unless a younger one lies there."""
    from domainkit.store import Store, write_store

    facts = folder / "store.json"
    newest = source / "made.json" if source.is_dir() else source
    young = facts.exists() and facts.stat().st_mtime >= newest.stat().st_mtime
    if young and len(Store(folder)) >= count:
        return
    shutil.rmtree(folder, ignore_errors=True)
    write_store(folder, rows, features, fingerprint="benchmark")
