"""What every transform shares: the field it works on, its draws, and Compose."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch

from domainkit.batch import Batch
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.ragged import Ragged
from domainkit.transform import Compose, Pass, Plan, Transform, batch_length


@dataclass(frozen=True)
class Add(Transform):
    """Adds a number."""

    amount: float = 1
    field: ClassVar[str] = "x"
    kind: ClassVar[str] = "pointwise"

    def apply(self, x: Any, draws: Draws) -> Any:
        return x + self.amount


@dataclass(frozen=True)
class Noise(Transform):
    """Writes the draws it got, and to two fields."""

    field: ClassVar[str] = "x"
    kind: ClassVar[str] = "signal"
    random: ClassVar[bool] = True

    def apply(self, x: Any, draws: Draws) -> Any:
        return draws.uniform(2)

    def apply_batch(self, batch: Mapping[str, Any], draws: Draws) -> Any:
        new = batch.copy()
        return new | {"x": self.apply(batch["x"], draws), "op": draws.op}


def draws(n: int = 3, **kwargs: Any) -> Draws:
    return Draws(**{"seed": 0, "epoch": 0, "ids": torch.arange(n), **kwargs})


def test_a_tensor_goes_through():
    assert torch.equal(Add(2)(torch.zeros(3)), torch.full((3,), 2.0))


@pytest.mark.parametrize("kind", [dict, Batch])
def test_a_mapping_keeps_its_type_and_its_other_fields(kind):
    before = kind({"x": torch.zeros(3), "y": ["a", "b", "c"]})
    after = Add()(before)
    assert type(after) is kind
    assert after["x"].tolist() == [1, 1, 1]
    assert after["y"] is before["y"]
    assert before["x"].tolist() == [0, 0, 0]  # what came in stays as it was


def test_a_batch_keeps_its_ids():
    batch = Batch({"x": torch.zeros(3)}, ids=torch.tensor([4, 5, 6]))
    assert Add()(batch).ids is batch.ids


def test_a_batch_without_the_field_is_refused():
    with pytest.raises(TransformError, match="Add works on 'x'; the batch has 'y', 'z'"):
        Add()({"y": 1, "z": 2})
    with pytest.raises(TransformError, match="no fields"):
        Add()({})


def test_draws_for_another_number_of_samples_are_refused():
    with pytest.raises(TransformError, match="draws for 2 samples and a batch of 3"):
        Add()(torch.zeros(3), draws(2))


def test_without_draws_torchs_seed_decides():
    x = torch.zeros(3)
    torch.manual_seed(0)
    first, second = Noise()(x), Noise()(x)
    torch.manual_seed(0)
    assert torch.equal(Noise()(x), first)
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(Compose([Noise()])(x), first)


def test_given_draws_are_used():
    expected = draws(seed=3).uniform(2)
    assert torch.equal(Noise()(torch.zeros(3), draws(seed=3)), expected)
    assert torch.equal(Noise()({"x": torch.zeros(3)}, draws(seed=3))["x"], expected)


def test_compose_runs_in_order_with_an_op_each():
    batch = {"x": torch.zeros(3)}
    out = Compose([Add(1), Noise(), Add(10)])(batch, draws(seed=1, op=7))
    assert torch.equal(out["x"], draws(seed=1, op=1).uniform(2) + 10)
    assert out["op"] == 1
    twice = Compose([Noise(), Noise()])
    assert not torch.equal(twice(batch, draws())["x"], Noise()(batch, draws())["x"])


def test_a_nested_compose_is_flattened():
    flat = Compose([Add(1), Noise(), Add(2)])
    nested = Compose([Compose([Add(1), Compose([Noise()])]), Add(2)])
    assert nested == flat
    assert nested.steps == flat.steps
    x = {"x": torch.zeros(3)}
    assert torch.equal(nested(x, draws())["x"], flat(x, draws())["x"])
    assert len(Compose([Compose([])])) == 0
    assert torch.equal(Compose([])(torch.ones(2)), torch.ones(2))


def test_compose_is_compared_by_its_steps():
    assert Compose([Add(1)], name="a") == Compose((Add(1),), name="b")
    assert Compose([Add(1)]) != Compose([Add(2)])
    assert Compose([Add(1)]) != [Add(1)]
    assert list(Compose([Add(1), Add(2)])) == [Add(1), Add(2)]
    assert pickle.loads(pickle.dumps(Compose([Add(1)], name="a"))) == Compose([Add(1)])


@pytest.mark.parametrize("wrong", [None, "Add", 3, {"op": "Add"}])
def test_compose_refuses_what_cannot_be_called(wrong):
    with pytest.raises(TransformError, match="Compose takes transforms, got"):
        Compose([Add(), wrong])


def test_plan_and_repr_read_well():
    pipeline = Compose([Add(1), Noise()], name="own/recipe-1")
    assert str(pipeline.plan()) == (
        "1. Add  [torch; pointwise]\n2. Noise  [torch; signal, a draw per sample]"
    )
    assert pipeline.plan() == Plan((Pass((Add(1),), "torch"), Pass((Noise(),), "torch")))
    assert str(Compose([]).plan()) == "no passes"
    assert repr(pipeline) == ("Compose(  # own/recipe-1\n    Add(amount=1),\n    Noise(),\n)")
    assert repr(Compose([])) == "Compose(\n)"


def test_batch_length():
    assert batch_length(torch.zeros(4, 2)) == 4
    assert batch_length(Ragged.from_list([torch.zeros(1), torch.zeros(2)])) == 2
    assert batch_length(["a", "b"]) == 2
    assert batch_length({"x": torch.zeros(3), "y": 5}) == 3
    with pytest.raises(TransformError, match="at least one field"):
        batch_length({})
    with pytest.raises(TransformError, match="got int"):
        batch_length(3)


def test_a_transform_must_say_what_it_does():
    @dataclass(frozen=True)
    class Nothing(Transform):
        field: ClassVar[str] = "x"

    with pytest.raises(NotImplementedError):
        Nothing()(torch.zeros(1))
