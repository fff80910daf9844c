"""Tars that are hostile or damaged, and hard links."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
from pathlib import Path

import pytest
from support.archives import COMPRESSIONS, FILES, special, tar_bytes, zip_bytes

from domainkit.archive import Limits, open_stream, sources, walk
from domainkit.errors import ArchiveError

FORMS = {"plain": bytes, "gz": gzip.compress}
TAR_BLOCK = 512


def names(data: bytes, **options) -> list[str]:
    return [member.name for member in walk(io.BytesIO(data), **options)]


def contents(source, **options) -> dict[str, bytes]:
    source = io.BytesIO(source) if isinstance(source, bytes) else source
    return {member.name: member.read() for member in walk(source, **options)}


def hard(name: str, target: str) -> tarfile.TarInfo:
    return special(name, tarfile.LNKTYPE, target)


# Hard links


@pytest.mark.parametrize("form", FORMS)
def test_a_hard_link_is_a_file(tmp_path: Path, form: str) -> None:
    big = random.Random(1).randbytes(200_000)
    long = "folder/" * 30 + "name"
    data = tar_bytes(
        ("a", big), (long, b"2" * 600), hard("x/a", "a"), ("c", b"3"), hard("x/long", long),
        hard("x/again", "./x/a"), hard("x/c", "c"), hard("x/a2", "a"),
    )  # fmt: skip
    path = tmp_path / "a.tar"
    path.write_bytes(FORMS[form](data))
    assert contents(path) == {
        "a": big, long: b"2" * 600, "x/a": big, "c": b"3", "x/long": b"2" * 600,
        "x/again": big, "x/c": b"3", "x/a2": big,
    }  # fmt: skip
    assert {m.name: m.size for m in walk(path)} == {n: len(d) for n, d in contents(path).items()}
    for member in walk(path):  # opened, left in the middle, and never opened
        if member.name in ("x/long", "x/c"):
            with member.open() as stream:
                assert stream.read(1) in b"23"


def test_hard_links_as_the_file_system_makes_them(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a").write_bytes(b"one")
    (folder / "b").hardlink_to(folder / "a")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(folder, "set")
        assert [info.name for info in tar if info.islnk()]
    assert contents(tmp_path / "a.tar.gz") == {"set/a": b"one", "set/b": b"one"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("target", ["later", "nowhere", "folder", "x"])
def test_a_hard_link_to_no_earlier_file(form: str, target: str) -> None:
    folder, link = special("folder", tarfile.DIRTYPE), special("link", tarfile.SYMTYPE, "a")
    data = tar_bytes(("a", b"1"), folder, link, hard("x", target), ("later", b"2"))
    with pytest.raises(ArchiveError, match=f"'x' is a hard link to '{target}', which is no earl"):
        names(FORMS[form](data))


@pytest.mark.parametrize("form", FORMS)
def test_a_hard_link_to_a_symbolic_one_is_passed_over_like_it(form: str) -> None:
    # as GNU tar writes two names of one symbolic link, in a folder copied with "cp -al"
    link = special("b", tarfile.SYMTYPE, "a")
    data = tar_bytes(("a", b"1"), link, hard("c", "b"), hard("d", "c"))
    assert contents(FORMS[form](data)) == {"a": b"1"}
    again = tar_bytes(("a", b"1"), special("b", tarfile.SYMTYPE, "a"), hard("c", "b"), ("c", b"2"))
    with pytest.raises(ArchiveError, match="'c' comes twice"):
        names(FORMS[form](again))


@pytest.mark.parametrize("form", FORMS)
def test_what_gnu_tar_adds_is_passed_over(form: str) -> None:
    label, dumped = special("../of a volume", b"V"), tarfile.TarInfo("folder")
    dumped.type, dumped.size = b"D", 4
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        tar.addfile(label)
        tar.fileobj.write(dumped.tobuf() + b"Ya\0\0".ljust(TAR_BLOCK, b"\0"))
        tar.offset += 2 * TAR_BLOCK
        tar.addfile(special("empty", tarfile.DIRTYPE))
        tar.addfile(tarfile.TarInfo("folder/a"))
    assert names(FORMS[form](whole.getvalue())) == ["folder/a"]


def test_a_hard_link_in_what_cannot_be_read_twice() -> None:
    data = gzip.compress(tar_bytes(("a", b"1"), hard("x", "a")))
    assert names(data) == ["a", "x"]
    with pytest.raises(ArchiveError, match=r"'x' is a hard link, and .* second time: .*path"):
        contents(data)
    for inner in (data, gzip.decompress(data)):
        for outer in (zip_bytes(("in", inner)), tar_bytes(("in", inner))):
            (read,) = [contents(member) for member in walk(io.BytesIO(outer))]
            assert read == {"a": b"1", "x": b"1"}
    with pytest.raises(ArchiveError, match=r"second time: .*'in' was read already"):
        [contents(m) for m in walk(io.BytesIO(gzip.compress(tar_bytes(("in", data)))))]


def test_hard_links_cannot_multiply_the_data(tmp_path: Path) -> None:
    # 100 kB of zeros, a thousand times
    path = tmp_path / "a.tar.gz"
    links = [hard(f"x{i}", "a") for i in range(1000)]
    path.write_bytes(gzip.compress(tar_bytes(("a", bytes(100_000)), *links)))
    with pytest.raises(ArchiveError, match=r"at member 'x\d+'.*bomb"):
        names(path.read_bytes(), limits=Limits(ratio_floor=1_000_000))


def test_hard_links_cost_one_more_pass(tmp_path: Path) -> None:
    # in any order: some published archives link hundreds of files to a few
    path = tmp_path / "a.tar.gz"
    files = [(f"{i:03}", random.Random(i).randbytes(3000)) for i in range(300)]
    links = [hard(f"x{i:03}", f"{i:03}") for i in reversed(range(300))]
    whole = tar_bytes(*files, *links)
    path.write_bytes(gzip.compress(whole))
    read = contents(path, limits=Limits(max_total=2 * 900_000 + len(whole)))
    assert all(read[f"x{name}"] == data for name, data in files) and len(read) == 600
    with pytest.raises(ArchiveError, match=r"while it is copied for the hard link 'x299'"):
        contents(path, limits=Limits(max_total=len(whole) + 100))
    unread = Limits(max_total=len(whole) + 1_000_000)  # what is not read is not copied
    assert len(names(path.read_bytes(), limits=unread)) == 600


def test_no_room_for_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sources.tempfile, "SpooledTemporaryFile", lambda size: Full())
    for inner in (gzip.compress(tar_bytes(("a", b"1"), hard("x", "a"))), zip_bytes(("a", b"1"))):
        for member in walk(io.BytesIO(zip_bytes(("in", inner)))):
            with pytest.raises(ArchiveError, match=r"'in': there is no room .* set TMPDIR"):
                [found.read() for found in walk(member)]


def test_a_bomb_after_small_promises_names_the_member() -> None:
    # a member's header says how large it is; what follows the end of the tar says nothing
    data = gzip.compress(tar_bytes(("a", b"1")) + bytes(3_000_000))
    with pytest.raises(ArchiveError, match=r"while unpacking, at or after member 'a'.*bomb"):
        names(data, limits=Limits(ratio_floor=1_000_000))


# Headers


def test_two_zero_blocks_end_a_tar() -> None:
    whole = tar_bytes(("a", b"1"), ("b", b"2"))
    assert names(whole) == names(whole[: 4 * TAR_BLOCK + 1024]) == ["a", "b"]
    with pytest.raises(ArchiveError, match=r"at or after member 'b': .*cut off"):
        names(whole[: 4 * TAR_BLOCK])


def test_a_tar_cut_between_members_is_noticed() -> None:
    whole = tar_bytes(("a", b"1"), ("b", b"2"))
    for form in FORMS.values():
        with pytest.raises(ArchiveError, match=r"at or after member 'a': .*cut off"):
            names(form(whole[:1024]))


@pytest.mark.parametrize("cut", [1025, 1500, 1536, 1537, 2000])
def test_a_tar_cut_in_a_member_is_noticed(cut: int) -> None:
    whole = tar_bytes(("a", b"1"), ("b", b"2" * 512), ("c", b"3"))
    for form in FORMS.values():
        with pytest.raises(ArchiveError, match=r"member '[ab]'.*cut off"):
            names(form(whole[:cut]))
        with pytest.raises(ArchiveError, match=r"member '[ab]'.*cut off"):
            contents(form(whole[:cut]))


def test_a_broken_header_in_the_middle_is_noticed() -> None:
    whole = bytearray(tar_bytes(("a", b"1"), ("b", b"2"), ("c", b"3")))
    whole[1024 + 150] ^= 0xFF  # in the checksum of b; tarfile would end in silence after a
    for form in FORMS.values():
        with pytest.raises(ArchiveError, match="at or after member 'a': cannot be read"):
            names(form(bytes(whole)))


def test_a_hole_of_zeros_is_not_the_end() -> None:
    # what a download leaves that was given its length first and was never filled
    members = [(f"{i:03}", b"x" * 5000) for i in range(20)]
    whole = bytearray(tar_bytes(*members))
    whole[6 * 1024 : 6 * 1024 + 30_000] = bytes(30_000)
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        assert len(tar.getmembers()) == 2  # and no word of the other 18
    for form in FORMS.values():
        with pytest.raises(ArchiveError, match=r"data after (the end|an empty block)"):
            names(form(bytes(whole)))


def test_two_tars_one_after_the_other() -> None:
    one, two = tar_bytes(("a", b"1")), tar_bytes(("b", b"2"))
    for form in FORMS.values():
        with pytest.raises(ArchiveError, match=r"at or after member 'a': .*data after the end"):
            names(form(one + two))
    with pytest.raises(ArchiveError, match="data after an empty block"):
        names(one[:1536] + two)


def test_what_old_writers_leave_in_the_last_record() -> None:
    whole = tar_bytes(("a", b"1"))
    assert len(whole) == 10_240
    assert names(whole[:5000] + b"old" * 1000 + whole[8000:]) == ["a"]
    assert names(whole + bytes(50_000)) == ["a"]


def header(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    """A header with a right checksum and whatever size."""
    block = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2
    block += size.ljust(12, b"\0") + b"0" * 11 + b"\0" + b" " * 8 + kind
    block = block.ljust(257, b"\0") + b"ustar\x0000"
    block = block.ljust(512, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def pax(**records: str) -> bytes:
    body = b""
    for key, value in records.items():
        rest = f" {key.replace('_', '.')}={value}\n".encode()
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length += 1
        body += str(length).encode() + rest
    return header(b"pax", b"%011o" % len(body), b"x") + body.ljust(
        -(-len(body) // 512) * 512, b"\0"
    )


@pytest.mark.parametrize(
    "hostile",
    [
        header(b"x", b"\xff" * 12),  # a size of -1, binary
        header(b"x", b"\xff" + struct.pack(">11s", (-1024).to_bytes(11, "big", signed=True))),
        pax(size="-512") + header(b"x", b"0" * 11),
        pax(size="-1024") + header(b"x", b"0" * 11),
        header(b"L", b"%011o" % (2 << 20), b"L"),
        header(b"L", b"\x80" + (1 << 40).to_bytes(11, "big"), b"L"),
        pax(GNU_sparse_size="-5", GNU_sparse_map="0,1") + header(b"x", b"0" * 11),
        pax(path="x") * 2000 + header(b"x", b"0" * 11),
        header(b"x", b"9" * 11),
        header(b"x", b"\x80" + b"\x7f" + bytes(10)),  # 2 ** 87 bytes
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_hostile_headers(hostile: bytes, form: str) -> None:
    start = tar_bytes(("a", b"1"))[:1024]
    with pytest.raises(ArchiveError, match=r"member '(a|x)'"):
        contents(FORMS[form](start + hostile + bytes(10_240)))


def sparse(size: int) -> bytes:
    """A file of zeros but for its first byte, as GNU tar 1.0 stores it."""
    info = pax(GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_name="s",
               GNU_sparse_realsize=str(size))  # fmt: skip
    return (
        info
        + header(b"s", b"%011o" % 1024)
        + b"1\n0\n1\n".ljust(512, b"\0")
        + b"!".ljust(512, b"\0")
    )


def sparse_map(pieces: int) -> bytes:
    """A sparse file whose map lies before its data (GNU's format 1.0)."""
    numbers = b"%d\n" % pieces + b"0\n" * (2 * pieces)
    numbers = numbers.ljust(-(-len(numbers) // TAR_BLOCK) * TAR_BLOCK, b"\0")
    marks = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s"}
    info = tarfile.TarInfo("s")
    info.size, info.pax_headers = len(numbers), {**marks, "GNU.sparse.realsize": "0"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info, io.BytesIO(numbers))
        tar.addfile(tarfile.TarInfo("after"))
    return buffer.getvalue()


def sparse_blocks(count: int) -> bytes:
    """A sparse file whose map goes on in so many blocks after its header (GNU's old format)."""
    head = bytearray(tarfile.TarInfo("s").tobuf(tarfile.GNU_FORMAT))
    head[156:157], head[482] = tarfile.GNUTYPE_SPARSE, 1
    head[483:495] = b"%011o\0" % 0
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    more = bytearray(TAR_BLOCK)
    more[504] = 1
    return bytes(head) + bytes(more) * count


def test_the_map_of_a_sparse_file_has_its_limit() -> None:
    assert names(sparse_map(50_000)) == ["s", "after"]
    for hostile in (sparse_map(1_000_000), sparse_blocks(5_000)):  # 4 MB: a list of ints is 20 x
        with pytest.raises(ArchiveError, match="more than 2,097,152 bytes of headers"):
            names(gzip.compress(hostile, compresslevel=1))


def test_a_map_that_is_cut_off() -> None:
    whole = sparse_blocks(3)
    for cut in (TAR_BLOCK, 2 * TAR_BLOCK, 700):
        with pytest.raises(ArchiveError, match="damaged or cut off"):
            names(whole[:-cut])


def test_headers_for_all_members_have_their_limit() -> None:
    one = pax(comment="x" * 300_000).replace(b"x" * 8, b"y" * 8, 1)
    globals_ = bytearray(one)
    globals_[156:157] = tarfile.XGLTYPE
    globals_[148:156] = b" " * 8
    globals_[148:156] = b"%06o\0 " % sum(globals_[:TAR_BLOCK])
    good = bytes(globals_) + tar_bytes(("a", b"1"))
    assert contents(good) == {"a": b"1"}
    with pytest.raises(ArchiveError, match="bytes of headers for all members"):
        names(bytes(globals_) * 4 + tar_bytes(("a", b"1")))


@pytest.mark.parametrize("form", FORMS)
def test_sparse_files(form: str) -> None:
    small = FORMS[form](sparse(3000) + bytes(10_240))
    assert contents(small) == {"s": b"!" + bytes(2999)}
    with pytest.raises(ArchiveError, match=r"member 's'.*bomb"):
        contents(FORMS[form](sparse(1 << 40) + bytes(10_240)))


# Damage to what it is packed by


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_a_cut_archive_never_looks_whole(kind: str) -> None:
    # Without tarfile's padding: every cut but one inside the second zero block is a loss.
    whole = COMPRESSIONS[kind](tar_bytes(*FILES.items())[: 512 * 145])
    assert contents(whole) == FILES
    draw = random.Random(2)
    for cut in [draw.randrange(len(whole) - 1024) for _ in range(40)]:
        with pytest.raises(ArchiveError, match="<BytesIO>: "):
            contents(whole[:cut])
        with pytest.raises(ArchiveError, match="<BytesIO>: "):
            names(whole[:cut])


def test_the_checksum_at_the_end_is_looked_at() -> None:
    # the members were handed out by then: who walks to the end is told
    big = random.Random(3).randbytes(1 << 19)
    packed = bytearray(gzip.compress(tar_bytes(("a", big), ("b", b"2"))))
    packed[-8] ^= 1  # in the CRC-32
    read = []
    with pytest.raises(ArchiveError, match=r"(at or after )?member '[ab]': .*CRC"):
        for member in walk(io.BytesIO(bytes(packed))):
            read.append(member.name)
    assert read[:1] == ["a"]


def test_one_flipped_bit() -> None:
    packed = bytearray(gzip.compress(tar_bytes(*FILES.items())))
    packed[2000] ^= 1
    with pytest.raises(ArchiveError, match="<BytesIO>: "):
        contents(bytes(packed))


def test_the_wrong_suffix_is_no_matter(tmp_path: Path) -> None:
    for suffix, pack in COMPRESSIONS.items():
        path = tmp_path / f"a.tar.{'gz' if suffix != 'gz' else 'bz2'}"
        path.write_bytes(pack(tar_bytes(*FILES.items())))
        assert contents(path) == FILES
        path.write_bytes(pack(FILES["set/cats/1.jpg"]))
        with open_stream(path) as stream:
            assert stream.read() == FILES["set/cats/1.jpg"]
