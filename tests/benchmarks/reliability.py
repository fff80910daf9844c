"""What downloaders make of a server that misbehaves: ours beside those that people use today.

Run: ``python tests/benchmarks/reliability.py`` (3 to 5 minutes; ``--write docs/reliability.md``
puts the tables between that page's markers). Each library that is installed meets the same faults
of the same server on 127.0.0.1, with its own defaults. Each call is a process of its own with a
time limit: not coming to an end is a result too. After a call that failed the server is well again
and the call is made once more, in the same folder: that shows what was left there.

The claim: no row shows a bad file kept, or no end, for domainkit where a digest is given.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support import faults  # noqa: E402
from support.certificates import CertificateMaker  # noqa: E402
from support.reliability_peers import PEERS, Peer  # noqa: E402
from support.reliability_worker import work  # noqa: E402
from support.server import Fault, FileServer, Handler  # noqa: E402

SIZE = 24_000_000
HALF = 11_000_000
LIMIT = 45.0  # seconds; the read timeouts of those that have one are 10 to 30
PLACE = "owner/set/resolve/main/data.bin"  # a file's address on the Hugging Face hub
BEGIN, END = "<!-- reliability: begin -->", "<!-- reliability: end -->"


@dataclass(frozen=True)
class Case:
    """One row: what the first requests for the file meet, and what all others do.

    Attributes:
        make: called for each peer anew; gives (first, always).
        resumes: the row is about what is fetched twice.
        secure: the address is https.
        room: bytes that a file may grow to, as on a full disk.
    """

    name: str
    make: Callable[[Server], tuple[Sequence[Fault | None], Fault | None]]
    resumes: bool = False
    secure: bool = False
    room: int | None = None


@dataclass
class Server:
    """The plain and the secure server, and the two versions of the file."""

    plain: FileServer
    secure: FileServer | None
    folder: Path
    old: bytes
    new: bytes


class Script:
    """What one address does: ``first``, one after the other, then ``always``; HEAD is served well.

    Attributes:
        skip: requests that are let through, for libraries that look before they fetch.
    """

    def __init__(self, first: Sequence[Fault | None], always: Fault | None, skip: int) -> None:
        self.first, self.always, self.skip = list(first), always, skip
        self.lock = threading.Lock()

    def __call__(self, handler: Handler) -> None:
        fault = None
        with self.lock:
            if handler.command == "GET":
                if self.skip:
                    self.skip -= 1
                else:
                    fault = self.first.pop(0) if self.first else self.always
        if fault is None:
            handler.answer()
        else:
            fault(handler)


def cut(share: float = 0.46) -> Fault:
    """The connection ends after this share of what was asked for."""

    def fault(handler: Handler) -> None:
        start, stop = handler.wanted(SIZE, {}, if_range=False) or (0, SIZE)
        handler.answer(limit=int((stop - start) * share))
        handler.hang_up()

    return fault


def put(path: Path, data: bytes) -> None:
    """Makes it another file, at once."""
    new = path.with_name("new")
    new.write_bytes(data)
    os.replace(new, path)


def changed(server: Server) -> Fault:
    """Another version lies there from now on, and the rest of that one is sent."""

    def fault(handler: Handler) -> None:
        path = handler.find()
        assert path is not None
        put(path, server.new)
        handler.answer(if_range=False)

    return fault


def down(server: Server) -> Fault:
    return lambda handler: handler.reply(302, b"", {"Location": server.plain.url + handler.name})


def row(
    name: str,
    first: Sequence[Fault | None] = (),
    always: Fault | None = None,
    resumes: bool = False,
) -> Case:
    return Case(name, lambda _: (first, always), resumes)


CASES = [
    row("nothing"),
    row("cut in the middle, once", [cut()], resumes=True),
    row("cut every time, at another byte",
        always=faults.cuts(7_000_001, 1_234_567, 5_000_003), resumes=True),
    row("chunked body cut in the middle, once", [faults.chunked(HALF)], always=faults.chunked()),
    row("connection reset in the middle, once", [faults.reset_after(HALF)], resumes=True),
    row("no Content-Length, cut in the middle, once", [faults.no_length(HALF)]),
    row("connection dropped before any header, once", [faults.drop()]),
    row("stalls before any header, once", [faults.silent()]),
    row("stalls in the middle, once", [faults.hold_after(1_000_000)], resumes=True),
    row("503 with Retry-After: 1, once", [faults.status(503, 1)]),
    row("500, twice", [faults.status(500)] * 2),
    row("404", always=faults.status(404)),
    row("other bytes of the right length", always=faults.other_bytes()),
    row("one flipped bit", always=faults.wrong_bytes(SIZE - 10)),
    row("empty body", always=faults.reply(b"")),
    row("Content-Length too short", always=faults.bad_length(-1000)),
    row("web page in place of the file (200)", always=faults.html()),
    row("gzip on the way (Content-Encoding)", always=faults.content_encoded()),
    row("gzip on the way, cut short", always=faults.content_encoded(lost=HALF)),
    row("cut, then Range is ignored", [cut()], always=faults.ignore_range()),
    row("cut, then 206 with the wrong range", [cut(), faults.wrong_range()]),
    row("cut, then 206 that begins a byte late",
        [cut()], always=faults.of_parts(faults.wrong_part(shift=1))),
    row("cut, then 416", [cut(), faults.status(416)]),
    Case("cut, then the file has changed", lambda server: ([cut(), changed(server)], None)),
    row("redirects for ever", always=lambda h: h.reply(302, b"", {"Location": h.path})),
    Case("https leads to http", lambda server: ((), down(server)), secure=True),
    Case("disk full in the middle", lambda _: ((), None), resumes=True, room=HALF),
]  # fmt: skip


@dataclass
class Result:
    """What calls came to: ``state`` is ok, error or hang for each; ``sent`` in whole files."""

    state: list[str]
    good: list[bool]
    errors: list[str]
    sent: float
    requests: int


@dataclass
class Bench:
    """One peer, its process and its corner of the server."""

    peer: Peer
    number: int
    server: Server
    scratch: Path
    trace: bool
    cells: dict[str, str] = field(default_factory=dict)

    def run(self, cases: Sequence[Case]) -> None:
        command = [sys.executable, __file__, "--worker", str(PEERS.index(self.peer))]
        environment = os.environ | self.peer.environment
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as self.worker:
            for case in cases:
                self.cells[case.name] = self.cell(case)
                self.say(case.name, self.cells[case.name])
            self.cells["8 at once"] = self.eight()
            self.say("8 at once", self.cells["8 at once"])
            self.cells["killed"] = self.killed()
            self.say("killed", self.cells["killed"])
            assert self.worker.stdin is not None
            self.worker.stdin.close()

    def say(self, *words: str) -> None:
        if self.trace:
            print(f"{self.peer.name:32}", *words, sep=" | ", flush=True)

    def place(self, name: str, script: Script | None, secure: bool = False) -> tuple[str, Path]:
        """A file of its own on the server, and an empty folder to fetch it to."""
        path = f"/{self.number}/{re.sub('[^a-z0-9]+', '-', name.lower())}/{PLACE}"
        served = self.server.folder / path[1:]
        served.parent.mkdir(parents=True, exist_ok=True)
        served.write_bytes(self.server.old)
        server = self.server.secure if secure else self.server.plain
        assert server is not None
        if script is not None:
            server.always[path] = script
        folder = self.scratch / path[1:]
        folder.mkdir(parents=True)
        return path, folder

    def call(self, path: str, folder: Path, secure: bool = False, **more: Any) -> Result:
        server = self.server.secure if secure else self.server.plain
        assert server is not None and self.worker.stdin and self.worker.stdout
        sent, count = server.sent[path], server.count(path)
        job = {"url": server.url + path, "folder": str(folder), "limit": LIMIT, **more}
        self.worker.stdin.write(json.dumps(job) + "\n")
        self.worker.stdin.flush()
        answers = json.loads(self.worker.stdout.readline())
        good = [a["state"] == "ok" and a["sha256"] in self.right for a in answers]
        return Result(
            [a["state"] for a in answers],
            good,
            [a["error"] for a in answers],
            (server.sent[path] - sent) / SIZE,
            server.count(path) - count,
        )

    @property
    def right(self) -> set[str]:
        data = (self.server.old, self.server.new)
        return {hashlib.sha256(one).hexdigest() for one in data}

    def cell(self, case: Case) -> str:
        script = Script(*case.make(self.server), skip=self.peer.looks_first)
        path, folder = self.place(case.name, script, case.secure)
        first = self.call(path, folder, case.secure, room=case.room)
        state = first.state[0]
        if case.resumes and state == "ok" and first.good[0]:
            text = "ok, resumed" if first.sent < 1.3 else "ok, from zero"
        elif state == "ok":
            text = "ok" if first.good[0] else "**BAD FILE KEPT**"
            if case.secure and first.good[0]:
                text = "**follows**"
        else:
            text = "error" if state == "error" else f"**no end in {LIMIT:.0f} s**"
            self.say(case.name, first.errors[0][:200])
        script.first, script.always, script.skip = [], None, 0
        served = self.server.folder / path[1:]
        if served.read_bytes() != self.server.old:
            put(served, self.server.old)
        if state != "ok" and not case.secure:
            second = self.call(path, folder)
            if second.state[0] == "ok" and not second.good[0]:
                text += ", then **BAD FILE KEPT**"
            elif second.state[0] != "ok":
                text += ", then error"
            elif case.resumes:
                text += ", then resumed" if second.sent < 0.8 else ", then from zero"
        shutil.rmtree(folder)
        return text

    def eight(self) -> str:
        """Eight processes ask for one file at the same moment."""
        slowly = faults.trickle(1 << 19, 0.02)
        path, folder = self.place("eight", Script((), slowly, 0))
        result = self.call(path, folder, count=8)
        good = sum(result.good)
        text = (
            f"{result.requests} request{'s' * (result.requests != 1)}, {result.sent:.1f} files sent"
        )
        wrong = sum(s == "ok" for s in result.state) - good
        if wrong:
            text += f", **{wrong} got a bad file**"
        if good + wrong < 8:
            text += f", **{8 - good - wrong} failed**"
        return text

    def killed(self) -> str:
        """SIGKILL after half the file, then once more."""
        path, folder = self.place("killed", Script([faults.hold_after(HALF)], None, 0))
        script = self.server.plain.always[path]
        assert isinstance(script, Script)
        script.skip = self.peer.looks_first
        first = self.call(path, folder, limit=4.0)
        second = self.call(path, folder)
        if second.state[0] == "ok" and not second.good[0]:
            return "**BAD FILE KEPT**"
        return f"{first.sent + second.sent:.2f} files sent" if second.good[0] else second.errors[0]


# --- the tables -----------------------------------------------------------------------------------


def measure(peers: Sequence[Peer], cases: Sequence[Case], trace: bool) -> list[Bench]:
    data = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "served").mkdir()
        maker = CertificateMaker(folder)
        certificate = maker.make() if maker.works else None
        if certificate:
            for key in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
                os.environ[key] = str(certificate[0])
        with (
            FileServer(folder / "served") as plain,
            FileServer(folder / "served", certificate) as secure,
        ):
            server = Server(
                plain,
                secure if certificate else None,
                folder / "served",
                data.randbytes(SIZE),
                data.randbytes(SIZE),
            )
            for one in (plain, secure):  # what the Hugging Face client asks of a hub
                one.extra["X-Repo-Commit"] = "0" * 40
            benches = [Bench(p, n, server, folder / "got", trace) for n, p in enumerate(peers)]
            cases = [case for case in cases if certificate or not case.secure]
            threads = [threading.Thread(target=bench.run, args=(cases,)) for bench in benches]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    return benches


def table(benches: Sequence[Bench], cases: Sequence[Case]) -> str:
    lines = [
        "| The server's fault | " + " | ".join(b.peer.name for b in benches) + " |",
        "|---" * (len(benches) + 1) + "|",
    ]
    for case in cases:
        cells = [bench.cells.get(case.name, "not run") for bench in benches]
        lines.append(f"| {case.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def report(benches: Sequence[Bench], cases: Sequence[Case]) -> str:
    with_digest = [bench for bench in benches if bench.peer.digest]
    without = [bench for bench in benches if not bench.peer.digest]
    versions = {f"{bench.peer.package} {bench.peer.version}" for bench in benches}
    named = ", ".join(sorted(versions))
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with {named}, "
        f"Python {platform.python_version()} on {platform.system()}. "
        f"The file has {SIZE // 10**6} MB; a call that does not end is killed after "
        f"{LIMIT:.0f} s.",
        "### With a digest",
        table(with_digest, cases),
        "### Without a digest",
        table(without, cases),
        "### Many processes, and one that is killed",
        "| | 8 processes ask at once | killed half-way, then again |\n|---|---|---|\n"
        + "\n".join(
            f"| {bench.peer.name} | {bench.cells['8 at once']} | {bench.cells['killed']} |"
            for bench in benches
        ),
    ]
    return "\n\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="a page with the two markers")
    parser.add_argument("--peers", default="", help="a part of the names of those to run")
    parser.add_argument("--faults", default="", help="a part of the names of the rows to run")
    parser.add_argument("--trace", action="store_true", help="say each cell as it comes")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is not None:
        work(PEERS[given.worker])
        return
    peers = []
    for peer in PEERS:
        if given.peers not in peer.name:
            continue
        if peer.version is None:
            print(f"{peer.name}: not installed, left out")
        else:
            peers.append(peer)
    cases = [case for case in CASES if given.faults in case.name]
    start = time.monotonic()
    text = report(measure(peers, cases, given.trace), cases)
    print(text, f"\n\n{time.monotonic() - start:.0f} s in all")
    if given.write:
        page = given.write.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        _, marker, after = rest.partition(END)
        if not marker:
            raise SystemExit(f"{given.write} lacks the markers {BEGIN} and {END}")
        given.write.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
