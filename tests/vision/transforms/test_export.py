"""``Exportable``: pipelines with draws as inputs, in one graph, equal to the eager ones."""

from __future__ import annotations

import dataclasses
import io

import pytest
import torch

import domainkit as dk
from domainkit.draws import Draws
from domainkit.errors import TransformError
from domainkit.vision import transforms as T
from domainkit.vision.transforms._program import (
    STEPS,
    Program,
    run_program_torch,
    run_program_where,
)
from domainkit.vision.transforms.kernels.resize_matmul import (
    resize_matmul,
    windows_matmul,
    windows_nearest,
)
from domainkit.vision.transforms.resize import resize

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own

FLOAT = (
    T.ToDtype("float32", scale=True),
    T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
)
LEVEL = 1 / 255 / 0.224 + 1e-5  # of uint8, after Normalize
EVAL = T.Compose([T.Resize(32), T.CenterCrop(24), *FLOAT])
CUBIC = T.Compose([T.Resize((20, 30), interpolation="bicubic"), *FLOAT])
TRAIN = T.Compose([T.RandomResizedCrop(24), T.RandomHorizontalFlip(), *FLOAT])
JITTER = T.ColorJitter(0.4, 0.4, hue=0.1)
CIFAR = T.Compose([T.RandomCrop(32, padding=4), T.RandomHorizontalFlip(), *FLOAT])
IDS = torch.tensor([5, 1 << 40, 7, 8])


@pytest.fixture(autouse=True)
def _no_graphs_of_other_tests():
    torch.compiler.reset()  # of one function torch keeps eight, and all modules share ``forward``


def pictures(height: int = 40, width: int = 51) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    # smooth ones: hue and contrast of noise are steps
    small = torch.rand(4, 3, 5, 6, generator=generator)
    large = torch.nn.functional.interpolate(small, (height, width), mode="bilinear")
    return (large * 255).to(torch.uint8)


def saved(program: torch.export.ExportedProgram) -> torch.nn.Module:
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    return torch.export.load(file).module()


@pytest.mark.parametrize("pipeline", [EVAL, CUBIC])
def test_eval_saved_and_loaded_equals_eager(pipeline):
    x = pictures()
    loaded = saved(torch.export.export(T.Exportable(pipeline), (x,)))
    for y in (x, x.flip(0), 255 - x):
        assert float((loaded(y) - pipeline(y)).abs().max()) <= LEVEL


def test_a_recipe_in_one_graph():
    recipe, x = dk.load_recipe("vision/imagenet-eval-1"), pictures(240, 330)[:1]
    compiled = torch.compile(recipe, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(x), recipe(x), atol=LEVEL, rtol=0)
    program = torch.export.export(T.Exportable(recipe), (x,))
    assert torch.allclose(program.module()(x), recipe(x), atol=LEVEL, rtol=0)


@pytest.mark.parametrize(
    ("pipeline", "limit"),
    [(TRAIN, LEVEL), (T.Compose([JITTER, *FLOAT]), 1e-6)],
    ids=["imagenet", "jitter"],
)
def test_train_exports_with_ids_and_epoch_as_inputs(pipeline, limit):
    x, epoch = pictures(), torch.tensor(0)
    program = torch.export.export(T.Exportable(pipeline, seed=11), (x, IDS, epoch))
    called = " ".join(str(node.target) for node in program.graph.nodes)
    # nothing that makes a shape of values, or a number of the host
    assert not any(bad in called for bad in ("nonzero", "aten.item", "scalar_dense", "upsample"))
    loaded = saved(program)
    for ids, number in ((IDS, 0), (IDS.flip(0), 0), (IDS + 1, 3)):
        done = loaded(x, ids, torch.tensor(number))
        expected = pipeline(x, Draws(11, number, ids))
        assert float((done - expected).abs().max()) <= limit


@pytest.mark.parametrize(
    ("backend", "steps"),
    [("eager", CIFAR.steps), ("aot_eager", (TRAIN.steps[0], JITTER, *TRAIN.steps[1:]))],
)
def test_train_compiles_into_one_graph(backend, steps):
    x = pictures().float() / 255
    pipeline = T.Compose(steps)
    compiled = torch.compile(T.Exportable(pipeline, seed=2), fullgraph=True, backend=backend)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for ids, epoch in ((IDS, 0), (IDS.flip(0), 4)):
            done = compiled(x, ids, torch.tensor(epoch))
            assert torch.allclose(done, pipeline(x, Draws(2, epoch, ids)), atol=5e-5, rtol=0)


def test_a_sample_draws_the_same_in_the_graph():
    # a ramp says where its window lies, so draws that differed would show
    x = torch.arange(40 * 51, dtype=torch.float64).view(1, 1, 40, 51).repeat(4, 1, 1, 1)
    step = T.RandomResizedCrop(9, interpolation="nearest")
    compiled = torch.compile(T.Exportable(step, seed=3), fullgraph=True, backend="eager")
    assert torch.equal(compiled(x, IDS), step(x, Draws(3, 0, IDS)))
    alone = torch.compile(T.Exportable(step, seed=3), fullgraph=True, backend="eager")
    assert torch.equal(alone(x[:1], IDS[2:3]), step(x, Draws(3, 0, IDS))[2:3])


@pytest.mark.parametrize(
    "step",
    [
        T.RandomVerticalFlip(),
        T.RandomCrop((44, 30), padding=(1, 2), pad_if_needed=True, padding_mode="edge"),
        T.RandomResizedCrop(9, interpolation="nearest-exact"),
        T.ColorJitter(brightness=0.5, hue=0.2),
        T.RandomPhotometricDistort(),
        T.RandomChannelPermutation(),
        T.RandomGrayscale(0.5),
        T.RandomInvert(),
        T.RandomSolarize(100),
        T.RandomPosterize(3),
        T.RandomAutocontrast(),
        T.RandomEqualize(),
        T.RandomAdjustSharpness(2.0),
        T.RandomErasing(0.8, max_count=3),
        T.RandomErasing(0.8, mode="rand"),
        T.RandAugment(2, 9),
        T.TrivialAugmentWide(fill=(9, 8, 7)),
        T.AutoAugment("svhn"),
        T.AugMix(mixture_width=2, chain_depth=1, interpolation="nearest"),
        T.RandomAffine(30, (0.2, 0.1), (0.7, 1.4), (5, 9), center=(3, 4)),
        T.RandomRotation(30, center=(3, 4)),
        T.Rotate(30.0, fill=9),
        T.RandomPerspective(0.6, p=0.7, interpolation="nearest"),
    ],
    ids=lambda step: type(step).__name__,
)
def test_steps_equal_eager_in_one_graph(step):
    x = pictures()
    compiled = torch.compile(T.Exportable(step), fullgraph=True, backend="eager")
    assert torch.equal(compiled(x, IDS), step(x, Draws(0, 0, IDS)))


@pytest.mark.parametrize(
    "step", [T.RandomAffine(30, (0.2, 0.1), (0.7, 1.4), 9), T.RandomPerspective(0.6, p=0.7)]
)
def test_blends_of_pixels_are_within_a_level(step):
    step = dataclasses.replace(step, interpolation="bilinear")
    x = pictures()
    compiled = torch.compile(T.Exportable(step), fullgraph=True, backend="eager")
    apart = compiled(x, IDS).int() - step(x, Draws(0, 0, IDS)).int()
    assert int(apart.abs().max()) <= 1


@pytest.mark.parametrize("mix", [T.MixUp(0.4), T.CutMix(), T.RandomMixUpCutMix(p=0.8)])
def test_pictures_and_labels_are_mixed_in_one_graph(mix):
    mix = dataclasses.replace(mix, num_classes=9, label="target")
    x, labels = pictures().float() / 255, torch.tensor([3, 0, 8, 3])
    compiled = torch.compile(T.Exportable(mix), fullgraph=True, backend="eager")
    for ids in (IDS, IDS + 7):
        images, target = compiled(x, ids, 0, labels)
        expected = mix({"image": x, "target": labels}, Draws(0, 0, ids))
        assert torch.allclose(images, expected["image"], atol=1e-6, rtol=0)
        assert torch.allclose(target, expected["target"], atol=1e-6, rtol=0)


def test_the_long_training_recipe_exports_whole():
    recipe = dk.load_recipe("vision/imagenet-train-2")
    x, labels = pictures(24, 31), torch.tensor([3, 999, 0, 3])
    module = T.Exportable(recipe, seed=5)
    program = torch.export.export(module, (x, IDS, torch.tensor(0), labels))
    called = " ".join(str(node.target) for node in program.graph.nodes)
    assert not any(bad in called for bad in ("nonzero", "aten.item", "scalar_dense", "upsample"))
    for ids, epoch in ((IDS, 0), (IDS + 3, 2)):
        images, target = program.module()(x, ids, torch.tensor(epoch), labels)
        expected = recipe({"image": x, "label": labels}, Draws(5, epoch, ids))
        torch.testing.assert_close(target, expected["label"])
        apart = (images - expected["image"]).abs()
        # a level more or less out of the window may be tens of them once it is equalised
        assert images.shape == (4, 3, 224, 224)
        assert float(apart.median()) <= 1e-5 and float((apart > 2 * LEVEL).float().mean()) < 0.02


def test_what_has_no_form_of_fixed_shape_is_refused():
    for step, why in (
        (T.RandomErasing(mode="pixel"), "no graph of fixed shapes"),
        (T.RandomRotation(9, expand=True), "take expand=False"),
    ):
        compiled = torch.compile(T.Exportable(step), fullgraph=True, backend="eager")
        with pytest.raises(Exception, match=why):
            compiled(pictures(), IDS)
        torch.compiler.reset()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_the_program_without_nonzero_is_the_reference(dtype):
    x = pictures()
    x = x if dtype == torch.uint8 else x.float() / 255
    generator = torch.Generator().manual_seed(1)
    codes = torch.randint(0, max(STEPS) + 1, (4, 5), generator=generator)
    program = Program(codes, torch.rand(4, 5, generator=generator) * 0.5)
    assert torch.equal(run_program_where(x, program), run_program_torch(x, program))


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(7, 9), (77, 103), (1, 1), (13, 51)])
def test_matrix_products_are_the_filter(size, interpolation, antialias):
    x = pictures()
    exact = resize(x.double() / 255, size, interpolation, antialias=antialias)
    done = resize_matmul(x.double() / 255, size, interpolation, antialias=antialias)
    assert torch.allclose(done, exact, atol=1e-12, rtol=0)
    done = resize_matmul(x.float() / 255, size, interpolation, antialias=antialias)
    assert torch.allclose(done.double(), exact, atol=1e-6, rtol=0)
    levels = resize_matmul(x, size, interpolation, antialias=antialias).double()
    assert float((levels - (exact * 255).clamp(0, 255)).abs().max()) <= 0.5001


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest", "nearest-exact"])
def test_window_products_are_the_filter_on_the_window(interpolation, antialias):
    x = pictures().double() / 255
    boxes = torch.tensor([[0, 0, 40, 51], [39, 50, 1, 1], [3, 7, 5, 20], [10, 0, 30, 2]])
    size = (11, 8)
    if interpolation.startswith("nearest"):
        middle = 0.5 if interpolation == "nearest-exact" else 0.0
        done = windows_nearest(x, boxes, size, middle=middle)
    else:
        done = windows_matmul(x, boxes, size, interpolation, antialias=antialias)
    for i, (top, left, height, width) in enumerate(boxes.tolist()):
        window = x[i : i + 1, :, top : top + height, left : left + width]
        expected = resize(window, size, interpolation, antialias=antialias)
        assert torch.allclose(done[i : i + 1], expected, atol=1e-12, rtol=0)


def test_the_module_outside_a_graph_and_what_it_refuses():
    x = pictures()
    assert torch.equal(T.Exportable(EVAL)(x), EVAL(x))
    done = T.Exportable(TRAIN, seed=1)(x, IDS, torch.tensor(2))
    assert torch.equal(done, TRAIN(x, Draws(1, 2, IDS)))
    with pytest.raises(TransformError, match="give the ids"):
        T.Exportable(TRAIN)(x)


def test_a_graph_on_a_device_has_no_tensor_of_the_host():
    # such a copy is what a CUDA graph cannot capture; fake tensors need no device
    from torch._subclasses.fake_tensor import FakeTensorMode

    steps = (
        T.RandomResizedCrop(8),
        T.RandomHorizontalFlip(),
        T.RandAugment(1),
        T.RandomAffine(30, (0.2, 0.1), center=(3, 4), interpolation="bilinear"),
        T.Rotate(5.0),
        T.RandomPerspective(),
        *FLOAT,
        T.RandomErasing(),
        T.RandomMixUpCutMix(0.2, num_classes=5),
    )
    with FakeTensorMode(allow_non_fake_inputs=True):
        x = torch.empty(4, 3, 9, 11, dtype=torch.uint8, device="cuda")
        ids = torch.empty(4, dtype=torch.int64, device="cuda")
        inputs = (x, ids, torch.empty((), dtype=torch.int64, device="cuda"), ids)
        program = torch.export.export(T.Exportable(T.Compose(steps)), inputs)
    made = [node.meta.get("val") for node in program.graph.nodes]
    assert {v.device.type for v in made if isinstance(v, torch.Tensor)} == {"cuda"}


def test_a_window_that_ends_at_the_length_of_its_source_is_resized_too():
    # 240 rows become 256, of which the first 240 are computed for the window
    x, steps = pictures(240, 330)[:1], (T.Resize(256), T.CenterCrop(224))
    assert torch.equal(T.Compose(steps)(x), T.Compose(steps, fuse=False)(x))
