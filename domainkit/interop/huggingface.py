"""``from_hf`` and ``to_hf``: from and to the library ``datasets`` of Hugging Face."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from domainkit import cache
from domainkit.dataset import Dataset
from domainkit.errors import MissingExtraError
from domainkit.interop.arrow import rows_of
from domainkit.interop.export import arrow_schema, record_batches
from domainkit.interop.own import Rows, override_facts, overrides, own_dataset, whole_file

__all__ = ["from_hf", "to_hf"]

BATCH = 100  # rows at a time; their pictures may be large
EXPORT = 1  # raise it when to_hf writes the same rows in another way


def from_hf(hf: Any, *, features: Mapping[str, Any] | None = None) -> Dataset:
    """The rows of a ``datasets.Dataset``, streamed into a store; media is not decoded.

    ClassLabel becomes Label, Image and Audio keep their encoded bytes (files that are named by a
    local path are read), Value becomes Text, Int or Float, sequences of whole numbers Tokens.

    Args:
        hf: one split. ``hf.select``, ``filter`` and the like may have been applied to it.
        features: column -> what it is instead, or None to leave it out, as in ``from_arrow``.

    Raises:
        MissingExtraError: the library ``datasets`` is not installed.
        TypeError: ``hf`` is something else, such as all splits together.
        ReaderError: a null, or a column that is no feature.
    """
    if not isinstance(hf, _library().Dataset):
        hint = ": choose a split, such as hf['train']" if isinstance(hf, dict) else ""
        raise TypeError(f"expected a datasets.Dataset, got {type(hf).__name__}{hint}")
    given = overrides(features)
    facts = {
        "format": "hf",
        "hf": hf._fingerprint,  # what the library itself names its cache files by
        "rows": len(hf),
        "features": override_facts(given),
    }

    def make() -> Rows:
        plain = hf.with_format("arrow")

        def batches(wanted: list[str] | None) -> Iterator[Any]:
            chosen = plain.select_columns(wanted) if wanted else plain
            for table in chosen.iter(batch_size=BATCH):
                yield from table.to_batches()

        return rows_of(hf.features.arrow_schema, batches, given, len(hf), files=True)

    info = hf.info
    name = info.dataset_name or info.builder_name or "hf"
    return own_dataset(facts, make, name=name, split=str(hf.split or ""))


def to_hf(ds: Dataset) -> Any:
    """The rows as a ``datasets.Dataset``, memory-mapped from a file that is written once.

    Label names, picture modes and sample rates are kept; media is as stored, raw pictures are PNG.

    Raises:
        MissingExtraError: the library ``datasets`` is not installed.
    """
    import pyarrow as pa

    library = _library()
    schema = arrow_schema(ds)
    key = f"{EXPORT}\n{ds.fingerprint}\n{schema.metadata}\n{ds.columns}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    path = cache.home() / "prepared" / "hf" / digest / "data.arrow"  # they cache beside it
    if not path.exists():
        with cache.lock(f"to-hf-{digest}"):
            if not path.exists():  # else somebody was faster
                with whole_file(path) as temporary, pa.ipc.new_stream(temporary, schema) as writer:
                    for batch in record_batches(ds, schema, f"write {ds.name}"):
                        writer.write_batch(batch)
    return library.Dataset.from_file(str(path))


def _library() -> Any:
    try:
        library = importlib.import_module("datasets")
        # a folder called datasets in the working directory imports as an empty package
        if hasattr(library, "Dataset"):
            return library
    except ImportError:
        pass
    raise MissingExtraError(
        "This needs the library datasets of Hugging Face: pip install 'domainkit[datasets]'"
    )
