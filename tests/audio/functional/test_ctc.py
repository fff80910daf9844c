"""CTC decoding: by trying every path, by torch's CTC loss; with pyctcdecode where it is."""

from __future__ import annotations

import itertools
import math
import sys
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.audio_batches import DEVICES

from domainkit.audio import functional as F
from domainkit.audio.functional import _language_model
from domainkit.errors import MissingExtraError, TransformError


def emissions(*shape: int, seed: int = 0, sharp: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (sharp * torch.randn(*shape, generator=generator, dtype=torch.float64)).log_softmax(-1)


def collapsed(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    return tuple(token for token, _ in itertools.groupby(path) if token != blank)


def everything(log_probs: torch.Tensor, blank: int) -> list[tuple[tuple[int, ...], float]]:
    """All sequences of [T, V] with their log-probabilities, best first."""
    sums: dict[tuple[int, ...], float] = defaultdict(float)
    rows = log_probs.exp().tolist()
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(rows)):
        likely = math.prod(row[v] for row, v in zip(rows, path, strict=True))
        sums[collapsed(path, blank)] += likely
    return sorted(((s, math.log(p)) for s, p in sums.items() if p), key=lambda found: -found[1])


# -- the best path -----------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("device", DEVICES)
def test_greedy_is_the_collapsed_argmax(blank, device):
    log_probs, lengths = emissions(4, 50, 5), [50, 31, 1, 0]
    found = F.ctc_greedy_decode(log_probs.to(device), torch.tensor(lengths).to(device), blank)
    for row, end, one in zip(log_probs, lengths, found, strict=True):
        path = row[:end].argmax(-1).tolist()
        assert one.tokens == collapsed(tuple(path), blank) == tuple(s.token for s in one.spans)
        assert one.score == pytest.approx(row[:end].amax(-1).sum().item())
        for span in one.spans:
            assert path[span.start : span.end] == [span.token] * len(span)
            best = row[span.start : span.end, span.token]
            assert span.score == pytest.approx(best.mean().item())
        covered = {t for span in one.spans for t in range(span.start, span.end)}
        assert covered == {t for t, v in enumerate(path) if v != blank}


# -- prefixes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [0, 1, 2])
@pytest.mark.parametrize("sharp", [0.3, 1.0, 4.0])
def test_a_wide_beam_is_exact(blank, sharp):
    for seed in range(6):
        log_probs = emissions(1, 6, 3, seed=seed, sharp=sharp)
        truth = everything(log_probs[0], blank)
        found = F.ctc_beam_decode(log_probs, beam_width=200, blank=blank, n_best=200)[0]
        assert [one.tokens for one in found] == [tokens for tokens, _ in truth]
        scores = [score for _, score in truth]
        np.testing.assert_allclose([one.score for one in found], scores, rtol=1e-10, atol=1e-10)
        assert sum(math.exp(one.score) for one in found) == pytest.approx(1, abs=1e-12)


def test_what_has_no_probability_is_no_hypothesis():
    log_probs = emissions(1, 5, 4)
    log_probs[0, 2, 1:] = -torch.inf  # a certain blank
    log_probs[0, :, 3] = -torch.inf
    truth = everything(log_probs[0], 0)
    found = F.ctc_beam_decode(log_probs, beam_width=500, n_best=500)[0]
    assert [one.tokens for one in found] == [tokens for tokens, _ in truth]
    with pytest.raises(TransformError, match="no path through recording 1"):
        F.ctc_beam_decode(torch.stack([log_probs[0], torch.full_like(log_probs[0], -torch.inf)]))


def test_scores_are_those_of_torchs_loss():
    log_probs = emissions(3, 40, 6, sharp=8.0)
    lengths = torch.tensor([40, 25, 10])
    for i, found in enumerate(F.ctc_beam_decode(log_probs, lengths, beam_width=500, n_best=3)):
        assert len(found) == 3 and found == sorted(found, key=lambda one: -one.score)
        for one in found:
            loss = torch.nn.functional.ctc_loss(
                log_probs[i, : lengths[i]],
                torch.tensor(one.tokens),
                lengths[i],
                torch.tensor(len(one.tokens)),
                reduction="sum",
            )
            # a beam loses some paths, and finds no others
            assert -loss.item() - 1e-2 < one.score < -loss.item() + 1e-9


def plain_search(log_probs: torch.Tensor, width: int) -> dict[tuple[int, ...], float]:
    """Prefix beam search with a table of prefixes, as the paper has it."""
    beam = {(): (0.0, -math.inf)}
    for frame in log_probs.tolist():
        after: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [-math.inf, -math.inf])
        for prefix, (blank, token) in beam.items():
            both = np.logaddexp(blank, token)
            after[prefix][0] = np.logaddexp(after[prefix][0], both + frame[0])
            for c, score in enumerate(frame[1:], 1):
                longer = after[(*prefix, c)]
                if prefix and prefix[-1] == c:
                    longer[1] = np.logaddexp(longer[1], blank + score)
                    after[prefix][1] = np.logaddexp(after[prefix][1], token + score)
                else:
                    longer[1] = np.logaddexp(longer[1], both + score)
        ranked = sorted(after.items(), key=lambda item: -np.logaddexp(*item[1]))
        beam = {prefix: (ends[0], ends[1]) for prefix, ends in ranked[:width]}
    return {prefix: float(np.logaddexp(*ends)) for prefix, ends in beam.items()}


@pytest.mark.parametrize("width", [1, 2, 5, 20])
def test_a_narrow_beam_is_the_papers(width):
    for seed in range(8):
        log_probs = emissions(1, 30, 5, seed=seed, sharp=0.5 + seed / 4)
        found = F.ctc_beam_decode(log_probs, beam_width=width, n_best=width)[0]
        truth = plain_search(log_probs[0], width)
        assert [one.tokens for one in found] == list(truth)
        np.testing.assert_allclose([one.score for one in found], list(truth.values()), rtol=1e-10)


def test_the_beam_finds_what_the_best_path_misses():
    heard = torch.tensor([[[0.6, 0.4], [0.6, 0.4]]]).log()
    assert F.ctc_greedy_decode(heard)[0].tokens == ()
    assert F.ctc_beam_decode(heard)[0][0].tokens == (1,)


@pytest.mark.parametrize("device", DEVICES)
def test_a_recording_is_decoded_alike_alone_and_in_a_batch(device):
    log_probs, lengths = emissions(4, 30, 6), torch.tensor([30, 12, 1, 0])
    padded = log_probs.clone()
    for row, end in zip(padded, lengths.tolist(), strict=True):
        row[end:] = torch.nan
    given = (padded.to(device), lengths.to(device))
    for decode in (F.ctc_greedy_decode, F.ctc_beam_decode):
        found = decode(*given)
        for i, end in enumerate(lengths.tolist()):
            assert found[i] == decode(log_probs[i : i + 1, :end])[0]
    assert F.ctc_beam_decode(*given, n_best=5)[3] == [F.CTCHypothesis((), (), 0.0)]


def test_spans_are_those_of_the_alignment():
    log_probs = emissions(1, 40, 5, sharp=3.0)
    for one in F.ctc_beam_decode(log_probs, n_best=4)[0]:
        path, scores = F.forced_align(log_probs, torch.tensor([one.tokens]))
        assert list(one.spans) == F.merge_tokens(path[0], scores[0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_precisions(dtype):
    log_probs = emissions(2, 30, 5, sharp=3.0).to(dtype)
    assert F.ctc_beam_decode(log_probs) == F.ctc_beam_decode(log_probs.double())
    greedy, exact = F.ctc_greedy_decode(log_probs), F.ctc_greedy_decode(log_probs.double())
    assert greedy == exact


def test_empty_batches():
    assert F.ctc_greedy_decode(torch.zeros(0, 4, 3)) == []
    assert F.ctc_beam_decode(torch.zeros(0, 4, 3)) == []
    assert F.ctc_beam_decode(torch.zeros(1, 0, 3))[0][0].tokens == ()


# -- a language model --------------------------------------------------------------------------

ARPA = """\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-2.0\t<unk>\t0
-99\t<s>\t-0.3
-1.0\t</s>
-0.3\tab\t-0.3
-3.0\tba\t-0.3

\\2-grams:
-0.1\t<s> ab
-0.2\tab </s>
-0.2\tba ab

\\end\\
"""
LABELS = ["<pad>", "a", "b", "|"]


def spoken(text: str, likely: float = 0.99) -> torch.Tensor:
    """[1, 2 * len(text), 4]: each character, then a blank."""
    ids = [k for c in text for k in (" ab ".index(c, 1), 0)]
    heard = torch.full((1, len(ids), 4), (1 - likely) / 3)
    heard[0, range(len(ids)), ids] = likely
    return heard.log()


def test_a_language_model_decides(tmp_path):
    pytest.importorskip("pyctcdecode")
    pytest.importorskip("kenlm")
    (tmp_path / "words.arpa").write_text(ARPA)
    log_probs = spoken("ab ba")
    log_probs[0, 6] = torch.tensor([0.003, 0.440, 0.555, 0.002]).log()  # the second word is mumbled
    log_probs[0, 8] = torch.tensor([0.003, 0.555, 0.440, 0.002]).log()
    assert F.ctc_beam_decode(log_probs)[0][0].tokens == (1, 2, 3, 2, 1)
    how = {"language_model": tmp_path / "words.arpa", "labels": LABELS, "beta": 0.0}
    found = F.ctc_beam_decode(log_probs, n_best=2, **how)[0]
    assert found[0].text == "ab ab" and found[1].text == "ab ba"
    assert found[0].tokens == (1, 2, 3, 1, 2)
    assert [span.token for span in found[0].spans] == [1, 2, 3, 1, 2]
    assert found == sorted(found, key=lambda one: -one.score)
    clear = F.ctc_beam_decode(spoken("ab ba", 0.999), **how)[0][0]
    assert clear.text == "ab ba"
    assert [(s.token, s.start, s.end) for s in clear.spans] == [
        *((1, 0, 1), (2, 2, 3), (3, 4, 5), (2, 6, 7), (1, 8, 9)),
    ]
    short = F.ctc_beam_decode(log_probs, torch.tensor([0]), **how)[0]
    assert [one.text for one in short] == [""]
    with pytest.raises(TransformError, match="a file that KenLM reads"):
        F.ctc_beam_decode(log_probs, **{**how, "language_model": tmp_path / "none.arpa"})


def test_what_is_given_to_pyctcdecode(monkeypatch):
    """Without the library: a stand-in that knows its calls."""
    asked = []

    def build(labels, path, **how):
        asked.append((labels, path, how))
        beams = [("ab a", None, [], -1.0, -2.0), ("b", None, [], -1.5, -3.0)]
        return SimpleNamespace(decode_beams=lambda x, beam_width: beams[:beam_width])

    stand_in = SimpleNamespace(build_ctcdecoder=build)
    monkeypatch.setitem(sys.modules, "pyctcdecode", stand_in)
    monkeypatch.setitem(sys.modules, "kenlm", SimpleNamespace())
    _language_model._decoder.cache_clear()
    how = {"language_model": "x.bin", "labels": LABELS, "alpha": 0.3, "beta": 1}
    found = F.ctc_beam_decode(spoken("ab a").expand(2, -1, -1), n_best=2, **how)
    _language_model._decoder.cache_clear()
    assert asked == [(["", "a", "b", " "], "x.bin", {"alpha": 0.3, "beta": 1.0})]  # read once
    assert [(one.text, one.score) for one in found[1]] == [("ab a", -2.0), ("b", -3.0)]
    assert found[0][0].tokens == (1, 2, 3, 1) and found[0][0].spans[3].start == 6


def test_a_missing_library_names_the_extra(monkeypatch):
    _language_model._decoder.cache_clear()
    for name in ("pyctcdecode", "kenlm"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, None)
            with pytest.raises(MissingExtraError, match=r"domainkit\[ctc\]"):
                F.ctc_beam_decode(spoken("ab"), language_model="x.arpa", labels=LABELS)


# -- wrong use ---------------------------------------------------------------------------------

GOOD = emissions(2, 6, 4)
NAN = GOOD.clone()
NAN[1, 3, 2] = torch.nan


@pytest.mark.parametrize("decode", [F.ctc_greedy_decode, F.ctc_beam_decode])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"log_probs": GOOD[0]}, r"log_probs \[B, T, V\], got \(6, 4\): a single recording"),
        ({"log_probs": GOOD.int()}, "got int32"),
        ({"log_probs": [1.0]}, "got list"),
        ({"log_probs": NAN}, "recording 1 hold NaN or inf in frame 3"),
        ({"log_probs": GOOD + torch.inf}, "recording 0 hold NaN or inf in frame 0"),
        ({"blank": 4}, r"blank is a token in \[0, 4\), got 4"),
        ({"blank": -1}, "got -1"),
        ({"lengths": torch.tensor([6])}, r"lengths \[2\] are whole numbers in \[0, 6\], got \[6\]"),
        ({"lengths": torch.tensor([6, 7])}, r"got \[6, 7\]"),
        ({"lengths": torch.tensor([0.5, 1.0])}, r"got \[0.5, 1.0\]"),
    ],
)
def test_wrong_use_says_what_is_wanted(decode, change, told):
    with pytest.raises(TransformError, match=f"{decode.__name__}.*{told}"):
        decode(**{"log_probs": GOOD, **change})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"beam_width": 0}, "beam_width is a whole number >= 1, got 0"),
        ({"n_best": 1.5}, "n_best is a whole number >= 1, got 1.5"),
        ({"n_best": 11}, "n_best is at most beam_width 10, got 11"),
        ({"labels": LABELS}, "language_model and labels together"),
        ({"language_model": "x.arpa"}, "language_model and labels together"),
        ({"language_model": "x", "labels": LABELS[:3]}, "labels are 4 different characters.*got 3"),
        ({"language_model": "x", "labels": ["", "a", "bc", " "]}, "among them 'bc'"),
        ({"language_model": "x", "labels": ["", "a", "a", " "]}, "4 different characters"),
    ],
)
def test_wrong_use_of_the_beam(change, told):
    with pytest.raises(TransformError, match=told):
        F.ctc_beam_decode(GOOD, **change)
