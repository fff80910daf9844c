"""How the command starts and ends: exit codes, no traceback, what it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from support.command import COMMAND, invoke, run

import domainkit
from domainkit.cli.main import VERBS

HEAVY = {"torch", "numpy", "pyarrow", "httpx", "rich", "PIL", "tokenizers", "pandas"}
HELPS = [(), *((verb,) for verb in VERBS), *(("cache", verb) for verb in ("path", "ls", "rm"))]

# runs the command line and tells, on stderr's last line, which modules it left behind
LOADED = """
import sys
from domainkit.cli.main import main
sys.argv = ["domainkit", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    code = end.code
print(code or 0, *sys.modules, file=sys.stderr)
"""


def loaded(*args: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *args], capture_output=True, text=True, check=True
    )
    code, *modules = done.stderr.splitlines()[-1].split()
    assert code == "0", done.stderr
    return set(modules)


@pytest.mark.parametrize(
    "args",
    [
        ["list"],
        ["list", "--models", "--recipes", "--json"],
        ["info", "vision/fashion-mnist-mini"],
        ["info", "vision/resnet50"],
        ["cache", "ls"],
        ["download", "vision/fashion-cnn"],
        ["--help"],
    ],
)
def test_verbs_that_need_no_tensors_load_none(args: list[str]) -> None:
    domainkit.load_dataset("vision/fashion-mnist-mini", "test")  # so that info has one to look at
    assert not {name.split(".")[0] for name in loaded(*args)} & HEAVY


def test_list_loads_only_what_it_uses() -> None:
    ours = {name for name in loaded("list") if name.split(".")[0] == "domainkit"}
    verbs = {"main", "list", "options", "show", "stop"}
    assert ours == {
        "domainkit",
        "domainkit.cards",
        "domainkit.cli",
        *(f"domainkit.cli.{name}" for name in verbs),
        "domainkit.errors",
        "domainkit.progress",
    }


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"domainkit {domainkit.__version__}\n")


@pytest.mark.parametrize("verb", HELPS, ids=" ".join)
def test_help_has_an_example_and_fits(verb: tuple[str, ...]) -> None:
    result = invoke(*verb, "--help")
    assert result.exit_code == 0
    example = f"\n    domainkit {verb[0]}" if verb and verb != ("cache", "path") else "domainkit "
    assert example in result.stdout or verb == ("cache",)
    assert "\x1b" not in result.stdout and "..." not in result.stdout.replace("...\n", "")
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("args", [[], ["lst"], ["list", "--nonsense"], ["info"], ["cache"]])
def test_wrong_use_exits_with_2(args: list[str]) -> None:
    result = invoke(*args)
    assert result.exit_code == 2
    assert result.stdout == "" and result.stderr


def test_an_unknown_verb_is_told_the_nearest() -> None:
    assert "Did you mean 'download'?" in invoke("dowload").stderr


def test_an_error_is_its_message_alone() -> None:
    done = run("info", "vision/mnits")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("There is no dataset, model or recipe 'vision/mnits'. Did you")
    assert len(done.stderr.splitlines()) == 1


def test_debug_shows_the_traceback() -> None:
    done = run("info", "vision/mnits", env={"DOMAINKIT_DEBUG": "1"})
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "NotFoundError" in done.stderr


def test_trouble_with_the_disk_is_no_traceback(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "home").write_text("a file where a folder should be")
    env = {"DOMAINKIT_HOME": str(tmp_path / "home")}
    done = run("download", "vision/fashion-mnist-mini", "--split", "test", env=env)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and str(tmp_path / "home") in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    process = subprocess.Popen(
        [*COMMAND, "list", "--models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), errors) == (141, "")


def test_json_survives_a_terminal_without_unicode() -> None:
    done = run("info", "vision/imagenette", "--json", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert json.loads(done.stdout)["name"] == "vision/imagenette"


PROGRESS = {"event", "bar", "name", "done", "total", "unit", "seconds", "per_second", "note"}


def test_json_is_one_document_and_lines_of_progress(small: Any) -> None:
    done = run("download", "vision/small", "--json", env=small.env)
    assert done.returncode == 0, done.stderr
    assert [item["split"] for item in json.loads(done.stdout)["done"]] == ["train", "test"]
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all(set(line) == PROGRESS for line in lines)
    names = {line["name"] for line in lines}
    assert len(names) == 6  # four files, two splits
    for name in names:
        first, *_, last = (line for line in lines if line["name"] == name)
        assert (first["event"], first["done"]) == ("start", 0)
        assert (last["event"], last["done"]) == ("done", last["total"])


@pytest.mark.parametrize("place", [0, 2, 5])
def test_quiet_json_is_the_document_alone(small: Any, place: int) -> None:
    args = ["download", "vision/small", "--split", "test", "--json"]
    args.insert(place, "-q")
    result = invoke(*args)
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["errors"] == []


def test_json_of_a_failure_keeps_the_error_readable(small: Any) -> None:
    result = invoke("download", "vision/small", "vision/smal", "--split", "test", "--json")
    assert result.exit_code == 1
    plain = [line for line in result.stderr.splitlines() if not line.startswith("{")]
    assert plain[-1] == "1 of 2 failed" and "'vision/small'" in plain[0]


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" in invoke("list", color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in invoke("list", color=True).stdout


def test_the_installed_script_is_the_same_command() -> None:
    from importlib import metadata

    scripts = {s.name: s.value for s in metadata.entry_points(group="console_scripts")}
    if "domainkit" not in scripts:
        pytest.skip("domainkit is not installed here")
    assert scripts["domainkit"] == "domainkit.cli.main:main"
    assert os.environ["DOMAINKIT_HOME"] in invoke("cache", "path").stdout
