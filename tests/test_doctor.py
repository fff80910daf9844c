"""The doctor: each state told apart, and no broken library takes it down."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support.command import invoke

from domainkit import doctor
from domainkit.doctor import Check, diagnose, libraries, places, usable
from domainkit.probe import Answer, ask

TORCH = Answer(
    version="2.15.0+cu132",
    facts={"cuda": "13.2", "hip": None, "devices": [], "mps": False, "threads": 2},
)


def modules(folder: Path, monkeypatch: pytest.MonkeyPatch, **sources: str) -> None:
    """Modules of these names and sources, for other processes to import."""
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)


# -- the other process -------------------------------------------------------------------------


def test_a_library_that_kills_its_process_is_told_and_the_rest_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules(
        tmp_path,
        monkeypatch,
        segfaults="import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        leaves="import os; os._exit(7)",
        good="__version__ = '1.2'; print('a line of its own')",
    )
    answers = ask(["json", "segfaults", "leaves", "good"])
    assert answers["json"].error == ""
    assert answers["segfaults"].error.endswith("SIGSEGV")
    assert answers["leaves"].error.endswith("exit code 7")
    assert answers["good"] == Answer(version="1.2")


def test_a_library_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules(tmp_path, monkeypatch, hangs="import threading; threading.Event().wait()")
    answers = ask(["json", "hangs"], timeout=2)
    assert answers["json"].error == ""
    assert "did not end within 2 s" in answers["hangs"].error


def test_errors_and_warnings_are_brought_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules(
        tmp_path,
        monkeypatch,
        broken="raise OSError('libcudart.so.12: cannot open shared object file')",
        needy="import no_such_library",
        warns="import warnings; warnings.warn('driver too\\nold')",
    )
    answers = ask(["broken", "needy", "warns", "no_such_library"])
    assert answers["broken"].error.startswith("OSError: libcudart.so.12: cannot open")
    assert not answers["broken"].missing
    assert "no_such_library" in answers["needy"].error and not answers["needy"].missing
    assert answers["warns"].warnings == ["driver too old"] and answers["warns"].error == ""
    assert answers["no_such_library"].missing


# -- what is made of the answers ---------------------------------------------------------------


def test_this_machine() -> None:
    checks = {check.name: check for check in diagnose()}
    assert usable(list(checks.values()))
    assert checks["torch"].found.startswith(torch.__version__)
    assert checks["numpy"].found == np.__version__
    assert "libsndfile" in checks["soundfile"].found
    assert os.environ["DOMAINKIT_HOME"] in checks["cache"].found
    assert checks["python"].found.endswith(sys.executable)
    if torch.cuda.is_available():
        assert torch.cuda.get_device_name(0) in checks["torch"].found


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            "OSError: libcudart.so.12: cannot open shared object file: No such file",
            "this torch does not bring libcudart.so.12",
        ),
        (
            "RuntimeError: Detected that PyTorch and TorchAudio were compiled with different "
            "CUDA versions.",
            "different CUDA versions. It was built for",
        ),
    ],
)
def test_a_broken_torchaudio_is_explained(
    error: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "_installed_version", lambda package: "2.11.0+cu130")
    check = libraries.torchaudio_check(Answer(error=error), TORCH)
    assert check.state == "warning" and words in check.found
    assert "built for torch 2.11 with CUDA 13.0; here is torch 2.15.0+cu132" in check.found
    assert "pip uninstall torchaudio" in check.fix and "torch<2.15" in check.fix


def test_numba_is_worth_a_warning_and_no_more() -> None:
    assert libraries.numba_check(Answer(version="0.68.1")) == Check("numba", "ok", "0.68.1")
    for answer in (Answer(missing=True, error="gone"), Answer(error="numpy is too new")):
        check = libraries.numba_check(answer)
        assert check.state == "warning" and "slower" in check.found and "pip install" in check.fix


def test_torchaudio_is_not_needed() -> None:
    assert libraries.torchaudio_check(
        Answer(missing=True, error="ModuleNotFoundError"), TORCH
    ).state == ("ok")


def test_torch() -> None:
    assert libraries.torch_check(Answer(error="ModuleNotFoundError", missing=True)) == Check(
        "torch", "fault", "not installed", "pip install torch"
    )
    broken = libraries.torch_check(Answer(error="ImportError: libnccl.so.2: undefined symbol"))
    assert broken.state == "fault" and "libnccl" in broken.found and broken.fix
    gpu = Answer(TORCH.version, facts={**TORCH.facts, "devices": ["NVIDIA H200"]})
    assert "devices: NVIDIA H200" in libraries.torch_check(gpu).found


def test_a_gpu_that_torch_cannot_use_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "_nvidia_gpu", lambda: True)
    old = Answer(TORCH.version, facts=TORCH.facts, warnings=["The NVIDIA driver is too old"])
    check = libraries.torch_check(old)
    assert check.state == "warning" and "too old" in check.found and "13.2" in check.fix
    monkeypatch.setattr(libraries, "_nvidia_gpu", lambda: False)
    assert libraries.torch_check(old).state == "ok"


def test_torchvision_of_another_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Answer("0.29.2", facts={"ops": ""})
    monkeypatch.setattr(libraries.metadata, "requires", lambda name: ["numpy", "torch==2.14.1"])
    fits = libraries.torchvision_check(good, Answer("2.14.1+cu130", facts=TORCH.facts))
    assert fits.state == "ok"
    unfit = libraries.torchvision_check(good, TORCH)
    assert unfit.state == "warning" and "wants torch==2.14.1; this is 2.15.0" in unfit.found
    broken = libraries.torchvision_check(
        Answer("0.29.2", facts={"ops": "no custom C++ ops"}), TORCH
    )
    assert broken.state == "warning" and "no custom C++ ops" in broken.found and broken.fix


def test_an_old_library_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        libraries.metadata, "requires", lambda name: ["pyarrow>=17", "x; extra=='y'"]
    )
    assert libraries.needed_check("pyarrow", "pyarrow", Answer("17.0.0")).state == "ok"
    old = libraries.needed_check("pyarrow", "pyarrow", Answer("16.1"))
    assert old.state == "warning" and "pyarrow>=17" in old.fix


def test_a_missing_libsndfile_has_its_own_fix() -> None:
    check = libraries.needed_check(
        "soundfile", "soundfile", Answer(error="OSError: sndfile library not")
    )
    assert check.state == "fault" and "libsndfile1" in check.fix


# -- cache and environment ---------------------------------------------------------------------


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "file" / "cache"))
    check = places.cache_check()
    assert (
        check.state == "fault" and "not a folder" in check.found and "DOMAINKIT_HOME" in check.fix
    )
    monkeypatch.setenv("DOMAINKIT_HOME", str(tmp_path / "new" / "cache"))
    assert places.cache_check().state == "ok" and not (tmp_path / "new").exists()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux's /proc")
def test_a_read_only_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOMAINKIT_HOME", "/proc/domainkit")
    assert places.cache_check().state == "fault"  # even for root


@pytest.mark.parametrize(("free", "state"), [(10**8, "fault"), (10**9, "warning"), (10**12, "ok")])
def test_free_disk(free: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": free})()
    monkeypatch.setattr(places.shutil, "disk_usage", lambda place: usage)
    assert places.disk_check().state == state


def test_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOMAINKIT_OFFLINE", "1")
    monkeypatch.setenv("DOMAINKIT_MIRROR", "https://me:secret@mirror/x other")
    monkeypatch.setenv("DOMAINKIT_CARDS", str(tmp_path))
    monkeypatch.setenv("DOMAINKIT_OFLINE", "1")
    checks = {check.name: check for check in places.variable_checks()}
    assert "forbidden" in checks["network"].found
    assert checks["DOMAINKIT_MIRROR"].state == "warning"
    assert "secret" not in checks["DOMAINKIT_MIRROR"].found
    assert checks["DOMAINKIT_CARDS"].state == checks["DOMAINKIT_OFLINE"].state == "warning"
    (tmp_path / "vision").mkdir()
    monkeypatch.setenv("DOMAINKIT_MIRROR", "https://mirror/x")
    checks = {check.name: check for check in places.variable_checks()}
    assert checks["DOMAINKIT_CARDS"].state == checks["DOMAINKIT_MIRROR"].state == "ok"


def test_the_settings_of_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOMAINKIT_BANDWIDTH", "fast")
    monkeypatch.setenv("DOMAINKIT_SHARED", str(tmp_path))
    checks = {check.name: check for check in places.variable_checks()}
    assert checks["DOMAINKIT_BANDWIDTH"].state == "fault"
    assert (
        "DOMAINKIT_BANDWIDTH=fast: expected bytes per second" in checks["DOMAINKIT_BANDWIDTH"].fix
    )
    assert checks["DOMAINKIT_SHARED"].state == "warning"
    (tmp_path / "layout.json").write_text('{"layout": 2}')
    monkeypatch.setenv("DOMAINKIT_BANDWIDTH", "5MB")
    checks = {check.name: check for check in places.variable_checks()}
    assert checks["DOMAINKIT_SHARED"].state == checks["DOMAINKIT_BANDWIDTH"].state == "ok"


def test_a_cache_whose_locks_hold_nobody_off(monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", lambda file, flags: None)
    check = places.cache_check()
    assert check.state == "warning" and "locks do not hold off other processes" in check.found


def test_a_check_has_one_of_three_states() -> None:
    with pytest.raises(ValueError, match="ok, warning or fault"):
        Check("x", "bad", "")


# -- the verb ----------------------------------------------------------------------------------


def test_the_verb_exits_with_1_when_something_needed_is_broken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [Check("torch", "ok", "2.15"), Check("torchaudio", "warning", "broken", "remove it")]
    monkeypatch.setattr(doctor, "diagnose", lambda: found)
    well = invoke("doctor")
    assert well.exit_code == 0
    assert well.stdout.splitlines() == [
        "ok       torch       2.15",
        "warning  torchaudio  broken",
        "                     -> remove it",
        "",
        "domainkit works here, 1 warning",
    ]
    found.append(Check("numpy", "fault", "not installed", "pip install numpy"))
    ill = invoke("doctor", "--json")
    assert ill.exit_code == 1 and '"usable": false' in ill.stdout
    assert "1 fault: domainkit does not work here" in invoke("doctor").stdout
