"""How fast a GPU works on tokens: domainkit's transforms and encoder beside padded Hugging Face.

Run: ``python tests/benchmarks/text_gpu.py`` on a machine with CUDA (``--rows``, ``--rounds``);
without CUDA it says so and ends with exit code 2. It needs torch and numpy; ``transformers`` takes
part where it can be imported.

A row's peers take turns; a time is the median over the rounds, by CUDA events. Before a row of
transforms is measured, its result is held to that of the CPU with the same draws, bit for bit; the
encoder's states are held to the padded form to 2e-2 in bfloat16. A row that differs ends with
"WRONG", and the run with exit code 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from domainkit.draws import Draws  # noqa: E402
from domainkit.ragged import Ragged  # noqa: E402
from domainkit.text import transforms as T  # noqa: E402
from domainkit.text.models import Encoder, EncoderConfig  # noqa: E402

Job = Callable[[], Any]

CHAINS = {
    "cut, special tokens, pad": [T.Truncate(254), T.AddSpecialTokens((1,), (2,)), T.Pad(0)],
    "the same with masking": [
        *(T.Truncate(254), T.AddSpecialTokens((1,), (2,))),
        *(T.MaskTokens(4, 30000, special_ids=(0, 1, 2, 3)), T.Pad(0)),
    ],
    "span corruption": [T.SpanCorruption(29999), T.Pad(0)],
    "next token, best-fit packing": [T.NextToken(), T.Pack(2048)],
}


def batch(rows: int) -> Ragged:
    lengths = np.random.default_rng(0).integers(10, 400, rows)
    ids = torch.randint(5, 29000, (int(lengths.sum()),), generator=torch.Generator().manual_seed(0))
    return Ragged.from_shapes(ids, lengths)


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    def flat(x: Any) -> torch.Tensor:
        return (x.values if isinstance(x, Ragged) else x).cpu()

    return a.keys() == b.keys() and all(torch.equal(flat(a[k]), flat(b[k])) for k in a)


def milliseconds(job: Job) -> float:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    job()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end)


def compare(jobs: dict[str, Job], rounds: int, tokens: int) -> None:
    for job in jobs.values():
        job()
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            times[name].append(milliseconds(job))
    for name, spent in times.items():
        middle = statistics.median(spent)
        print(f"    {name:28} {middle:9.3f} ms  {tokens / middle / 1e3:9.1f} million tokens/s")


def encoder_row(rows: int, rounds: int) -> bool:
    """A MiniLM-sized encoder in bfloat16, ragged and padded; whether the two agree."""
    config = EncoderConfig(hidden_size=384, num_layers=6, num_heads=12, intermediate_size=1536)
    torch.manual_seed(0)
    model = Encoder(config).eval().to("cuda", torch.bfloat16)
    tokens = batch(rows).to("cuda")
    ids, lengths = tokens.pad()
    mask = torch.arange(ids.shape[1], device="cuda") < lengths[:, None]
    with torch.inference_mode():
        ragged, padded = model(tokens).values, model(ids, mask)[mask]
        jobs: dict[str, Job] = {
            "domainkit, ragged": lambda: model(tokens),
            "domainkit, padded": lambda: model(ids, mask),
        }
        try:
            import transformers

            sizes = transformers.BertConfig(
                hidden_size=384,
                num_hidden_layers=6,
                num_attention_heads=12,
                intermediate_size=1536,
            )
            theirs = transformers.BertModel(sizes).eval().to("cuda", torch.bfloat16)
            jobs["Hugging Face, padded"] = lambda: theirs(input_ids=ids, attention_mask=mask)
        except ImportError:
            pass
        compare(jobs, rounds, len(tokens.values))
    return bool(torch.allclose(ragged, padded, atol=2e-2, rtol=2e-2))


def main() -> int:
    """Run all rows; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1024, help="texts in a batch")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA here: nothing to measure")
        return 2
    print(torch.cuda.get_device_name())
    wrong = False
    x, draws = batch(given.rows), Draws(0, 0, torch.arange(given.rows))
    there = x.to("cuda")
    for name, steps in CHAINS.items():
        chain = T.Compose(steps)
        good = same(chain({"tokens": x}, draws), chain({"tokens": there}, draws))
        wrong |= not good
        print(f"  {name}{'' if good else ': WRONG'}")
        jobs: dict[str, Job] = {"domainkit": lambda c=chain: c({"tokens": there}, draws)}
        compare(jobs, given.rounds, len(x.values))
    print("  encoder of MiniLM's size, bfloat16")
    if not encoder_row(given.rows, given.rounds):
        print("    WRONG: ragged and padded differ")
        wrong = True
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
