"""The prepared form of a split: Arrow IPC files, written whole or not at all, read by offset.

    <split folder>/
      part-00000.arrow ...   record batches of ``BATCH_ROWS`` rows each (the last one shorter)
      part-00000.sums ...    its checksums, and where its buffers lie (see ``prepared.checks``)
      store.json             written last: layout version, features, fingerprint, each part's rows
                             and bytes, and a checksum of itself

Media stays as published; arrays of one shape are rows of one width. Opening maps the files and
reads no row. Reading a row slices the mapped file at a place that is looked up once per record
batch, so it copies nothing and makes no object but the slice. Only ``Store.verify`` reads the files
whole; what a row is held to when it is read, ``Store`` says.
"""

from __future__ import annotations

from domainkit.prepared import BATCH_ROWS
from domainkit.store.reading import Store
from domainkit.store.writing import write_store

__all__ = ["BATCH_ROWS", "Store", "write_store"]
