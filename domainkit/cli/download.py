"""``domainkit download``: datasets fetched, verified and prepared, weights fetched and verified.

``--from`` takes files that a person has brought: those that may not be fetched automatically (a
licence to accept, a login), and any other that a browser or another machine has fetched already.
Kaggle's sets are among the first kind; why there is no ``kaggle:`` address is said in
``domainkit.cache.sources.remote``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domainkit import cache
from domainkit.cards import Card, FileSpec
from domainkit.cli.names import find
from domainkit.cli.options import Json, Quiet, new_app
from domainkit.cli.show import complain, document, line, plural, size
from domainkit.errors import DomainkitError, FetchError
from domainkit.model_cards import ModelCard

if TYPE_CHECKING:
    from domainkit.cli.from_folder import Folder

__all__ = ["app"]

app = new_app()
_NAMES_AT_A_TIME = 4


def _rate(text: str) -> float:
    from domainkit.cache.policy import parse_rate

    try:
        return parse_rate(text)
    except FetchError as error:
        raise typer.BadParameter(str(error)) from error


def _brought(text: str) -> Path:
    if not text:  # Path("") is the folder one happens to be in
        raise typer.BadParameter("expected a folder or a file, got nothing")
    path = Path(text).expanduser()
    if not path.exists():
        raise typer.BadParameter(f"{text}: there is no such folder or file")
    return path


def _seconds(value: float | None) -> float | None:
    if value is not None and not value > 0:
        raise typer.BadParameter(f"expected more than 0 seconds, got {value:g}")
    return value


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
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            parser=_brought,
            metavar="FOLDER",
            help="Take the files from this folder (or file) that you have brought.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Connections at a time; 4 when left out, or what DOMAINKIT_JOBS says.",
        ),
    ] = None,
    limit_rate: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            parser=_rate,
            help="Bytes per second of all connections together, like 500kB or 5MB.",
        ),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", callback=_seconds, help="Give a file up that takes longer than this."
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fetch, verify and prepare datasets, or fetch and verify the weights of models.

    What is here already is not fetched again; what was cut off is taken up where it stopped. One
    name that fails does not stop the others; the exit code is then 1, or 2 where every name is
    wrong.

    Some files may not be fetched automatically. Get them as the card says, and give the folder
    where they are with --from: each is found by its name, or by its size and digest, verified, and
    copied into the cache. What else such a dataset needs is fetched; of other datasets, --from
    fetches nothing.

    \b
    Examples:
      domainkit download vision/fashion-mnist
      domainkit download vision/cifar10 text/imdb --split test --jobs 8
      domainkit download vision/resnet50 --weights imagenet1k-v1 --limit-rate 5MB
      domainkit download vision/cifar10 --from ~/Downloads
    """
    names = list(dict.fromkeys(names))
    given = {"jobs": jobs, "bandwidth": limit_rate, "deadline": deadline}
    chosen: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    policy = replace(cache.Policy.from_environment(), **chosen)
    work = _Work(split or [], weights, policy, _folder(folder))
    single = len(names) == 1

    def tell(name: str, failure: Exception) -> None:
        if not single:
            text = str(failure)
            complain(text if text.startswith(name) else f"{name}: {text}")

    failed = work.bring(names, tell)
    if json:
        errors = [{"name": name, "error": str(failure)} for name, failure in failed]
        taken = {} if folder is None else {"files": work.taken}
        document({**taken, "done": work.done, "errors": errors})
    else:
        for item in [*work.taken, *work.done]:
            line(_told(item))
    if failed and single:
        raise failed[0][1]
    if failed:
        complain(f"{len(failed)} of {len(names)} failed")
        codes = {getattr(failure, "exit_code", 1) for _, failure in failed}
        raise typer.Exit(2 if codes == {2} and len(failed) == len(names) else 1)


@dataclass
class _Work:
    """What is to be done with every name, and what came of it."""

    splits: list[str]
    weights: str
    policy: cache.Policy
    folder: Folder | None
    taken: list[dict[str, Any]] = field(default_factory=list)
    done: list[dict[str, Any]] = field(default_factory=list)

    def bring(
        self, names: list[str], tell: Callable[[str, Exception], None]
    ) -> list[tuple[str, Exception]]:
        """Several names at a time; the errors of those that failed, which are told at once."""
        failed: dict[str, Exception] = {}
        cards: dict[str, Card | ModelCard] = {}
        brought: dict[str, list[dict[str, Any]]] = {}
        for name in names:  # a wrong name is told before the work of hours
            try:
                cards[name] = self._find(name)
            except (DomainkitError, OSError) as error:
                failed[name] = error
                tell(name, error)
        with ThreadPoolExecutor(_NAMES_AT_A_TIME, thread_name_prefix="domainkit-download") as pool:
            under_way = {pool.submit(self._one, name, card): name for name, card in cards.items()}
            for future in as_completed(under_way):
                name = under_way[future]
                try:
                    brought[name] = future.result()
                except (DomainkitError, OSError) as error:
                    failed[name] = error
                    tell(name, error)
        for name in names:
            self.done.extend(brought.get(name, []))
        return [(name, failed[name]) for name in names if name in failed]

    def _find(self, name: str) -> Card | ModelCard:
        """The card of a name, if it has the splits or weights that are wanted."""
        card = find(name, ("dataset", "model"))
        if isinstance(card, ModelCard):
            card.weights_spec(self.weights)
        else:
            for split in self.splits:
                card.split(split)
        return card

    def _one(self, name: str, card: Card | ModelCard) -> list[dict[str, Any]]:
        if isinstance(card, ModelCard):
            spec = card.weights_spec(self.weights).file
            self._take(name, [replace(spec, key=card.weights_spec(self.weights).name)])
            return [_bring_weights(card, self.weights, self.policy)]
        splits = self.splits or list(card.splits)
        keys = dict.fromkeys(key for split in splits for key in card.split(split).files.values())
        self._take(name, [card.files[key] for key in keys])
        return [_bring_split(card, split, self.policy) for split in splits]

    def _take(self, owner: str, specs: Iterable[FileSpec]) -> None:
        if self.folder is None:
            return
        from domainkit.cli.from_folder import take

        for item in take(owner, specs, self.folder):
            self.taken.append(
                {
                    "name": owner,
                    "file": item.key,
                    "from": None if item.source is None else str(item.source),
                    "path": str(item.path),
                    "bytes": item.path.stat().st_size,
                }
            )


def _folder(path: Path | None) -> Folder | None:
    if path is None:
        return None
    from domainkit.cli.from_folder import Folder

    return Folder(path)


def _bring_split(card: Card, split: str, policy: cache.Policy) -> dict[str, Any]:
    from domainkit.prepare import prepare

    store = prepare(card, split, policy)
    return {
        "name": card.name,
        "split": split,
        "rows": len(store),
        "bytes": store.nbytes,
        "folder": str(store.folder),
    }


def _bring_weights(card: ModelCard, weights: str, policy: cache.Policy) -> dict[str, Any]:
    spec = card.weights_spec(weights)
    file = spec.file
    if file.path is not None:
        path = file.path
        cache.check(path, digest=file.digest, size=file.size)
    else:
        path = cache.fetch(file.urls, digest=file.digest, size=file.size, policy=policy)
    return {
        "name": card.name,
        "weights": spec.name,
        "bytes": path.stat().st_size,
        "file": str(path),
    }


def _told(item: dict[str, Any]) -> str:
    if "path" in item:
        came = "was here" if item["from"] is None else f"from {item['from']}"
        return f"{item['name']}, {item['file']}: {size(item['bytes'])}, {came}"
    if "weights" in item:
        return f"{item['name']}, {item['weights']}: {size(item['bytes'])}, {item['file']}"
    rows = plural(item["rows"], "row")
    return f"{item['name']}, {item['split']}: {rows}, {size(item['bytes'])}, {item['folder']}"
