"""The error tree is the one that is drawn, and messages read as sentences."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domainkit import errors
from domainkit.errors import DomainkitError, nearest

CLASSES = [e for e in vars(errors).values() if inspect.isclass(e) and issubclass(e, Exception)]


def test_the_drawn_tree_is_the_tree():
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in errors.__doc__.splitlines():
        match = re.match(r"    (?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+Error)\b", line)
        if match:
            depth = len(match["indent"]) // 4
            del above[depth:]
            if above:
                drawn[match["name"]] = above[-1]
            above.append(match["name"])
    assert drawn == {e.__name__: e.__bases__[0].__name__ for e in CLASSES if e != DomainkitError}


def test_all_is_complete():
    assert errors.__all__ == sorted({*(e.__name__ for e in CLASSES), "nearest"})


@pytest.mark.parametrize("error", CLASSES, ids=lambda e: e.__name__)
def test_message_is_what_is_printed(error):
    message = "expected 'ä', got \"b\": do c"
    raised = error(message)
    assert str(raised) == message
    assert isinstance(raised, DomainkitError)
    assert raised.exit_code in (1, 2)
    again = pickle.loads(pickle.dumps(raised))  # it crosses processes in torch's DataLoader
    assert type(again) is error
    assert str(again) == message
    if not issubclass(error, ImportError):  # which keeps a copy of its message
        raised.args = ("prefix: " + message,)  # prepare names the dataset this way
        assert str(raised) == "prefix: " + message


@pytest.mark.parametrize(
    ("ours", "pythons"),
    [
        ("NotFoundError", KeyError),
        ("FetchError", OSError),
        ("TransformError", ValueError),
        ("MissingExtraError", ImportError),
    ],
)
def test_errors_are_also_pythons(ours, pythons):
    assert issubclass(getattr(errors, ours), pythons)


def test_a_name_that_is_missing_is_wrong_use():
    assert errors.NotFoundError("x").exit_code == 2
    assert str(errors.NotFoundError()) == ""


NAMES = ["audio/yesno", "text/imdb", "vision/cifar10", "vision/cifar100", "vision/mnist"]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("vision/mnits", "Did you mean 'vision/mnist'"),
        ("vision/cifar", "Did you mean 'vision/cifar10' or 'vision/cifar100'"),
        ("mnist", "Did you mean 'vision/mnist'?"),
        ("MNIST", "Did you mean 'vision/mnist'?"),
        ("IMDB", "Did you mean 'text/imdb'?"),
        ("cifar10", "Did you mean 'vision/cifar10'"),
        ("text", "Did you mean 'text/imdb'?"),
        ("zzz", f"Known: {', '.join(NAMES)}."),
        ("", f"Known: {', '.join(NAMES)}."),
    ],
)
def test_nearest(name, answer):
    assert nearest(name, NAMES) == nearest(name, iter(NAMES[::-1]))
    assert nearest(name, NAMES).startswith(answer)


def test_nearest_of_nothing_and_of_many():
    assert nearest("a", []) == "None are known."
    assert nearest("?", [f"name{i:02d}" for i in range(11)]).endswith("name09, ....")


@given(st.text(), st.lists(st.text()))
def test_nearest_takes_anything(name, known):
    assert nearest(name, known).endswith((".", "?"))
