"""Pipelines of dense pictures of one size compile without a break, and export."""

from __future__ import annotations

import pytest
import torch

from domainkit.vision import transforms as T
from domainkit.vision.transforms.kernels.resize_matmul import resize_matmul
from domainkit.vision.transforms.resize import resize

EVAL = T.Compose(
    [
        T.Resize(32),
        T.CenterCrop(24),
        T.ToDtype("float32", scale=True),
        T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
)


class Module(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return EVAL(x)


def pictures(dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (2, 3, 40, 51), generator=generator, dtype=torch.uint8)
    return x if dtype == torch.uint8 else x.to(dtype) / 255


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_eval_compiles_without_a_break(backend):
    compiled = torch.compile(Module(), fullgraph=True, backend=backend)
    for dtype in (torch.uint8, torch.float32):
        x = pictures(dtype)
        assert torch.allclose(compiled(x), EVAL(x), atol=1e-5, rtol=0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_eval_exports_with_the_resize_as_matrix_products(dtype):
    x = pictures(dtype)
    program = torch.export.export(Module(), (x,))
    assert "upsample" not in program.graph_module.code
    limit = 1 / 255 / 0.224 if dtype == torch.uint8 else 1e-5  # a level
    assert float((program.module()(x) - EVAL(x)).abs().max()) <= limit + 1e-6


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("size", [(7, 9), (40, 20), (77, 103), (1, 1), (13, 51)])
def test_matrix_products_are_the_filter(size, antialias):
    # float32 differs by what torch rounds, the weights agree to the last bits
    for dtype, limit in ((torch.float64, 1e-12), (torch.float32, 4e-6)):
        x = pictures(dtype)
        expected = resize(x, size, antialias=antialias)
        done = resize_matmul(x, size, antialias=antialias)
        assert torch.allclose(done, expected, atol=limit, rtol=0)
    # against the floating filter: torch 2.14 fails on uint8 pictures [B, 3, H, W] to 1 x 1
    levels = resize_matmul(pictures(), size, antialias=antialias).double()
    exact = resize(pictures().double(), size, antialias=antialias)
    assert float((levels - exact).abs().max()) <= 0.5001
