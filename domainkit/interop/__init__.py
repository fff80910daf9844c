"""Own data in and out: every ``from_...`` gives a ``Dataset``, every ``to_...`` takes one.

    from_folder        class folders of pictures, recordings or .txt files
    from_arrow         an Arrow IPC file (or stream), or a ``pyarrow.Table``
    from_parquet       Parquet files, plain or as the Hugging Face hub has them
    from_webdataset    tar files of members grouped by name (0001.jpg, 0001.cls, 0001.json)
    from_hf            a ``datasets.Dataset``
    to_parquet, to_webdataset, to_hf    the way back
    tokenize           a dataset's texts as tokens

What comes in is prepared once, as the published datasets are: rows are streamed into a store in the
cache, and the next call opens it. The store is named by what the rows depend on (names, sizes and
times of the files, the arguments), so data that changed is prepared anew. Media stays as it is;
nothing is decoded. What goes out is written beside its place and renamed when complete, and carries
the columns' facts (label names, shapes) along.
"""

from __future__ import annotations

from domainkit.interop.arrow import from_arrow, from_parquet, to_parquet
from domainkit.interop.folder import from_folder
from domainkit.interop.huggingface import from_hf, to_hf
from domainkit.interop.tokens import tokenize
from domainkit.interop.webdataset import from_webdataset, to_webdataset

__all__ = [
    "from_arrow",
    "from_folder",
    "from_hf",
    "from_parquet",
    "from_webdataset",
    "to_hf",
    "to_parquet",
    "to_webdataset",
    "tokenize",
]
