"""Importing domainkit loads next to nothing; what needs no tensors loads no torch."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = {"torch", "torchvision", "torchaudio", "numpy", "pyarrow", "PIL", "soundfile", "tokenizers"}


def loaded(code: str) -> set[str]:
    """The modules that a fresh Python holds after running ``code``."""
    listing = f"{code}\nimport sys\nsys.stdout.write('\\n' + ' '.join(sorted(sys.modules)))"
    environment = {
        k: v for k, v in os.environ.items() if k not in ("PYTHONWARNINGS", "PYTHONSTARTUP")
    }
    done = subprocess.run(
        [sys.executable, "-c", listing],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return set(done.stdout.splitlines()[-1].split())


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.split(".")[0] == "domainkit"}


@pytest.fixture(scope="module")
def bare() -> set[str]:
    return loaded("")


def test_import_domainkit_loads_at_most_five_modules(bare):
    modules = loaded("import domainkit; domainkit.__version__; dir(domainkit)")
    assert len(ours(modules)) <= 5
    assert not HEAVY & (modules - bare)
    assert len(modules - bare) < 60  # and little of the standard library


@pytest.mark.parametrize(
    "code",
    [
        "import domainkit as dk; dk.list_datasets(); dk.load_card('vision/mnist')",
        "import domainkit as dk; dk.fetch; dk.DomainkitError",
        "import domainkit.cards, domainkit.cache, domainkit.archive, domainkit.errors",
        "import domainkit.cli.main",
        "from domainkit import audio, text, vision; dir(vision); vision.transforms.__all__",
        "from domainkit.vision import datasets; datasets.list(); dir(datasets)",
        "import domainkit.vision.readers as r, domainkit.text.readers as t; r.READERS, t.READERS",
    ],
)
def test_what_needs_no_tensors_loads_no_torch(bare, code):
    assert not HEAVY & (loaded(code) - bare)


def test_a_dataset_needs_no_torchvision_and_no_codec_of_another_domain():
    modules = loaded(
        "import domainkit as dk\ndk.load_dataset('text/sentiment-sentences', 'test')[0]"
    )
    assert "torch" in modules
    assert not {"torchvision", "torchaudio", "soundfile", "PIL"} & modules
    domains = {name.split(".")[1] for name in ours(modules) if "." in name}
    assert not domains & {"audio", "vision"}
