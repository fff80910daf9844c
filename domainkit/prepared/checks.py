"""What a store says of itself, and the checksums that its bytes are held to. No numpy, no torch.

    store.json         the facts, with a checksum of their own
    part-00000.arrow   rows, in record batches of ``BATCH_ROWS``
    part-00000.sums    uint32 [record batches, columns whose rows are checked, BATCH_ROWS]: of rows
                       uint64 [record batches, columns, 4]: where in the part the offsets and the
                         values of a column begin, the checksum of its numbers or else its offsets,
                         and that of these three
                       uint64 [record batches + 1, 2]: where a record batch ends in the part, and
                         the checksum of all its bytes; last of what follows them

Every checksum is XXH3-64 (of rows the lower half), in the machine's own byte order. It finds
accidents, not forgeries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from domainkit.errors import StoreError
from domainkit.prepared.places import LAYOUT

__all__ = ["BATCH_ROWS", "advice", "check_store", "read_facts", "sealed"]

BATCH_ROWS = 512
_CHUNK = 1 << 20
_SHOWN = 5  # damaged stretches in a message


def sealed(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts with the checksum that ``read_facts`` holds them to.

    Example:
        >>> sealed({"layout": 2})
        {'layout': 2, 'xxh3': 'af75217b5871ba71'}
    """
    import xxhash

    bare = {key: value for key, value in facts.items() if key != "xxh3"}
    return {**bare, "xxh3": xxhash.xxh3_64_hexdigest(json.dumps(bare).encode())}


def read_facts(folder: Path) -> dict[str, Any]:
    """The facts of a store.

    Raises:
        StoreError: there are none, they are damaged, or of another layout.
    """
    redo = f"{_removal(folder)} and prepare again"
    try:
        facts = json.loads((folder / "store.json").read_bytes().decode("utf-8"))
        layout, seal = facts["layout"], facts.get("xxh3")
        if layout == LAYOUT and sealed(facts)["xxh3"] != seal:
            raise ValueError(f"store.json has another checksum than {seal}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{folder} is not a prepared dataset ({error}): {redo}") from error
    if layout != LAYOUT:
        raise StoreError(
            f"{folder} has layout {layout}, this domainkit reads layout {LAYOUT}: {redo}"
        )
    return facts


def check_store(folder: Path, advance: Callable[[int], None] = lambda count: None) -> int:
    """Reads a store again and holds it to the checksums taken while it was written; its rows.

    Args:
        advance: told how many more bytes were read.

    Raises:
        StoreError: it is incomplete, or has other bytes; says in which rows of which part.
    """
    facts, first = read_facts(folder), 0
    advance((folder / "store.json").stat().st_size)
    for part, rows in enumerate(facts["part_rows"]):
        path = folder / f"part-{part:05d}.arrow"
        blocks = _check_sums(path.with_suffix(".sums"), rows, facts["sums_xxh3"][part], advance)
        _check_part(path, range(first, first + rows), blocks, advance)
        first += rows
    return first


def advice(folder: Path) -> str:
    """What to do about damage that was met while reading."""
    name = _name(folder)
    if name is None or name.startswith("own/"):
        return f"{_removal(folder)} and prepare again"
    return (
        f"{_removal(folder)} and prepare again; `domainkit verify {name}` says what else is damaged"
    )


def _check_sums(
    path: Path, rows: int, expected: str, advance: Callable[[int], None]
) -> list[tuple[int, int]]:
    """Holds a file of checksums to its own; gives those of the part's blocks with their ends."""
    import xxhash

    redo = f"{_removal(path.parent)} and prepare again"
    digest = xxhash.xxh3_64()
    size = 16 * (-(-rows // BATCH_ROWS) + 1)
    try:
        with path.open("rb") as file:
            for data in _pieces(file, None):
                digest.update(data)
                advance(len(data))
            file.seek(-size, 2)
            table = memoryview(file.read()).cast("Q").tolist()
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{path} is damaged ({error}): {redo}") from error
    if digest.hexdigest() != expected:
        raise StoreError(
            f"{path} is damaged (expected xxh3 {expected} as written, got {digest.hexdigest()}): "
            f"{redo}"
        )
    return list(zip(table[::2], table[1::2], strict=True))


def _check_part(
    path: Path, rows: range, blocks: Sequence[tuple[int, int]], advance: Callable[[int], None]
) -> None:
    import xxhash

    redo = f"{_removal(path.parent)} and prepare again"
    damaged = []
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            start = 0
            for block, (end, expected) in enumerate(blocks):
                digest = xxhash.xxh3_64()
                for data in _pieces(file, end - start):
                    digest.update(data)
                    advance(len(data))
                if digest.intdigest() != expected:
                    damaged.append(block)
                start = end
    except OSError as error:
        raise StoreError(f"{path} is damaged ({error}): {redo}") from error
    if damaged or size != start:
        where = ", ".join(_stretches(damaged, rows, len(blocks) - 1))
        other = f"it has {size:,} bytes, {start:,} were written" if size != start else where
        both = f"{where}; {other}" if where and size != start else other
        raise StoreError(f"{path} is damaged ({both}): {redo}")


def _stretches(blocks: Sequence[int], rows: range, foot: int) -> Iterator[str]:
    """Damaged blocks in words; neighbours are told as one."""
    ends: list[list[int]] = []
    for block in (b for b in blocks if b != foot):
        if ends and ends[-1][1] == block - 1:
            ends[-1][1] = block
        else:
            ends.append([block, block])
    for a, b in ends[:_SHOWN]:
        stop = min(rows.start + (b + 1) * BATCH_ROWS, rows.stop)
        yield f"rows {rows.start + a * BATCH_ROWS}..{stop - 1}"
    if len(ends) > _SHOWN:
        yield f"{len(ends) - _SHOWN} more stretches of rows"
    if foot in blocks:
        yield "its footer"


def _pieces(file: BinaryIO, size: int | None) -> Iterator[bytes]:
    """So many bytes in pieces, or all that is there."""
    while size is None or size > 0:
        data = file.read(_CHUNK if size is None else min(_CHUNK, size))
        if not data:
            return
        yield data
        size = None if size is None else size - len(data)


def _removal(folder: Path) -> str:
    name = _name(folder)
    return f"remove {folder}" if name is None else f"run `domainkit cache rm {name}`"


def _name(folder: Path) -> str | None:
    """The dataset whose store a folder in a cache is."""
    parts = folder.parts[-4:]
    return f"{parts[1]}/{parts[2]}" if len(parts) == 4 and parts[0] == "prepared" else None
