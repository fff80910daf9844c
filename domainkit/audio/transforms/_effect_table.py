"""The effects that a chain knows: name -> how it is written, how many words, what they make."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from domainkit.audio.functional.biquads import (
    allpass_biquad,
    band_biquad,
    bandpass_biquad,
    bandreject_biquad,
    bass_biquad,
    equalizer_biquad,
    highpass_biquad,
    lowpass_biquad,
    treble_biquad,
)
from domainkit.audio.functional.decibels import gain
from domainkit.audio.functional.modulation import flanger, phaser
from domainkit.audio.functional.shaping import contrast, dcshift, overdrive
from domainkit.audio.transforms import _effect_steps as steps
from domainkit.audio.transforms._effect_steps import Step
from domainkit.audio.transforms._effect_words import (
    decibels_or_factor,
    frequency,
    number,
    position,
    samples,
    sharpness,
)
from domainkit.errors import TransformError

__all__ = ["KNOWN", "step_of"]

Made: TypeAlias = tuple[Step, int]  # and the sample rate behind it
Build: TypeAlias = Callable[[list[str], set[str], int], Made]  # words, options, sample rate


def step_of(effect: tuple[str, ...], rate: int) -> Made:
    """The step that an effect stands for, at a sample rate, and the rate behind it."""
    name, *rest = effect
    if name not in _TABLE:
        raise TransformError(f"Effects: there is no effect {name!r}; known are {', '.join(KNOWN)}")
    usage, least, most, options, build = _TABLE[name]
    said = {word for word in rest if word in options.split() or re.fullmatch("-[a-zA-Z]", word)}
    words = [word for word in rest if word not in said]
    shown = f"{name} {usage}".strip()
    if not least <= len(words) <= most or not said <= set(options.split()):
        count = str(least) if least == most else f"{least} to {most}"
        raise TransformError(
            f"Effects: {name} takes {count} arguments, as in {shown!r}; got {' '.join(effect)!r}"
        )
    try:
        return build(words, said, rate)
    except ValueError as error:
        raise TransformError(
            f"Effects: {' '.join(effect)!r}: {error}; it is written {shown!r}"
        ) from error


def _plain(function: Callable[..., Any], rate: int, **given: Any) -> Made:
    return partial(steps.same_length, function=function, given=given), rate


def _numbers(function: Callable[..., Any], *names: str) -> Build:
    """An effect whose words are the arguments of a function, in order."""
    return lambda words, said, rate: _plain(
        function, rate, **dict(zip(names, map(number, words), strict=False))
    )


def _filter(
    function: Callable[..., Any], argument: str, unit: str, *, flag: str | None = None
) -> Build:
    """A filter: its frequency and its width; ``flag`` is the argument that an option turns on."""

    def build(words: list[str], said: set[str], rate: int) -> Made:
        if words[0] == "-1":
            raise ValueError("there are no filters of one pole")
        hertz = frequency(words[0])
        width = words[1] if len(words) > 1 else {"q": "0.707q", "h": f"{hertz / 2}h"}[unit]
        q = sharpness(width, unit, hertz, rate, band=function is band_biquad)
        given: dict[str, Any] = {"sample_rate": rate, argument: hertz, "Q": q}
        if flag and said - {"-2"}:
            given[flag] = True
        return _plain(function, rate, **given)

    return build


def _shelf(function: Callable[..., Any], usual: str) -> Build:
    def build(words: list[str], said: set[str], rate: int) -> Made:
        gain_db, at, width = [*words, *("", usual, "0.5s")[len(words) :]]
        db, hertz = number(gain_db), frequency(at)
        q = sharpness(width, "s", hertz, rate, db)
        return _plain(function, rate, sample_rate=rate, gain=db, central_freq=hertz, Q=q)

    return build


def _equalizer(words: list[str], said: set[str], rate: int) -> Made:
    hertz = frequency(words[0])
    q = sharpness(words[1], "q", hertz, rate)
    return _plain(
        equalizer_biquad, rate, sample_rate=rate, center_freq=hertz, gain=number(words[2]), Q=q
    )


def _gain(words: list[str], said: set[str], rate: int) -> Made:
    db = number(words[0]) if words else 0.0
    if said:
        return partial(steps.normalize, db=db), rate
    return _plain(gain, rate, gain_db=db)


def _norm(words: list[str], said: set[str], rate: int) -> Made:
    return partial(steps.normalize, db=number(words[0]) if words else 0.0), rate


def _vol(words: list[str], said: set[str], rate: int) -> Made:
    return partial(steps.vol, factor=decibels_or_factor(words)), rate


def _phaser(words: list[str], said: set[str], rate: int) -> Made:
    names = ("gain_in", "gain_out", "delay_ms", "decay", "mod_speed")
    given = dict(zip(names, map(number, words), strict=False))
    return _plain(phaser, rate, sample_rate=rate, sinusoidal="-t" not in said, **given)


def _flanger(words: list[str], said: set[str], rate: int) -> Made:
    given: dict[str, Any] = {"sample_rate": rate}
    choices = {"modulation": ("sinusoidal", "triangular"), "interpolation": ("linear", "quadratic")}
    names = ("delay", "depth", "regen", "width", "speed", "modulation", "phase", "interpolation")
    for name, word in zip(names, words, strict=False):
        if name in choices:
            # SoX says "sine" and "triangle"; both may be shortened
            found = [c for c in choices[name] if word and c[:3].startswith(word[:3].lower())]
            if not found:
                raise ValueError(f"{word!r} is not {' or '.join(choices[name])}")
            given[name] = found[0]
        else:
            given[name] = number(word)
    return _plain(flanger, rate, **given)


def _fade(words: list[str], said: set[str], rate: int) -> Made:
    shape = words.pop(0) if words[0] in tuple("qhtlp") else "l"
    if not 1 <= len(words) <= 3:
        raise ValueError("a fade has one to three times")
    before = samples(words[0], rate)
    stop = position(words[1], rate, "=") if len(words) > 1 else None
    if stop == ("=", 0):
        stop = ("-", 0)  # SoX's way to say: to the end
    after = samples(words[2], rate) if len(words) > 2 else before
    return partial(steps.fade, shape=shape, before=before, stop=stop, after=after), rate


def _trim(words: list[str], said: set[str], rate: int) -> Made:
    start = position(words[0], rate, "=")
    stop = position(words[1], rate, "+") if len(words) > 1 else None
    return partial(steps.trim, start=start, stop=stop), rate


def _pad(words: list[str], said: set[str], rate: int) -> Made:
    before, after = (samples(word, rate) for word in [*words, "0"][:2])
    return partial(steps.pad, before=before, after=after), rate


def _reverse(words: list[str], said: set[str], rate: int) -> Made:
    return steps.flip, rate


def _speed(words: list[str], said: set[str], rate: int) -> Made:
    cents = words[0].endswith("c")
    value = number(words[0].removesuffix("c"))
    return partial(steps.speed, rate=rate, factor=2 ** (value / 1200) if cents else value), rate


def _rate(words: list[str], said: set[str], rate: int) -> Made:
    hertz = frequency(words[0])
    if hertz < 1 or hertz != round(hertz):
        raise ValueError(f"a rate is a whole number of Hz, got {words[0]!r}")
    quick = bool(said & {"-q", "-l"})
    method = "sinc_interp_hann" if quick else "high_quality"
    return partial(steps.rate, old=rate, new=int(hertz), method=method), int(hertz)


_WIDTH = "frequency[k] width[h|k|o|q]"
# name -> usage, least and most words, options, what is made of them
_TABLE: dict[str, tuple[str, int, int, str, Build]] = {
    "allpass": (_WIDTH, 2, 2, "", _filter(allpass_biquad, "central_freq", "h")),
    "band": (
        "[-n] frequency[k] [width[h|k|o|q]]", 1, 2, "-n",
        _filter(band_biquad, "central_freq", "h", flag="noise"),
    ),
    "bandpass": (
        f"[-c] {_WIDTH}", 2, 2, "-c",
        _filter(bandpass_biquad, "central_freq", "h", flag="const_skirt_gain"),
    ),
    "bandreject": (_WIDTH, 2, 2, "", _filter(bandreject_biquad, "central_freq", "h")),
    "bass": ("gain [frequency[k] [width[s|h|k|o|q]]]", 1, 3, "", _shelf(bass_biquad, "100")),
    "contrast": ("[amount]", 0, 1, "", _numbers(contrast, "enhancement_amount")),
    "dcshift": ("shift [limitergain]", 1, 2, "", _numbers(dcshift, "shift", "limiter_gain")),
    "equalizer": ("frequency[k] width[q|o|h|k] gain", 3, 3, "", _equalizer),
    "fade": ("[q|h|t|l|p] in-length [stop-position [out-length]]", 1, 4, "", _fade),
    "flanger": (
        "[delay depth regen width speed shape phase interp]", 0, 8, "", _flanger,
    ),
    "gain": ("[-n] [dB]", 0, 1, "-n", _gain),
    "highpass": (
        "[-2] frequency[k] [width[q|o|h|k]]", 1, 2, "-2",
        _filter(highpass_biquad, "cutoff_freq", "q"),
    ),
    "lowpass": (
        "[-2] frequency[k] [width[q|o|h|k]]", 1, 2, "-2",
        _filter(lowpass_biquad, "cutoff_freq", "q"),
    ),
    "norm": ("[dB]", 0, 1, "", _norm),
    "overdrive": ("[gain [colour]]", 0, 2, "", _numbers(overdrive, "gain", "colour")),
    "pad": ("start-length [end-length]", 1, 2, "", _pad),
    "phaser": ("[gain-in gain-out delay decay speed] [-s|-t]", 0, 5, "-s -t", _phaser),
    "rate": ("[-q|-l|-m|-h|-v] frequency[k]", 1, 1, "-q -l -m -h -v", _rate),
    "reverse": ("", 0, 0, "", _reverse),
    "speed": ("factor[c]", 1, 1, "", _speed),
    "treble": ("gain [frequency[k] [width[s|h|k|o|q]]]", 1, 3, "", _shelf(treble_biquad, "3000")),
    "trim": ("[=|-]start [[=|-]end]", 1, 2, "", _trim),
    "vol": ("gain[dB] [amplitude|power|dB]", 1, 2, "", _vol),
}  # fmt: skip
KNOWN = tuple(_TABLE)
