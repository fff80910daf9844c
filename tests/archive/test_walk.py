"""walk and read_member on good archives, whatever their format."""

from __future__ import annotations

import gc
import gzip
import io
import itertools
import os
import random
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from support.archives import COMPRESSIONS, FILES, special, tar_bytes, zip_bytes, zstd_bytes

from domainkit.archive import Limits, read_member, walk
from domainkit.errors import ArchiveError

KINDS = ["zip", "stored", "zip lzma", "zip bzip2", *(f"tar.{c}" for c in (*COMPRESSIONS, "zst"))]
METHODS = {
    "zip": zipfile.ZIP_DEFLATED, "stored": zipfile.ZIP_STORED, "zip lzma": zipfile.ZIP_LZMA,
    "zip bzip2": zipfile.ZIP_BZIP2,
}  # fmt: skip


def archive(kind: str) -> bytes:
    if kind in METHODS:
        return zip_bytes(("set/", b""), *FILES.items(), method=METHODS[kind])
    pack = zstd_bytes if kind == "tar.zst" else COMPRESSIONS[kind[4:]]
    return pack(tar_bytes(special("set", tarfile.DIRTYPE), *FILES.items()))


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_told_by_content(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "no-suffix"
    path.write_bytes(archive(kind))
    assert {m.name: m.read() for m in walk(path)} == FILES
    assert [(m.name, m.size) for m in walk(path)] == [(n, len(d)) for n, d in FILES.items()]
    assert read_member(path, "set/dogs/1.jpg") == FILES["set/dogs/1.jpg"]


@pytest.mark.parametrize("kind", KINDS)
def test_members_are_streams(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "archive"
    path.write_bytes(archive(kind))
    for member in walk(path):
        with member.open() as stream:
            assert stream.read(10) == FILES[member.name][:10]
            if member.size > 1000:
                continue  # a member left in the middle does not harm the next
            assert stream.read() == FILES[member.name][10:]


class Pipe(io.RawIOBase):
    """A stream that cannot seek and gives what it likes."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)
        self._sizes = itertools.cycle((1, 7, 100, 5000))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        return self._inner.readinto(memoryview(buffer)[: next(self._sizes)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["seeks", "pipe"])
def test_a_binary_stream_is_read_from_where_it_is(kind: str, form: str) -> None:
    data = archive(kind)
    if form == "seeks":
        stream = io.BytesIO(b"before" + data)
        stream.seek(6)
    else:
        stream = Pipe(data)
    assert {m.name: m.read() for m in walk(stream)} == FILES
    assert not stream.closed  # it is not ours


def test_a_pipe_of_the_system(tmp_path: Path) -> None:
    data = archive("tar.gz")
    read, write = os.pipe()
    os.write(write, data[:60_000])  # less than a pipe holds
    os.close(write)
    with open(read, "rb") as stream, pytest.raises(ArchiveError, match="cut off"):
        list(walk(stream))


def test_what_is_no_source() -> None:
    for thing in (5, io.StringIO("text")):
        with pytest.raises(ArchiveError, match="expected a path, a member of an archive or a bin"):
            list(walk(thing))
    with pytest.raises(ArchiveError, match="cannot be opened: No such file"):
        list(walk("nowhere.zip"))


@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
def test_a_member_is_gone_after_the_next(tmp_path: Path, pack) -> None:
    path = tmp_path / "archive"
    path.write_bytes(pack(*FILES.items()))
    members = list(walk(path))
    assert [m.size for m in members] == [len(d) for d in FILES.values()]
    with pytest.raises(ArchiveError, match="read a member before asking for the next"):
        members[0].read()


def test_a_member_is_gone_with_its_walk(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(archive("tar.gz"))
    member = next(walk(path))  # nobody holds the walk
    with pytest.raises(ArchiveError, match="Keep what walk"):
        member.read()


def test_read_member_offers_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(archive("zip"))
    with pytest.raises(ArchiveError, match=r"archive: has no member 'set/readme.md'.*'set/readme"):
        read_member(path, "set/readme.md")


@pytest.mark.parametrize("kind", ["zip", "stored", "zip lzma", "zip bzip2", "tar."])
def test_a_member_is_read_as_often_as_one_likes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "archive"
    path.write_bytes(archive(kind))
    for member in walk(path):
        assert member.read() == member.read() == FILES[member.name]


def test_a_member_of_a_compressed_tar_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(archive("tar.gz"))
    members = walk(path)
    member = next(members)
    assert member.read() == FILES[member.name]
    with pytest.raises(ArchiveError, match=r"'set/cats/1.jpg' was read already"):
        member.read()


def test_neither_zip_nor_tar(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    starts = {b"": "", b"hello": "", b"<!DOCTYPE html>" * 100: "an HTML page"}
    starts |= {gzip.compress(b"x" * 2000): "", b"7z\xbc\xaf\x27\x1c" + bytes(99): "a 7z archive"}
    for data, kind in starts.items():
        path.write_bytes(data)
        with pytest.raises(ArchiveError, match=f"archive: .*expected zip or tar.*{kind}"):
            list(walk(path))


@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
def test_limits_by_count_and_total(tmp_path: Path, pack) -> None:
    path = tmp_path / "archive"
    path.write_bytes(pack(*FILES.items()))
    assert len(list(walk(path, limits=Limits(max_members=4)))) == 4
    with pytest.raises(ArchiveError, match=r"'set/readme.txt' is one more than the 3"):
        list(walk(path, limits=Limits(max_members=3)))
    with pytest.raises(ArchiveError, match=r"beyond 70,100 bytes \(at member 'set/dogs"):
        list(walk(path, limits=Limits(max_total=70_100)))


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz", "tar.zst"])
def test_bombs(tmp_path: Path, kind: str) -> None:
    zeros = bytes(3_000_000)
    if kind == "zip":
        data = zip_bytes(("zeros", zeros))
    else:
        pack = zstd_bytes if kind == "tar.zst" else COMPRESSIONS[kind[4:]]
        data = pack(tar_bytes(("zeros", zeros)))
    path = tmp_path / "archive"
    path.write_bytes(data)
    assert [m.name for m in walk(path)] == ["zeros"]  # small enough to be let be
    for source in (path, Pipe(data)):
        with pytest.raises(ArchiveError, match=r"beyond the ratio of 250.*bomb"):
            list(walk(source, limits=Limits(ratio_floor=1_000_000)))


def test_a_plain_tar_from_a_pipe_is_no_bomb() -> None:
    # its length is not known, and the first header promises much more than has come
    big = random.Random(0).randbytes(2_000_000)
    limits = Limits(ratio_floor=1000)
    read = {m.name: m.read() for m in walk(Pipe(tar_bytes(("a", big), ("b", big))), limits=limits)}
    assert read == {"a": big, "b": big}


def test_headers_that_were_passed_are_not_kept(tmp_path: Path) -> None:
    data = tar_bytes(*((f"{i // 100}/{i}", b"") for i in range(3000)))
    for name, form in (("plain", data), ("packed", gzip.compress(data, 1))):
        path = tmp_path / name
        path.write_bytes(form)
        count = 0
        for count, _ in enumerate(walk(path), 1):
            pass_by = count == 2500 and gc.get_objects()
            if pass_by:
                assert sum(issubclass(type(one), tarfile.TarInfo) for one in pass_by) < 10
        assert count == 3000


@pytest.mark.parametrize("pack", [zip_bytes, tar_bytes])
def test_memory_is_flat_but_for_names(tmp_path: Path, pack) -> None:
    path = tmp_path / "archive"
    peaks = []
    for count in (2000, 8000):
        path.write_bytes(pack(*((f"folder/{i:06}", b"") for i in range(count))))
        tracemalloc.start()
        assert sum(1 for _ in walk(path)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # a name of 13 letters is 62 bytes, its place in the table about 50, an entry in the list 110
    assert (peaks[1] - peaks[0]) / 6000 < 400


@pytest.mark.parametrize("pack", [zip_bytes, lambda *m: gzip.compress(tar_bytes(*m))])
def test_a_large_member_streams_in_little_memory(tmp_path: Path, pack) -> None:
    path = tmp_path / "archive"
    path.write_bytes(pack(("big", random.Random(0).randbytes(1 << 20) * 24)))
    tracemalloc.start()
    members = walk(path)
    with next(members).open() as stream:
        while stream.read(1 << 16):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 << 20
