"""Datasets shown: one line, a few lines of text per sample, a table in a notebook.

The codecs of the domains are looked up by name when a sample is shown: this module imports no
domain. What cannot be decoded is shown as its error, in its place.
"""

from __future__ import annotations

import base64
import functools
import html
import importlib
from collections.abc import Callable
from typing import Any

import torch

from domainkit.dataset import Dataset
from domainkit.errors import DomainkitError
from domainkit.features import Audio, Feature, Image, Label, Mask, Text

__all__ = ["dataset_html", "dataset_line", "sample_text"]

CELLS_WIDE = 28
WAVE_CELLS = 48
TEXT_CHARS = 88
HTML_TEXT_CHARS = 280
THUMBNAIL_PIXELS = 96
AUDIO_SECONDS = 10.0  # a notebook keeps every byte that is shown

SHADES = " ░▒▓█"
BARS = "▁▂▃▄▅▆▇█"

# No colours of our own: the table takes those of the page, light or dark.
LINE = "border:0;border-bottom:1px solid rgba(128,128,128,.35)"
CELL = f"{LINE};padding:.35em .8em;text-align:left;vertical-align:middle"


def dataset_line(ds: Dataset) -> str:
    """What a dataset is, on one line: name, rows, columns.

    Example:
        >>> from domainkit.dataset import load_dataset
        >>> dataset_line(load_dataset("vision/fashion-mnist-mini", "train[:10%]"))
        'Dataset(vision/fashion-mnist-mini, train: 500 of 5000 rows; image: Image, label: Label)'
    """
    columns = ", ".join(f"{name}: {type(f).__name__}" for name, f in ds.features.items())
    title = f"{ds.name}: " if ds.name else ""
    return f"Dataset({title}{_rows(ds)}; {columns})"


def sample_text(ds: Dataset, index: int) -> list[str]:
    """One sample as lines for a terminal: a line per column, pictures and waveforms below theirs.

    A picture is drawn with up to 28 x 14 characters, the brighter the denser; a waveform as the
    peaks of 48 stretches of it.

    Raises:
        IndexError: no such row.

    Example:
        >>> from domainkit.dataset import load_dataset
        >>> ds = load_dataset("vision/fashion-mnist-mini", "train")
        >>> lines = sample_text(ds, 0)
        >>> lines[0], len(lines)
        ('image  uint8 [1, 28, 28]', 16)
    """
    raw = ds.raw(index, checked=True)
    width = max((len(name) for name in ds.columns), default=0) + 2
    lines = []
    for name, feature in ds.features.items():
        show = functools.partial(_lines, feature, raw[name])
        head, *below = _told(show, lambda error: [f"({error})"])
        lines.append(f"{name.ljust(width)}{head}")
        lines.extend((" " * width + line).rstrip() for line in below)
    return lines


def dataset_html(ds: Dataset, rows: int = 5) -> str:
    """The first rows as an HTML table: thumbnails, audio players, texts, class names.

    Everything is inside the string: pictures are PNG, recordings WAV (the first ten seconds).

    Args:
        ds: the dataset.
        rows: how many rows to show.
    """
    head = "".join(
        f'<th style="{CELL}">{html.escape(name)}'
        f'<br><span style="font-weight:normal;opacity:.6">{type(feature).__name__}</span></th>'
        for name, feature in ds.features.items()
    )
    body = []
    for i in range(min(rows, len(ds))):
        raw = ds.raw(i, checked=True)
        cells = "".join(_cell(feature, raw[name]) for name, feature in ds.features.items())
        body.append(f'<tr><td style="{CELL};opacity:.6">{i}</td>{cells}</tr>')
    facts = [f"<b>{html.escape(ds.name or 'Dataset')}</b>", _rows(ds)]
    if licence := ds.info.get("license"):
        facts.append(f"licence: {html.escape(str(licence))}")
    caption = " &middot; ".join(facts)
    return (
        f'<div style="padding:.4em 0">{caption}</div>'
        '<table style="border-collapse:collapse;border:0;color:inherit">'
        f'<thead><tr><th style="{CELL}"></th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def _rows(ds: Dataset) -> str:
    shown, total = len(ds), len(ds._source)
    return f"{total} rows" if shown == total else f"{shown} of {total} rows"


def _told(show: Callable[[], Any], failed: Callable[[str], Any]) -> Any:
    try:
        return show()
    except (DomainkitError, ValueError, OSError) as error:
        return failed(f"cannot be shown: {error}")


# -- text --------------------------------------------------------------------------------------


def _lines(feature: Feature, raw: Any) -> list[str]:
    if isinstance(feature, Audio):
        waveform, rate = importlib.import_module("domainkit.audio.codec").decode_audio(raw)
        channels = "" if len(waveform) == 1 else f", {len(waveform)} channels"
        facts = f"{waveform.shape[1] / rate:.2f} s at {rate} Hz{channels}"
        return [facts, _sparkline(waveform)]
    value = feature.decode(raw)
    if isinstance(feature, Image):
        return [_facts(value), *_picture(value)]
    if isinstance(feature, Mask):
        return [_facts(value), *_picture(value[None])]
    if isinstance(feature, Text):
        return [_printable(_shorten(value, TEXT_CHARS))]
    return [_printable(_plain(feature, value))]


def _plain(feature: Feature, value: Any) -> str:
    """A value that is neither media nor text, in a few words."""
    if isinstance(feature, Label):
        named = 0 <= value < len(feature.names)
        return f"{feature.names[value]} ({value})" if named else str(value)
    if isinstance(value, torch.Tensor):
        some = ", ".join(f"{v:.6g}" for v in value.flatten()[:6].tolist())
        return f"{_facts(value)}  {some}{', ...' if value.numel() > 6 else ''}".rstrip()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _facts(value: torch.Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"


def _picture(image: torch.Tensor) -> list[str]:
    """A uint8 picture [C, H, W] as lines of characters, two pixels high each, aspect kept."""
    height, width = image.shape[1:]
    if height == 0 or width == 0:
        return []
    scale = min(1.0, CELLS_WIDE / max(height, width))
    rows, columns = max(1, round(height * scale / 2)), max(1, round(width * scale))
    grey = image.float().mean(0, keepdim=True)
    cells = torch.nn.functional.adaptive_avg_pool2d(grey, (rows, columns))[0]
    low, high = float(cells.min()), float(cells.max())
    level = (cells - low) / (high - low) if high > low else torch.zeros_like(cells)
    steps = (level * len(SHADES)).long().clamp(max=len(SHADES) - 1)
    return ["".join(SHADES[step] for step in row).rstrip() for row in steps.tolist()]


def _sparkline(waveform: torch.Tensor) -> str:
    """The peaks of a waveform [C, T], each as a bar, the highest one full."""
    size = waveform.shape[1]
    if size == 0:
        return ""
    peaks = torch.nn.functional.adaptive_max_pool1d(
        waveform.abs().amax(0)[None, None], min(WAVE_CELLS, size)
    ).flatten()
    top = float(peaks.max())
    steps = (peaks / top * (len(BARS) - 1)).round().long() if top > 0 else torch.zeros(len(peaks))
    return "".join(BARS[int(step)] for step in steps)


def _shorten(text: str, chars: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= chars else line[: chars - 1].rstrip() + "…"


def _printable(text: str) -> str:
    """Without control characters: a text from a stranger must not steer the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


# -- html --------------------------------------------------------------------------------------


def _cell(feature: Feature, raw: Any) -> str:
    inside = _told(
        lambda: _inside(feature, raw),
        lambda error: f'<span style="opacity:.7">&#9888; {html.escape(error)}</span>',
    )
    return f'<td style="{CELL}">{inside}</td>'


def _inside(feature: Feature, raw: Any) -> str:
    if isinstance(feature, Audio):
        return _player(raw)
    value = feature.decode(raw)
    if isinstance(feature, Image):
        return _thumbnail(value)
    if isinstance(feature, Mask):
        return _thumbnail(value[None])
    if isinstance(feature, Text):
        return html.escape(_shorten(value, HTML_TEXT_CHARS))
    return html.escape(_plain(feature, value))


def _thumbnail(image: torch.Tensor) -> str:
    png = importlib.import_module("domainkit.vision.codec").encode_png(image, THUMBNAIL_PIXELS)
    channels, height, width = image.shape
    # small pictures are shown larger, pixel by pixel
    grow = max(1, THUMBNAIL_PIXELS // max(height, width))
    size = f"height:{grow * height}px;image-rendering:pixelated" if grow > 1 else ""
    title = f"{width} x {height} pixels, {channels} channel{'s' if channels > 1 else ''}"
    return f'<img src="{_data_uri("image/png", png)}" title="{title}" alt="{title}" style="{size}">'


def _player(raw: Any) -> str:
    codec = importlib.import_module("domainkit.audio.codec")
    waveform, rate = codec.decode_audio(raw)
    seconds = waveform.shape[1] / rate
    part = waveform[:, : int(AUDIO_SECONDS * rate)]
    if len(part) > 2:
        part = part.mean(0, keepdim=True)
    wav = codec.encode_wav(part, rate)
    length = f"{seconds:.2f} s at {rate} Hz"
    if seconds > AUDIO_SECONDS:
        length = f"the first {AUDIO_SECONDS:g} s of {length}"
    return (
        f'<audio controls preload="metadata" style="height:2.2em;width:15em" '
        f'src="{_data_uri("audio/wav", wav)}"></audio>'
        f'<br><span style="opacity:.6">{length}</span>'
    )


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
