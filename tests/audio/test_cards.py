"""The published audio cards, against the facts in torchaudio's own source."""

from __future__ import annotations

import importlib

from support.peers import torchaudio_or_skip

from domainkit.cards import load_card


def test_urls_and_digests_are_torchaudios() -> None:
    torchaudio_or_skip()
    modules = {
        name: importlib.import_module(f"torchaudio.datasets.{name}")
        for name in ("speechcommands", "yesno", "ljspeech")
    }
    theirs = {
        "audio/yesno": modules["yesno"]._RELEASE_CONFIGS["release1"],
        "audio/ljspeech": modules["ljspeech"]._RELEASE_CONFIGS["release1"],
    }
    for url, checksum in modules["speechcommands"]._CHECKSUMS.items():
        if "v0.02" in url:
            theirs["audio/speech-commands"] = {"url": url, "checksum": checksum}
    assert len(theirs) == 3
    for name, facts in theirs.items():
        file = load_card(name).files["archive"]
        assert file.urls == (facts["url"],)
        assert file.digest == f"sha256:{facts['checksum']}"


def test_speech_commands_has_35_words_and_every_recording_in_one_split() -> None:
    # 105,829 recordings of 35 words: P. Warden, arXiv:1804.03209, section 5
    card = load_card("audio/speech-commands")
    names = card.features["label"]["names"]
    assert len(names) == len(set(names)) == 35 and names == sorted(names)
    assert sum(split.rows or 0 for split in card.splits.values()) == 105829
