"""``domainkit quickstart``: from a dataset to a trained model in each domain, with no network.

Everything it uses comes with domainkit. It is written over public functions only: what it does,
a user's script can do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domainkit.cli.options import DOMAIN_HELP, Quiet, new_app
from domainkit.cli.show import line, paint, plural, table, wrapped
from domainkit.errors import NotFoundError, nearest

if TYPE_CHECKING:
    from domainkit.dataset import Dataset
    from domainkit.model_cards import ModelCard

__all__ = ["PLANS", "Plan", "app"]

SAMPLES = 3
SEED = 0

app = new_app()


@dataclass(frozen=True)
class Plan:
    """What is shown of a domain, and how a fresh model is trained there.

    The recipes and what else ``fit`` takes are those of the model's card; these knobs are chosen
    so that all domains together take less than a minute on two cores.
    """

    dataset: str
    model: str
    epochs: int
    batch_size: int
    lr: float


PLANS = {
    "vision": Plan("vision/fashion-mnist-mini", "vision/fashion-cnn", 3, 32, 0.006),
    "audio": Plan("audio/voice-prompts", "audio/voice-prompts-cnn", 5, 32, 0.004),
    "text": Plan("text/sentiment-sentences", "text/sentiment-bag", 6, 32, 2.0),
}


@dataclass(frozen=True)
class Outcome:
    """Accuracies in [0, 1] on the test split, and the seconds that the training took."""

    model: str
    pretrained: float
    fresh: float
    seconds: float


@app.command(short_help="A model in each domain, with no network, in a minute.")
def quickstart(
    domain: Annotated[str | None, typer.Argument(metavar="DOMAIN", help=DOMAIN_HELP)] = None,
    quiet: Quiet = False,
) -> None:
    """Open a dataset, use a pretrained model and train a fresh one, in each domain.

    Needs no network and less than a minute on two cores: what it uses comes with domainkit.

    \b
    Examples:
      domainkit quickstart
      domainkit quickstart audio
    """
    if domain is not None and domain not in PLANS:
        raise NotFoundError(f"There is no domain {domain!r}. {nearest(domain, PLANS)}")
    plans = [PLANS[domain]] if domain else list(PLANS.values())
    line("loading torch")
    with _offline(), _one_thread():
        outcomes = [_run(plan) for plan in plans]
    _summary(outcomes)
    _what_next(plans[0])


def _run(plan: Plan) -> Outcome:
    from domainkit.dataset import load_dataset
    from domainkit.loader import Loader
    from domainkit.training import evaluate
    from domainkit.zoo import load_model

    train = load_dataset(plan.dataset, "train")
    test = load_dataset(plan.dataset, "test")
    line()
    line(paint(plan.dataset, "bold"))
    line(f"{plural(len(train), 'sample')} to train on, {plural(len(test), 'sample')} held out")
    _show(train)

    model = load_model(plan.model)
    held_out = Loader(test, 500, transform=model.recipe)
    pretrained = evaluate(model, held_out, field=model.card.forward)
    line(f"{plan.model}, pretrained: accuracy {pretrained:.3f} on the held-out samples")

    start = time.monotonic()
    fresh = _train(plan, model.card, train)
    seconds = time.monotonic() - start
    accuracy = evaluate(fresh, held_out, field=model.card.forward)
    told = f"{plural(plan.epochs, 'epoch')}, {seconds:.0f} s"
    line(f"{plan.model}, trained here ({told}): accuracy {accuracy:.3f}")
    return Outcome(plan.model, pretrained, accuracy, seconds)


def _show(train: Dataset) -> None:
    from domainkit.display import sample_text

    wide = max(map(len, train.columns)) + 2
    for k in range(SAMPLES):
        index = k * len(train) // SAMPLES  # neighbours are often alike
        line()
        for text in sample_text(train, index):
            if text[:1].isspace():  # a row of a picture
                line(f"  {text}")
            else:
                wrapped(f"  {text[:wide]}", text[wide:])
    line()


def _train(plan: Plan, card: ModelCard, train: Dataset) -> Any:
    import torch

    from domainkit.loader import Loader
    from domainkit.training import fit
    from domainkit.zoo import load_model

    knobs = {
        key: card.training[key]
        for key in ("optimizer", "weight_decay", "label_smoothing", "warmup")
        if key in card.training
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = load_model(plan.model, weights=None)
        loader = Loader(
            train, plan.batch_size, shuffle=True, seed=SEED, transform=card.training["recipe"]
        )
        return fit(model, loader, field=card.forward, epochs=plan.epochs, lr=plan.lr, **knobs)


def _summary(outcomes: list[Outcome]) -> None:
    line()
    line(paint("accuracy on held-out samples", "bold"))
    table(
        [
            ("", "pretrained", "trained here"),
            *((o.model, f"{o.pretrained:.3f}", f"{o.fresh:.3f}") for o in outcomes),
        ],
        right=(1, 2),
    )


def _what_next(plan: Plan) -> None:
    line()
    line(paint("what to try next", "bold"))
    line(f"  domainkit info {plan.model}")
    line("  domainkit list; domainkit download vision/fashion-mnist")
    line("  python:")
    line("    import domainkit as dk")
    line(f'    test = dk.load_dataset("{plan.dataset}", "test")')
    line(f'    dk.load_model("{plan.model}").predict(test[:3])')


@contextmanager
def _offline() -> Iterator[None]:
    """What is not here is an error, not a download."""
    before = os.environ.get("DOMAINKIT_OFFLINE")
    os.environ["DOMAINKIT_OFFLINE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["DOMAINKIT_OFFLINE"]
        else:
            os.environ["DOMAINKIT_OFFLINE"] = before


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for each tensor operation: these models are too small for more.

    The loader's threads fill the other cores. Where something else runs as well, threads that wait
    for each other within an operation spin, and made an epoch take 12 times as long.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
