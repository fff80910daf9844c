"""``domainkit profile``: what holds a training loop back, measured and told in one line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domainkit.cards import load_card
from domainkit.cli.names import find
from domainkit.cli.options import Json, Quiet, new_app
from domainkit.cli.show import document, line, paint, plural, table, wrapped
from domainkit.errors import DomainkitError, NotFoundError
from domainkit.model_cards import ModelCard

if TYPE_CHECKING:
    from domainkit.profile import Profile

__all__ = ["app"]

RATE_CELLS = 24

app = new_app()


@app.command(short_help="Tell what holds a training loop back.")
def profile(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="As `domainkit list` has it.")],
    *,
    split: Annotated[
        str | None, typer.Option(metavar="S", help='Such as "train[:10%]"; the first one if none.')
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="R", help="The loader's transform; else the model's.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="M", help="Trained meanwhile; else the loader alone.")
    ] = None,
    evaluate: Annotated[
        bool, typer.Option("--eval", help="The model's forward pass only, no training.")
    ] = False,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Else the model's own, or 64.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="The loader's; else one per CPU, 8.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(metavar="T", min=0.05, help="For each measurement.")
    ] = 3.0,
    device: Annotated[
        str | None, typer.Option(metavar="D", help="cpu, cuda, cuda:1; else cuda if it is there.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a timeline to look at.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a trace for ui.perfetto.dev.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure the loader alone, the model alone and both together, and say what to do.

    Fetches the dataset when it is not here. The model starts untrained, since its weights do not
    change its speed.

    \b
    Examples:
      domainkit profile vision/fashion-mnist-mini --model vision/fashion-cnn
      domainkit profile text/sentiment-sentences --model text/sentiment-bag --eval
      domainkit profile vision/fashion-mnist-mini --html timeline.html
    """
    card = load_card(dataset)
    split = split or next(iter(card.splits))
    if recipe is not None:
        find(recipe, ("recipe",))  # a wrong name ends before torch is loaded
    network = None if model is None else find(model, ("model",))
    for file in (html, trace):
        if file is not None and not file.absolute().parent.is_dir():
            raise NotFoundError(f"There is no folder {file.parent} to write {file.name} into.")
    found, facts = _measured(
        dataset,
        split,
        recipe=recipe,
        network=network,
        evaluate=evaluate,
        batch_size=batch_size or (network.training.get("batch_size", 64) if network else 64),
        threads=threads,
        seconds=seconds,
        device=device,
    )
    if html is not None:
        found.to_html(html)
    if trace is not None:
        found.to_trace(trace)
    if json:
        document({**facts, **found.to_dict()})
    else:
        _show(found, facts, html, trace)


def _measured(
    name: str,
    split: str,
    *,
    recipe: str | None,
    network: ModelCard | None,
    evaluate: bool,
    batch_size: int,
    threads: int | None,
    seconds: float,
    device: str | None,
) -> tuple[Profile, dict[str, Any]]:
    import torch

    from domainkit.dataset import load_dataset
    from domainkit.loader import Loader
    from domainkit.profile import measure
    from domainkit.recipe import load_recipe

    place = _device(device)
    dataset = load_dataset(name, split)
    transform: Any = None if recipe is None else load_recipe(recipe)
    step = None
    with torch.random.fork_rng(devices=[]):
        if network is not None:
            step, preset, preset_name = _step(network, dataset, place, evaluate, name)
            if recipe is None:
                transform, recipe = preset, preset_name
        loader = Loader(
            dataset,
            batch_size,
            shuffle=True,
            transform=transform,
            device=place,
            num_threads=threads,
        )
        facts = {
            "dataset": name,
            "split": split,
            "samples": len(dataset),
            "recipe": recipe,
            "model": network.name if network else None,
            "training": None if network is None else not evaluate,
        }
        title = f"{name}, {split}" + (f" with {network.name}" if network else "")
        return measure(loader, step, seconds=seconds, title=title), facts


def _step(
    card: ModelCard, dataset: Any, place: str, evaluate: bool, name: str
) -> tuple[Any, Any, str | None]:
    """What to do with a batch, and the recipe that the model's inputs need, with its name."""
    from domainkit.profile import eval_step, train_step
    from domainkit.recipe import load_recipe
    from domainkit.zoo import load_model

    if card.field not in dataset.columns:
        raise NotFoundError(
            f"{card.name} needs a column {card.field!r}; {name} has {', '.join(dataset.columns)}"
        )
    model = load_model(card.name, weights=None, device=place)
    preset, preset_name = model.recipe, getattr(model.recipe, "name", None)
    if evaluate:
        return _told(eval_step(model, field=card.forward), card), preset, preset_name
    if card.training:
        preset_name = card.training["recipe"]
        preset = load_recipe(preset_name)
    labels = [n for n, f in dataset.features.items() if type(f).__name__ == "Label"]
    target = "label" if "label" in labels else next(iter(labels), None)
    optimizer = card.training.get("optimizer", "adamw")
    step = train_step(model, field=card.forward, target=target, optimizer=optimizer)
    return _told(step, card), preset, preset_name


def _told(step: Any, card: ModelCard) -> Any:
    """The step, which says what is wrong where the network does not take what it is given."""

    def tried(batch: Any) -> None:
        try:
            step(batch)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DomainkitError(
                f"{card.name} does not take these batches (field {card.forward!r}): {reason}. "
                "Give the --recipe that its inputs need; --eval needs no targets"
            ) from error

    return tried


def _device(wanted: str | None) -> str:
    import torch

    if wanted is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = (str(error).splitlines() or ["it cannot be used"])[0]
        raise NotFoundError(f"There is no device {wanted!r} here: {reason}") from error
    return wanted


def _show(found: Profile, facts: dict[str, Any], html: Path | None, trace: Path | None) -> None:
    line(paint(found.title, "bold"))
    what = "" if facts["training"] is None else "training, " if facts["training"] else "forward, "
    line(
        f"{what}recipe {facts['recipe'] or 'none'}, batches of {found.batch_size} on "
        f"{found.device}, {plural(found.num_threads, 'thread')} on {plural(found.cpus, 'CPU')}"
    )
    line("\nsamples per second")
    most = max(found.rates.values())
    table(
        [
            (name, f"{rate:,.0f}", "█" * max(1, round(RATE_CELLS * rate / most)))
            for name, rate in found.rates.items()
        ],
        right=(1,),
    )
    line("\nmilliseconds per sample")
    table(found.stats.rows(), right=(1, 2, 3, 4, 5))
    line(f"  {found.stats.line}")
    line(f"  recording this took at most {100 * found.recorder_share:.2f} % of the time")
    line()
    wrapped("", found.verdict.line, "")
    for file, told in ((html, "timeline"), (trace, "trace, for ui.perfetto.dev")):
        if file is not None:
            line(f"{told}: {file}")
