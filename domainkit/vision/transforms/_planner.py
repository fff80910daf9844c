"""The planner of picture steps: which neighbours run as one pass.

``Compose`` finds this module by the name in ``ImageTransform.planner`` and gives it every run of
picture steps. Three kinds of passes join steps: ``WindowPass`` (crops, mirrors, one resampling),
``WarpPass`` (affine maps, rotations, perspectives, mirrors) and ``FinishPass`` (mirrors, colour,
number type, normalisation). A window and a finish give the same pictures as step by step, a warp
sharper ones; what cannot join stands alone, and the plan says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from domainkit.transform import Pass, Transform
from domainkit.vision.transforms._finish_pass import FinishPass, finishing
from domainkit.vision.transforms._fused import Alone, mirror
from domainkit.vision.transforms._geometry import Geometric
from domainkit.vision.transforms._warp_pass import WarpPass, warping
from domainkit.vision.transforms._window_pass import WindowPass, crops, resamples
from domainkit.vision.transforms.random_crop import RandomCrop

__all__ = ["plan_passes"]


def plan_passes(steps: Sequence[tuple[int, Transform]]) -> list[Pass]:
    """The passes of neighbouring picture steps, each given with its place in the pipeline."""
    todo = list(steps)
    passes: list[Pass] = []
    while todo:
        alone = [step for _, step in todo]
        window, finish, warps = _windowing(alone), finishing(alone), warping(alone)
        count, why = 1, ""
        kind: type[Pass] = Alone
        if warps:
            count, kind, why = warps, WarpPass, "one homography per picture, sampled once"
        elif window > 1 and window >= finish:
            count, kind, why = window, WindowPass, "one window per picture"
        elif finish > 1:
            count, kind = finish, FinishPass
        else:
            why = _why(alone)
            # alone as well: a loader can do a window while it decodes
            if resamples(alone[0]) or crops(alone[0]):
                kind = WindowPass
        ops, part = zip(*todo[:count], strict=True)
        form = _form(kind, part)
        passes.append(kind(part, form, why=why, ops=ops))
        del todo[:count]
    return passes


def _windowing(steps: list[Any]) -> int:
    """How many of the first steps one ``WindowPass`` can do."""
    count, resampled = 0, False
    for step in steps:
        if resamples(step):
            if resampled:
                break  # two filters after each other are not one filter
            resampled = True
        elif not crops(step) and mirror(step) is None:
            break
        count += 1
    # mirrors at the end cost nothing in the pass behind, if it goes on with more than mirrors
    kept = count
    while kept and mirror(steps[kept - 1]) is not None:
        kept -= 1
    if kept < count and finishing(steps[kept:]) > count - kept:
        return kept
    return count


def _form(kind: type[Pass], steps: Sequence[Any]) -> str:
    """What will run on a CPU: "numba" where a kernel does it and Numba is there."""
    compiled = kind is FinishPass or any(getattr(step, "compiled", False) for step in steps)
    return "numba" if compiled and find_spec("numba") is not None else "torch"


def _why(steps: list[Any]) -> str:
    """Why the first of these steps stands alone; empty where there is nothing to say."""
    first, after = steps[0], steps[1] if len(steps) > 1 else None
    if not isinstance(first, Geometric) or not isinstance(after, Geometric):
        return ""
    if mirror(after) is not None:
        return ""  # it joined the pass behind
    name, other = type(first).__name__, type(after).__name__
    if resamples(first) and resamples(after):
        return f"{other} resamples again, and two filters are not one"
    if isinstance(first, RandomCrop) or isinstance(after, RandomCrop):
        return "RandomCrop adds a border, which is no part of the picture"
    if resamples(first) or crops(first):
        return f"{other} after it samples points of {name}'s result, and would alias without it"
    return f"{name} and {other} sample differently (interpolation, fill, or a frame that expands)"
