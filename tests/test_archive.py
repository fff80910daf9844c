"""walk, read_member and open_stream against archives that zipfile, tarfile and hands made."""

from __future__ import annotations

import bz2
import gc
import gzip
import importlib.util
import io
import lzma
import random
import stat
import struct
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from domainkit.archive import Limits, open_stream, read_member, walk
from domainkit.errors import ArchiveError, MissingExtraError

FILES = {
    "set/cats/1.jpg": random.Random(0).randbytes(70_000),
    "set/cats/2.jpg": b"",
    "set/dogs/1.jpg": b"woof" * 128,  # a whole tar block
    "set/readme.txt": "größe\n".encode(),
}
COMPRESSIONS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "": bytes}


def tar_bytes(*members: tarfile.TarInfo | tuple[str, bytes], **options) -> bytes:
    """A tar of (name, data) pairs and of headers as they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as file:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                file.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                file.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_bytes(*members: tuple[str | zipfile.ZipInfo, bytes], method=zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, data in members:
            file.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def save(tmp_path):
    def write(data: bytes, name: str = "archive") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def names(path: Path, **options) -> list[str]:
    return [member.name for member in walk(path, **options)]


# What is read


@pytest.mark.parametrize("kind", ["zip", "stored", *(f"tar.{c}" for c in COMPRESSIONS)])
def test_every_format_is_told_by_content(save, kind):
    if kind.startswith("tar"):
        folder = special("set", tarfile.DIRTYPE)
        data = COMPRESSIONS[kind[4:]](tar_bytes(folder, *FILES.items()))
    else:
        method = zipfile.ZIP_STORED if kind == "stored" else zipfile.ZIP_DEFLATED
        data = zip_bytes(("set/", b""), *FILES.items(), method=method)
    path = save(data, "no-suffix")
    assert {m.name: m.read() for m in walk(path)} == FILES
    assert [(m.name, m.size) for m in walk(path)] == [(n, len(d)) for n, d in FILES.items()]
    assert read_member(path, "set/dogs/1.jpg") == FILES["set/dogs/1.jpg"]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_members_are_streams(save, kind):
    data = zip_bytes(*FILES.items()) if kind == "zip" else tar_bytes(*FILES.items())
    path = save(gzip.compress(data) if kind == "tar.gz" else data)
    for member in walk(path):
        with member.open() as stream:
            assert stream.read(10) == FILES[member.name][:10]
            if member.size > 1000:
                continue  # a member left in the middle does not harm the next
            assert stream.read() == FILES[member.name][10:]


@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
def test_a_member_is_gone_after_the_next(save, pack):
    members = list(walk(save(pack(*FILES.items()))))
    assert [m.size for m in members] == [len(d) for d in FILES.values()]
    with pytest.raises(ArchiveError, match="Read a member before asking for the next"):
        members[0].read()


def test_old_and_long_names(save):
    long = "folder/" * 40 + "ä.txt"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = save(tar_bytes(("./a/b.txt", b"1"), (long, b"2"), format=form))
        assert names(path) == ["a/b.txt", long]
    old = bytearray(tar_bytes(("a", b"1"), format=tarfile.USTAR_FORMAT))
    old[257:265] = bytes(8)  # before POSIX there was no magic
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old[:512])
    assert names(save(bytes(old))) == ["a"]


def test_read_member_offers_the_nearest(save):
    path = save(zip_bytes(*FILES.items()))
    with pytest.raises(ArchiveError, match=r"no member 'set/readme.md'.*'set/readme.txt'"):
        read_member(path, "set/readme.md")


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_open_stream(save, kind):
    data = FILES["set/cats/1.jpg"] * 3
    path = save(COMPRESSIONS[kind](data))
    with open_stream(path) as stream:
        assert stream.read(5) == data[:5]
        assert stream.read() == data[5:]
    if kind:
        path.write_bytes(path.read_bytes()[:-20])
        with open_stream(path) as stream, pytest.raises(ArchiveError, match="cut off"):
            stream.read()


def zstd_compress(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        return importlib.import_module("compression.zstd").compress(data)
    return pytest.importorskip("zstandard").ZstdCompressor().compress(data)


def test_zstd(save):
    data = tar_bytes(*FILES.items())
    half = len(data) // 2
    packed = zstd_compress(data[:half]) + zstd_compress(data[half:])  # two frames, as pzstd writes
    assert {m.name: m.read() for m in walk(save(packed))} == FILES
    for cut in (len(packed) - 1, len(packed) // 2):
        with pytest.raises(ArchiveError, match="damaged or cut off"):
            list(walk(save(packed[:cut])))
    broken = bytearray(packed)
    broken[6:40] = bytes(34)
    with pytest.raises(ArchiveError, match="cannot be read"):
        list(walk(save(bytes(broken))))


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="zstd is in the standard library")
def test_zstd_missing_names_the_extra(save, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    path = save(b"\x28\xb5\x2f\xfd" + bytes(20))
    for read in (open_stream, lambda p: list(walk(p))):
        with pytest.raises(MissingExtraError, match=r"domainkit\[zstd\]"):
            read(path)


# What is refused


BAD_NAMES = {
    "/etc/passwd": "absolute",
    "C:\\x": "absolute",
    "\\x": "absolute",
    "../x": r"'\.\.'",
    "a/../../x": r"'\.\.'",
    "a\\..\\x": r"'\.\.'",
}


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
def test_names_that_leave(save, pack, name):
    path = save(pack(("good", b"1"), (name, b"2")))
    with pytest.raises(ArchiveError, match=f"archive: member .*{BAD_NAMES[name]}"):
        names(path)


LEAVING = ["/etc/passwd", "../x", "../../x", "b/../../../x"]
STAYING = ["b", "../c", "b/../d"]


def zip_link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


@pytest.mark.parametrize("target", LEAVING + STAYING)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_symbolic_links(save, kind, target):
    if kind == "tar":
        data = tar_bytes(special("a/link", tarfile.SYMTYPE, target), ("b", b""))
    else:
        data = zip_bytes(zip_link("a/link", target), ("b", b""))
    path = save(data)
    if target in STAYING or target == "../x":
        assert names(path) == ["b"]
    else:
        with pytest.raises(ArchiveError, match="'a/link' is a link that leaves"):
            names(path)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (tarfile.LNKTYPE, "hard link, to 'a'"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "device"),
    ],
)
def test_hard_links_and_devices(save, kind, says):
    with pytest.raises(ArchiveError, match=f"member 'x' is a .*{says}"):
        names(save(tar_bytes(("a", b"1"), special("x", kind, "a"))))


def test_a_device_in_a_zip(save):
    info = zipfile.ZipInfo("x")
    info.external_attr = (stat.S_IFCHR | 0o666) << 16
    with pytest.raises(ArchiveError, match="'x' is a device"):
        names(save(zip_bytes((info, b""))))


def test_two_members_of_one_name(save):
    for same in ("a", "./a"):
        with pytest.raises(ArchiveError, match="'a' comes twice"):
            names(save(tar_bytes(("a", b"1"), (same, b"2"))))
    data = zip_bytes(("aa", b"1"), ("ab", b"2")).replace(b"ab", b"aa")
    with pytest.raises(ArchiveError, match="'aa' comes twice"):
        names(save(data))
    folder = special("d", tarfile.DIRTYPE)
    assert names(save(tar_bytes(folder, folder, ("d/a", b"1")))) == ["d/a"]


def test_encrypted_members(save):
    data = bytearray(zip_bytes(("secret", b"1")))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    with pytest.raises(ArchiveError, match="'secret' is encrypted"):
        names(save(bytes(data)))


# What expands too far


def test_limits_by_count_and_total(save):
    for path in (save(zip_bytes(*FILES.items()), "z"), save(tar_bytes(*FILES.items()), "t")):
        assert len(names(path, limits=Limits(max_members=4))) == 4
        with pytest.raises(ArchiveError, match=r"'set/readme.txt' is one more than the 3"):
            names(path, limits=Limits(max_members=3))
        with pytest.raises(ArchiveError, match=r"beyond 70,100 bytes \(at member 'set/dogs"):
            names(path, limits=Limits(max_total=70_100))


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_bombs(save, kind):
    zeros = bytes(3_000_000)
    if kind == "zip":
        data = zip_bytes(("zeros", zeros))
    else:
        data = COMPRESSIONS[kind[4:]](tar_bytes(("zeros", zeros)))
    path = save(data)
    assert names(path) == ["zeros"]  # small enough to be let be
    with pytest.raises(ArchiveError, match=r"beyond the ratio of 250.*bomb"):
        names(path, limits=Limits(ratio_floor=1_000_000))


def test_a_stream_is_held_to_its_limits(save):
    path = save(gzip.compress(bytes(3_000_000)))
    limits = Limits(ratio_floor=1_000_000)
    with open_stream(path, limits=limits) as stream, pytest.raises(ArchiveError, match="bomb"):
        stream.read()


def test_a_tar_that_lies_about_its_size_reads_no_memory_full(save):
    huge = special("@LongLink", tarfile.GNUTYPE_LONGNAME)
    huge.size = 1 << 40
    with pytest.raises(ArchiveError, match="header of 1,099,511,627,776 bytes"):
        names(save(tar_bytes(("a", b"1"))[:1024] + huge.tobuf(tarfile.GNU_FORMAT)))


def test_a_zip_that_lies_about_its_size(save):
    data = bytearray(zip_bytes(("a", b"x" * 5000)))
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 4000)
    (_member,) = walk(save(bytes(data)))
    with pytest.raises(ArchiveError, match="member 'a'"):
        [m.read() for m in walk(save(bytes(data)))]


# What is damaged


def test_neither_zip_nor_tar(save):
    for data in (b"", b"hello", b"<!DOCTYPE html>" * 100, gzip.compress(b"x" * 2000)):
        with pytest.raises(ArchiveError, match=r"archive: .*expected zip or tar"):
            names(save(data))
    with pytest.raises(ArchiveError, match="cannot be opened: No such file"):
        names(Path("nowhere.zip"))


@pytest.mark.parametrize("kind", ["zip", *(f"tar.{c}" for c in COMPRESSIONS)])
def test_a_cut_archive_never_looks_whole(save, kind):
    whole = zip_bytes(*FILES.items())
    if kind != "zip":
        # Without tarfile's padding: every cut but one inside the second zero block is a loss.
        whole = COMPRESSIONS[kind[4:]](tar_bytes(*FILES.items())[: 512 * 145])
    path = save(whole)
    assert {m.name: m.read() for m in walk(path)} == FILES
    draw = random.Random(2)
    for cut in [draw.randrange(len(whole) - 1024) for _ in range(40)]:
        save(whole[:cut])
        with pytest.raises(ArchiveError, match="archive: "):
            [m.read() for m in walk(path)]
        with pytest.raises(ArchiveError, match="archive: "):
            names(path)


def test_a_tar_cut_between_members_is_noticed(save):
    whole = tar_bytes(("a", b"1"), ("b", b"2"))
    assert names(save(whole)) == ["a", "b"]
    with pytest.raises(ArchiveError, match=r"at or after member 'a': .*cut off"):
        names(save(whole[:1024]))


def test_a_broken_header_in_the_middle_is_noticed(save):
    whole = bytearray(tar_bytes(("a", b"1"), ("b", b"2"), ("c", b"3")))
    whole[1024 + 150] ^= 0xFF  # in the checksum of b; tarfile would end in silence after a
    for data in (bytes(whole), gzip.compress(bytes(whole))):
        with pytest.raises(ArchiveError, match="at or after member 'a': cannot be read"):
            names(save(data))


def test_one_flipped_bit(save):
    data = bytearray(zip_bytes(*FILES.items(), method=zipfile.ZIP_STORED))
    data[1000] ^= 1
    with pytest.raises(ArchiveError, match=r"member 'set/cats/1.jpg'.*CRC"):
        [m.read() for m in walk(save(bytes(data)))]
    packed = bytearray(gzip.compress(tar_bytes(*FILES.items())))
    packed[2000] ^= 1
    with pytest.raises(ArchiveError, match="archive: "):
        [m.read() for m in walk(save(bytes(packed)))]


def test_an_unknown_compression_is_named(save):
    data = bytearray(zip_bytes(("a", b"1")))
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(mark) + at] = 97
    with pytest.raises(ArchiveError, match=r"member 'a'.*compression"):
        read_member(save(bytes(data)), "a")


def test_headers_that_were_passed_are_not_kept(save):
    data = tar_bytes(*((f"{i // 100}/{i}", b"") for i in range(3000)))
    for path in (save(data, "plain"), save(gzip.compress(data, 1), "packed")):
        count = 0
        for count, _ in enumerate(walk(path), 1):
            pass_by = count == 2500 and gc.get_objects()
            if pass_by:
                assert sum(issubclass(type(one), tarfile.TarInfo) for one in pass_by) < 10
        assert count == 3000
