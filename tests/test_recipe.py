"""Recipes: every shipped one builds and can be written again; wrong ones are refused by name."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

import domainkit as dk
from domainkit.audio import transforms as A
from domainkit.cards import data_folder
from domainkit.errors import CardError, NotFoundError, TransformError
from domainkit.recipe import _toml, build_steps, list_recipes, load_recipe, read_recipe, save_recipe
from domainkit.transform import Compose, Transform
from domainkit.vision import transforms as T

SHIPPED = list_recipes()


def test_the_promised_recipes_are_there():
    promised = {"vision/imagenet-eval-1", "vision/imagenet-train-1", "audio/speech-logmel-1"}
    for embedded in ("audio/voice-prompts", "text/sentiment-sentences", "vision/fashion-mnist"):
        promised |= {f"{embedded}-eval-1", f"{embedded}-train-1"}
    assert promised <= set(SHIPPED)
    assert sorted(SHIPPED) == SHIPPED
    assert list_recipes("audio") == [n for n in SHIPPED if n.startswith("audio/")]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_is_whole(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert re.fullmatch(r"(audio|text|vision)/[a-z0-9-]+-[1-9][0-9]*", name), "no number"
    for field in ("summary", "input", "output", "source"):
        text = getattr(recipe, field)
        assert text == text.strip() != "", field
    pipeline = load_recipe(name)
    assert pipeline.name == name
    assert pipeline == recipe.build() == dk.load_recipe(recipe.file)
    assert [type(s).__name__ for s in pipeline] == [s["op"] for s in recipe.steps]
    for step, written in zip(pipeline, recipe.steps, strict=True):
        for key, value in written.items():
            if key != "op" and not str(value).startswith("."):
                got = getattr(step, key)
                assert got == (tuple(value) if isinstance(value, list) else value)
    if name.endswith("-eval-1"):
        assert not any(step.random for step in pipeline), "an evaluation that rolls dice"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_can_be_written_and_read(name, tmp_path):
    pipeline = load_recipe(name)
    path = tmp_path / "again-1.toml"
    save_recipe(pipeline, path, summary='With "quotes" and a \\.', source="ü")
    again = load_recipe(path)
    assert again == pipeline
    recipe = read_recipe(path)
    assert recipe.name == name.split("/")[0] + "/again-1"
    assert (recipe.summary, recipe.source) == ('With "quotes" and a \\.', "ü")
    assert str(again.plan()) == str(pipeline.plan())


def test_recipes_do_what_they_say():
    pixels = torch.arange(2 * 28 * 28).view(2, 1, 28, 28).to(torch.uint8)
    out = load_recipe("vision/fashion-mnist-eval-1")({"image": pixels})["image"]
    expected = (pixels.double() / 255 - 0.28604) / 0.35302
    torch.testing.assert_close(out.double(), expected, rtol=0, atol=1e-6)


def test_unknown_names_offer_the_nearest():
    with pytest.raises(NotFoundError, match="Did you mean 'vision/imagenet-eval-1'"):
        load_recipe("vision/imagenet-eval")
    with pytest.raises(NotFoundError, match="no domain"):
        list_recipes("visoin")


def test_files_beside_a_recipe_are_found(tmp_path):
    steps = [{"op": "Resize", "size": [3, 5], "interpolation": "./names/a.txt"}]
    with pytest.raises(CardError) as caught:  # the argument shows in the complaint about it
        build_steps(steps, "vision", folder=tmp_path)
    assert str(tmp_path / "names" / "a.txt") in str(caught.value)
    for recipe in map(read_recipe, SHIPPED):
        folder = data_folder("transforms") / recipe.name.split("/")[0]
        assert recipe.file.parent == folder
        for value in (v for step in recipe.steps for v in step.values()):
            if isinstance(value, str) and value.startswith(("./", "../")):
                assert (folder / recipe.file.stem / value).resolve().is_file()


# -- writing -----------------------------------------------------------------------------------

VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and math.isnan(a):
        return isinstance(b, float) and math.isnan(b)
    return type(a) is type(b) and a == b


@given(VALUES)
@example("\x00\x1f\x7f\x80\u2028\U0010ffff\\\"'\n\r\t\b\f")
def test_what_is_written_is_toml(value):
    assert same(tomllib.loads(f"value = {_toml(value)}")["value"], value)


def test_numpys_numbers_are_written_as_numbers(tmp_path):
    pipeline = T.Compose([T.RandomHorizontalFlip(np.float64(0.25))])
    save_recipe(pipeline, tmp_path / "x.toml", summary="")
    assert load_recipe(tmp_path / "x.toml") == pipeline


def test_defaults_are_left_out(tmp_path):
    save_recipe(T.Compose([T.Resize(64)]), tmp_path / "x.toml", summary="s")
    assert tomllib.loads((tmp_path / "x.toml").read_text())["steps"] == [
        {"op": "Resize", "size": 64}
    ]


@dataclass(frozen=True)
class Own(Transform):
    """A transform of the user."""

    path: Any = "a"
    field: ClassVar[str] = "image"
    kind: ClassVar[str] = "pointwise"


@dataclass(frozen=True)
class Ours(Own):
    """One that says it is domainkit's."""


Ours.__module__ = "domainkit.vision.transforms.ours"


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [T.CenterCrop(3), A.Mono()],
        [Own()],
        [T.CenterCrop(3), Own()],
        [T.CenterCrop(3), lambda batch, draws: batch],
        [Ours(path=None)],
        [Ours(path=object())],
        [Ours(path={"a": 1})],
    ],
    ids=range(8),
)
def test_what_a_recipe_cannot_hold_is_refused(steps, tmp_path):
    with pytest.raises(TransformError):
        save_recipe(Compose(steps), tmp_path / "x.toml", summary="")
    assert list(tmp_path.iterdir()) == []


# -- malformed ---------------------------------------------------------------------------------

GOOD = """
name = "vision/x"
summary = "s"
input = "i"
output = "o"
source = "s"
[[steps]]
op = "CenterCrop"
size = 3
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        *((f'{k} = "', f'#{k} = "', f"{k} is missing: add it") for k in ("summary", "input")),
        *((f'{k} = "', f'#{k} = "', f"{k} is missing: add it") for k in ("output", "source")),
        ('name = "vision/x"', "", "name is missing"),
        ('name = "vision/x"', "name = 3", "name is missing"),
        ('name = "vision/x"', 'name = "x"', "name is 'x', expected <domain>/<name>"),
        ('name = "vision/x"', 'name = "../os"', "name is '../os'"),
        ("[[steps]]", "[[stpes]]", "[[steps]] is missing"),
        ("[[steps]]", "[steps]", "[[steps]] is missing"),
        ("[[steps]]", "extra = 1\n[[steps]]", "unknown field 'extra'"),
        ('[[steps]]\nop = "CenterCrop"\nsize = 3', "steps = []", "[[steps]] is missing"),
        ('[[steps]]\nop = "CenterCrop"\nsize = 3', "steps = [1]", "must be tables"),
        ('op = "CenterCrop"', "", "step 1: there is no transform 'None'"),
        ('"CenterCrop"', '"CentreCrop"', "there is no transform 'CentreCrop' in domainkit.vision."),
        ('"CenterCrop"', '"CentreCrop"', "Did you mean 'CenterCrop'"),
        ('"CenterCrop"', '"Compose"', "there is no transform 'Compose'"),
        ('"CenterCrop"', '"Mono"', "there is no transform 'Mono'"),
        ('"CenterCrop"', '"__all__"', "there is no transform '__all__'"),
        ('"CenterCrop"', '["CenterCrop"]', "there is no transform \"['CenterCrop']\""),
        ("size = 3", "sise = 3", "step 1, CenterCrop: "),
        ("size = 3", "size = -3", "step 1, CenterCrop: "),
        ("size = 3", 'size = "3"', "step 1, CenterCrop: "),
        ("size = 3", "size = ", "is not valid TOML"),
    ],
)
def test_a_malformed_recipe_is_refused_by_file_and_field(tmp_path, old, new, message):
    path = tmp_path / "x.toml"
    path.write_text(GOOD)
    assert load_recipe(path) == T.Compose([T.CenterCrop(3)])
    assert GOOD.count(old) == 1
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(CardError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CardError, match="cannot be read"):
        load_recipe(tmp_path / "gone.toml")
