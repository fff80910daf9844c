"""Is this machine ready? ``diagnose`` looks, and says for each fault what mends it.

Libraries are imported in a process of their own (``probe``), so that none can take the doctor down.
The network is not touched.
"""

from __future__ import annotations

import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from domainkit import cache
from domainkit.cache.mirrors import offline
from domainkit.cards import DOMAINS
from domainkit.errors import FetchError
from domainkit.probe import Answer, ask

__all__ = ["Check", "diagnose", "usable", "warm"]

# module -> the package that brings it, for those that domainkit cannot do without
NEEDED = {
    "numpy": "numpy",
    "pyarrow": "pyarrow",
    "xxhash": "xxhash",
    "tokenizers": "tokenizers",
    "safetensors": "safetensors",
    "soundfile": "soundfile",
    "soxr": "soxr",
    "simplejpeg": "simplejpeg",
    "PIL": "pillow",
    "httpx": "httpx",
}
VARIABLES = (
    *("BANDWIDTH", "CARDS", "DEADLINE", "DEBUG", "HOME", "JOBS", "MIRROR", "OFFLINE", "SHARED"),
)
_WARM = "domainkit.vision.transforms.kernels.warm"
LOW_DISK, NO_DISK = 5 * 10**9, 2 * 10**8  # bytes


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: what it is, such as "torchaudio".
        state: "ok", "warning" (domainkit works, something does not) or "fault" (it does not work).
        found: what there is.
        fix: what to do, empty where nothing is to be done.
    """

    name: str
    state: str
    found: str
    fix: str = ""

    def __post_init__(self) -> None:
        if self.state not in ("ok", "warning", "fault"):
            raise ValueError(f"state must be ok, warning or fault, got {self.state!r}")


def diagnose() -> list[Check]:
    """Look at Python, the libraries, the cache and the environment. Takes a few seconds.

    Example:
        >>> [check.name for check in diagnose() if check.state == "fault"]
        []
    """
    answers = ask(["torch", "torchvision", "torchaudio", "numba", *NEEDED])
    return [
        _python(),
        _platform(),
        _torch(answers["torch"]),
        _torchvision(answers["torchvision"], answers["torch"]),
        _torchaudio(answers["torchaudio"], answers["torch"]),
        _numba(answers["numba"]),
        *(_needed(module, package, answers[module]) for module, package in NEEDED.items()),
        _cache(),
        _disk(),
        *_environment(),
    ]


def warm(timeout: float = 600.0) -> Check:
    """Compile the CPU kernels ahead, in a process of its own; says how long it took."""
    name, command = "kernels", [sys.executable, "-P", "-m", _WARM]
    again = f"run `{sys.executable} -m {_WARM}` to see why"
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False)
        seconds = float(done.stdout or b"nan")
    except (subprocess.TimeoutExpired, ValueError):
        return Check(name, "warning", f"not compiled within {timeout:.0f} s", again)
    if done.returncode or math.isnan(seconds):
        return Check(name, "warning", f"not compiled: exit code {done.returncode}", again)
    if seconds < 0:
        return Check(name, "warning", "numba is not installed: torch does it", "pip install numba")
    return Check(name, "ok", f"compiled or loaded in {seconds:.1f} s; the next run finds them")


def usable(checks: list[Check]) -> bool:
    """Whether domainkit works here: no check is a fault."""
    return all(check.state != "fault" for check in checks)


# -- the machine -------------------------------------------------------------------------------


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()}, {sys.executable}")


def _platform() -> Check:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Check("platform", "ok", f"{platform.system()} {platform.machine()}, {cpus} CPUs")


# -- libraries ---------------------------------------------------------------------------------


def _torch(answer: Answer) -> Check:
    if answer.error:
        return _broken("torch", "torch", answer)
    facts, devices = answer.facts, answer.facts["devices"]
    build = f"CUDA {facts['cuda']}" if facts["cuda"] else "the CPU"
    if facts["hip"]:
        build = f"ROCm {facts['hip']}"
    found = f"{answer.version}, built for {build}"
    if devices:
        return _wanted("torch", "torch", answer, f"{found}; devices: {', '.join(devices)}")
    if facts["mps"]:
        return _wanted("torch", "torch", answer, f"{found}; Apple's GPU is available")
    found += f"; no GPU in use, {facts['threads']} CPU threads"
    if facts["cuda"] and _nvidia_gpu():
        reason = answer.warnings[0] if answer.warnings else "torch.cuda.is_available() says no"
        fix = (
            f"update the NVIDIA driver, or install a torch built for an older CUDA than "
            f"{facts['cuda']}"
        )
        return Check("torch", "warning", f"{found}, though there is an NVIDIA GPU: {reason}", fix)
    return _wanted("torch", "torch", answer, found)


def _torchvision(answer: Answer, torch: Answer) -> Check:
    name = "torchvision"
    if answer.error:
        return _broken(name, name, answer)
    unfit = _unmet(name, "torch", torch.version)
    mend = (
        "pip install --upgrade torch torchvision from the same index: each torchvision belongs "
        "to one torch"
    )
    if answer.facts["ops"]:
        why = f", it needs torch{unfit}, this is {torch.version}" if unfit else ""
        found = f"{answer.version}, its compiled operations do not load{why}"
        return Check(name, "warning", f"{found}: {answer.facts['ops']}", mend)
    if unfit:
        found = f"{answer.version} loads, but wants torch{unfit}; this is {torch.version}"
        return Check(name, "warning", found, mend)
    return _wanted(name, name, answer, answer.version)


def _torchaudio(answer: Answer, torch: Answer) -> Check:
    name = "torchaudio"
    if answer.missing:
        return Check(name, "ok", "not installed, and not needed")
    if not answer.error:
        return Check(name, "ok", f"{answer.version}, not needed")
    built = _installed_version(name)
    facts = f"{built or 'some version'} is installed and broken: {answer.error.rstrip('.')}"
    if match := re.search(r"(\blib[\w+-]*\.so[\w.]*): cannot open", answer.error):
        facts += f"; this torch does not bring {match[1]}"
    if purpose := _built_for(built):
        here = f"torch {torch.version}" if torch.version else "none that loads"
        facts += f". It was built for {purpose}; here is {here}"
    fix = (
        "not needed by domainkit: remove it with `pip uninstall torchaudio`, or, to use it, "
        "`pip install 'torchaudio>=2.11' 'torch<2.15'`"
    )
    return Check(name, "warning", facts, fix)


def _numba(answer: Answer) -> Check:
    name = "numba"
    if not answer.error:
        return Check(name, "ok", answer.version)
    slower = "the transforms of pictures run in torch, several times slower"
    found = f"{'not installed' if answer.missing else answer.error}: {slower}"
    return Check(name, "warning", found, "pip install --upgrade numba")


def _needed(module: str, package: str, answer: Answer) -> Check:
    if answer.error:
        fix = ""
        if module == "soundfile" and "sndfile" in answer.error and not answer.missing:
            fix = "install the system's libsndfile (Debian: `apt install libsndfile1`)"
        return _broken(package, package, answer, fix)
    found = answer.version or _installed_version(package)
    if "libsndfile" in answer.facts:
        found += f", libsndfile {answer.facts['libsndfile']}"
    return _wanted(package, package, answer, found)


def _broken(name: str, package: str, answer: Answer, fix: str = "") -> Check:
    if answer.missing:
        return Check(name, "fault", "not installed", f"pip install {package}")
    version = _installed_version(package)
    found = f"{version} does not load: {answer.error}".strip()
    again = f"install it again: `pip install --force-reinstall --no-deps {package}`"
    return Check(name, "fault", found, fix or again)


def _wanted(name: str, package: str, answer: Answer, found: str) -> Check:
    """ok, unless domainkit asks for a newer version."""
    if unfit := _unmet("domainkit", package, answer.version):
        fix = f"pip install --upgrade '{package}{unfit}'"
        return Check(name, "warning", f"{found}; domainkit wants {package}{unfit}", fix)
    return Check(name, "ok", found)


def _installed_version(package: str) -> str:
    """With its local part, such as +cu130, which only torchaudio's own file tells."""
    try:
        spec = find_spec(package)
        for folder in spec.submodule_search_locations or () if spec else ():
            text = Path(folder, "version.py").read_text(encoding="utf-8")
            if match := re.search(r"__version__\s*[:\w\s]*=\s*['\"]([^'\"]+)", text):
                return match[1]
    except (OSError, ValueError, ImportError):
        pass
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _built_for(version: str) -> str:
    """``torch 2.11 with CUDA 13.0`` from torchaudio's ``2.11.0+cu130``.

    Example:
        >>> _built_for("2.11.0+cu130"), _built_for("2.8.0")
        ('torch 2.11 with CUDA 13.0', 'torch 2.8')
    """
    match = re.match(r"(\d+\.\d+)[^+]*(?:\+cu(\d+)(\d))?", version)
    if match is None:
        return ""
    return f"torch {match[1]}" + (f" with CUDA {match[2]}.{match[3]}" if match[2] else "")


def _unmet(package: str, needs: str, version: str) -> str:
    """The specifiers of ``needs`` in a package's requirements, if ``version`` breaks one.

    Example:
        >>> _unmet("domainkit", "torch", "999.0")
        ''
    """
    try:
        lines = metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return ""
    for line in lines:
        text, _, marker = line.partition(";")
        match = re.match(r"([\w.-]+)\s*\(?([^()]*)\)?\s*$", text.strip())
        if match is None or marker or match[1].lower() != needs or not version:
            continue
        if not all(_fits(version, part) for part in match[2].split(",") if part.strip()):
            return match[2].strip()
    return ""


def _fits(version: str, specifier: str) -> bool:
    """Whether a release fits one specifier; forms that are not known here fit.

    Example:
        >>> _fits("2.14.1+cu130", ">=2.14.0"), _fits("2.15.0", "==2.14.1"), _fits("2.9", "<2.10")
        (True, False, True)
    """
    match = re.fullmatch(r"\s*(==|>=|<=|<|>)\s*([\d.]+)\s*", specifier)
    if match is None:
        return True
    have, want = _numbers(version), _numbers(match[2])
    return {
        "==": have == want,
        ">=": have >= want,
        "<=": have <= want,
        "<": have < want,
        ">": have > want,
    }[match[1]]


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(n) for n in release[0].split(".")] if release else []
    while numbers and numbers[-1] == 0:  # 2.8 is 2.8.0
        numbers.pop()
    return tuple(numbers)


def _nvidia_gpu() -> bool:
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None


# -- cache and environment ---------------------------------------------------------------------


def _cache() -> Check:
    home = cache.home()
    place = _existing(home)
    chosen = "set by DOMAINKIT_HOME" if os.environ.get("DOMAINKIT_HOME", "").strip() else "default"
    found = f"{home} ({chosen}{'' if place == home else ', not made yet'})"
    fix = f"allow writing to {place}, or set DOMAINKIT_HOME to another folder"
    if not place.is_dir():
        return Check("cache", "fault", f"{found}: {place} is not a folder", fix)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"domainkit")
        reach = cache.reach_of_locks(place)
    except OSError as error:
        return Check("cache", "fault", f"{found}: cannot be written: {error.strerror}", fix)
    if reach != "all":
        whom = "other machines" if reach == "host" else "other processes"
        found += f": its file system's locks do not hold off {whom}, which may fetch a file again"
        return Check("cache", "warning", found, "set DOMAINKIT_HOME to a folder on a local disk")
    return Check("cache", "ok", f"{found}, can be written")


def _disk() -> Check:
    place = _existing(cache.home())
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.1f} GB free at {place}"
    fix = "make room (`domainkit cache ls` shows what is kept), or set DOMAINKIT_HOME"
    if free < NO_DISK:
        return Check("disk", "fault", found, fix)
    return Check("disk", "warning", found, fix) if free < LOW_DISK else Check("disk", "ok", found)


def _existing(path: Path) -> Path:
    """The path itself or the nearest folder above that is there."""
    return next((p for p in (path, *path.parents) if p.exists()), Path("."))


def _environment() -> Iterator[Check]:
    values = {
        name.removeprefix("DOMAINKIT_"): value
        for name, value in sorted(os.environ.items())
        if name.startswith("DOMAINKIT_")
    }
    network = "forbidden by DOMAINKIT_OFFLINE" if offline() else "used when a file is missing"
    yield Check("network", "ok", network)
    for name, value in values.items():
        state, shown, fix = _variable(name, value)
        yield Check(f"DOMAINKIT_{name}", state, shown, fix)


def _variable(name: str, value: str) -> tuple[str, str, str]:
    if name not in VARIABLES:
        known = ", ".join(f"DOMAINKIT_{v}" for v in VARIABLES)
        return "warning", f"{value}; domainkit knows no such variable", f"known are {known}"
    if name == "CARDS":
        folders = [Path(p).expanduser() for p in value.split(os.pathsep) if p]
        empty = [str(f) for f in folders if not any((f / d).is_dir() for d in DOMAINS)]
        if empty:
            fix = "put cards there as <domain>/<name>.toml, or correct the variable"
            return "warning", f"{value}; no cards in {', '.join(empty)}", fix
    if name == "MIRROR":
        mirrors = [m for m in re.split(r"[\s,]+", value.strip()) if m]
        shown = ", ".join(_without_password(m) for m in mirrors)
        if any("://" not in m for m in mirrors):
            return "warning", shown, "write each mirror as https://host/path or file:///path"
        return "ok", shown, ""
    if name == "SHARED":
        folders = [Path(p).expanduser() for p in value.split(os.pathsep) if p]
        missing = [str(f) for f in folders if not (f / "layout.json").is_file()]
        if missing:
            fix = "correct the variable; it names cache folders that others have filled"
            return "warning", f"{value}; no cache in {', '.join(missing)}", fix
    if name in ("BANDWIDTH", "DEADLINE", "JOBS"):
        try:
            cache.Policy.from_environment()
        except FetchError as error:
            return "fault", value, str(error)
    return "ok", value, ""


def _without_password(url: str) -> str:
    """A report gets pasted into public places.

    Example:
        >>> _without_password("https://me:secret@host/x")
        'https://***@host/x'
    """
    return re.sub(r"//[^/@]*@", "//***@", url)
