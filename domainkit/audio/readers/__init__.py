"""Readers of published audio sets: generators of records, by the name that cards use.

A record's audio is the bytes of the recording as published; nothing is decoded here.
"""

from __future__ import annotations

__all__ = ["READERS"]

_HERE = "domainkit.audio.readers"

READERS: dict[str, str] = {
    "labelled-folder": f"{_HERE}.labelled_folder:read_labelled_folder",
    "ljspeech": f"{_HERE}.ljspeech:read_ljspeech",
    "manifest": f"{_HERE}.manifest:read_manifest",
    "yesno": f"{_HERE}.yesno:read_yesno",
}
