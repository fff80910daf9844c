"""What pytest leaves out: the Triton kernels where Triton is not installed (macOS, Windows)."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("triton") else ["domainkit/*_triton_*.py"]
