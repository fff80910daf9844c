"""Metrics against the libraries called directly, definitions in plain Python, and cross_entropy."""

from __future__ import annotations

import builtins
import math
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer
from sacrebleu import corpus_bleu, corpus_chrf
from sacrebleu.metrics import BLEU

from domainkit.errors import DomainkitError, MissingExtraError, TransformError
from domainkit.ragged import Ragged
from domainkit.text.metrics import Perplexity, bleu, chrf, perplexity, rouge

HYPS = ["The cat sat on the mat.", "It's raining, isn't it?", "Hello world"]
FIRST = ["The cat sat on a mat.", "It is raining, isn't it?", "Hello, world!"]
SECOND = ["A cat was sitting on the mat.", "It rains, doesn't it?", "Hi world"]


def test_bleu_and_chrf_are_sacrebleus():
    assert bleu(HYPS, FIRST).score == corpus_bleu(HYPS, [FIRST]).score > 10
    both = bleu(HYPS, list(zip(FIRST, SECOND, strict=True)))
    assert both.score == float(both) == corpus_bleu(HYPS, [FIRST, SECOND]).score
    assert both.signature.startswith("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert repr(both) == f"Score({both.score:.2f}, {both.signature!r})"
    assert len(both.details.precisions) == 4
    small = bleu(HYPS, FIRST, lowercase=True, tokenize="char", max_order=3)
    direct = BLEU(lowercase=True, tokenize="char", max_ngram_order=3).corpus_score(HYPS, [FIRST])
    assert small.score == direct.score and "tok:char" in small.signature
    assert chrf(HYPS, FIRST).score == corpus_chrf(HYPS, [FIRST]).score
    plus = chrf(HYPS, FIRST, word_order=2, beta=1, lowercase=True)
    lower = [[text.lower() for text in texts] for texts in (HYPS, FIRST)]
    assert plus.score == corpus_chrf(lower[0], [lower[1]], word_order=2, beta=1).score
    assert "nw:2" in plus.signature and "case:lc" in plus.signature


def test_texts_may_have_different_numbers_of_references():
    mixed = [[FIRST[0], SECOND[0]], FIRST[1], [FIRST[2]]]
    found = bleu(HYPS, mixed)
    assert found.score == corpus_bleu(HYPS, [FIRST, [SECOND[0], None, None]]).score
    assert "nrefs:var" in found.signature


def plain_bleu(hypotheses, references):
    """Papineni's definition over tokens, as torchtext's bleu_score had it, times 100."""
    matches, totals, length, closest = [0] * 4, [0] * 4, 0, 0
    for text, several in zip(hypotheses, references, strict=True):
        length += len(text)
        closest += min((abs(len(r) - len(text)), len(r)) for r in several)[1]
        for n in range(4):
            grams = Counter(tuple(text[i : i + n + 1]) for i in range(len(text) - n))
            most = Counter()
            for one in several:
                most |= Counter(tuple(one[i : i + n + 1]) for i in range(len(one) - n))
            matches[n] += (grams & most).total()
            totals[n] += grams.total()
    if min(matches) == 0:
        return 0.0
    mean = sum(math.log(m / t) for m, t in zip(matches, totals, strict=True)) / 4
    return 100 * math.exp(mean + min(0.0, 1 - closest / length))


TOKENS = st.lists(st.sampled_from("abc"), min_size=1, max_size=9)


@given(pairs=st.lists(st.tuples(TOKENS, st.lists(TOKENS, min_size=1, max_size=2)), min_size=1))
def test_bleu_of_tokens_is_the_definition(pairs):
    hypotheses, references = [p[0] for p in pairs], [p[1] for p in pairs]
    found = bleu(
        [" ".join(text) for text in hypotheses],
        [[" ".join(one) for one in several] for several in references],
        tokenize="none",
        smooth="none",
    )
    assert found.score == pytest.approx(plain_bleu(hypotheses, references), abs=1e-9)


def test_rouge_is_the_mean_of_rouge_scores_f():
    kinds = ["rouge1", "rouge2", "rougeL"]
    scorer = rouge_scorer.RougeScorer(kinds, use_stemmer=True)
    pairs = list(zip(HYPS, FIRST, strict=True))
    for kind, mean in rouge(HYPS, FIRST, stem=True).items():
        each = [scorer.score(target, text)[kind].fmeasure for text, target in pairs]
        assert mean == pytest.approx(sum(each) / 3)
    assert list(rouge(HYPS, FIRST)) == kinds
    # of 6 and 6 words five are in common, four of five pairs: F = 5/6 and 3/5
    known = rouge(["a b c d e f"], ["a b c x e f"], kinds=["rouge1", "rouge2", "rougeL"])
    assert known == pytest.approx({"rouge1": 5 / 6, "rouge2": 3 / 5, "rougeL": 5 / 6})


def test_of_several_references_the_best_counts():
    assert rouge(["a b"], [["x y", "a b"]], kinds=["rouge2"]) == {"rouge2": 1.0}


def test_rouge_of_other_scripts_needs_a_tokenizer():
    assert rouge(["東京 都"], ["東京 都"], kinds=["rouge1"]) == {"rouge1": 0.0}
    assert rouge(["東京 都"], ["東京 都"], kinds=["rouge1"], tokenize=str.split) == {"rouge1": 1.0}


# -- perplexity ----------------------------------------------------------------------------------


def test_perplexity_is_exp_of_cross_entropy():
    logits, labels = torch.randn(4, 7, 11), torch.randint(0, 11, (4, 7))
    labels[0, 3:] = labels[2] = -100
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()).exp()
    assert perplexity(logits, labels) == pytest.approx(expected.item(), rel=1e-6)
    assert perplexity(logits, labels.int()) == perplexity(logits, labels)
    other = perplexity(logits, labels.where(labels >= 0, 5), ignore_index=5)
    kept = (labels >= 0) & (labels != 5)
    expected = torch.nn.functional.cross_entropy(logits[kept], labels[kept]).exp()
    assert other == pytest.approx(expected.item(), rel=1e-6)


@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=6), cut=st.integers(0, 6))
def test_batches_ragged_or_padded_count_each_token_once(lengths, cut):
    torch.manual_seed(0)
    lengths[0] += 1
    logits = [torch.randn(n, 9) for n in lengths]
    labels = [torch.randint(0, 9, (n,)) for n in lengths]
    expected = torch.nn.functional.cross_entropy(torch.cat(logits), torch.cat(labels)).exp().item()
    ragged = Ragged.from_list(logits, inner=1), Ragged.from_list(labels)
    assert perplexity(*ragged) == pytest.approx(expected, rel=1e-5)
    padded = ragged[0].pad()[0], ragged[1].pad(-100)[0]
    assert perplexity(*padded) == pytest.approx(expected, rel=1e-5)
    first, second = Perplexity(), Perplexity()
    first.update(ragged[0][:cut], ragged[1][:cut])
    second.update(ragged[0][cut:], ragged[1][cut:])
    first.merge(second)
    first.merge(Perplexity())
    assert first.tokens == sum(lengths) and first.compute() == pytest.approx(expected, rel=1e-5)
    fresh = Perplexity()
    fresh.merge(first)
    assert fresh.compute() == first.compute()


def test_large_batches_go_in_parts(monkeypatch):
    logits, labels = torch.randn(50, 8), torch.randint(0, 8, (50,))
    whole = perplexity(logits, labels)
    monkeypatch.setattr("domainkit.text.metrics.likelihood._AT_ONCE", 24)
    assert perplexity(logits, labels) == pytest.approx(whole)


def test_half_precision_is_summed_in_full():
    logits = torch.zeros(3000, 4, dtype=torch.bfloat16)
    assert perplexity(logits, torch.zeros(3000, dtype=torch.int64)) == pytest.approx(4, rel=1e-6)


def test_a_token_without_a_chance_is_infinite():
    logits = torch.tensor([[0.0, -math.inf]])
    assert perplexity(logits, torch.tensor([1])) == math.inf
    assert perplexity(torch.tensor([[0.0, -900.0]]), torch.tensor([1])) == math.inf


def test_no_gradient_is_kept():
    metric = Perplexity()
    metric.update(torch.zeros(2, 3, requires_grad=True), torch.zeros(2, dtype=torch.int64))
    assert not metric._loss.requires_grad


# -- wrong use -----------------------------------------------------------------------------------

ONES = torch.ones(2, 3)
BAD = {
    "str": (lambda: bleu("a", ["a"]), "lists of texts"),
    "str for references": (lambda: rouge(["a"], "a"), "lists of texts"),
    "none": (lambda: bleu([], []), "at least"),
    "counts": (lambda: chrf(["a"], ["a", "b"]), "1 hypotheses and 2 references"),
    "no references": (lambda: bleu(["a"], [[]]), "text 0 is or has no references"),
    "tokens": (lambda: bleu([["a"]], [["a"]]), "text 0 is or has list"),
    "tokens for references": (lambda: bleu(["a"], [[["a"]]]), "join tokens"),
    "tokenizer": (lambda: bleu(["a"], ["a"], tokenize="xyz"), "does not know"),
    "smoothing": (lambda: bleu(["a"], ["a"], smooth="xyz"), "does not know"),
    "orders": (lambda: chrf(["a"], ["a"], char_order=0), "char_order"),
    "kind": (lambda: rouge(["a"], ["a"], kinds=["rougeX"]), "does not know"),
    "one kind": (lambda: rouge(["a"], ["a"], kinds="rouge1"), "list of kinds"),
    "shapes": (lambda: perplexity(ONES, torch.ones(3, dtype=torch.int64)), r"\[2, 3\] and \[3\]"),
    "labels": (lambda: perplexity(ONES, torch.ones(2)), "int64 labels, got torch.float32"),
    "logits": (lambda: perplexity(ONES.int(), torch.ones(2).int()), "floating point"),
    "mixed": (lambda: perplexity(ONES, Ragged.from_list([torch.ones(2).int()])), "Ragged"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_use_is_explained(name):
    use, says = BAD[name]
    with pytest.raises(TransformError, match=says):
        use()


def test_lengths_must_agree():
    labels = torch.zeros(3, dtype=torch.int64)
    a = Ragged.from_shapes(torch.zeros(3, 4), [1, 2])
    with pytest.raises(TransformError, match="Ragged"):
        perplexity(a, Ragged.from_shapes(labels, [2, 1]))


def test_without_labels_there_is_no_perplexity():
    with pytest.raises(DomainkitError, match="no label"):
        Perplexity().compute()
    with pytest.raises(DomainkitError, match="no label"):
        perplexity(ONES, torch.full((2,), -100))


@pytest.mark.parametrize("use", [bleu, chrf, rouge])
def test_the_extra_is_named(use, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] in ("sacrebleu", "rouge_score"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'domainkit\[metrics\]'"):
        use(["a"], ["a"])
