"""How soon the command line answers, against an empty Python: ``python cli_start.py``.

Claim: ``domainkit list`` answers in under 0.3 s with a warm disk. Prints the median time of each
command and its ratio to ``python -c pass``; the runs are interleaved, so that a busy machine is
busy for all of them. Typer's own imports are most of what is left.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "python -c 'import typer'": ["-c", "import typer"],
    "domainkit --version": ["-m", "domainkit", "--version"],
    "domainkit list": ["-m", "domainkit", "list"],
    "domainkit list --models": ["-m", "domainkit", "list", "--models"],
    "domainkit info vision/mnist": ["-m", "domainkit", "info", "vision/mnist"],
    "domainkit --help": ["-m", "domainkit", "--help"],
}


def seconds(args: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *args], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, args in COMMANDS.items():
            times[name].append(seconds(args))
    base = statistics.median(times["python -c pass"])
    print(f"{'command':30}{'median':>10}{'ratio':>8}")
    for name, taken in times.items():
        middle = statistics.median(taken)
        print(f"{name:30}{1000 * middle:7.0f} ms{middle / base:8.1f}")


if __name__ == "__main__":
    main()
