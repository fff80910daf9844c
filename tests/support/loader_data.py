"""What ``tests/benchmarks/loader.py`` loads: loose files, and a store of the same bytes."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support import loader_media

__all__ = ["make"]

ROOT = Path(__file__).parents[2]


def make(what: str, folder: Path, given: argparse.Namespace) -> str:
    """Makes the data unless it lies there; says what it is."""
    folder.mkdir(parents=True, exist_ok=True)
    return {"images": _images, "audio": _audio, "text": _text, "store": _images}[what](
        folder, given
    )


def _images(folder: Path, given: argparse.Namespace) -> str:
    from domainkit.features import Image, Label

    found = loader_media.pictures(folder / "pictures", given.count, given.photos, given.seed)
    rows = ({"image": p.read_bytes(), "label": i % 1000} for i, p in enumerate(found))
    features = {"image": Image(), "label": Label()}
    _store(folder / "pictures-store", folder / "pictures", given.count, rows, features)
    return loader_media.told(folder / "pictures", "pixels")


def _audio(folder: Path, given: argparse.Namespace) -> str:
    from domainkit.features import Audio

    sounds = given.sounds or _voice_prompts()
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
    return f"{len(rows):,} texts, {sum(map(len, ids)) / len(ids):.0f} tokens each"


def _voice_prompts() -> Path:
    """The recordings of the set that domainkit ships, as files."""
    raise SystemExit("--sounds FOLDER is needed: a folder of WAV, FLAC or Ogg recordings")


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
