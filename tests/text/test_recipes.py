"""The text recipes: they load, find their tokenizer, and give what they promise."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sentencepiece
import torch
from support.hf_models import minilm_folder
from support.server import FileServer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import domainkit as dk
from domainkit.ragged import Ragged
from domainkit.recipe import list_recipes, load_recipe
from domainkit.text.transforms import Tokenize
from domainkit.text.transforms.tokenize import _load_once

RECIPES = ["text/sentiment-sentences-eval-1", "text/sentiment-sentences-train-1"]


PUBLISHED = [
    "text/bert-base-uncased-1",
    "text/clm-pack-2048-1",
    "text/mlm-1",
    "text/roberta-base-1",
    "text/t5-small-1",
]


def test_all_are_here() -> None:
    assert list_recipes("text") == sorted(RECIPES + PUBLISHED)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The publishers' files: BERT's own vocabulary, and small stand-ins of the others' kinds."""
    texts = list(dk.load_dataset("text/sentiment-sentences", "train")["text"])
    top = tmp_path / "mirror/huggingface.co"

    def place(owner: str) -> Path:
        folder = top / owner / "resolve/main"
        folder.mkdir(parents=True)
        return folder

    shutil.copy(minilm_folder() / "tokenizer.json", place("google-bert/bert-base-uncased"))
    for owner, special in (
        ("openai-community/gpt2", ["<|endoftext|>"]),
        ("FacebookAI/roberta-base", ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]),
    ):
        library = Tokenizer(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=900,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        library.train_from_iterator(texts, trainer)
        if len(special) > 1:
            library.post_processor = processors.RobertaProcessing(
                ("</s>", library.token_to_id("</s>")), ("<s>", library.token_to_id("<s>"))
            )
        library.save(str(place(owner) / "tokenizer.json"))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=str(place("google-t5/t5-small") / "spiece"),
        vocab_size=500,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    _load_once.cache_clear()
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "home"))
    with FileServer(tmp_path / "mirror") as server:
        monkeypatch.setenv("DOMAINKIT_MIRROR", server.url)
        yield top
    _load_once.cache_clear()


def test_published_recipes_give_hugging_faces_batches(files: Path) -> None:
    import transformers

    texts = list(dk.load_dataset("text/sentiment-sentences", "test[:100]")["text"])
    bert, roberta = (
        transformers.PreTrainedTokenizerFast(
            tokenizer_file=str(files / owner / "resolve/main/tokenizer.json"), pad_token=pad
        )
        for owner, pad in (
            ("google-bert/bert-base-uncased", "[PAD]"),
            ("FacebookAI/roberta-base", "<pad>"),
        )
    )
    for name, library in (("bert-base-uncased", bert), ("roberta-base", roberta)):
        batch = load_recipe(f"text/{name}-1")({"text": texts})
        theirs = library(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")
        assert torch.equal(batch["tokens"], theirs["input_ids"])
        assert torch.equal(batch["attention_mask"].long(), theirs["attention_mask"])
    model = sentencepiece.SentencePieceProcessor(
        model_file=str(files / "google-t5/t5-small/resolve/main/spiece.model")
    )
    batch = load_recipe("text/t5-small-1")({"text": texts})
    for i, ids in enumerate(model.encode(texts)):
        assert batch["tokens"][i][batch["attention_mask"][i]].tolist() == [*ids, 1]


def test_masked_and_causal_language_modelling(files: Path) -> None:
    rows = dk.load_dataset("text/sentiment-sentences", "test[:200]")
    plain = load_recipe("text/bert-base-uncased-1")
    for batch in dk.Loader(rows, 50, transform="text/mlm-1", shuffle=True):
        true = plain({"text": batch["text"]})
        chosen = batch["labels"] != -100
        assert torch.equal(batch["labels"][chosen], true["tokens"][chosen])
        assert torch.equal(batch["tokens"][~chosen], true["tokens"][~chosen])
        assert 0.1 < float(chosen.sum() / batch["attention_mask"].sum()) < 0.2
    library = Tokenizer.from_file(str(files / "openai-community/gpt2/resolve/main/tokenizer.json"))
    for batch in dk.Loader(rows, 200, transform="text/clm-pack-2048-1"):
        assert batch["tokens"].shape[1] == 2048
        for i, text in enumerate(batch["text"]):
            own = batch["document_ids"] == i
            ids = [*library.encode(text).ids, 50256]
            assert batch["tokens"][own].tolist() == ids
            assert batch["labels"][own].tolist() == [*ids[1:], -100]
        # as few rows as so many tokens need
        assert len(batch["tokens"]) == -(-int(batch["attention_mask"].sum()) // 2048)


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
