"""The text recipes: they load, find their tokenizer, and give what they promise."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer

import domainkit as dk
from domainkit.ragged import Ragged
from domainkit.recipe import list_recipes, load_recipe
from domainkit.text.transforms import Tokenize

RECIPES = ["text/sentiment-sentences-eval-1", "text/sentiment-sentences-train-1"]


def test_all_are_here() -> None:
    assert list_recipes("text") == RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_gives_the_tokens_of_its_file(name: str) -> None:
    recipe = load_recipe(name)
    (step,) = [step for step in recipe if isinstance(step, Tokenize)]
    library = Tokenizer.from_file(step.tokenizer)
    texts = ["Works great!", "", "Not worth it."]
    out = recipe({"text": texts})["tokens"]
    assert isinstance(out, Ragged) and out.dtype == torch.int64
    assert [item.tolist() for item in out] == [library.encode(text).ids for text in texts]


def test_the_two_recipes_agree() -> None:
    evaluate, train = map(load_recipe, RECIPES)
    assert train == evaluate


def test_no_sentence_is_empty_and_few_pieces_are_unknown() -> None:
    rows = dk.load_dataset("text/sentiment-sentences", "test")
    batches = list(dk.Loader(rows, 200, transform=RECIPES[0]))
    ids = torch.cat([batch["tokens"].values for batch in batches])
    assert sum(len(batch["tokens"]) for batch in batches) == 583
    assert min(int(batch["tokens"].lengths.min()) for batch in batches) > 0
    assert int(ids.min()) > 0 and int(ids.max()) < 1000
    assert float((ids == 1).float().mean()) < 0.001
