"""The prepared form of a split: Arrow IPC files, written whole or not at all, read by offset.

    <split folder>/
      part-00000.arrow ...   record batches of ``BATCH_ROWS`` rows each (the last one shorter)
      store.json             written last: layout version, features, fingerprint, each part's rows
                             and CRC-32

Media stays as published; arrays of one shape are rows of one width. Opening maps the files and
reads their footers, no row. Reading a row slices the mapped buffers through offsets that are
looked up once per record batch, so it copies nothing and makes no object but the slice. Only
``Store.verify`` reads the files whole.
"""

from __future__ import annotations

from domainkit.store.reading import BATCH_ROWS, Store
from domainkit.store.writing import write_store

__all__ = ["BATCH_ROWS", "Store", "write_store"]
