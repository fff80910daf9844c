"""Damaged files of every format give sound or a DecodeError: no crash, no hang, nothing else.

They are read in a process of its own, so that a crash of native code fails the test alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
COUNT = 520
SCRIPT = """
import random, sys
import torch
from support.recordings import encoded
from domainkit.audio import info, load, stream
from domainkit.errors import DecodeError, MissingExtraError

files = [
    encoded(kind, subtype, rate, channels, seconds=0.5)
    for kind, subtype, rate, channels in [
        ("WAV", "PCM_16", 16000, 2), ("WAV", "IMA_ADPCM", 16000, 1), ("WAV", "GSM610", 8000, 1),
        ("WAV", "FLOAT", 16000, 1), ("FLAC", "PCM_16", 16000, 2), ("AIFF", "PCM_24", 16000, 1),
        ("AU", "ULAW", 8000, 1), ("OGG", "VORBIS", 16000, 1), ("OGG", "OPUS", 16000, 2),
        ("MP3", "MPEG_LAYER_III", 16000, 1), ("MP3", "MPEG_LAYER_III", 44100, 2),
        ("CAF", "ALAC_16", 16000, 1), ("W64", "PCM_16", 16000, 1), ("RF64", "PCM_16", 16000, 1),
    ]
]
rng = random.Random(7)

def damaged(data):
    data = bytearray(data)
    way = rng.randrange(5)
    if way == 0:
        del data[rng.randrange(len(data)):]
    elif way == 1:
        for _ in range(rng.randrange(1, 30)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif way == 2:
        for _ in range(rng.randrange(1, 5)):
            data[rng.randrange(min(80, len(data)))] = rng.choice((0, 1, 127, 128, 255))
    elif way == 3:
        start = rng.randrange(len(data))
        data[start:start + rng.randrange(400)] = rng.randbytes(rng.randrange(400))
    else:
        start = rng.randrange(min(200, len(data)))
        data[start:start + 4] = rng.choice((0, 1 << 31, (1 << 32) - 1)).to_bytes(4, "little")
    return bytes(data)

heard = refused = 0
for number in range(int(sys.argv[1])):
    data = damaged(files[number % len(files)])
    for read in (
        lambda: load(data),
        lambda: load(data, 3000, 500),
        lambda: load(data, partial=True, dtype=torch.int16),
        lambda: info(data),
        lambda: list(stream(data, 1000, partial=True)),
    ):
        try:
            read()
            heard += 1
        except (DecodeError, MissingExtraError) as error:
            assert str(error).startswith("these "), error
            refused += 1
print(heard, refused)
"""


def test_damaged_files_give_sound_or_an_error() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(COUNT)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    heard, refused = map(int, done.stdout.split()[-2:])
    assert heard + refused == 5 * COUNT
    assert heard > COUNT and refused > COUNT  # both happen
