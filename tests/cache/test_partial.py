"""Cut downloads: taken up where they broke, never mixed, whoever was killed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from support import faults
from support.cached import DATA, NAME, SHA, left_behind

from domainkit import cache
from domainkit.cache import Policy, fetch
from domainkit.cache.sources.base import Answer
from domainkit.errors import FetchError


def test_a_cut_connection_is_taken_up_where_it_broke(server, policy, waits):
    server.faults[NAME] = [faults.cut_after(100_000)]
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
    assert [r.range for r in server.requests] == [None, "bytes=100000-"]
    assert server.headers[1]["If-Range"].startswith('"')
    assert server.sent[NAME] == len(DATA)
    assert waits == [0.5]


def test_any_cuts_give_the_same_file(server, policy):
    draw = random.Random(1)
    for round_ in range(5):
        cuts = [draw.randrange(1, 60_000) for _ in range(draw.randrange(1, 12))]
        server.faults[NAME] = [faults.cut_after(cut) for cut in cuts]
        path = fetch(f"{server.url}{NAME}?round={round_}", policy=policy)
        assert path.read_bytes() == DATA
    assert server.sent[NAME] == 5 * len(DATA)


def test_a_later_run_goes_on(server, policy):
    server.faults[NAME] = [faults.cut_after(120_000)]
    once = Policy(5, 5, attempts=1)
    with pytest.raises(FetchError, match="could not be fetched"):
        fetch(server.url + NAME, digest=SHA, policy=once)
    assert sum(name.endswith(".part") for name in left_behind()) == 1
    assert fetch(server.url + NAME, digest=SHA, policy=once).read_bytes() == DATA
    assert server.requests[-1].range == "bytes=120000-"
    assert len(left_behind()) == 2


def test_what_is_whole_but_not_renamed_is_not_asked_for_again(server):
    path = fetch(server.url + NAME, digest=SHA)
    digits = SHA.removeprefix("sha256:")
    partial = cache.home() / "partial" / f"sha256-{digits}.part"
    os.replace(path, partial)
    note = {"url": server.url + NAME, "validator": '"x"', "total": len(DATA), "piece": None}
    note |= {"digest": None, "boot": None}
    partial.with_suffix(".json").write_text(json.dumps(note))
    partial.with_suffix(".map").write_bytes(struct.pack("<Q", len(DATA)))
    assert fetch(server.url + NAME, digest=SHA).read_bytes() == DATA
    assert server.count(NAME) == 1


def test_a_spoilt_partial_file_costs_a_new_start_only(server, policy):
    server.faults[NAME] = [faults.cut_after(100_000)]
    with pytest.raises(FetchError):
        fetch(server.url + NAME, digest=SHA, policy=Policy(5, 5, attempts=1))
    (partial,) = (cache.home() / "partial").glob("*.part")
    partial.write_bytes(b"\0" * 100_000)
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
    assert [r.range for r in server.requests] == [None, "bytes=100000-", None]


def weak_tag(handler):
    handler.answer(limit=100_000, extra={"ETag": 'W/"1"', "Last-Modified": ""})
    handler.hang_up()


def fresh_date(handler):
    handler.answer(limit=100_000, extra={"ETag": "", "Last-Modified": handler.date_time_string()})
    handler.hang_up()


@pytest.mark.parametrize("fault", [faults.no_validators(cut=100_000), weak_tag, fresh_date])
def test_without_a_strong_validator_it_starts_again(server, policy, fault):
    server.faults[NAME] = [fault]
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
    assert [r.range for r in server.requests] == [None, None]


def test_an_old_date_is_a_strong_validator(server, folder, policy):
    os.utime(folder / NAME.lstrip("/"), (1_600_000_000, 1_600_000_000))

    def no_tag(handler):
        handler.answer(limit=100_000, extra={"ETag": ""})
        handler.hang_up()

    server.faults[NAME] = [no_tag]
    assert fetch(server.url + NAME, digest=SHA, policy=policy).read_bytes() == DATA
    assert server.requests[1].range == "bytes=100000-"
    assert server.headers[1]["If-Range"] == "Sun, 13 Sep 2020 12:26:40 GMT"


def test_a_file_that_changed_meanwhile_is_not_mixed(server, folder, policy):
    new = DATA[::-1]

    def cut_and_change(handler):
        faults.cut_after(100_000)(handler)
        (folder / NAME.lstrip("/")).write_bytes(new)

    server.faults[NAME] = [cut_and_change]
    assert fetch(server.url + NAME, policy=policy).read_bytes() == new
    assert server.requests[1].range == "bytes=100000-"


MISTREATED = {
    "another range": faults.wrong_range(),
    "416": faults.reply(b"", 416),
    "no Content-Range": faults.reply(DATA[100_000:], 206),
}


@pytest.mark.parametrize("answer", MISTREATED.values(), ids=MISTREATED)
def test_one_odd_answer_costs_nothing(server, policy, answer):
    server.faults[NAME] = [faults.cut_after(100_000), answer]
    assert fetch(server.url + NAME, policy=policy).read_bytes() == DATA
    assert [r.range for r in server.requests] == [None, "bytes=100000-", "bytes=100000-"]


@pytest.mark.parametrize("answer", MISTREATED.values(), ids=MISTREATED)
def test_servers_that_always_mistreat_ranges_are_asked_for_the_whole(server, policy, answer):
    server.faults[NAME] = [faults.cut_after(100_000), answer, answer]
    assert fetch(server.url + NAME, policy=policy).read_bytes() == DATA
    assert [r.range for r in server.requests] == [None, "bytes=100000-", "bytes=100000-", None]


def test_a_server_that_ignores_ranges_is_read_on(server, policy):
    """The whole comes again, and what is there stays: cut once more, less is missing."""
    cut = faults.cut_after(200_000)
    ignored = lambda handler: handler.answer(ranges=False)  # noqa: E731
    shorter = lambda handler: (handler.answer(ranges=False, limit=200_000), handler.hang_up())  # noqa: E731
    server.faults[NAME] = [cut, shorter, ignored]
    assert fetch(server.url + NAME, policy=policy).read_bytes() == DATA
    assert [r.range for r in server.requests] == [None, "bytes=200000-", "bytes=200000-"]


def test_threads_fetch_once(server):
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: fetch(server.url + NAME, digest=SHA), range(8)))
    assert (len(paths), server.count(NAME)) == (1, 1)


def start(url: str, digest: str = SHA) -> subprocess.Popen[str]:
    """A process that says it is ready, waits for a line, and fetches."""
    code = (
        "import sys, domainkit.cache as c\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(c.fetch(sys.argv[1], digest=sys.argv[2]), flush=True)"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, url, digest],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(cache.__file__).parents[2],
    )


def test_eight_processes_make_one_request(server):
    running = [start(server.url + NAME) for _ in range(8)]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    paths = {process.communicate()[0].strip() for process in running}
    assert [process.returncode for process in running] == [0] * 8
    assert [Path(path).read_bytes() for path in paths] == [DATA]
    assert server.count(NAME) == 1


def test_a_killed_download_is_resumed_and_its_lock_free(server, folder):
    data = DATA * 80  # more than the sockets hold, so that bytes are on disk when it is killed
    (folder / "big.bin").write_bytes(data)
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    reached = threading.Event()
    server.faults["/big.bin"] = [faults.hold_after(len(data) - 1000, reached)]
    process = start(server.url + "/big.bin", digest)
    process.stdin.write("go\n")
    process.stdin.flush()
    assert reached.wait(20)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(cache.entries()) == []
    assert fetch(server.url + "/big.bin", digest=digest).read_bytes() == data
    assert int(server.requests[-1].range.removeprefix("bytes=").rstrip("-")) > 1_000_000
    assert server.sent["/big.bin"] < 2 * len(data)


def test_bytes_that_were_not_counted_are_not_published(server, folder, policy):
    """Killed between a write and its count; what is fetched then turns out to be shorter."""
    server.faults[NAME] = [faults.chunked(100_000)]
    short = DATA[:120_000]
    digest = "sha256:" + hashlib.sha256(short).hexdigest()
    with pytest.raises(FetchError):
        fetch(server.url + NAME, digest=digest, policy=replace(policy, attempts=1))
    (part,) = (cache.home() / "partial").glob("*.part")
    assert part.stat().st_size == 100_000
    with part.open("ab") as file:
        file.write(DATA[100_000:164_000])
    tag = json.loads(part.with_suffix(".json").read_text())["validator"]
    (folder / NAME.lstrip("/")).write_bytes(short)
    server.extra["ETag"] = tag
    path = fetch(server.url + NAME, digest=digest, policy=policy)
    assert path.read_bytes() == short
    assert server.requests[-1].range == "bytes=100000-"


@pytest.mark.parametrize("cut", [None, 20_000])
def test_a_part_of_a_file_of_unknown_size_is_not_the_rest(server, policy, cut):
    def part(handler):
        start = int(handler.headers["Range"].removeprefix("bytes=").partition("-")[0])
        stop = min(len(DATA), start + 50_000)
        tags = handler.validators(handler.find())
        handler.send_response(206)
        length = {} if cut else {"Content-Length": str(stop - start)}
        for key, value in {
            **tags,
            "Content-Range": f"bytes {start}-{stop - 1}/*",
            **length,
        }.items():
            handler.send_header(key, value)
        handler.end_headers()
        handler.send(DATA[start:stop][:cut])
        handler.hang_up()

    server.faults[NAME] = [faults.chunked(100_000), part, part]
    server.always[NAME] = faults.chunked()
    assert fetch(server.url + NAME, policy=policy).read_bytes() == DATA


def test_a_whole_answer_without_a_length_does_not_end_what_was_cut(server, policy):
    """The first answer would have been seen to be cut, the second would not."""
    server.faults[NAME] = [faults.chunked(100_000), faults.no_length(200_000)]
    with pytest.raises(FetchError, match="does not say how long the file is"):
        fetch(server.url + NAME, policy=replace(policy, attempts_before_mirror=1))
    assert fetch(server.url + NAME, policy=policy).read_bytes() == DATA


def test_bytes_that_nobody_vouched_for_to_fit_are_fetched_once_more(server, folder, policy):
    new = DATA[::-1]
    digest = "sha256:" + hashlib.sha256(new).hexdigest()

    def swap():
        (folder / NAME.lstrip("/")).write_bytes(new)

    unsaid = faults.if_range_ignored(tags=False, ETag="", Last_Modified="")
    server.faults[NAME] = [faults.cut_after(100_000), faults.first(swap, unsaid)]
    assert fetch(server.url + NAME, digest=digest, policy=policy).read_bytes() == new
    assert [r.range for r in server.requests] == [None, "bytes=100000-", None]


def test_what_is_skipped_passes_by_in_steps():
    answer = Answer(chunks=iter([b"abc", b"def", b"gh"]), start=0)
    answer.skip(5)
    assert list(answer.chunks) == [b"", b"f", b"gh"]
    assert answer.start == 5


def test_a_deadline_holds_while_known_bytes_pass_by(server, policy):
    """Ranges are ignored, and the answer begins with what is here already."""
    clock = [0.0]
    server.faults[NAME] = [faults.cut_after(250_000)]
    with pytest.raises(FetchError):
        fetch(server.url + NAME, policy=replace(policy, attempts=1))

    def slow(handler):
        def change(block, offset):
            clock[0] += 10
            return block

        handler.answer(ranges=False, change=change)

    server.always[NAME] = slow
    late = replace(policy, deadline=15.0, monotonic=lambda: clock[0])
    with pytest.raises(FetchError, match=r"the time of 15 s .* 250,000 bytes came"):
        fetch(server.url + NAME, policy=late)
