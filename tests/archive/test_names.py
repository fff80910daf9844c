"""Names and links that an archive must not have, in every format."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile

import pytest
from support.archives import Part, raw_zip, special, tar_bytes, zip_bytes

from domainkit.archive import Limits, walk
from domainkit.errors import ArchiveError


def names(data: bytes, **options) -> list[str]:
    return [member.name for member in walk(io.BytesIO(data), **options)]


def test_old_and_long_names() -> None:
    long = "folder/" * 40 + "ä.txt"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        data = tar_bytes(("./a/b.txt", b"1"), (long, b"2"), format=form)
        assert names(data) == ["a/b.txt", long]
    old = bytearray(tar_bytes(("a", b"1"), format=tarfile.USTAR_FORMAT))
    old[257:265] = bytes(8)  # before POSIX there was no magic
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old[:512])
    assert names(bytes(old)) == ["a"]


@pytest.mark.parametrize(
    ("raw", "clean"),
    [("./a", "a"), ("a//b", "a/b"), ("a/./b", "a/b"), ("a/.", "a"), ("a..b/..c", "a..b/..c")],
)
def test_names_are_made_plain(raw: str, clean: str) -> None:
    assert names(tar_bytes((raw, b"1"))) == names(zip_bytes((raw, b"1"))) == [clean]


BAD_NAMES = {
    "/etc/passwd": "absolute",
    "//host/share": "absolute",
    "C:\\x": "absolute",
    "c:/x": "absolute",
    "\\x": "absolute",
    "../x": r"'\.\.'",
    "a/../../x": r"'\.\.'",
    "a/..": r"'\.\.'",
    "a\\..\\x": r"'\.\.'",
    ".": "without a name",
}


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
def test_names_that_leave(pack, name: str) -> None:
    with pytest.raises(ArchiveError, match=f"<BytesIO>: member .*{BAD_NAMES[name]}"):
        names(pack(("good", b"1"), (name, b"2")))


def test_a_nul_byte_in_a_name() -> None:
    with pytest.raises(ArchiveError, match=r"member 'a.jpg\\x00.exe' has a NUL byte"):
        names(raw_zip(Part("a.jpg\0.exe", b"1")))
    info = tarfile.TarInfo("x")
    info.pax_headers = {"path": "a.jpg\0.exe"}
    with pytest.raises(ArchiveError, match=r"member 'a.jpg\\x00.exe' has a NUL byte"):
        names(tar_bytes(info, format=tarfile.PAX_FORMAT))


# Links


LEAVING = ["/etc/passwd", "../../x", "b/../../../x", "..\\..\\x", "\\x", "C:\\x", "c:/x"]
STAYING = ["b", "../x", "../c", "b/../d"]


def zip_link(name: str, target: str | bytes) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target if isinstance(target, bytes) else target.encode()


@pytest.mark.parametrize("target", LEAVING + STAYING)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_symbolic_links(kind: str, target: str) -> None:
    if kind == "tar":
        data = tar_bytes(special("a/link", tarfile.SYMTYPE, target), ("b", b""))
    else:
        data = zip_bytes(zip_link("a/link", target), ("b", b""))
    if target in STAYING:
        assert names(data) == ["b"]
    else:
        with pytest.raises(ArchiveError, match="'a/link' is a link that leaves"):
            names(data)


@pytest.mark.parametrize("target", [b"", b"\x89PNG\0", b"x" * 5000])
def test_a_file_that_calls_itself_a_link(target: bytes) -> None:
    # one flipped bit of a zip's list makes a file a link: it must not be passed over
    with pytest.raises(ArchiveError, match="'a' is a link to"):
        names(zip_bytes(zip_link("a", target)))


@pytest.mark.parametrize("target", ["/etc/passwd", "../a", "b/../../a"])
def test_hard_links_that_leave(target: str) -> None:
    with pytest.raises(ArchiveError, match="'x/y' is a link that leaves"):
        names(tar_bytes(("a", b"1"), special("x/y", tarfile.LNKTYPE, target)))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"M"])
def test_devices_in_a_tar(kind: bytes) -> None:
    with pytest.raises(ArchiveError, match="member 'x' is a device or another special"):
        names(tar_bytes(("a", b"1"), special("x", kind)))


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_devices_in_a_zip(kind: int) -> None:
    with pytest.raises(ArchiveError, match="'x' is a device"):
        names(raw_zip(Part("x", mode=kind | 0o666)))


# Names that are one


@pytest.mark.parametrize("same", ["a", "./a", ".//a"])
@pytest.mark.parametrize("clashes", [False, True])
def test_two_members_of_one_name(same: str, clashes: bool) -> None:
    limits = Limits(case_clashes=clashes)
    for data in (
        tar_bytes(("a", b"1"), (same, b"2")),
        gzip.compress(tar_bytes(("a", b"1"), (same, b"2"))),
        raw_zip(Part("a", b"1"), Part(same, b"2")),
        tar_bytes(("a", b"1"), ("b", b"1"), special(same, tarfile.LNKTYPE, "b")),
    ):
        with pytest.raises(ArchiveError, match="'a' comes twice"):
            names(data, limits=limits)


def test_a_link_and_a_file_of_one_name() -> None:
    # unpacked one after the other, the file is written where the link points
    link = special("a", tarfile.SYMTYPE, "b")
    for data in (
        tar_bytes(link, ("a", b"1")),
        tar_bytes(("a", b"1"), link),
        raw_zip(Part("a", b"b", mode=stat.S_IFLNK), Part("a", b"1")),
    ):
        with pytest.raises(ArchiveError, match="'a' comes twice"):
            names(data)
    with pytest.raises(ArchiveError, match="'A' clashes with 'a'"):
        names(tar_bytes(link, ("A", b"1")))


def test_a_folder_may_come_twice() -> None:
    folder = special("d", tarfile.DIRTYPE)
    assert names(tar_bytes(folder, folder, ("d/a", b"1"))) == ["d/a"]


CLASHES = [
    ("A.jpg", "a.jpg"),
    ("a.jpg", "A.jpg"),
    ("Set/a.jpg", "set/a.jpg"),
    ("caf\u00e9", "cafe\u0301"),  # composed and decomposed
    ("CAF\u00c9", "cafe\u0301"),
    ("stra\u00dfe", "STRASSE"),
    ("\u03c3", "\u03c2"),  # two forms of a small sigma
    ("\u212b", "\u00e5"),  # the Angstrom sign
]


@pytest.mark.parametrize(("first", "second"), CLASHES)
@pytest.mark.parametrize("pack", [tar_bytes, zip_bytes])
def test_names_that_clash(pack, first: str, second: str) -> None:
    data = pack((first, b"1"), ("other", b""), (second, b"2"))
    with pytest.raises(ArchiveError) as caught:
        names(data)
    said = str(caught.value)
    assert f"member {second!r} clashes with {first!r}" in said and "case_clashes=True" in said
    apart = {m.name: m.read() for m in walk(io.BytesIO(data), limits=Limits(case_clashes=True))}
    assert apart == {first: b"1", "other": b"", second: b"2"}


def test_names_that_do_not_clash() -> None:
    apart = ["a", "b/a", "a1", "\u00e4", "a\u0308\u0323", "\u03b1", "i", "\u0131"]
    assert names(tar_bytes(*((name, b"") for name in apart))) == apart
