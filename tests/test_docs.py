"""The site builds without a warning, its examples run, and every name it mentions exists."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from types import ModuleType

import pytest

import domainkit as dk
from domainkit.recipe import list_recipes

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md"])
FENCE = re.compile(r"^```(\S+)([^\n]*)\n(.*?)^```[^\S\n]*$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')
# a name of a dataset, model or recipe; in a path (datasets/vision/mnist.toml) it is none
NAME = re.compile(r"(?<![\w/.])((?:vision|audio|text)/[a-z0-9][a-z0-9_-]*)(?![\w/.]*[/(]|\.toml)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that its title names, and whether it may run."""

    language: str
    title: str | None
    no_run: bool
    text: str
    line: int


def blocks(page: str) -> list[Block]:
    found = []
    for match in FENCE.finditer(page):
        title = TITLE.search(match[2])
        found.append(
            Block(
                match[1],
                title[1] if title else None,
                "no-run" in match[2].split(),
                match[3],
                page.count("\n", 0, match.start()) + 2,
            )
        )
    return found


def run_page(name: str, page: str, folder: Path) -> int:
    """Write the blocks that name a file, run the others that are Python, in one namespace."""
    namespace: dict[str, object] = {"__name__": "__page__"}
    ran = 0
    for block in blocks(page):
        if block.title is not None:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python" and not block.no_run:
            # the line numbers of a traceback are then those of the page
            code = compile("\n" * (block.line - 1) + block.text, name, "exec")
            exec(code, namespace)
            ran += 1
    return ran


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generated(hooks: ModuleType) -> dict[str, str]:
    return hooks.generated()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOMAINKIT_CARDS", "")  # a page may set it: put back afterwards
    return tmp_path


def html(site: Path) -> Iterator[tuple[Path, str]]:
    return ((path, path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html")))


def test_every_page_is_built(site: Path, generated: dict[str, str]) -> None:
    for place in [*generated, *(p.relative_to(ROOT / "docs") for p in ROOT.glob("docs/**/*.md"))]:
        path = Path(place)
        folder = path.parent if path.stem == "index" else path.with_suffix("")
        assert (site / folder / "index.html").is_file(), place


def test_a_file_is_shown_where_a_page_names_it(site: Path) -> None:
    assert not [path for path, text in html(site) if "--8&lt;--" in text or "--8<--" in text]
    page = (site / "distributed" / "index.html").read_text(encoding="utf-8")
    script = (ROOT / "docs" / "examples" / "train_elastic.py").read_text(encoding="utf-8")
    shown = unescape(re.sub(r"<[^>]+>", "", page))
    assert " ".join(script.split()) in " ".join(shown.split())


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    assets = re.compile(r"<(?:script|img|iframe|source)[^>]+src=[\"']?(?:https?:)?//|<link[^>]+//")
    for path, text in html(site):
        assert not (found := assets.search(text)), f"{path}: {found and found[0]}"


def test_every_public_name_is_in_the_api(site: Path) -> None:
    anchors = {a for _, text in html(site) for a in re.findall(r'id="(domainkit[\w.]+)"', text)}
    public = [getattr(dk, name) for name in dk.__all__]
    public = [thing for thing in public if not isinstance(thing, ModuleType)]
    for module in (dk.vision.transforms, dk.audio.transforms, dk.text.transforms, dk.samplers):
        public += [getattr(module, name) for name in module.__all__]
    missing = {f"{o.__module__}.{o.__qualname__}" for o in public} - anchors
    assert not missing


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_examples_of_a_page_run(path: Path, own_folder: Path) -> None:
    page = path.read_text(encoding="utf-8")
    expected = sum(b.language == "python" and not b.no_run and not b.title for b in blocks(page))
    assert run_page(path.name, page, own_folder) == expected


@pytest.mark.parametrize("place", ["datasets.md", "models.md"])
def test_the_examples_of_a_generated_page_run(
    place: str, generated: dict[str, str], own_folder: Path
) -> None:
    assert run_page(place, generated[place], own_folder) >= 3


def test_only_what_needs_the_network_or_a_model_is_not_run(generated: dict[str, str]) -> None:
    for page in [*(path.read_text(encoding="utf-8") for path in PAGES), *generated.values()]:
        for block in blocks(page):
            if block.no_run:
                needs = r"load_(dataset|model)\(|language_model="  # KenLM's, an extra
                assert re.search(needs, block.text), block.text


def test_every_name_that_is_mentioned_exists(generated: dict[str, str]) -> None:
    known = {*dk.list_datasets(), *dk.list_models(), *list_recipes()}
    known.add("vision/fashion-mnits")  # misspelled to show the error
    pages = {path.name: path.read_text(encoding="utf-8") for path in PAGES} | generated
    assert {"vision/resnet50", "text/imdb"} <= set(NAME.findall("".join(pages.values())))
    for place, page in pages.items():
        if place == "contributing.md":  # its examples add names; they are tried below
            continue
        named = {name for name in NAME.findall(page) if "/my-" not in name}
        assert not named - known, place


def test_a_generated_page_has_every_card(generated: dict[str, str]) -> None:
    for place, names in {
        "datasets.md": dk.list_datasets(),
        "models.md": dk.list_models(),
        "recipes.md": list_recipes(),
    }.items():
        for name in names:
            assert f"### {name} " in generated[place] or f"| {name} |" in generated[place], name


COPIED = ("datasets", "domainkit", "tests", "transforms", "pyproject.toml")


def apply_diff(file: Path, diff: str) -> None:
    """Apply one hunk, whose context must stand in the file exactly once."""
    lines = diff.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file} has this {text.count(old)} times:\n{old}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_the_examples_for_contributors_are_true(tmp_path: Path) -> None:
    """In a copy of the repository: the files are written, the lines changed, the tests pass."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    files, code = [], []
    for block in blocks((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        if block.title is None:
            if block.language == "python" and not block.no_run:
                code.append(block.text)
        elif block.language == "diff":
            apply_diff(tmp_path / block.title, block.text)
        else:
            assert not (tmp_path / block.title).exists(), f"{block.title} is there already"
            (tmp_path / block.title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
            files.append(block.title)
    packed = ROOT / "datasets" / "audio" / "voice-prompts" / "voice-prompts.zip"
    zipfile.ZipFile(packed).extractall(tmp_path / "recordings")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}  # before an installed domainkit
    modules = [f for f in files if f.endswith(".py")]
    kmnist = "tests/test_published.py::test_vision_equals_torchvision[vision/kmnist]"
    for command in (
        ["-c", "\n".join(code)],  # packs the recordings, trains the new model and the tokenizer
        ["-m", "ruff", "check", *modules],
        ["-m", "pytest", *modules, kmnist, "tests/test_cards.py", "tests/test_layout.py"],
    ):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "voice-prompts.zip").read_bytes() == packed.read_bytes()
