"""Which kind of media a file is: by its extension, or by the first bytes of its content."""

from __future__ import annotations

__all__ = ["EXTENSIONS", "kind_of_bytes", "kind_of_name"]

# kind -> extensions, lower case. A folder's or a tar's columns are called by the kind.
EXTENSIONS: dict[str, tuple[str, ...]] = {
    "image": ("jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm"),
    "audio": ("wav", "flac", "mp3", "ogg", "oga", "opus", "aif", "aiff", "au"),
    "text": ("txt",),
}
_KINDS = {extension: kind for kind, known in EXTENSIONS.items() for extension in known}

# (offset, bytes, kind, extension); the first line that fits decides
_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\xff\xd8\xff", "image", "jpg"),
    (0, b"\x89PNG\r\n\x1a\n", "image", "png"),
    (8, b"WEBP", "image", "webp"),
    (0, b"GIF8", "image", "gif"),
    (0, b"II*\0", "image", "tif"),
    (0, b"MM\0*", "image", "tif"),
    (8, b"WAVE", "audio", "wav"),
    (0, b"fLaC", "audio", "flac"),
    (0, b"OggS", "audio", "ogg"),
    (0, b"ID3", "audio", "mp3"),
    (0, b"\xff\xfb", "audio", "mp3"),  # MPEG-1 layer 3, then MPEG-2 and 2.5 ...
    (0, b"\xff\xf3", "audio", "mp3"),
    (0, b"\xff\xf2", "audio", "mp3"),
    (0, b"\xff\xfa", "audio", "mp3"),  # ... and MPEG-1 with a checksum
    (8, b"AIFF", "audio", "aiff"),
    (0, b".snd", "audio", "au"),
    (0, b"BM", "image", "bmp"),
    (0, b"P6", "image", "ppm"),
    (0, b"P5", "image", "pgm"),
)


def kind_of_name(name: str) -> str | None:
    """ "image", "audio" or "text" by the extension of a file name; None for any other.

    Example:
        >>> kind_of_name("dogs/Rex.JPG"), kind_of_name("notes.pdf")
        ('image', None)
    """
    return _KINDS.get(name.rpartition(".")[2].lower()) if "." in name else None


def kind_of_bytes(data: bytes) -> tuple[str, str] | None:
    """(kind, extension) by how a file's content starts; None where it is no known media.

    Example:
        >>> kind_of_bytes(b"fLaC....")
        ('audio', 'flac')
    """
    for offset, start, kind, extension in _MAGIC:
        if data[offset : offset + len(start)] == start:
            return kind, extension
    return None
