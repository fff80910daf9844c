"""What ``exactness_audio.py`` says beside its figures: differences meant, and what has none."""

from __future__ import annotations

__all__ = ["LEFT_OUT", "ON_PURPOSE"]

ON_PURPOSE: dict[str, str] = {
    "AmplitudeToDB, amplitude_to_DB": "a recording's floor (`top_db`) is its own in the class. "
    "torchaudio takes that of the loudest recording of a batch of [B, bins, frames].",
    "add_noise, AddNoise": "behind `lengths` the waveform is left as it is, and silent noise "
    "changes nothing, where torchaudio adds noise there too and gives NaN.",
    "spectral_centroid, SpectralCentroid": "a silent frame has 0, not NaN.",
    "deemphasis": "the result is not cut to [-1, 1].",
    "dither": "noise is drawn for every sample; torchaudio adds one number to all of them, or a "
    "triangle over time, which is no dither.",
    "detect_pitch_frequency": "of equally good periods the shortest is taken, where torchaudio "
    "leaves it to rounding.",
    "resample, Resample": "the method `high_quality` is none of torchaudio's: flat to 0.01 dB "
    "where its default loses 3.7 dB, aliases below -110 dB.",
    "griffinlim, GriffinLim": "measured after 2 rounds; in more, each search takes its own way "
    "from the smallest rounding. The class starts from phases of 0, so nothing is drawn.",
    "sliding_window_cmn, SlidingWindowCmn": "sums are of centred numbers, which keeps more places.",
    "MVDR": "`online=True` weights an earlier part by what its masks heard, not by 1.",
    "pitch_shift, PitchShift": "one step in place of slowing down and resampling, with onsets and "
    "loudness kept. Not equal number by number; tests hold pitch, level and time of tones.",
    "Loudness": "measures by the standard, as `loudness_r128` does, at any rate. torchaudio's "
    "filters are only near it; its numbers are those of the function `loudness`.",
    "LogMel, KaldiFbank, WhisperLogMel": "frames first, and the same alone and in a batch.",
    "FrequencyMasking, TimeMasking, SpecAugment": "a draw per sample. `mask_along_axis` and "
    "`mask_along_axis_iid` are torchaudio's number by number.",
    "kaldi_fbank, kaldi_mfcc, kaldi_spectrogram": "no dither unless asked for.",
}
LEFT_OUT: dict[tuple[str, ...], str] = {
    ("PitchShift", "pitch_shift", "RandomPitch"): "a method of its own, see above",
    ("dither",): "drawn; tests hold the error's mean, variance and independence",
    ("loudness_r128", "NormalizeLoudness"): "held to the cases of EBU Tech 3341",
    ("true_peak",): "held to tones whose peak lies between samples",
    ("apply_codec", "RandomCodec"): "the encoders are libsndfile's; tests hold length and time",
    ("simulate_rir_ism",): "held to images by hand and to figures of pyroomacoustics",
    ("RandomRoomResponse",): "`simulate_rir_ism` or given responses, then `fftconvolve`",
    ("vary_speed", "RandomSpeed", "SpeedPerturbation"): "any ratio; held to tones, below -78 dB",
    ("edit_distance", "merge_tokens", "TokenSpan", "kaldi_num_frames"): "whole numbers, equal",
    ("mask_along_axis", "mask_along_axis_iid"): "equal to torchaudio number by number",
    ("FrequencyMasking", "TimeMasking", "SpecAugment"): "a draw per sample; zeros or a value",
    ("RandomNoise",): "held to the ratio that was drawn",
    ("RandomFilter",): "held to torchaudio's biquads of the same numbers, kind by kind",
    ("RandomClip", "RandomPolarity", "RandomCrop", "CenterCrop", "Mono"): "closed forms, exact",
    ("MixUp", "SpecCutMix"): "sums and copies of the batch, held to closed forms",
    ("Standardize",): "held to scikit-learn's `StandardScaler`, 1e-10 in float64",
    ("InverseMelScale",): "of several solutions, one; as near to the bands as torchaudio's",
    ("CQT",): "held to direct sums at the full rate, 7e-4; librosa's own is up to 1.5 % off them",
    (
        "kaldi_pitch",
        "KaldiPitch",
    ): "held to tones, glides, every path and `librosa.pyin`",
    ("PCEN",): "held to `librosa.pcen`, 1e-9 in float64",
    ("ctc_greedy_decode", "ctc_beam_decode", "CTCHypothesis"): "held to trying every reading",
    ("Effects",): "a list of the functions, held to them",
    ("Compose",): "a list of the above",
}
