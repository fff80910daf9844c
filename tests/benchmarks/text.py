"""How fast texts are worked on: domainkit beside what people use today.

Run: ``python tests/benchmarks/text.py`` (``--row pad`` for one row, ``--threads 1 2``). Peers that
are not installed are left out.

All peers work in one process and take turns, round by round, as the speed of a machine changes from
minute to minute. A turn is as many calls as fill 20 ms, so that short ones find their data in the
cache as in a loop of their own; behind another's turn a single call of them takes up to six times
as long. A share is the median over the rounds of domainkit's time by a peer's in the same round:
below 1, domainkit is quicker. Rows about tokens also give millions of tokens in a second: the
median, and the best round's.

The aims, with one thread: strings to ragged ids at least as fast as a backend's best form of
output; cut, special tokens and pad at least 800 million tokens in a second, with masking 200;
best-fit packing 100; an encoder on texts of mixed lengths at most a third of the time of Hugging
Face's, padded.
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
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import torch  # noqa: E402

import domainkit as dk  # noqa: E402
from domainkit.draws import Draws  # noqa: E402
from domainkit.ragged import Ragged  # noqa: E402
from domainkit.text import Tokenizer  # noqa: E402
from domainkit.text import transforms as T  # noqa: E402

Jobs = dict[str, Callable[[], Any]]
SPECIAL = (0, 1, 2, 3)


def reviews() -> list[str]:
    return list(dk.load_dataset("text/sentiment-sentences", "train")["text"])


def batch(rows: int, seed: int = 0) -> Ragged:
    """Tokens of texts from 10 to 400 tokens long."""
    lengths = np.random.default_rng(seed).integers(10, 400, rows)
    ids = torch.randint(5, 30000, (int(lengths.sum()),), generator=torch.Generator().manual_seed(0))
    return Ragged.from_shapes(ids, lengths)


def against_reference(mine: Tokenizer, texts: list[str]) -> Jobs:
    """A tokenizer, its backend by itself, and ``tokenizers``."""
    library = Tokenizer.from_json(mine.to_json(), backend="tokenizers")._library
    mine.encode(texts)
    jobs: Jobs = {f"domainkit ({mine.backend})": lambda: mine.encode(texts)}
    raw = getattr(mine._router.engine(), "_tokenizer", None)
    if mine.backend == "gigatoken":
        jobs["gigatoken, ragged"] = lambda: raw.encode_batch(texts)
    jobs["tokenizers, lists"] = lambda: [e.ids for e in library.encode_batch_fast(texts)]
    return jobs


def tokenize(kind: str) -> Jobs:
    texts = reviews()
    return against_reference(Tokenizer.train(texts, kind=kind, vocab_size=4000), texts)


def sentencepiece() -> Jobs:
    """Strings to ids by a SentencePiece model (unigram)."""
    import tempfile

    try:
        import sentencepiece as library
    except ImportError:
        return {}
    texts = reviews()
    with tempfile.TemporaryDirectory() as folder:
        library.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_prefix=f"{folder}/m", vocab_size=3000,
            minloglevel=2,
        )  # fmt: skip
        mine = Tokenizer.from_file(f"{folder}/m.model")
        raw = library.SentencePieceProcessor(model_file=f"{folder}/m.model")
    jobs = against_reference(mine, texts)
    jobs["sentencepiece, lists"] = lambda: raw.encode(texts)
    return jobs


def wordpiece() -> Jobs:
    """Strings to ids, WordPiece: 2,417 sentences."""
    return tokenize("wordpiece")


def byte_bpe() -> Jobs:
    """Strings to ids, byte pairs."""
    return tokenize("byte-bpe")


def unigram() -> Jobs:
    """Strings to ids, unigram."""
    return tokenize("unigram")


def features(x: Ragged) -> list[dict[str, list[int]]]:
    """What collators of ``transformers`` take: lists, with room cut and special tokens in."""
    return [{"input_ids": [1, *row.tolist()[:254], 2]} for row in x]


def hf_tokenizer() -> Any:
    from tokenizers import Tokenizer as Library
    from tokenizers import models
    from transformers import PreTrainedTokenizerFast

    vocab = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "[MASK]": 4}
    vocab |= {f"t{i}": i for i in range(5, 30000)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Library(models.WordLevel(vocab, "[UNK]")),
        pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]",
        mask_token="[MASK]",
    )  # fmt: skip


def pad() -> Jobs:
    """Cut to 254, [CLS] and [SEP], pad, of 1,024 texts of 10 to 400 tokens."""
    x = batch(1024)
    chain = T.Compose([T.Truncate(254), T.AddSpecialTokens((1,), (2,)), T.Pad(0)])
    jobs: Jobs = {"domainkit": lambda: chain({"tokens": x})}
    try:
        from transformers import DataCollatorWithPadding
    except ImportError:
        return jobs
    theirs = DataCollatorWithPadding(hf_tokenizer())
    lists = [row.tolist() for row in x]
    jobs["transformers' collator"] = lambda: theirs(
        [{"input_ids": [1, *row[:254], 2]} for row in lists]
    )
    return jobs


def mlm() -> Jobs:
    """The same with BERT's masking."""
    x, draws = batch(1024), Draws(0, 0, torch.arange(1024))
    mask = T.MaskTokens(4, 30000, special_ids=SPECIAL)
    chain = T.Compose([T.Truncate(254), T.AddSpecialTokens((1,), (2,)), mask, T.Pad(0)])
    jobs: Jobs = {"domainkit": lambda: chain({"tokens": x}, draws)}
    try:
        from transformers import DataCollatorForLanguageModeling
    except ImportError:
        return jobs
    theirs = DataCollatorForLanguageModeling(hf_tokenizer())
    lists = features(x)
    jobs["transformers' collator"] = lambda: theirs(lists)
    return jobs


def packing() -> Jobs:
    """Best fit of 4,096 texts into rows of 2048, with positions and documents."""
    x = batch(4096)
    mine = T.Pack(2048)
    jobs: Jobs = {"domainkit": lambda: mine({"tokens": x})}
    try:
        from transformers import DataCollatorWithFlattening
    except ImportError:
        return jobs
    lists = [{"input_ids": row.tolist()} for row in x]
    theirs = DataCollatorWithFlattening(return_position_ids=True)
    jobs["transformers' flattening (one row, no fit)"] = lambda: theirs(lists)
    return jobs


def encoder() -> Jobs:
    """all-MiniLM-L6-v2, real weights: 64 texts of mixed lengths, most of them short."""
    from support.hf_models import minilm_folder

    from domainkit.text.models import load_pretrained

    mine = load_pretrained(minilm_folder())
    texts, rng = reviews(), np.random.default_rng(0)
    sizes = rng.choice([1, 1, 1, 2, 3, 6, 12], 64)
    mixed = [" ".join(rng.choice(texts, n)) for n in sizes]
    tokens = mine.recipe({"text": mixed})["tokens"]
    ids, lengths = tokens.pad()
    mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
    share = float(lengths.sum()) / ids.numel()
    print(f"    {len(tokens.values)} tokens, {100 * share:.0f} % of the padded batch")

    def ours() -> Any:
        with torch.inference_mode():
            return mine(tokens)

    jobs: Jobs = {"domainkit": ours}
    try:
        from sentence_transformers import SentenceTransformer
        from transformers import AutoModel
    except ImportError:
        return jobs
    plain = AutoModel.from_pretrained(minilm_folder()).eval()
    sentences = SentenceTransformer(str(minilm_folder()), device="cpu")

    def padded() -> Any:
        with torch.inference_mode():
            return plain(input_ids=ids, attention_mask=mask)

    jobs["Hugging Face, padded"] = padded
    jobs["domainkit, strings to vectors"] = lambda: mine.encode(mixed, batch_size=32)
    jobs["sentence-transformers, strings to vectors"] = lambda: sentences.encode(
        mixed, show_progress_bar=False
    )
    return jobs


ROWS: dict[str, Callable[[], Jobs]] = {
    row.__name__: row
    for row in (wordpiece, byte_bpe, unigram, sentencepiece, pad, mlm, packing, encoder)
}
TOKENS = {"pad": 1024, "mlm": 1024, "packing": 4096}  # texts


def turn(job: Callable[[], Any]) -> float:
    """Seconds of one call, of as many as fill 20 ms."""
    begin, calls = time.perf_counter(), 0
    while (spent := time.perf_counter() - begin) < 0.02 or not calls:
        job()
        calls += 1
    return spent / calls


def compare(name: str, jobs: Jobs, rounds: int) -> None:
    """Let the jobs take turns and print the shares of domainkit's time."""
    times: dict[str, list[float]] = {peer: [] for peer in jobs}
    for job in jobs.values():
        job()
    for _ in range(rounds):
        for peer, job in jobs.items():
            times[peer].append(turn(job))
    mine = times[next(iter(jobs))]
    for peer, spent in times.items():
        share = statistics.median(a / b for a, b in zip(mine, spent, strict=True))
        rate = ""
        if name in TOKENS:
            count = len(batch(TOKENS[name]).values)
            middle, best = (count / f(spent) / 1e6 for f in (statistics.median, min))
            rate = f"  {middle:.0f} (best {best:.0f}) million tokens/s"
        print(f"    {peer:45} {1e3 * statistics.median(spent):9.2f} ms  share {share:6.3f}{rate}")


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
            compare(row, ROWS[row](), given.rounds)


if __name__ == "__main__":
    main()
