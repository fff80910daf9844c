"""``domainkit reproduce``: train a model of the zoo again, as its card says."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from domainkit.cli.options import Json, Quiet, new_app
from domainkit.cli.show import document, line, plural
from domainkit.errors import NotFoundError
from domainkit.model_cards import ModelCard, load_model_card

__all__ = ["app"]

NEAR = 0.01  # how far another run may land from the card, in accuracy

app = new_app()


@app.command(short_help="Train a model of the zoo again, as its card says.")
def reproduce(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model whose card says how it was trained.")
    ],
    epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Fewer or more passes than the card's.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a model of the zoo again, as its card says, and compare the accuracy with the card's.

    Exit code 1 means that the card's accuracy was missed by more than .01; with other --epochs
    than the card's nothing is held against it. Fetches the dataset when it is not here.

    \b
    Examples:
      domainkit reproduce text/sentiment-bag
      domainkit reproduce vision/fashion-cnn --epochs 1
    """
    card = load_model_card(model)
    if not card.training:
        raise NotFoundError(f"{model} was not trained here: its card has no [training]")
    planned = card.training["epochs"]
    epochs = epochs or planned
    from domainkit.zoo import reproduce as again

    def tell(epoch: int, loss: float) -> None:
        if not json:
            line(f"epoch {epoch + 1}/{epochs}: mean loss {loss:.4f}")

    _, accuracy = again(model, epochs=epochs, after_epoch=tell)
    promised = _promised(card)
    near = None if promised is None else abs(accuracy - promised) <= NEAR
    missed = near is False and epochs == planned
    if json:
        facts = {"model": model, "epochs": epochs, "accuracy": accuracy}
        document({**facts, "card_epochs": planned, "card_accuracy": promised, "within": near})
    else:
        where = f"{card.training['dataset']}, {card.training['test_split']}"
        line(f"{model}: accuracy {accuracy:.4f} on {where}, after {plural(epochs, 'epoch')}")
        if promised is not None:
            verdict = f"{'within' if near else 'not within'} {NEAR:g}"
            line(f"its card says {promised:.4f} after {plural(planned, 'epoch')}: {verdict}")
    if missed:
        raise typer.Exit(1)


def _promised(card: ModelCard) -> float | None:
    """The accuracy of the default weights on the split that they were tested on."""
    metrics: dict[str, Any] = {}
    if card.default is not None:
        metrics = dict(card.weights[card.default].metrics)
    wanted = f"{card.training['dataset']} {card.training['test_split']}, accuracy"
    value = metrics.get(wanted)
    return float(value) if value is not None else None
