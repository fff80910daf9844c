"""Archives in archives: read where they lie, on one budget."""

from __future__ import annotations

import gzip
import io
import random
import tempfile
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.archives import (
    COMPRESSIONS,
    FILES,
    Part,
    raw_zip,
    tar_bytes,
    zip_bytes,
    zstd_bytes,
)

from domainkit.archive import Limits, Member, open_stream, read_member, sources, walk
from domainkit.errors import ArchiveError

PACKS = {
    "zip": zip_bytes,
    "tar": tar_bytes,
    **{f"tar.{k}": lambda *m, p=p: p(tar_bytes(*m)) for k, p in COMPRESSIONS.items() if k},
    "tar.zst": lambda *m: zstd_bytes(tar_bytes(*m)),
}


def deep(source, **options) -> Iterator[Member]:
    """All members that are no archives, of all archives in one another."""
    for member in walk(source, **options):
        if member.name.rpartition("/")[2].split(".")[-1] in ("zip", "tar", "gz"):
            yield from deep(member)
        else:
            yield member


@pytest.mark.parametrize("inner", PACKS)
@pytest.mark.parametrize("outer", PACKS)
def test_every_format_in_every_other(tmp_path: Path, outer: str, inner: str) -> None:
    path = tmp_path / "outer"
    content = PACKS[inner](*FILES.items())
    path.write_bytes(PACKS[outer](("before", b"1"), ("in/inner", content), ("after", b"2")))
    read, order = {}, []
    for member in walk(path):
        order.append(member.name)
        if member.name == "in/inner":
            read = {m.name: m.read() for m in walk(member)}
    assert read == FILES and order == ["before", "in/inner", "after"]
    for member in walk(path):  # left in the middle
        if member.name == "in/inner":
            assert read_member(member, "set/cats/2.jpg") == b""
    assert order == [m.name for m in walk(path)]


def test_messages_name_the_whole_way(tmp_path: Path) -> None:
    path = tmp_path / "outer.tar"
    bad = zip_bytes(("../x", b"1"))
    path.write_bytes(tar_bytes(("a/mid.zip", zip_bytes(("in.zip", bad)))))
    with pytest.raises(ArchiveError) as caught:
        list(deep(path))
    assert f"{path}: member 'a/mid.zip': member 'in.zip': member '../x' has '..'" in str(
        caught.value
    )
    with pytest.raises(ArchiveError, match=r"'a/mid.zip': has no member 'y'. Known: in.zip"):
        [read_member(m, "y") for m in walk(path)]


def test_a_damaged_archive_in_a_good_one() -> None:
    cut = zip_bytes(*FILES.items())[:-30]
    for pack in (zip_bytes, tar_bytes):
        with pytest.raises(ArchiveError, match=r"member 'in.zip': the zip .* cut off"):
            list(deep(io.BytesIO(pack(("in.zip", cut)))))
    # the checksum of the outer zip holds for what is copied
    broken = bytearray(zip_bytes(("in.zip", zip_bytes(("a", b"1"))), method=0))
    broken[50] ^= 1
    with pytest.raises(ArchiveError, match=r"member 'in.zip': .*CRC"):
        list(deep(io.BytesIO(bytes(broken))))


def test_limits_belong_to_the_outermost() -> None:
    for member in walk(io.BytesIO(zip_bytes(("in.zip", zip_bytes(("a", b"1")))))):
        for read in (walk, open_stream):
            with pytest.raises(ArchiveError, match=r"'in.zip': its limits are those of the outer"):
                list(read(member, limits=Limits()))


# One budget


def test_members_are_counted_together() -> None:
    inner = zip_bytes(*((f"{i}", b"") for i in range(30)))
    data = zip_bytes(*((f"{i}.zip", inner) for i in range(30)))
    assert sum(1 for _ in deep(io.BytesIO(data), limits=Limits(max_members=930))) == 900
    with pytest.raises(ArchiveError, match=r"'29.zip': member '29' is one more than the 929 all"):
        list(deep(io.BytesIO(data), limits=Limits(max_members=929)))


def test_bytes_are_counted_together() -> None:
    inner = tar_bytes(("a", random.Random(0).randbytes(100_000)))  # 112,640 bytes
    data = zip_bytes(*((f"{i}.tar", inner) for i in range(10)), method=0)
    once, twice = 10 * len(inner), 10 * 100_000
    total = Limits(max_total=once + twice)
    assert sum(1 for _ in deep(io.BytesIO(data), limits=total)) == 10
    with pytest.raises(ArchiveError, match=r"'9.tar': expands beyond .* \(at member 'a'"):
        list(deep(io.BytesIO(data), limits=Limits(max_total=once + twice - 1)))
    # a gzip's bytes count once, whether its headers promise them or they are unpacked
    packed = tar_bytes(*((f"{i}.tar.gz", gzip.compress(inner)) for i in range(10)))
    members = sum(len(gzip.compress(inner)) for _ in range(10))
    whole = Limits(max_total=members + once)
    assert sum(1 for _ in deep(io.BytesIO(packed), limits=whole)) == 10


def nest(levels: int, width: int, core: bytes) -> bytes:
    """A zip of ``width`` zips of ``width`` zips ..., of one file of zeros."""
    data = zip_bytes(("0", core))
    for _ in range(levels):
        data = zip_bytes(*((f"lib {i}.zip", data) for i in range(width)))
    return data


def test_a_nest_of_zips_is_refused_while_it_is_walked(tmp_path: Path) -> None:
    # as 42.zip: no level expands much beyond the one before, all together without bound
    path = tmp_path / "nest.zip"
    path.write_bytes(nest(4, 16, bytes(4_000_000)))
    assert path.stat().st_size < 50_000
    seen = 0
    with pytest.raises(ArchiveError, match="nested bomb"):
        for _ in deep(path):
            seen += 1
    assert seen == 0  # the fifth level is one too many
    tracemalloc.start()
    with pytest.raises(ArchiveError, match=r"nest.zip: member 'lib 0.zip': .*decompression bomb"):
        for _ in deep(path, limits=Limits(max_depth=9)):
            seen += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 1 <= seen < 20  # of 65,536
    assert peak < 8 << 20


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_bomb_in_harmless_wrappings(levels: int) -> None:
    data = gzip.compress(tar_bytes(("zeros", bytes(80_000_000))), 9)
    for _ in range(levels):
        data = tar_bytes(("in.tar.gz", data))
    with pytest.raises(ArchiveError, match=r"in.tar.gz'.*bomb"):
        list(deep(io.BytesIO(data)))


def test_gzip_in_gzip_in_gzip() -> None:
    data = b"x" * 9
    for _ in range(9):
        data = gzip.compress(data)

    def unpack(source, depth: int) -> bytes:
        with open_stream(source) as stream:
            return unpack(stream, depth - 1) if depth > 1 else stream.read()

    assert gzip.decompress(unpack(io.BytesIO(data), 4)).startswith(b"\x1f\x8b")
    with pytest.raises(ArchiveError, match="lies in 4 archives, and no more than 4 may"):
        unpack(io.BytesIO(data), 5)


def test_a_zip_that_holds_itself() -> None:
    # stands for the zip quines: whatever comes out, there is another one in it
    data = zip_bytes(("r.zip", b"!"))
    for _ in range(12):
        data = raw_zip(Part("r.zip", zlib.compress(data, 9, -15), data, method=8))
    with pytest.raises(ArchiveError, match=r"lies in 4 archives"):
        list(deep(io.BytesIO(data)))


def test_the_budget_follows_the_streams(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(gzip.compress(bytes(70_000_000))))
    with (
        open_stream(path) as outer,
        open_stream(outer) as inner,
        pytest.raises(ArchiveError, match=r"a.gz: .*bomb"),
    ):
        while inner.read(1 << 20):
            pass
    with open_stream(path) as outer, pytest.raises(ArchiveError, match="limits are those"):
        open_stream(outer, limits=Limits())


def test_a_member_opened_is_an_archive_too() -> None:
    data = tar_bytes(("in.zip", zip_bytes(("a", b"1"))))
    for member in walk(io.BytesIO(data)):
        with member.open() as stream:
            assert [m.read() for m in walk(stream)] == [b"1"]


# The copy of a zip


def test_a_zip_in_an_archive_is_copied_to_memory_then_to_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []
    real = tempfile.SpooledTemporaryFile

    def spy(*args, **kwargs):
        made.append(real(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", spy)
    monkeypatch.setattr(sources, "IN_MEMORY", 100_000)
    for size, rolled in ((50_000, False), (200_000, True)):
        inner = zip_bytes(("a", random.Random(0).randbytes(size)))
        for member in walk(io.BytesIO(tar_bytes(("in.zip", inner)))):
            for found in walk(member):
                assert found.read() == random.Random(0).randbytes(size)
                assert made[-1]._rolled is rolled and not made[-1].closed
        assert made[-1].closed
    assert len(made) == 2


def test_the_copy_is_spent(tmp_path: Path) -> None:
    inner = zip_bytes(("a", b"1" * 100_000), method=0)
    data = tar_bytes(("in.zip", inner))
    enough = 2 * len(inner) + 100_000
    assert len(list(deep(io.BytesIO(data), limits=Limits(max_total=enough)))) == 1
    with pytest.raises(ArchiveError, match="while it is copied"):
        list(deep(io.BytesIO(data), limits=Limits(max_total=2 * len(inner) - 1)))


def test_a_copy_is_removed_when_the_walk_is_given_up() -> None:
    inner = zip_bytes(("a", b"1"), ("b", b"2"))
    for member in walk(io.BytesIO(tar_bytes(("in.zip", inner)))):
        found = walk(member)
        next(found)
        found.close()
        with pytest.raises(StopIteration):
            next(found)
