"""Readers of published text sets: generators of records, by the name that cards use."""

from __future__ import annotations

__all__ = ["READERS"]

_HERE = "domainkit.text.readers"

READERS: dict[str, str] = {
    "csv": f"{_HERE}.csv_table:read_csv",
    "text-folder": f"{_HERE}.text_folder:read_text_folder",
}
