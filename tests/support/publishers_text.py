"""Small files in the exact layout of the publishers of the text sets.

Each maker returns the files of the card by key.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

__all__ = ["AG_NEWS", "IMDB", "make_ag_news", "make_imdb"]

# class, title, description; the last one is longer than csv reads by default
AG_NEWS: dict[str, list[tuple[int, str, str]]] = {
    "train": [
        (3, "Wall St. Bears Claw Back (Reuters)", "Reuters - Wall Street's dwindling\\band."),
        (1, "Leaders meet, talk", 'He said: "We agree, mostly". #36;5 &lt;b&gt;more&lt;/b&gt;'),
        (2, '"Giants" win', "Café owners cheer — 日本 too."),
        (4, "Chips", "  two spaces before, one after "),
        (2, "Overtime", "line one\nline two"),
        (4, "Long", "word " * 40_000),
    ],
    "test": [
        (3, "Fears for T N pension after talks", "Unions representing workers, at Turner."),
        (4, "The Race is On", ""),
        (1, "Sister of man who died", "Nothing, but words."),
    ],
}

# member -> bytes, in the archive's order; reviews have <br /> and no line end
IMDB: dict[str, bytes] = {
    "aclImdb/imdbEr.txt": b"0.0490972013402\n",
    "aclImdb/test/urls_neg.txt": b"http://www.imdb.com/title/tt0406816/usercomments\n",
    "aclImdb/README": b"Large Movie Review Dataset v1.0\n",
    "aclImdb/test/labeledBow.feat": b"10 0:7 1:4\n",
    "aclImdb/test/pos/10_10.txt": "Magnifique! Amélie, again.<br /><br />10/10".encode(),
    "aclImdb/test/pos/9_7.txt": b"Good enough.",
    "aclImdb/test/neg/0_2.txt": b'Once again "Mr. Costner" drags on, and on.',
    "aclImdb/train/urls_pos.txt": b"http://www.imdb.com/title/tt0210075/usercomments\n",
    "aclImdb/train/unsup/0_0.txt": b"Nobody said whether this is good.",
    "aclImdb/train/neg/12499_1.txt": b"Awful.\nTruly.",
    "aclImdb/train/neg/1_1.txt": b"",
    "aclImdb/train/pos/0_9.txt": b"Bromwell High is a cartoon comedy.",
    "aclImdb/train/pos/1_7.txt": b"Fine, \t with tabs.",
    "aclImdb/train/unsupBow.feat": b"0 0:8\n",
}


def make_ag_news(folder: Path) -> dict[str, Path]:
    """``train.csv`` (6 rows) and ``test.csv`` (3): no header, every field in quotes."""
    files = {}
    for split, rows in AG_NEWS.items():
        files[split] = folder / f"{split}.csv"
        lines = [",".join(_quoted(field) for field in row) + "\n" for row in rows]
        files[split].write_text("".join(lines), encoding="utf-8", newline="")
    return files


def make_imdb(folder: Path) -> dict[str, Path]:
    """``aclImdb_v1.tar.gz``: 4 reviews to train on, 3 to test, 1 without a label."""
    path = folder / "aclImdb_v1.tar.gz"
    folders = {name.rpartition("/")[0] for name in IMDB} | {"aclImdb"}
    with tarfile.open(path, "w:gz") as tar:
        for name in sorted(folders):
            info = tarfile.TarInfo(f"{name}/")
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name, data in IMDB.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return {"archive": path}


def _quoted(field: int | str) -> str:
    return '"' + str(field).replace('"', '""') + '"'
