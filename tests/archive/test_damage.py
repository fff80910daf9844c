"""Whatever happens to an archive's bytes: what is read is what was packed, or an ArchiveError.

How much that can say depends on the checksums that a format has; each test says it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.archives import tar_bytes, zip_bytes, zstd_bytes

from domainkit.archive import open_stream, walk
from domainkit.errors import ArchiveError

DRAW = random.Random(4)
FILES = {
    "set/cats/1.jpg": DRAW.randbytes(1500),
    "set/cats/2.jpg": b"",
    "set/dogs/1.jpg": b"woof" * 128,
    "set/größe.bin": bytes(700),
}
ASCII = {name.replace("größe", "size"): data for name, data in FILES.items()}
TAR = tar_bytes(*ASCII.items(), format=tarfile.USTAR_FORMAT)
ZIPS = {
    "stored": zip_bytes(("set/", b""), *FILES.items(), method=zipfile.ZIP_STORED),
    "deflate": zip_bytes(*FILES.items()),
    "bzip2": zip_bytes(*FILES.items(), method=zipfile.ZIP_BZIP2),
    "lzma": zip_bytes(*FILES.items(), method=zipfile.ZIP_LZMA),
}
PACKS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd_bytes}
STREAMS = {kind: pack(FILES["set/cats/1.jpg"]) for kind, pack in PACKS.items()}
TARS = {kind: pack(TAR) for kind, pack in PACKS.items()}

damage = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)),
    min_size=1,
    max_size=4,
)
one_byte = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
cuts = st.floats(0, 1, exclude_max=True)


def hurt(data: bytes, places: list[tuple[float, bytes]], start: int = 0) -> bytes:
    """Some bytes are overwritten, none before ``start``."""
    out = bytearray(data)
    for place, new in places:
        at = start + int(place * (len(data) - start))
        out[at : at + len(new)] = new[: len(data) - at]
    return bytes(out)


def flip(data: bytes, place: tuple[float, int], start: int = 0) -> tuple[bytes, int]:
    out = bytearray(data)
    at = start + int(place[0] * (len(data) - start))
    out[at] ^= place[1]
    return bytes(out), at


def contents(data: bytes) -> dict[str, bytes] | None:
    """What is read; None for an ArchiveError, and no other error is let through."""
    try:
        return {m.name: m.read() for m in walk(io.BytesIO(data))}
    except ArchiveError as error:
        assert str(error).startswith("<BytesIO>")
        return None


# Cut off: always told


@pytest.mark.parametrize("kind", ZIPS)
@given(cuts)
def test_a_cut_zip(kind: str, cut: float) -> None:
    data = ZIPS[kind][: int(cut * len(ZIPS[kind]))]
    assert contents(data) is None
    with pytest.raises(ArchiveError):  # without reading any member
        list(walk(io.BytesIO(data)))


@pytest.mark.parametrize("kind", TARS)
@given(cuts)
def test_a_cut_compressed_tar(kind: str, cut: float) -> None:
    data = TARS[kind][: int(cut * len(TARS[kind]))]
    assert contents(data) is None
    with pytest.raises(ArchiveError):
        list(walk(io.BytesIO(data)))


@given(cuts)
def test_a_cut_plain_tar(cut: float) -> None:
    # up to the first of the two empty blocks at the end: that one says that nothing follows
    needed = len(TAR.rstrip(b"\0")) // 512 * 512 + 1024 + 1024
    data = TAR[: int(cut * needed)]
    read = contents(data)
    assert read is None or read == ASCII
    if len(data) < needed - 1024:
        assert read is None


@pytest.mark.parametrize("kind", STREAMS)
@given(cuts)
def test_a_cut_stream(kind: str, cut: float) -> None:
    data = STREAMS[kind][: int(cut * len(STREAMS[kind]))]
    if len(data) < 6:  # too short to be told from a plain file
        return
    with open_stream(io.BytesIO(data)) as stream, pytest.raises(ArchiveError):
        stream.read()


# Overwritten bytes


@pytest.mark.parametrize("kind", ZIPS)
@given(one_byte)
def test_a_zip_with_one_wrong_byte(kind: str, place: tuple[float, int]) -> None:
    # every byte of data and name is held twice or has a checksum; the attributes have neither,
    # and they can make a file a link, which is passed over
    data, at = flip(ZIPS[kind], place)
    read = contents(data)
    if read is None or read == FILES:
        return
    assert read.items() <= FILES.items()
    records = [i for i in range(len(data)) if data.startswith(b"PK\x01\x02", i)]
    assert any(38 <= at - record < 42 for record in records)


@pytest.mark.parametrize("kind", ZIPS)
@given(damage)
def test_a_zip_with_wrong_bytes(kind: str, places: list[tuple[float, bytes]]) -> None:
    read = contents(hurt(ZIPS[kind], places))
    assert read is None or read.items() <= FILES.items()


@pytest.mark.parametrize("kind", TARS)
@given(damage)
def test_a_compressed_tar_with_wrong_bytes(kind: str, places: list[tuple[float, bytes]]) -> None:
    # the checksum is at the end, and a walk that gets there without an error has read the truth
    assert contents(hurt(TARS[kind], places)) in (None, ASCII)


@pytest.mark.parametrize("kind", STREAMS)
@given(damage)
def test_a_stream_with_wrong_bytes(kind: str, places: list[tuple[float, bytes]]) -> None:
    # not its first bytes, which say what it is: without them it is a plain file
    data = hurt(STREAMS[kind], places, start=6)
    with open_stream(io.BytesIO(data)) as stream:
        try:
            assert stream.read() == FILES["set/cats/1.jpg"]
        except ArchiveError as error:
            assert "<BytesIO>: cannot be read" in str(error)


@given(one_byte)
def test_a_plain_tar_with_one_wrong_byte(place: tuple[float, int]) -> None:
    # headers have a checksum, data have none: names and sizes are right, and so are all members
    # but the one that was hit; only the file's digest tells of that
    data, at = flip(TAR, place)
    read = contents(data)
    if read is None:
        return
    assert list(read) == list(ASCII)
    wrong = [name for name in read if read[name] != ASCII[name]]
    assert len(wrong) <= 1
    for name in wrong:
        differ = [i for i, (a, b) in enumerate(zip(read[name], ASCII[name], strict=True)) if a != b]
        assert len(differ) == 1 and data[at] == read[name][differ[0]]


@given(damage)
def test_a_plain_tar_with_wrong_bytes(places: list[tuple[float, bytes]]) -> None:
    read = contents(hurt(TAR, places))
    if read is not None:
        assert {n: len(d) for n, d in read.items()} == {n: len(d) for n, d in ASCII.items()}


@given(damage)
def test_an_archive_in_an_archive_with_wrong_bytes(places: list[tuple[float, bytes]]) -> None:
    data = hurt(zip_bytes(("in.tar", TAR), ("in.zip", ZIPS["deflate"])), places)
    known = {"in.tar": ASCII, "in.zip": FILES}
    try:
        for member in walk(io.BytesIO(data)):
            read = {inner.name: inner.read() for inner in walk(member)}
            assert read.items() <= known[member.name].items()
    except (ArchiveError, KeyError) as error:
        assert isinstance(error, ArchiveError), "a member under another name was opened"


@pytest.mark.parametrize(
    "start", [b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b""]
)
@given(st.binary(max_size=700))
def test_what_was_never_an_archive(start: bytes, rest: bytes) -> None:
    assert contents(start + rest) in (None, {})
