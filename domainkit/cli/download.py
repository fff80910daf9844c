"""``domainkit download``: datasets fetched, verified and prepared, weights fetched and verified."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Annotated, Any

import typer

from domainkit import cache
from domainkit.cards import Card
from domainkit.cli.names import find
from domainkit.cli.options import Json, Quiet, new_app
from domainkit.cli.show import complain, document, line, plural, size
from domainkit.errors import DomainkitError
from domainkit.model_cards import ModelCard

__all__ = ["app"]

app = new_app()


@app.command(short_help="Fetch, verify and prepare datasets or models.")
def download(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Datasets or models.")],
    *,
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="SPLIT", help="Only this split of each dataset; may be given again."),
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            metavar="WEIGHTS",
            show_default=False,
            help="Which weights of each model; its card's default when left out.",
        ),
    ] = "default",
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="How many names at a time.")] = 2,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch, verify and prepare datasets, or fetch and verify the weights of models.

    What is here already is not fetched again; what was cut off is taken up where it stopped. One
    name that fails does not stop the others; the exit code is then 1. A single name that does not
    exist gives 2.

    \b
    Examples:
      domainkit download vision/fashion-mnist
      domainkit download vision/cifar10 text/imdb --split test --jobs 4
      domainkit download vision/resnet50 --weights imagenet1k-v1
    """
    names = list(dict.fromkeys(names))
    done: list[dict[str, Any]] = []
    failed: list[tuple[str, Exception]] = []
    with ThreadPoolExecutor(jobs, thread_name_prefix="domainkit-download") as pool:
        work: list[tuple[str, Future[list[dict[str, Any]]]]] = [
            (name, pool.submit(_bring, name, split or [], weights)) for name in names
        ]
        for name, future in work:
            try:
                done.extend(future.result())
            except (DomainkitError, OSError) as error:
                if len(names) == 1:
                    raise
                failed.append((name, error))
    if json:
        errors = [{"name": name, "error": str(failure)} for name, failure in failed]
        document({"done": done, "errors": errors})
    else:
        for item in done:
            line(_told(item))
    for name, failure in failed:
        text = str(failure)
        complain(text if text.startswith(name) else f"{name}: {text}")
    if failed:
        complain(f"{len(failed)} of {len(names)} failed")
        raise typer.Exit(1)


def _bring(name: str, splits: list[str], weights: str) -> list[dict[str, Any]]:
    card = find(name, ("dataset", "model"))
    if isinstance(card, ModelCard):
        return [_bring_weights(card, weights)]
    for split in splits:  # a wrong name is refused before anything is fetched
        card.split(split)
    return [_bring_split(card, split) for split in splits or card.splits]


def _bring_split(card: Card, split: str) -> dict[str, Any]:
    from domainkit.prepare import prepare

    store = prepare(card, split)
    return {
        "name": card.name,
        "split": split,
        "rows": len(store),
        "bytes": store.nbytes,
        "folder": str(store.folder),
    }


def _bring_weights(card: ModelCard, weights: str) -> dict[str, Any]:
    spec = card.weights_spec(weights)
    file = spec.file
    if file.path is not None:
        path = file.path
        cache.check(path, digest=file.digest, size=file.size)
    else:
        path = cache.fetch(file.urls, digest=file.digest, size=file.size)
    return {
        "name": card.name,
        "weights": spec.name,
        "bytes": path.stat().st_size,
        "file": str(path),
    }


def _told(item: dict[str, Any]) -> str:
    if "weights" in item:
        return f"{item['name']}, {item['weights']}: {size(item['bytes'])}, {item['file']}"
    rows = plural(item["rows"], "row")
    return f"{item['name']}, {item['split']}: {rows}, {size(item['bytes'])}, {item['folder']}"
