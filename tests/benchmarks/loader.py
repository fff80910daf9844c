"""How fast samples come: domainkit's loader beside those that people use today.

Run: ``python tests/benchmarks/loader.py --what images --photos FOLDER --folder CACHE``. Each loader
that is installed does the same work on the same files; the others are named and left out. Every one
lives in a process of its own, and they take turns, round by round, as the speed of a machine
changes from minute to minute. A ratio is the median over the rounds of a loader's speed by that of
the best torch DataLoader in the same round. Torch works with one thread in each process
(``--threads``), so that decoding in parallel is the loader's doing and no idle OpenMP thread spins.

The claims: domainkit gives at least 1.4 times the pictures of the best torch DataLoader, the first
batch in 50 ms, without other processes and their memory; a stored row in 1 us, 256 in 0.5 ms, and
an opened store in 5 ms.

Peers, none of them needed: ``torchdata spdl-io spdl-core grain datasets webdataset torchcodec``,
with ``absl-py array-record etils portpicker cloudpickle dill multiprocess pandas xxhash
braceexpand`` (grain's and datasets' needs). To keep them out of an environment, install them by
``pip install --no-deps --target SITE ...`` and set ``PYTHONPATH=SITE``. SPDL and torchcodec look
for FFmpeg's libraries. Photographs: any folder of JPEG files of 2 megapixels and more; Debian's
packages lomiri-wallpapers, mate-backgrounds and plasma-workspace-wallpapers have fifty, of which
those with a usual picture's detail are taken. Without ``--photos`` the two pictures that
scikit-learn ships are cut. Recordings: ``--sounds FOLDER``; without it those of
audio/voice-prompts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support import loader_data  # noqa: E402
from support.loader_jobs import Job, Peer, line, median, work  # noqa: E402

WORK = {  # --what -> the forms of the work, and the unit that is counted
    "images": (("crop", "decode"), "pictures"),
    "audio": (("decode", "pad"), "seconds of sound"),
    "text": (("tokens",), "tokens"),
}
QUIET = 0.1  # CPUs that other work may keep busy in a round that counts at once
COLUMNS = ("per s", "x best DataLoader", "first ms", "2nd epoch ms", "CPU ms each", "processes")


def peers_of(what: str) -> list[Peer]:
    import importlib

    peers: list[Peer] = importlib.import_module(f"support.loader_peers_{what}").PEERS
    return peers


class Bench:
    """One peer's process."""

    def __init__(self, what: str, peer: Peer) -> None:
        self.peer = peer
        self.results: list[dict[str, Any]] = []
        command = [sys.executable, __file__, "--what", what, "--worker", peer.name]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def do(self, job: Job) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(line(job))
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        result: dict[str, Any] = json.loads(answer) if answer else {"error": "the process died"}
        return result

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def rounds(
    what: str, peers: Sequence[Peer], job: Job, given: argparse.Namespace, count: int
) -> dict[str, list[dict[str, Any]]]:
    """Name -> the results of each round; one with an error is left out after it."""
    benches = [Bench(what, peer) for peer in peers]
    failed: dict[str, list[dict[str, Any]]] = {}
    try:
        for bench in list(benches):  # imports, lazy set-up and the page cache are paid here
            warm = bench.do(Job(**{**vars(job), "count": min(job.count, 3 * job.batch)}))
            if "error" in warm:
                failed[bench.peer.name] = [warm]
                bench.close()
                benches.remove(bench)
        for number in range(count):
            for k in range(len(benches)):
                bench = benches[(k + number) % len(benches)]
                if number and bench.peer.slow:
                    continue
                bench.results.append(undisturbed(bench, job, given.tries))
                if given.trace:
                    print(number, bench.peer.name, json.dumps(bench.results[-1]), flush=True)
    finally:
        for bench in benches:
            bench.close()
    return failed | {bench.peer.name: bench.results for bench in benches}


def undisturbed(bench: Bench, job: Job, tries: int) -> dict[str, Any]:
    """The first of some tries in which the machine did nothing else, or the least disturbed."""
    results = []
    for number in range(tries):
        if number:
            time.sleep(5)
        results.append(bench.do(job))
        if results[-1].get("others", 0.0) <= QUIET:
            break
    return min(results, key=lambda r: r.get("others", 0.0))


def speeds(peers: Sequence[Peer], results: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row per peer, from the medians of its rounds."""
    good = {
        peer.name: results[peer.name]
        for peer in peers
        if peer.name in results and not any("error" in r for r in results[peer.name])
    }
    rates = {name: [r["rate"] for r in rows] for name, rows in good.items()}
    torch_loaders = [p.name for p in peers if p.torch_loader and p.name in rates]
    best = max(torch_loaders, key=lambda name: median(rates[name]), default=None)
    table = []
    for peer in peers:
        name = peer.name
        if name not in good:
            error = next((r["error"] for r in results.get(name, []) if "error" in r), peer.missing)
            table.append({"name": name, "error": error})
            continue
        row = {
            key: median(r[key] for r in good[name])
            for key in ("rate", "first_ms", "second_ms", "cpu_ms", "processes", "others")
        }
        ratios = [
            mine / theirs
            for mine, theirs in zip(rates[name], rates[best] if best else [], strict=False)
        ]
        row["ratio"] = median(ratios) if ratios else float("nan")
        row["spread"] = [min(ratios), max(ratios)] if ratios else []
        table.append({"name": name, "best": name == best, **row})
    return table


def show_speeds(title: str, unit: str, rows: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("loader")
    for column in COLUMNS:
        table.add_column(f"{unit} {column}" if column == "per s" else column, justify="right")
    for row in rows:
        if "error" in row:
            table.add_row(row["name"], str(row["error"])[:60])
            continue
        spread = f" ({row['spread'][0]:.2f}-{row['spread'][1]:.2f})" if row["spread"] else ""
        table.add_row(
            row["name"] + (" *" if row["best"] else ""),
            f"{row['rate']:,.0f}",
            f"{row['ratio']:.2f}{spread}",
            f"{row['first_ms']:,.1f}",
            f"{row['second_ms']:,.1f}",
            f"{row['cpu_ms']:.3g}",
            f"{row['processes']:.0f}",
        )
    console = Console(width=None if sys.stdout.isatty() else 130)
    console.print(table)
    others = [row["others"] for row in rows if "others" in row]
    if others:
        console.print(
            f"* the best torch DataLoader. While these ran, other work kept {median(others):.1f} "
            f"of {os.cpu_count()} CPUs busy."
        )


def show_memory(title: str, rows: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in ("loader", "this process, MB more", "its children, MB", "processes"):
        table.add_column(column, justify="left" if column == "loader" else "right")
    made = []
    for name, results in rows.items():
        errors = [r["error"] for r in results if "error" in r]
        if errors:
            table.add_row(name, str(errors[0])[:60])
            made.append({"name": name, "error": errors[0]})
            continue
        row = {k: median(r[k] for r in results) for k in ("parent", "children", "processes")}
        table.add_row(
            name, f"{row['parent'] / 1e6:.0f}", f"{row['children'] / 1e6:.0f}",
            f"{row['processes']:.0f}",
        )  # fmt: skip
        made.append({"name": name, **row})
    Console(width=None if sys.stdout.isatty() else 130).print(table)
    return made


def chosen(what: str, form: str, part: str) -> tuple[list[Peer], list[Peer]]:
    """The peers of a form whose name holds ``part``: those that run here, and all."""
    wanted = [
        peer
        for peer in peers_of(what)
        if (not peer.forms or form in peer.forms)
        and any(word.strip().lower() in peer.name.lower() for word in part.split(";"))
    ]
    return [peer for peer in wanted if peer.missing is None], wanted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    known = [*WORK, "store", "memory", "all"]
    parser.add_argument("--what", choices=known, default="images")
    parser.add_argument("--form", default="", help="only this form of the work, such as crop")
    parser.add_argument("--count", type=int, default=5000, help="pictures, clips")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tries", type=int, default=1, help="per round, while others disturb")
    parser.add_argument("--threads", type=int, default=1, help="torch's, in each process")
    parser.add_argument("--peers", default="", help="parts of names, with ; between them")
    parser.add_argument("--photos", type=Path, help="a folder of photographs (JPEG)")
    parser.add_argument("--sounds", type=Path, help="a folder of recordings")
    parser.add_argument("--folder", type=Path, help="where the data is made and kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    parser.add_argument("--trace", action="store_true", help="print each result as it comes")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(peers_of(given.what), given.worker)
        return
    with tempfile.TemporaryDirectory() as temporary:
        results = run(given, given.folder or Path(temporary))
    if given.json:
        import torch

        machine = {
            "python": platform.python_version(), "torch": torch.__version__,
            "processor": platform.processor() or platform.machine(), "cpus": os.cpu_count(),
        }  # fmt: skip
        arguments = {k: str(v) for k, v in vars(given).items()}
        facts = {"machine": machine, "arguments": arguments, "results": results}
        given.json.write_text(json.dumps(facts, indent=1))


def run(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for what, (forms, unit) in WORK.items():
        if given.what not in (what, "all"):
            continue
        made = loader_data.make(what, folder, given)
        print(f"{what}: {made}")
        for form in forms:
            if given.form not in form:
                continue
            running, wanted = chosen(what, form, given.peers)
            job = Job(what, form, str(folder), given.count, given.batch, given.threads)
            rows = speeds(wanted, rounds(what, running, job, given, given.rounds))
            title = f"{what}, {form}: {given.count:,} samples, batches of {given.batch}, "
            show_speeds(title + f"{given.rounds} rounds", unit, rows)
            results[f"{what}, {form}"] = rows
    if given.what in ("memory", "all"):
        print(loader_data.make("images", folder, given))
        running, _ = chosen("images", "crop", given.peers)
        job = Job("images", "crop", str(folder), given.count, given.batch, given.threads, "memory")
        measured = rounds("images", running, job, given, min(given.rounds, 3))
        results["memory"] = show_memory("memory, images, crop (private bytes, the most)", measured)
    if given.what in ("store", "all"):
        from support import loader_peers_store

        made = loader_data.make("store", folder, given)
        print(f"store: {made}")
        results["store"] = loader_peers_store.run(folder, given)
    return results


if __name__ == "__main__":
    main()
