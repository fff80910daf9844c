"""The plan of the house, held by reading the code: who may import whom, and what a room looks like.

``ALLOWED`` is DESIGN's import direction written out. A new module needs a line here; a new arrow
needs a reason.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import domainkit

PACKAGE = Path(domainkit.__file__).parent
ROOT = PACKAGE.parent
DOMAINS = ("audio", "text", "vision")
FILES = sorted(PACKAGE.rglob("*.py"))

# room -> the rooms it may import when it is imported itself. "D.x" stands for x of any domain.
ALLOWED: dict[str, set[str]] = {
    "": set(),
    "__main__": {"cli"},
    "errors": set(),
    "progress": set(),
    "draws": set(),
    "gamma": {"draws"},
    "jit": set(),
    "mixing": set(),
    "outputs": set(),
    "ragged": set(),
    "probe": set(),
    "switches": set(),
    "cards": {"errors"},
    "archive": {"errors"},
    "splits": {"errors"},
    "cache": {"errors", "progress", "switches"},
    "names": {"cards", "errors"},
    "model_cards": {"cards", "errors"},
    "doctor": {"cache", "cards", "errors", "probe"},
    "order": {"draws"},
    "assembly": {"batch", "errors", "features", "ragged"},
    "batch": {"ragged"},
    "lengths": {"errors", "features"},
    "soft_labels": {"errors"},
    "samplers": {"draws", "errors", "mixing", "order"},
    "features": {"errors", "ragged"},
    "transform": {"draws", "errors", "ragged"},
    "recipe": {"cards", "errors", "transform"},
    "prepared": {"cache", "cards", "errors"},
    "columns": set(),
    "store": {"cache", "columns", "errors", "features", "prepared"},
    "prepare": {"cache", "cards", "errors", "features", "prepared", "progress", "store"},
    "joined": {"columns"},
    "dataset": {
        *("assembly", "batch", "cards", "errors", "features", "joined", "lengths", "mixing"),
        *("prepare", "progress", "splits"),
    },
    "windows": {"columns", "dataset", "errors", "features"},
    "combine": {"dataset", "joined", "mixing"},
    "display": {"dataset", "errors", "features"},
    "pipeline_check": {"errors", "features", "transform"},
    "loader": {
        *("assembly", "batch", "dataset", "draws", "errors", "order", "pipeline_check"),
        *("samplers", "transform"),
    },
    "training": {"loader", "progress"},
    "profile": {"batch", "loader", "progress", "training"},
    "interop": {
        *("archive", "cache", "dataset", "errors", "features", "prepared", "progress", "store"),
    },
    "zoo": {
        *("batch", "cache", "dataset", "errors", "features", "loader", "model_cards", "ragged"),
        *("recipe", "training", "transform"),
    },
    "cli": {"cache", "cards", "errors", "model_cards", "prepared", "progress"},
    "D": set(),
    "D.codec": {"archive", "errors", "ragged"},
    "D.datasets": {"names"},
    "D.functional": {"errors", "jit"},
    "D.readers": {"archive", "errors"},
    "D.metrics": {"errors", "ragged"},
    "D.nested": {"errors", "ragged"},
    "D.tokenizers": {"errors", "ragged"},
    "D.transforms": {
        *("D.functional", "draws", "errors", "gamma", "jit", "outputs"),
        *("ragged", "soft_labels", "transform"),
    },
    "D.models": {"draws", "errors", "ragged"},
    "D.vectors": {"errors", "ragged"},
    "D.vocab": {"errors", "ragged"},
}

# what a room may import besides, inside a function, when it is used
LATER: dict[str, set[str]] = {
    "cache": {""},  # the version, for the User-Agent
    "names": {"dataset"},
    "dataset": {"display", "interop"},
    "loader": {"recipe"},
    "cli": {
        *("", "dataset", "display", "doctor", "loader", "prepare", "store", "switches", "training"),
        *("profile", "recipe", "zoo"),
    },
    "D.functional": {"D.codec"},  # apply_codec
    "D.models": {"D.transforms", "cache", "model_cards", "zoo"},
    "D.tokenizers": {"cache", "model_cards"},
    "D.transforms": {"D.tokenizers"},
    "D.vectors": {"archive", "cache"},
}

# rooms that load no torch and no numpy, so that `domainkit list` answers at once
LIGHT = {
    *("", "__main__", "errors", "progress", "probe", "cards", "archive", "splits", "cache"),
    *("names", "model_cards", "prepared", "doctor", "cli", "switches", "D", "D.datasets"),
}
HEAVY = {
    *("torch", "torchvision", "torchaudio", "numpy", "pyarrow", "PIL", "scipy", "pandas"),
    *("tokenizers", "safetensors", "soundfile", "librosa", "numba", "triton", "rich"),
}


class Import(NamedTuple):
    file: Path
    line: int
    what: str  # a dotted name
    when: str  # "first" (on import), "later" (in a function), "never" (for type checkers)

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.what} ({self.when})"


def dotted(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(name: str) -> str:
    """The room of a module: "store", "cli", "D.transforms" ("" is domainkit itself)."""
    _, *rest = name.split(".")
    if not rest:
        return ""
    if rest[0] in DOMAINS:
        return ".".join(["D", *rest[1:2]])
    is_module = (PACKAGE / rest[0]).is_dir() or (PACKAGE / f"{rest[0]}.py").is_file()
    return rest[0] if is_module else ""  # else it is a name that domainkit/__init__.py defines


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(file: Path) -> Iterator[Import]:
    def visit(node: ast.AST, when: str) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, when)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            for alias in node.names:
                whole = node.module in ("domainkit", *(f"domainkit.{d}" for d in DOMAINS))
                what = f"{node.module}.{alias.name}" if whole else node.module
                yield Import(file, node.lineno, what, when)
        inner = when
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            inner = "later" if when == "first" else when
        for child in ast.iter_child_nodes(node):
            types_only = (
                isinstance(node, ast.If)
                and ast.unparse(node.test) == "TYPE_CHECKING"
                and child in node.body
            )
            yield from visit(child, "never" if types_only else inner)

    return visit(tree(file), "first")


EVERY = [found for file in FILES for found in imports(file)]
OURS = [found for found in EVERY if found.what.split(".")[0] == "domainkit"]
OTHERS = [found for found in EVERY if found.what.split(".")[0] != "domainkit"]


# -- direction ---------------------------------------------------------------------------------


def test_every_module_has_a_room_in_the_table():
    assert {room(dotted(file)) for file in FILES} <= set(ALLOWED)


def test_imports_go_in_the_allowed_direction():
    wrong = []
    for found in OURS:
        here, there = room(dotted(found.file)), room(found.what)
        if found.when == "never" or here == there:
            continue
        allowed = ALLOWED[here] | (LATER.get(here, set()) if found.when == "later" else set())
        if there not in allowed:
            wrong.append(str(found))
    assert wrong == []


def test_the_table_has_no_circle():
    left = dict(ALLOWED)
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}


def test_the_table_says_what_the_design_says():
    order = ["errors", "cards", "cache", "archive"]
    assert ALLOWED["errors"] == set()
    assert ALLOWED["cards"] == ALLOWED["archive"] == {"errors"}
    assert not ALLOWED["store"] & {"dataset", "order", "loader"}
    assert not ALLOWED["dataset"] & {"order", "loader"}
    assert not any(ALLOWED[name] & {"store", "dataset"} for name in order)
    laws = {"gamma", "jit", "outputs", "soft_labels"}  # what several domains do alike
    needs = ALLOWED["D.transforms"] - {"D.functional"} - laws
    assert needs == {"draws", "errors", "ragged", "transform"}
    for table in (ALLOWED, LATER):  # only a domain's rooms know of its other rooms
        for here, needs in table.items():
            assert here.startswith("D") or not any(there.startswith("D") for there in needs)
    for leaf in ("draws", "ragged"):
        assert ALLOWED[leaf] == set()


def test_domains_never_import_each_other():
    for found in OURS:
        here, there = dotted(found.file).split("."), found.what.split(".")
        if len(there) > 1 and there[1] in DOMAINS:
            inside = len(here) > 1 and here[1] == there[1]
            public = len(here) == 1 and found.when == "never"  # names for the type checker
            assert inside or public, found


def test_transforms_need_torch_and_numpy_only():
    for found in OTHERS:
        name = found.what.split(".")[0]
        if room(dotted(found.file)) != "D.transforms" or name in sys.stdlib_module_names:
            continue
        later = {"tokenizers", "numba", "triton", "PIL", "simplejpeg", "torchvision"}
        allowed = {"torch", "numpy"} | (later if found.when != "first" else set())
        if found.file.name.startswith("_numba_"):  # compiled code, imported when a kernel runs
            allowed |= {"numba"}
        if found.file.name.startswith("_triton_"):
            allowed |= {"triton"}
        assert name in allowed, found


def test_light_rooms_load_nothing_heavy():
    for found in OTHERS:
        here = room(dotted(found.file))
        if found.when == "first" and here in LIGHT:
            assert found.what.split(".")[0] not in HEAVY, found
    for here in LIGHT:  # nor by way of another room
        assert ALLOWED[here] <= LIGHT, here


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domains_doors_import_nothing(domain):
    for part in ("__init__.py", "transforms/__init__.py", "models/__init__.py"):
        for found in imports(PACKAGE / domain / part):
            if found.when == "first":
                assert found.what.split(".")[0] in sys.stdlib_module_names, found


def test_torchaudio_and_torchtext_are_not_needed():
    for found in OTHERS:
        assert found.what.split(".")[0] != "torchtext", found
        assert found.what.split(".")[0] != "torchaudio" or found.when == "later", found


def test_the_reader_of_imports_sees_all_kinds(tmp_path):
    source = (
        "import a\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import b\n"
        "else:\n    import c\nclass C:\n    import d\n"
        "    def f(self):\n        from domainkit import e\n"
        "try:\n    import g.h\nexcept ImportError:\n    pass\n"
    )
    file = tmp_path / "x.py"
    file.write_text(source)
    seen = {(found.what, found.when) for found in imports(file)}
    assert seen == {
        *(("a", "first"), ("typing", "first"), ("b", "never"), ("c", "first"), ("d", "first")),
        *(("domainkit.e", "later"), ("g.h", "first")),
    }


# -- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["datasets", "transforms"])
def test_facts_hold_no_code(folder):
    # a top-level datasets/*.py would shadow Hugging Face's package of that name
    facts = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    assert facts
    assert [p for p in facts if p.suffix in {".py", ".pyc", ".pyi", ".so", ".ipynb", ".sh"}] == []
    assert {p.relative_to(ROOT / folder).parts[0] for p in facts} <= set(DOMAINS)


def test_no_module_outgrows_its_room():
    lengths = {f: len(f.read_text(encoding="utf-8").splitlines()) for f in FILES}
    assert {str(f): n for f, n in lengths.items() if n > 400} == {}
    assert sorted(lengths.values())[len(lengths) // 2] < 200
    assert max(len(f.relative_to(PACKAGE).parts) for f in FILES) <= 4  # three folders and a file


def test_tests_are_no_package():
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_nothing_is_printed_or_slept_on_import():
    for file in FILES:
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "breakpoint"):
                pytest.fail(f"{file}:{node.lineno} calls {ast.unparse(node.func)}()")
        for node in tree(file).body:  # no work at import: definitions, constants, doors
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                pytest.fail(f"{file}:{node.lineno} does something when it is imported")


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_every_module_says_what_it_is(file):
    text = ast.get_docstring(tree(file))
    assert text, "no docstring"
    assert re.match(r"\S.*[.:,;\w]", text.splitlines()[0])


# -- names -------------------------------------------------------------------------------------

DOORS = [
    "domainkit",
    *(f"domainkit.{d}{p}" for d in DOMAINS for p in ("", ".transforms", ".models")),
]
MODULES = [dotted(f) for f in FILES if f.name != "__main__.py"]


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_there(name):
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", None)
    if listed is None:
        assert not [n for n in vars(module) if n == "__getattr__"]
        return
    assert len(set(listed)) == len(listed)
    for public in listed:
        assert not public.startswith("_"), public
        assert getattr(module, public) is not None, public


@pytest.mark.parametrize("name", DOORS)
def test_doors_know_their_names(name):
    module = importlib.import_module(name)
    assert list(module.__all__) == sorted(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name  # noqa: B018  # the access is the test
    with pytest.raises(ImportError):
        exec(f"from {name} import no_such_name")


def public_things() -> list[tuple[str, object]]:
    things = []
    for name in ("domainkit", *(f"domainkit.{d}.transforms" for d in DOMAINS)):
        module = importlib.import_module(name)
        things += [(f"{name}.{n}", getattr(module, n)) for n in module.__all__]
    return things


@pytest.mark.parametrize(
    ("name", "thing"), public_things(), ids=lambda x: x if type(x) is str else ""
)
def test_public_names_are_explained_by_example(name, thing):
    text = inspect.getdoc(thing)
    assert text, f"{name} has no docstring"
    is_error = inspect.isclass(thing) and issubclass(thing, Exception)
    needs_an_extra = name == "domainkit.from_hf"
    if not (is_error or needs_an_extra or inspect.ismodule(thing)):
        assert ">>> " in text, f"{name} has no example"
    own = inspect.isclass(thing) and "__doc__" in vars(thing)
    assert own or not inspect.isclass(thing), f"{name} has its parent's docstring"
