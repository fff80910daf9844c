"""A ``SoundFile`` that moves only when it is told to.

After each read soundfile seeks to where the file stands anyway. A decoder of MP3 loses what it
remembers by that, and the next samples are wrong.
"""

from __future__ import annotations

import numpy as np
import soundfile

from domainkit.audio.codec.pcm import to_int16

__all__ = ["NARROW", "Sequential"]

# samples of 16 bits or fewer, which libsndfile gives as they are
NARROW = frozenset(
    {
        *("PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610"),
        *("G721_32", "G723_24", "G723_40", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32"),
        *("VOX_ADPCM", "ALAC_16", "DPCM_8", "DPCM_16"),
    }
)
_BLOCK = 1 << 16


class Sequential(soundfile.SoundFile):
    """Reads on from where it stands."""

    def seekable(self) -> bool:
        """False, so that soundfile does not seek by itself; ``seek`` works as ever."""
        return False

    def take(self, count: int, dtype: str) -> np.ndarray:
        """The next samples, float32 or int16 [n, C], n < ``count`` at the end only."""
        if dtype == "float32" or self.subtype in NARROW:
            return np.asarray(self.read(count, dtype=dtype, always_2d=True))
        # libsndfile would cut 24 bits off to 16, and give float files as zeros
        wide = self.read(count, dtype="float64", always_2d=True)
        return to_int16(wide)

    def take_what_is_there(self, count: int) -> np.ndarray:
        """As ``take`` in float32; where the decoder fails, what it had decoded until then."""
        parts = []
        while count > 0:
            out = np.full((min(count, _BLOCK), self.channels), np.nan, np.float32)
            try:
                got = len(self.read(len(out), dtype="float32", always_2d=True, out=out))
            except soundfile.SoundFileError:
                got = int(np.argmax(np.isnan(out[:, 0]))) if np.isnan(out[:, 0]).any() else len(out)
                count = 0
            parts.append(out[:got])
            count = count - got if got == len(out) else 0
        return np.concatenate(parts) if parts else np.empty((0, self.channels), np.float32)

    def skip(self, count: int) -> None:
        """Read ``count`` samples that nobody wants."""
        while count > 0:
            got = len(self.read(min(count, _BLOCK), dtype="float32", always_2d=True))
            if not got:
                return
            count -= got
