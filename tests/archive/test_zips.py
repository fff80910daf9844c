"""Zips that are hostile or damaged, most of them made by hand."""

from __future__ import annotations

import base64
import io
import shutil
import stat
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest
from support.archives import FILES, Part, raw_zip, zip_bytes, zstd_bytes

from domainkit.archive import walk
from domainkit.errors import ArchiveError


def names(data: bytes) -> list[str]:
    return [member.name for member in walk(io.BytesIO(data))]


def contents(data: bytes) -> dict[str, bytes]:
    return {member.name: member.read() for member in walk(io.BytesIO(data))}


def refused(data: bytes, message: str) -> None:
    """Listing alone refuses it."""
    with pytest.raises(ArchiveError, match=message):
        names(data)


def unreadable(data: bytes, message: str) -> None:
    """Listing may pass, reading does not."""
    with pytest.raises(ArchiveError, match=message):
        contents(data)


def deflate(data: bytes) -> bytes:
    return zlib.compress(data, 9, -15)


def test_the_hand_made_zip_is_a_zip() -> None:
    data = raw_zip(Part("a", b"1"), Part("b/c", deflate(b"x" * 99), b"x" * 99, method=8))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None and file.namelist() == ["a", "b/c"]
    assert contents(data) == {"a": b"1", "b/c": b"x" * 99}


# Names


def test_names_that_are_not_ascii() -> None:
    utf8 = Part("größe", b"1", flags=0x800)
    unix = Part("größe", b"1")  # says nothing, as Info-ZIP and macOS do
    assert contents(raw_zip(unix)) == {"größe": b"1"}
    dos = Part("größe".encode("cp437"), b"2")
    assert contents(raw_zip(utf8)) == {"größe": b"1"}
    assert contents(raw_zip(dos)) == {"größe": b"2"}
    told = struct.pack("<BI", 1, zlib.crc32(dos.raw)) + "τ".encode()
    dos.extra = struct.pack("<2H", 0x7075, len(told)) + told  # as Info-ZIP writes it
    assert contents(raw_zip(dos)) == {"τ": b"2"}
    dos.extra = dos.extra[:5] + b"!" + dos.extra[6:]  # ... for another name
    assert contents(raw_zip(dos)) == {"größe": b"2"}
    refused(raw_zip(Part(b"gr\xf6sse", flags=0x800)), "'gr.*' has a name that says it is UTF-8")


@pytest.mark.parametrize("name", [b"b", b"aa"])
def test_another_name_before_the_data(name: bytes) -> None:
    unreadable(
        raw_zip(Part("a", b"1", header_name=name), Part("z", b"")), "member 'a' is called b'"
    )


def test_a_name_in_another_alphabet_before_the_data() -> None:
    part = Part("ö", b"1", flags=0x800, header_flags=0)
    unreadable(raw_zip(part), "member 'ö' is called")


# Overlap


def test_members_that_share_their_data() -> None:
    data = b"x" * 100
    shared = raw_zip(Part("a", data), Part("a2", b"", packed_size=100, size=100, offset=0))
    refused(shared, "member '(a|a2)' overlaps")


def test_a_quoted_overlap() -> None:
    # "a better zip bomb": each file's deflated data begins with the next file's header as a
    # stored block, and all of them end in one kernel
    kernel = deflate(bytes(100_000))
    parts = [Part("kernel", kernel, bytes(100_000), method=8)]
    for i in range(3):
        inner = b"".join(part.local() for part in parts)
        quote = struct.pack("<BHH", 0, len(inner), len(inner) ^ 0xFFFF) + inner
        parts.insert(0, Part(f"q{i}", quote, method=8))
    bomb = raw_zip(parts[0], Part("kernel", kernel, bytes(100_000), method=8, offset=60))
    refused(bomb, "overlaps another member")


def test_a_member_that_runs_into_the_next() -> None:
    refused(raw_zip(Part("a", b"1" * 40, packed_size=80), Part("b", b"2" * 80)), "'a' overlaps")
    refused(raw_zip(Part("a", b"1", packed_size=50)), "'a' overlaps")  # into the list


def test_an_overlap_by_the_length_of_the_header() -> None:
    # the list alone looks well: the header before the data has a longer extra field
    part = Part("a", b"1" * 10)
    local = bytearray(part.local())
    struct.pack_into("<H", local, 28, 10)  # "the next ten bytes are no data"
    part.header = bytes(local)
    unreadable(raw_zip(part, Part("b", b"2")), "member 'a' overlaps")


def test_members_in_another_order_than_their_list() -> None:
    parts = [Part(name, name.encode() * 20) for name in "abcd"]
    assert list(contents(raw_zip(*parts, order=[2, 0, 3, 1]))) == ["c", "a", "d", "b"]
    parts[2].packed_size = 60
    refused(raw_zip(*parts, order=[2, 0, 3, 1]), "'c' overlaps")


# What is said of a member


@pytest.mark.parametrize("flags", [1, 0x41, 0x2000])
def test_encrypted_members(flags: int) -> None:
    refused(raw_zip(Part("good"), Part("secret", b"?", flags=flags)), "'secret' is encrypted")


def test_members_encrypted_by_aes_or_in_their_header_alone() -> None:
    refused(raw_zip(Part("secret", b"?", method=99)), "'secret' is encrypted")
    unreadable(raw_zip(Part("secret", b"?", header_flags=1)), "'secret' is packed in another way")


@pytest.mark.parametrize(
    ("method", "says"), [(9, "9 .Deflate64"), (98, "98 .PPMd"), (1, "1;"), (12345, "12345;")]
)
def test_an_unknown_compression_is_named(method: int, says: str) -> None:
    refused(raw_zip(Part("a", b"1", method=method)), f"'a' uses compression method {says}")


def test_a_patch() -> None:
    refused(raw_zip(Part("a", b"1", flags=0x20)), "'a' is a patch")


@pytest.mark.parametrize("method", [8, 12, 14, 93])
def test_the_wrong_compression(method: int) -> None:
    if method == 93:
        zstd_bytes(b"")  # skips where there is no zstd
    data = b"this is stored " * 9
    unreadable(raw_zip(Part("a", data, method=method)), "member 'a'")
    unreadable(raw_zip(Part("a", data, header_method=method)), "'a' is packed in another way")


def test_zstd_in_a_zip() -> None:
    data = b"as new writers do " * 99
    assert contents(raw_zip(Part("a", zstd_bytes(data), data, method=93))) == {"a": data}


def test_a_dictionary_that_would_fill_the_memory() -> None:
    whole = zip_bytes(("a", b"x" * 5000), method=zipfile.ZIP_LZMA)
    at = whole.index(b"\x05\x00", 30) + 3  # after two bytes of a length and one of properties
    bomb = whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :]
    assert contents(bomb) == {"a": b"x" * 5000}


# printf 'woof %.0s' $(seq 60) > a; 7z a -tzip -mm=LZMA:eos=off a.zip a
WITHOUT_END_MARK = (
    "UEsDBD8AAAAOAAAAIVDTxSvEFwAAACwBAAABAAAAYRoCBQBdABAAAAA7m+zMILfBHzsfgAAAUEsBAj8DPwAAAA4AAAAh"
    "UNPFK8QXAAAALAEAAAEAJAAAAAAAAAAggKSBAAAAAGEKACAAAAAAAAEAGAAAAAVpNsDVAQAAAAAAAAAAAAAAAAAAAABQ"
    "SwUGAAAAAAEAAQBTAAAANgAAAAAA"
)


def test_lzma_without_a_mark_at_its_end() -> None:
    whole = base64.b64decode(WITHOUT_END_MARK)
    assert contents(whole) == {"a": b"woof " * 60}
    at = whole.index(b"PK\x01\x02")
    for cut in (8, 12):  # zeros in place of packed bytes (the last ones say little)
        unreadable(whole[: at - cut] + bytes(cut) + whole[at:], "member 'a'")
    longer = bytearray(whole)
    struct.pack_into("<I", longer, at + 24, 301)
    unreadable(bytes(longer), "member 'a'")


@pytest.mark.parametrize("size", [0, 4000, 6000])
def test_a_wrong_size(size: int) -> None:
    for part in (
        Part("a", b"x" * 5000, size=size),
        Part("a", deflate(b"x" * 5000), b"x" * 5000, method=8, size=size),
    ):
        unreadable(raw_zip(part), "member 'a'.*the list says")


def test_packed_data_that_end_too_early() -> None:
    packed = deflate(FILES["set/cats/1.jpg"])[:-100]
    unreadable(raw_zip(Part("a", packed, FILES["set/cats/1.jpg"], method=8)), "'a'.*too early")


def test_one_flipped_bit() -> None:
    data = bytearray(zip_bytes(*FILES.items(), method=zipfile.ZIP_STORED))
    data[1000] ^= 1
    unreadable(bytes(data), "member 'set/cats/1.jpg'.*CRC")


def test_a_folder_with_data() -> None:
    refused(raw_zip(Part("a/", b"1")), "'a' is a folder and has 1 bytes")
    refused(raw_zip(Part("a", b"1", mode=stat.S_IFDIR)), "'a' is a folder and has 1 bytes")
    refused(raw_zip(Part("a", mode=stat.S_IFDIR)), "'a' is a folder by its mode and a file by its")
    refused(raw_zip(Part("a/", header_name=b"ab"), Part("b")), "'a' is called b'ab' before")
    assert names(raw_zip(Part("a/", deflate(b""), b"", method=8), Part("b"))) == ["b"]


# The list


@pytest.mark.parametrize("cut", [1, 21, 22, 23, 60, 80, 200, 70_000])
def test_a_zip_without_its_end(cut: int) -> None:
    refused(zip_bytes(*FILES.items())[:-cut], "list of members")


def test_a_list_that_lacks_a_member() -> None:
    for count in (0, 1, 3):
        refused(raw_zip(Part("a"), Part("b"), count=count), f"lists 2 .* says that it has {count}")
    many = raw_zip(*(Part(f"{i}") for i in range(65_540)), count=4)  # as old writers count
    assert len(names(many)) == 65_540


def test_a_comment_that_looks_like_an_end() -> None:
    end = b"PK\x05\x06" + bytes(18)
    for comment in (b"hello", b"PK\x05\x06", end[:-1], b"x" * 65_535):
        assert contents(raw_zip(Part("a", b"1"), comment=comment)) == {"a": b"1"}
    refused(raw_zip(Part("a", b"1"), comment=b"hello")[:-1], "no list of members")


def test_bytes_before_and_after() -> None:
    whole = raw_zip(Part("a", b"1"), Part("b", b"2"))
    assert contents(b"PK\x03\x04 as a program that unpacks itself" + whole) == {
        "a": b"1",
        "b": b"2",
    }
    for mark in (b"PK\x07\x08", b"PK00PK"):  # it was to be split, and fitted in one part
        assert contents(mark + whole) == {"a": b"1", "b": b"2"}
    for program in (b"MZ", b"\x7fELF", b"#!/usr/bin/env python3\n"):
        refused(program + whole, "a program: does it unpack itself")
    assert contents(whole + b"trailing") == {"a": b"1", "b": b"2"}
    assert names(raw_zip()) == []


def test_a_list_elsewhere() -> None:
    whole = bytearray(raw_zip(Part("a", b"1")))
    for field, value in ((12, 1 << 20), (16, 1 << 20), (12, 3), (4, 1), (6, 1)):
        broken = bytearray(whole)
        form = "<I" if field > 10 else "<H"
        struct.pack_into(form, broken, len(whole) - 22 + field, value)
        with pytest.raises(ArchiveError, match="<BytesIO>: "):
            names(bytes(broken))


def test_parts_of_a_zip() -> None:
    whole = bytearray(raw_zip(Part("a", b"1")))
    struct.pack_into("<2H", whole, len(whole) - 18, 2, 2)
    refused(bytes(whole), "one part of a zip in several parts")


def test_64_bit_fields() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file, file.open("a", "w", force_zip64=True) as member:
        member.write(b"x" * 300)
    assert contents(buffer.getvalue()) == {"a": b"x" * 300}
    # all three fields and the end record in their long form
    part = Part("b", b"y" * 40, size=0xFFFFFFFF, packed_size=0xFFFFFFFF, offset=0xFFFFFFFF)
    part.extra = struct.pack("<2H3Q", 1, 24, 40, 40, 0)
    short = raw_zip(part)
    start, end = short.index(b"PK\x01\x02"), short.index(b"PK\x05\x06")
    numbers = (1, 1, end - start, start)
    wide = b"PK\x06\x06" + struct.pack("<Q2H2I4Q", 44, 45, 45, 0, 0, *numbers)
    wide += b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
    last = b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, *(0xFFFF,) * 2, *(0xFFFFFFFF,) * 2, 0)
    assert contents(short[:end] + wide + last) == {"b": b"y" * 40}
    with zipfile.ZipFile(io.BytesIO(short[:end] + wide + last)) as file:
        assert file.read("b") == b"y" * 40
    refused(short[:end] + wide.replace(b"PK\x06\x06", b"PK!!") + last, "no 64-bit end record")
    part.extra = struct.pack("<2H3I", 1, 12, 40, 0, 0)
    refused(raw_zip(part), "half a 64-bit field at member b'b'")


def test_a_zip_as_info_zip_makes_it(tmp_path: Path) -> None:
    tool = shutil.which("zip")
    if tool is None:
        pytest.skip("needs zip")
    (tmp_path / "größe.txt").write_bytes(FILES["set/cats/1.jpg"])
    (tmp_path / "link").symlink_to("größe.txt")
    command = [tool, "-q", "-r", "-y", "made.zip", "größe.txt", "link"]
    subprocess.run(command, cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    with (tmp_path / "made.zip").open("rb") as file:
        assert {m.name: m.read() for m in walk(file)} == {"größe.txt": FILES["set/cats/1.jpg"]}
