"""The public names of domainkit.text: sorted, all there, loaded on first touch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from domainkit import text
from domainkit.text import models, transforms
from domainkit.text.readers import READERS
from domainkit.transform import Compose, Transform


@pytest.mark.parametrize("module", [text, models, transforms])
def test_all_is_sorted_and_resolves(module: object) -> None:
    names = list(module.__all__)  # type: ignore[attr-defined]
    assert names == sorted(names) and names == dir(module)
    assert all(hasattr(module, name) for name in names)


def test_every_transform_works_on_text_or_tokens() -> None:
    fields = {
        name: getattr(transforms, name).field
        for name in transforms.__all__
        if getattr(transforms, name) is not Compose
    }
    assert all(issubclass(getattr(transforms, name), Transform) for name in fields)
    assert fields == {
        **dict.fromkeys(
            [
                *("AddSpecialTokens", "MaskTokens", "NGrams", "NextToken", "Pack", "Pad"),
                *("PermutationLM", "RandomCrop", "RandomDeletion", "RandomSwap", "Reverse"),
                *("SpanCorruption", "Truncate", "TruncatePair"),
            ],
            "tokens",
        ),
        "Tokenize": "text",
    }


@pytest.mark.parametrize("module", [text, models, transforms])
def test_an_unknown_name_is_an_attribute_error(module: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        module.Nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_looking_at_the_readers_loads_no_torch() -> None:
    code = "import sys, domainkit.text.readers as r; print(len(r.READERS), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(READERS)), "False"]


def test_importing_the_transforms_loads_no_tokenizers() -> None:
    code = (
        "import sys, domainkit.text.transforms as t; t.Tokenize, t.MaskTokens; "
        "print('tokenizers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
