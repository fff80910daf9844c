"""What the doctor says of each library, from what importing it in another process told."""

from __future__ import annotations

import re
import shutil
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from domainkit.doctor.check import Check
from domainkit.probe import Answer

__all__ = [
    "NEEDED",
    "needed_check",
    "numba_check",
    "torch_check",
    "torchaudio_check",
    "torchvision_check",
]

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


def torch_check(answer: Answer) -> Check:
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


def torchvision_check(answer: Answer, torch: Answer) -> Check:
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


def torchaudio_check(answer: Answer, torch: Answer) -> Check:
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


def numba_check(answer: Answer) -> Check:
    name = "numba"
    if not answer.error:
        return Check(name, "ok", answer.version)
    slower = "the transforms of pictures run in torch, several times slower"
    found = f"{'not installed' if answer.missing else answer.error}: {slower}"
    return Check(name, "warning", found, "pip install --upgrade numba")


def needed_check(module: str, package: str, answer: Answer) -> Check:
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
