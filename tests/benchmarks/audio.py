"""How fast sound is worked on: domainkit beside what people use today.

Run: ``python tests/benchmarks/audio.py`` (``--row biquad`` for one row, ``--threads 1 2``). Peers
that are not installed are left out.

All peers work in one process and take turns, round by round, as the speed of a machine changes from
minute to minute; a share is the median over the rounds of domainkit's time by a peer's in the same
round: below 1, domainkit is quicker.

The aims, with one thread, of torchaudio's time: log-mel at most .55, resampling with the long
filter at most .25 (48 kHz) and .8 (44.1 kHz), room response at most .08, pitch shift at most .13,
biquad at most .15.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from domainkit.audio import functional as F  # noqa: E402

RATE, SECONDS, BATCH = 16000, 10, 8
Jobs = dict[str, Callable[[], Any]]


def sound(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) - 0.5


def biquad() -> Jobs:
    """A low-pass of 1 kHz on 8 recordings of 10 s."""
    x = sound(BATCH, RATE * SECONDS)
    jobs: Jobs = {"domainkit": lambda: F.lowpass_biquad(x, RATE, 1000.0)}
    try:
        import torchaudio.functional as theirs

        jobs["torchaudio"] = lambda: theirs.lowpass_biquad(x, RATE, 1000.0)
    except (ImportError, OSError):
        pass
    try:
        import scipy.signal

        b, a = scipy.signal.butter(2, 1000.0, fs=RATE)
        single = x.numpy(), b.astype("float32"), a.astype("float32")
        jobs["scipy float32"] = lambda: scipy.signal.lfilter(single[1], single[2], single[0])
    except ImportError:
        pass
    return jobs


def room_response() -> Jobs:
    """8 recordings of 10 s with a response of half a second."""
    x, response = sound(BATCH, RATE * SECONDS), sound(BATCH, 8000)
    jobs: Jobs = {"domainkit": lambda: F.fftconvolve(x, response)}
    try:
        import torchaudio.functional as theirs

        jobs["torchaudio"] = lambda: theirs.fftconvolve(x, response)
    except (ImportError, OSError):
        pass
    try:
        import scipy.signal

        arrays = x.numpy(), response.numpy()
        jobs["scipy overlap-add"] = lambda: scipy.signal.oaconvolve(*arrays, axes=-1)
    except ImportError:
        pass
    return jobs


def log_mel() -> Jobs:
    """Log-mel, 400/160/80, of 8 recordings of 10 s."""
    from domainkit.audio.transforms import LogMel

    x, mine = sound(BATCH, 1, RATE * SECONDS), LogMel(RATE)
    jobs: Jobs = {"domainkit": lambda: mine(x)}
    try:
        import torchaudio.transforms as theirs

        mel = theirs.MelSpectrogram(RATE, 400, 400, 160, n_mels=80)
        jobs["torchaudio"] = lambda: mel(x).clamp(min=1e-10).log()
        jobs["torchaudio, one by one"] = lambda: [mel(v).clamp(min=1e-10).log() for v in x]
    except (ImportError, OSError):
        pass
    try:
        import librosa

        rows = x[:, 0].numpy()
        given = {"sr": RATE, "n_fft": 400, "hop_length": 160, "n_mels": 80}
        jobs["librosa"] = lambda: [librosa.feature.melspectrogram(y=v, **given) for v in rows]
    except ImportError:
        pass
    return jobs


def kaldi_fbank() -> Jobs:
    """Kaldi's log-mel, 80 bands, of 8 recordings of 10 s."""
    x = sound(BATCH, RATE * SECONDS)
    jobs: Jobs = {"domainkit": lambda: F.kaldi_fbank(x, num_mel_bins=80)}
    try:
        from torchaudio.compliance import kaldi

        jobs["torchaudio, one by one"] = lambda: [kaldi.fbank(v[None], num_mel_bins=80) for v in x]
    except (ImportError, OSError):
        pass
    try:
        import kaldi_native_fbank as native

        options = native.FbankOptions()
        options.frame_opts.dither, options.mel_opts.num_bins = 0.0, 80

        def one(samples: Any) -> list[Any]:
            online = native.OnlineFbank(options)
            online.accept_waveform(RATE, samples)
            online.input_finished()
            return [online.get_frame(i) for i in range(online.num_frames_ready)]

        jobs["kaldi-native-fbank"] = lambda: [one(v) for v in x.numpy()]
    except ImportError:
        pass
    return jobs


def whisper() -> Jobs:
    """Whisper's features, filled up to 30 s, of 8 recordings of 10 s."""
    from domainkit.audio.transforms import WhisperLogMel

    x, mine = sound(BATCH, 1, RATE * SECONDS), WhisperLogMel()
    jobs: Jobs = {"domainkit": lambda: mine(x)}
    try:
        from transformers import WhisperFeatureExtractor

        theirs, rows = WhisperFeatureExtractor(), [v[0].numpy() for v in x]
        given = {"sampling_rate": RATE, "return_tensors": "pt"}
        jobs["transformers"] = lambda: theirs(rows, **given)
    except ImportError:
        pass
    return jobs


def cqt() -> Jobs:
    """Constant-Q, 84 semitones from C1, of 8 recordings of 10 s at 22050 Hz; librosa one by one."""
    from domainkit.audio.transforms import CQT

    x, mine = sound(BATCH, 1, 22050 * SECONDS), CQT(22050)
    jobs: Jobs = {"domainkit": lambda: mine(x)}
    try:
        import librosa

        rows = x[:, 0].numpy()
        jobs["librosa"] = lambda: [librosa.cqt(v, sr=22050) for v in rows]
    except ImportError:
        pass
    return jobs


def _resampling(orig: int, new: int) -> Jobs:
    x = sound(BATCH, orig * SECONDS)
    long = {"resampling_method": "high_quality"}
    jobs: Jobs = {
        "domainkit": lambda: F.resample(x, orig, new, **long),
        "domainkit, short filter": lambda: F.resample(x, orig, new),
    }
    try:
        import torchaudio.functional as theirs

        jobs["torchaudio"] = lambda: theirs.resample(x, orig, new)
    except (ImportError, OSError):
        pass
    import soxr

    rows = x.numpy()
    jobs["soxr HQ"] = lambda: [soxr.resample(v, orig, new) for v in rows]
    return jobs


def resample_48() -> Jobs:
    """8 recordings of 10 s from 48 to 16 kHz, by the long filter (high_quality)."""
    return _resampling(48000, 16000)


def resample_44() -> Jobs:
    """8 recordings of 10 s from 44.1 to 16 kHz, by the long filter (high_quality)."""
    return _resampling(44100, 16000)


def speeds() -> Jobs:
    """8 recordings of 10 s, each at a speed of its own; torchaudio one by one."""
    x, factors = sound(BATCH, RATE * SECONDS), torch.linspace(0.9, 1.1, BATCH)
    jobs: Jobs = {"domainkit": lambda: F.vary_speed(x, factors)}
    each = [round(float(f), 2) for f in factors]
    pairs = list(zip(x, each, strict=True))
    try:
        import torchaudio.functional as theirs

        jobs["torchaudio"] = lambda: [theirs.speed(v, RATE, f)[0] for v, f in pairs]
    except (ImportError, OSError):
        pass
    import soxr

    jobs["soxr HQ"] = lambda: [soxr.resample(v.numpy(), int(RATE * f), RATE) for v, f in pairs]
    return jobs


def pitch_shift() -> Jobs:
    """8 recordings of 10 s three semitones down; what torchaudio takes depends on the number."""
    x = sound(BATCH, RATE * SECONDS)
    jobs: Jobs = {"domainkit": lambda: F.pitch_shift(x, RATE, -3)}
    try:
        import torchaudio.functional as theirs

        jobs["torchaudio"] = lambda: theirs.pitch_shift(x, RATE, -3)
    except (ImportError, OSError):
        pass
    try:
        import librosa

        rows = x.numpy()
        jobs["librosa"] = lambda: librosa.effects.pitch_shift(rows, sr=RATE, n_steps=-3)
    except ImportError:
        pass
    return jobs


ROWS: dict[str, Callable[[], Jobs]] = {
    "biquad": biquad,
    "cqt": cqt,
    "kaldi fbank": kaldi_fbank,
    "log-mel": log_mel,
    "pitch shift": pitch_shift,
    "resample 44.1k": resample_44,
    "resample 48k": resample_48,
    "room response": room_response,
    "speeds": speeds,
    "whisper": whisper,
}


def seconds(job: Callable[[], Any]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def compare(jobs: Jobs, rounds: int) -> None:
    """Print the time of each peer, and domainkit's as a share of it."""
    for job in jobs.values():
        job()  # compilers, caches and lazy set-up are paid here
    names = list(jobs)
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds):
        for k in range(len(names)):
            name = names[(k + number) % len(names)]
            times[name].append(seconds(jobs[name]))
    for name, values in times.items():
        shares = [mine / theirs for mine, theirs in zip(times["domainkit"], values, strict=True)]
        share = ""
        if name != "domainkit":
            share = f"{statistics.median(shares):7.3f}  ({min(shares):.3f} to {max(shares):.3f})"
        print(f"    {name:20} {statistics.median(values) * 1e3:9.2f} ms  {share}", flush=True)


def main() -> None:
    """Run the rows that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", action="append", choices=ROWS, help="may be given several times")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    for threads in given.threads:
        torch.set_num_threads(threads)
        print(f"\n{threads} thread{'s' if threads > 1 else ''}; share of the peer's time")
        for row in given.row or ROWS:
            print(f"  {row}: {ROWS[row].__doc__}")
            compare(ROWS[row](), given.rounds)


if __name__ == "__main__":
    main()
