from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image as Pillow
from support.many_columns import every_feature
from support.media import fill, picture, recording

import domainkit as dk
from domainkit.dataset import Dataset
from domainkit.display import dataset_html, dataset_line, sample_text
from domainkit.features import Feature, Image, Text
from domainkit.store import write_store


class Table(HTMLParser):
    """The cells of a table as (text, attributes of the media in it); refuses what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.media: list[tuple[str, dict[str, str | None]]] = []
        self.styles: list[str] = []
        self.caption = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"div", "b", "table", "thead", "tbody", "tr", "th", "td", "span"} | {
            "br", "img", "audio",
        }  # fmt: skip
        self.styles += [value or "" for name, value in attrs if name == "style"]
        if tag in ("img", "audio"):
            self.media.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("br", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "tr" in self._open:
            self.rows[-1][-1] += data
        else:
            self.caption += data


def payload(media: tuple[str, dict[str, str | None]], kind: str) -> bytes:
    head, _, data = (media[1]["src"] or "").partition(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(data, validate=True)


def store(folder: Path, features: dict[str, Feature], *rows: dict) -> Dataset:
    return Dataset(write_store(folder, rows, features, fingerprint="x"))


def test_line_counts_what_is_shown() -> None:
    ds = dk.load_dataset("vision/fashion-mnist-mini", "train")
    columns = "image: Image, label: Label)"
    assert dataset_line(ds) == f"Dataset(vision/fashion-mnist-mini, train: 5000 rows; {columns}"
    assert repr(ds[10:30]) == (
        f"Dataset(vision/fashion-mnist-mini, train: 20 of 5000 rows; {columns}"
    )
    assert repr(ds[:0].select_columns(["label"])) == (
        "Dataset(vision/fashion-mnist-mini, train: 0 of 5000 rows; label: Label)"
    )


def test_line_without_a_name(tmp_path: Path) -> None:
    assert repr(store(tmp_path / "s", {"text": Text()})) == "Dataset(0 rows; text: Text)"


def test_every_feature_as_text(tmp_path: Path) -> None:
    ds = every_feature(tmp_path / "store")
    lines = sample_text(ds, 3)
    heads = {line.split()[0]: line for line in lines if not line.startswith(" ")}
    assert list(heads) == list(ds.columns)
    assert heads["image"] == "image   uint8 [3, 12, 17]"
    assert heads["audio"] == "audio   0.05 s at 8000 Hz"
    assert heads["text"] == "text    emoji 🎈"
    assert heads["label"] == "label   3 (0)"
    assert heads["group"] == "group   30"
    assert heads["score"] == "score   1"
    assert heads["tokens"] == "tokens  int64 [6]  -3, -2, -1, 0, 1, 2"
    assert heads["boxes"] == "boxes   float32 [0, 4]"
    assert heads["pose"].startswith("pose    float64 [2, 3]  0.0856")
    assert heads["mask"] == "mask    uint8 [12, 17]"
    drawn = 6 + 2 + 2 + 1 + 1 + 6  # image, scan, small, layers, audio, mask
    assert len(lines) == len(ds.columns) + drawn


def test_picture_in_characters(tmp_path: Path) -> None:
    half = np.zeros((3, 56, 112), np.uint8)
    half[:, :, 56:] = 255  # black, then white; twice as wide as high
    half[:, :28, :56] = 128
    ds = store(tmp_path / "s", {"x": Image(shape=(3, 56, 112))}, {"x": half})
    head, *drawn = sample_text(ds, 0)
    assert head == "x  uint8 [3, 56, 112]"
    assert [line[3:] for line in drawn] == [
        *["▒" * 14 + "█" * 14] * 3,
        "░" * 14 + "█" * 14,  # where grey meets black
        *[" " * 14 + "█" * 14] * 3,
    ]
    flat = store(tmp_path / "f", {"x": Image(shape=(1, 4, 4))}, {"x": np.full((1, 4, 4), 9, "u1")})
    assert sample_text(flat, 0) == ["x  uint8 [1, 4, 4]", "", ""]


def test_waveform_in_characters(tmp_path: Path) -> None:
    out = io.BytesIO()
    ramp = np.repeat(np.arange(48) / 48, 100)  # 48 steps, as many as bars
    stereo = np.stack([np.zeros_like(ramp), -ramp], 1)
    soundfile.write(out, stereo, 48000, format="WAV")
    ds = dk.from_folder(fill(tmp_path / "x", {"a.wav": out.getvalue()}))
    head, bars = sample_text(ds, 0)
    assert head == "audio  0.10 s at 48000 Hz, 2 channels"
    assert bars.strip() == "".join("▁▂▃▄▅▆▇█"[round(7 * i / 47)] for i in range(48))


def test_text_is_short_and_cannot_steer_the_terminal(tmp_path: Path) -> None:
    ds = store(
        tmp_path / "s", {"text": Text()}, {"text": "\x1b[31mred\x07\n  next"}, {"text": "ab " * 99}
    )
    assert sample_text(ds, 0) == [r"text  \x1b[31mred\x07 next"]
    (line,) = sample_text(ds, 1)
    assert len(line) <= len("text  ") + 88
    assert line.endswith("ab…")


def test_row_outside() -> None:
    with pytest.raises(IndexError):
        sample_text(dk.load_dataset("vision/fashion-mnist-mini", "train[:3]"), 3)


def test_what_cannot_be_decoded_is_shown_in_its_place(tmp_path: Path) -> None:
    files = {"<i>x/1.png": picture(1), "<i>x/2.png": picture(2)[:90]}
    ds = dk.from_folder(fill(tmp_path / "broken", files))
    lines = sample_text(ds, 1)
    assert re.match(r"image  \(cannot be shown: the PNG of 90 bytes .*", lines[0])
    assert lines[1] == "label  <i>x (0)"
    table = Table(dataset_html(ds))
    assert len(table.rows) == 3
    assert "cannot be shown" in table.rows[2][1]
    assert len(table.media) == 1


def test_html_of_pictures_holds_their_pixels() -> None:
    ds = dk.load_dataset("vision/fashion-mnist-mini", "train")
    table = Table(ds._repr_html_())
    assert table.caption == "vision/fashion-mnist-mini, train · 5000 rows · licence: MIT"
    assert table.rows[0] == ["", "imageImage", "labelLabel"]
    assert [row[0] for row in table.rows[1:]] == ["0", "1", "2", "3", "4"]
    assert table.rows[1][2] == "Ankle boot (9)"
    for i, media in enumerate(table.media):
        image = np.array(Pillow.open(io.BytesIO(payload(media, "image/png"))))
        assert torch.equal(torch.from_numpy(image)[None], ds[i]["image"])
    assert len(table.media) == 5


def test_html_shrinks_large_pictures(tmp_path: Path) -> None:
    files = {"a.png": picture(1, height=400, width=200)}
    table = Table(dataset_html(dk.from_folder(fill(tmp_path / "x", files))))
    assert Pillow.open(io.BytesIO(payload(table.media[0], "image/png"))).size == (48, 96)


def test_html_of_recordings_holds_their_sound(tmp_path: Path) -> None:
    files = {"a.flac": recording(1, kind="FLAC"), "b.wav": recording(2, 100, samples=1500)}
    table = Table(dataset_html(dk.from_folder(fill(tmp_path / "x", files))))
    sound, rate = soundfile.read(io.BytesIO(payload(table.media[0], "audio/wav")), dtype="int16")
    expected = soundfile.read(io.BytesIO(files["a.flac"]), dtype="int16")[0]
    assert rate == 8000
    assert np.array_equal(sound, expected)
    long, _ = soundfile.read(io.BytesIO(payload(table.media[1], "audio/wav")))
    assert len(long) == 1000  # ten seconds are enough
    assert table.rows[1][1] == "0.05 s at 8000 Hz"
    assert table.rows[2][1] == "the first 10 s of 15.00 s at 100 Hz"


def test_html_escapes_everything(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>&\"'"
    name = "<img src=x onerror=alert(1)>"
    info = {"name": evil, "license": evil}
    made = write_store(tmp_path / "s", [{name: evil}], {name: Text()}, fingerprint="x", info=info)
    table = Table(dataset_html(Dataset(made)))  # refuses tags that are not ours
    assert table.media == []
    assert table.rows[0][1] == f"{name}Text"
    assert table.rows[1][1] == evil
    assert table.caption == f"{evil} · 1 rows · licence: {evil}"


def test_html_takes_the_colours_of_the_page(tmp_path: Path) -> None:
    styles = Table(dataset_html(every_feature(tmp_path / "store"))).styles
    assert not [s for s in styles if "background" in s]
    colours = {m for s in styles for m in re.findall(r"(?<![-\w])color:([^;]+)", s)}
    assert colours == {"inherit"}


def test_html_shows_as_many_rows_as_asked(tmp_path: Path) -> None:
    ds = every_feature(tmp_path / "store", rows=4)
    assert len(Table(dataset_html(ds, rows=2)).rows) == 3
    assert len(Table(dataset_html(ds, rows=9)).rows) == 5
    assert len(Table(dataset_html(ds[:0])).rows) == 1
