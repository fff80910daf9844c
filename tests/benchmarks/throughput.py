"""How fast one large file comes, beside curl and plain httpx. Run: ``python throughput.py``.

The claims: 1 GB from a fast server on the same machine, checked by its sha256 and synced to disk,
takes no more than 1.3 times as long as curl or httpx take to stream it into a file, unchecked and
unsynced; and the process stays under 100 MB of memory, whatever the size of the file.

Every contestant fetches in a process of its own, one after the other, round by round, as the speed
of a machine changes from minute to minute. The best round of each says what it can do; a virtual
machine whose memory grows with use adds seconds to some rounds of all of them. The server (another
process) hands the file from the page cache to the socket without a copy of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = 1 << 20


# --- the server -----------------------------------------------------------------------------------


def serve(path: Path) -> None:
    """Serves one file at any address, with ranges; prints its port first."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=answer, args=(connection, path), daemon=True).start()


def answer(connection: socket.socket, path: Path) -> None:
    size = path.stat().st_size
    head = f'Accept-Ranges: bytes\r\nETag: "{size:x}"\r\n'
    received = b""
    with connection, path.open("rb") as file:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            while b"\r\n\r\n" not in received:
                more = connection.recv(1 << 16)
                if not more:
                    return
                received += more
            request, _, received = received.partition(b"\r\n\r\n")
            start, stop, code = 0, size, "200 OK"
            found = re.search(rb"(?im)^range: bytes=(\d+)-(\d*)", request)
            lines = head
            if found:
                start, stop = int(found[1]), min(size, int(found[2] or size) + 1)
                code = "206 Partial Content"
                lines += f"Content-Range: bytes {start}-{stop - 1}/{size}\r\n"
            lines = f"HTTP/1.1 {code}\r\nContent-Length: {stop - start}\r\n{lines}\r\n"
            try:
                connection.sendall(lines.encode())
                while start < stop:
                    start += os.sendfile(connection.fileno(), file.fileno(), start, stop - start)
            except OSError:  # the client has enough
                return


@contextmanager
def serving(path: Path) -> Iterator[str]:
    command = [sys.executable, __file__, "--serve", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}/{path.name}"
        finally:
            process.terminate()


# --- the contestants ------------------------------------------------------------------------------


def ours(url: str, folder: Path, jobs: int | None) -> Callable[[], object]:
    from domainkit.cache import Policy, fetch

    os.environ["DOMAINKIT_HOME"] = str(folder / "home")
    policy = Policy() if jobs is None else Policy(jobs=jobs)
    digest = os.environ["DIGEST"]
    return lambda: fetch(url, digest=digest, policy=policy)


def plain_httpx(url: str, folder: Path, hashed: bool) -> Callable[[], object]:
    import httpx

    def run() -> None:
        sums = hashlib.sha256()
        with (
            (folder / "file").open("wb", buffering=0) as file,
            httpx.stream("GET", url) as response,
        ):
            for data in response.iter_raw():
                file.write(data)
                if hashed:
                    sums.update(data)
        assert not hashed or os.environ["DIGEST"] == f"sha256:{sums.hexdigest()}"

    return run


def shell(line: str, url: str, folder: Path) -> Callable[[], object]:
    command = line.format(url=url, file=folder / "file")
    return lambda: subprocess.run(command, shell=True, check=True)


CONTESTANTS: dict[str, Callable[[str, Path], Callable[[], object]]] = {
    "curl": lambda url, folder: shell("curl -s -o {file} {url}", url, folder),
    "httpx": lambda url, folder: plain_httpx(url, folder, hashed=False),
    "ours, 1 connection": lambda url, folder: ours(url, folder, 1),
    "ours, 4 connections": lambda url, folder: ours(url, folder, None),
    "httpx + sha256": lambda url, folder: plain_httpx(url, folder, hashed=True),
    "curl; sync": lambda url, folder: shell("curl -s -o {file} {url} && sync {file}", url, folder),
    "curl | sha256sum": lambda url, folder: shell("curl -s {url} | sha256sum -b", url, folder),
}
DONE = {
    "curl": "into a file",
    "httpx": "into a file",
    "ours, 1 connection": "into a file, sha256, synced",
    "ours, 4 connections": "into a file, sha256, synced",
    "httpx + sha256": "into a file, sha256",
    "curl; sync": "into a file, synced",
    "curl | sha256sum": "no file, sha256",
}


def contend(name: str, url: str, folder: Path) -> None:
    """Fetches once, in this process, and prints the seconds and the peak of its memory."""
    run = CONTESTANTS[name](url, folder)  # imports are not counted
    start = time.perf_counter()
    run()
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print("\n" + json.dumps({"seconds": seconds, "memory": memory}))


def measure(name: str, url: str, digest: str, folder: Path) -> dict[str, float]:
    work = folder / "work"
    work.mkdir()
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--run", name, url, str(work)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "DIGEST": digest},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{name} failed: {done.stderr}")
        result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return result
    finally:
        shutil.rmtree(work)


def make_file(path: Path, size: int) -> str:
    """Random bytes, and their digest."""
    sums, left = hashlib.sha256(), size
    block = bytearray(os.urandom(BLOCK))
    with path.open("wb") as file:
        while left:
            block[:8] = left.to_bytes(8, "little")  # no two blocks alike
            part = memoryview(block)[: min(left, BLOCK)]
            file.write(part)
            sums.update(part)
            left -= len(part)
    return f"sha256:{sums.hexdigest()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bytes", type=int, default=10**9)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where to work; by default the system's temporary one")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.serve:
        return serve(wanted.serve)
    if wanted.run:
        return contend(wanted.run[0], wanted.run[1], Path(wanted.run[2]))
    names = [name for name in CONTESTANTS if shutil.which("curl") or "curl" not in name]
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder:
        compete(names, Path(folder), wanted.bytes, wanted.rounds)
        memory_by_size(Path(folder), wanted.bytes)
    return None


def compete(names: list[str], folder: Path, size: int, rounds: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in names}
    memory: dict[str, float] = {}
    digest = make_file(folder / "source", size)
    with serving(folder / "source") as url:
        for round_ in range(rounds + 1):  # the first one warms the machine up
            for name in names:
                result = measure(name, url, digest, folder)
                if round_:
                    seconds[name].append(result["seconds"])
                memory[name] = max(memory.get(name, 0), result["memory"])
    bases = [name for name in ("curl", "httpx") if name in names]
    print(f"{size:,} bytes on loopback, {rounds} rounds, {os.cpu_count()} processors")
    print(f"{'':22s}{'best':>8s}{'median':>9s}" + "".join(f"{'x ' + b:>10s}" for b in bases))
    for name in names:
        best = min(seconds[name])
        ratios = "".join(f"{best / min(seconds[base]):10.2f}" for base in bases)
        peak = "" if "curl" in name else f", peak {memory[name] / 1e6:.0f} MB"
        median = statistics.median(seconds[name])
        print(f"{name:22s}{best:6.2f} s{median:7.2f} s{ratios}   {DONE[name]}{peak}")


def memory_by_size(folder: Path, size: int) -> None:
    """Whether the memory of ours grows with the file."""
    for part in (size // 10, size):
        digest = make_file(folder / "source", part)
        with serving(folder / "source") as url:
            for name in ("ours, 1 connection", "ours, 4 connections"):
                peak = measure(name, url, digest, folder)["memory"]
                print(f"{name}, {part:,} bytes: peak {peak / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
