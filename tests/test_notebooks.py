"""The notebooks run from the first cell to the last, offline, and show what they promise."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))

# what a kernel and its client warn of is theirs; it is the notebook that is on trial
pytestmark = pytest.mark.filterwarnings("default")


def run(name: str) -> Any:
    """A notebook with its outputs."""
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOMAINKIT_OFFLINE", "1")
        # the kernel imports what is tested here, installed or not
        patch.setenv("PYTHONPATH", str(ROOT))
        # beside other tests, threads that wait for each other would take most of the time
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        client = NotebookClient(notebook, timeout=300, kernel_name="python3")
        return client.execute(cwd=str(ROOT / "notebooks"))


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


@pytest.fixture(scope="module")
def tour() -> Any:
    return run("tour.ipynb")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)


def test_the_tour_shows_pictures_tables_and_sound(tour: Any) -> None:
    shown = outputs(tour)
    assert not [o for o in shown if o.output_type == "error"]
    assert not [o.text for o in shown if o.get("name") == "stderr"]
    data = [o.data for o in shown if "data" in o]
    assert sum("image/png" in d for d in data) == 4  # grid, augmentation, predictions, log-mel
    html = [d["text/html"] for d in data if "text/html" in d]
    assert sum("<thead>" in table for table in html) == 3  # the datasets
    assert any("<img" in table for table in html)
    assert any(table.count("<audio") > 1 for table in html)


def test_the_tour_reaches_the_accuracies(tour: Any) -> None:
    text = "".join(o.text for c in tour.cells for o in c.get("outputs", ()) if "text" in o)
    pretrained = [float(found) for found in re.findall(r"pretrained: accuracy ([\d.]+)", text)]
    trained = [float(found) for found in re.findall(r"trained here: accuracy ([\d.]+)", text)]
    assert len(pretrained) == 3 and min(pretrained) > 0.8
    assert len(trained) == 3 and min(trained) > 0.65
    assert "the same pictures: True" in text


def test_the_transforms_notebook_shows_every_kind() -> None:
    notebook = run("vision-transforms.ipynb")
    shown = outputs(notebook)
    assert not [o for o in shown if o.output_type == "error"]
    assert not [o.text for o in shown if o.get("name") == "stderr"]
    data = [o.data for o in shown if "data" in o]
    # size, place, colour, filters, automatic, two mixtures, boxes
    assert sum("image/png" in d for d in data) == 8
    text = "".join(o.text for o in shown if "text" in o)
    assert "the same picture: True" in text
    assert "RandomResizedCrop" in text  # the plan


def test_the_audio_notebook_plays_and_shows_every_kind() -> None:
    notebook = run("audio-transforms.ipynb")
    shown = outputs(notebook)
    assert not [o for o in shown if o.output_type == "error"]
    assert not [o.text for o in shown if o.get("name") == "stderr"]
    data = [o.data for o in shown if "data" in o]
    # as they are, loudness, speed, rooms; features, masks
    assert sum("image/png" in d for d in data) == 6
    assert sum("<audio" in d.get("text/html", "") for d in data) == 1 + 4 + 2 + 5
    text = "".join(o.text for o in shown if "text" in o)
    assert "alone and in a batch, the same: True" in text
    assert "RandomSpeed" in text  # the plan


def test_the_text_notebook_learns_and_searches() -> None:
    notebook = run("text.ipynb")
    shown = outputs(notebook)
    assert not [o for o in shown if o.output_type == "error"]
    assert not [o.text for o in shown if o.get("name") == "stderr"]
    data = [o.data for o in shown if "data" in o]
    assert sum("image/png" in d for d in data) == 3  # packing, losses, cosines
    text = "".join(o.text for o in shown if "text" in o)
    assert "alone and in a batch, the same: True" in text
    first, last = map(float, re.findall(r"guesses: ([\d.]+) at first, ([\d.]+) at last", text)[0])
    assert last < first - 1.0
    assert float(re.findall(r"test accuracy ([\d.]+)", text)[0]) > 0.7
