"""The engine: limits, order of work, a clean end. Timing is held by events."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.media import picture
from support.rows import dataset

from domainkit.assembly import Assembly
from domainkit.batch import Batch
from domainkit.dataset import Dataset
from domainkit.draws import Draws
from domainkit.errors import DecodeError, StateError
from domainkit.features import Audio, Image, Int, Text, Tokens
from domainkit.loader import Loader
from domainkit.loader.engine import Run, _Room
from domainkit.loader.memory import Recycler
from domainkit.loader.pool import Pool
from domainkit.ragged import Ragged

N = 40
GRACE = 60  # seconds, for what must happen


def jpeg(height: int, width: int, seed: int) -> bytes:
    return picture(seed, "JPEG", height=height, width=width)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Dataset:
    """JPEG files of 100 x 40 pixels, 12,000 bytes once decoded."""
    rows = ({"image": jpeg(40, 100, seed=i), "number": i} for i in range(N))
    return dataset(tmp_path_factory.mktemp("jpeg"), rows, {"image": Image(), "number": Int()})


class Gate:
    """A transform that says which batches came, and lets them through when asked."""

    def __init__(self, ds: Dataset) -> None:
        self.open = threading.Event()
        self.came: list[int] = []
        self.changed = threading.Condition()

    def __call__(self, batch: Batch, draws: Draws) -> Batch:
        with self.changed:
            self.came.append(int(batch["number"][0]))
            self.changed.notify_all()
        assert self.open.wait(GRACE)
        return batch

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.came) >= count, GRACE)


# -- order of work -----------------------------------------------------------------------------


def test_all_threads_share_the_first_batch(pictures, monkeypatch):
    """No thread begins to decode the second batch before the first one has been decoded."""
    meet = threading.Barrier(4, timeout=GRACE)
    decode = Image.decode_into
    first = threading.local()

    def together(self: Image, raw: Any, out: torch.Tensor) -> None:
        if not hasattr(first, "done"):
            first.done = True
            meet.wait()  # four threads are decoding now
        decode(self, raw, out)

    monkeypatch.setattr(Image, "decode_into", together)
    loader = Loader(pictures, 4, num_threads=4, prefetch=1)
    assert next(iter(loader))["number"].tolist() == [0, 1, 2, 3]


def test_the_most_urgent_task_comes_first():
    pool, held, done = Pool(1), threading.Event(), threading.Event()
    order: list[int] = []
    pool.submit(0, lambda: held.wait(GRACE))
    for urgency in (5, 2, 9, 2):
        pool.submit(urgency, lambda u=urgency: order.append(u))
    pool.submit(10, done.set)
    held.set()
    assert done.wait(GRACE)
    assert order == [2, 2, 5, 9]
    pool.close()
    assert not pool.alive


# -- limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefetch", [1, 3])
def test_no_more_batches_than_asked_for_are_under_way(pictures, prefetch):
    gate = Gate(pictures)
    loader = Loader(pictures, 2, transform=gate, num_threads=8, prefetch=prefetch)
    running = iter(loader)
    taker = threading.Thread(target=lambda: next(running))
    taker.start()
    gate.wait_for(prefetch)
    loader._pool.submit(10**6, (idle := threading.Event()).set)
    assert idle.wait(GRACE)  # nothing else is in the queue
    assert sorted(gate.came) == [2 * i for i in range(prefetch)]
    gate.open.set()
    taker.join(GRACE)
    running.close()


def test_no_more_bytes_than_asked_for_are_under_way(pictures):
    gate = Gate(pictures)
    gate.open.set()
    held: list[int] = []
    most = [0]
    allocate = Recycler.__call__

    def watched(self: Recycler, count: int, dtype: torch.dtype) -> torch.Tensor:
        if count == 24_000:
            held.append(1)
            most[0] = max(most[0], len(held))
        return allocate(self, count, dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recycler, "__call__", watched)
        # a batch of two has 24,000 bytes of pixels (and some of labels): two fit
        loader = Loader(pictures, 2, num_threads=4, prefetch=16, prefetch_bytes=50_000)
        seen = []
        for batch in loader:
            seen += batch["number"].tolist()
            # what the loop was given is its own; no more than two others are there
            loader._pool.submit(10**6, (idle := threading.Event()).set)
            assert idle.wait(GRACE)
            assert len(held) <= len(seen) // 2 + 2
        assert seen == list(range(N))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 1, 0), (1, 3, 0, 2)])
def test_whichever_batch_is_read_first_the_bytes_suffice(order):
    asked: list[int] = []
    run = SimpleNamespace(submit=lambda job, task: asked.append(job.step.number))
    jobs = [SimpleNamespace(step=SimpleNamespace(number=n), run=run, go_on=None) for n in range(4)]
    room = _Room(100)
    for number in order:
        if room.enter(jobs[number], 50):
            asked.append(number)
    assert sorted(asked) == [0, 1]
    room.leave(jobs[0])
    assert sorted(asked) == [0, 1, 2]
    room.leave(jobs[1])
    assert sorted(asked) == [0, 1, 2, 3]


def test_a_batch_above_the_limit_comes_alone(pictures):
    loader = Loader(pictures, 10, num_threads=2, prefetch_bytes=1)
    assert [len(b.ids) for b in loader] == [10] * 4


# -- a clean end -------------------------------------------------------------------------------


def test_nothing_runs_after_a_loop_was_left(pictures):
    running = threading.Semaphore(0)
    after = []
    left = False

    def work(batch: Batch, draws: Draws) -> Batch:
        if left:
            after.append(1)
        running.release()
        return batch

    loader = Loader(pictures, 1, transform=work, num_threads=4, prefetch=8)
    for _ in loader:
        break
    left = True
    loader._pool.submit(10**6, (idle := threading.Event()).set)
    assert idle.wait(GRACE)
    assert after == []
    assert len(loader._pool._queue.tasks) == 0


def test_an_error_in_one_sample_of_a_batch_comes_in_its_turn(tmp_path):
    rows = [{"image": jpeg(8, 8, seed=i) if i != 17 else b"no", "number": i} for i in range(30)]
    broken = dataset(tmp_path, rows, {"image": Image(), "number": Int()})
    for threads in (0, 1, 4):
        loader, seen = Loader(broken, 4, num_threads=threads, prefetch=8), []
        with pytest.raises(DecodeError, match="test/rows, train, row 17, column 'image'") as caught:
            for batch in loader:
                seen += batch["number"].tolist()
        assert "part-00000.arrow" in str(caught.value)
        assert isinstance(caught.value.__cause__, DecodeError)
        assert seen == list(range(16))
        assert loader.state_dict()["cursor"] == 16


def test_an_iterator_of_a_closed_loader_says_so(pictures):
    loader = Loader(pictures, 2, num_threads=2, prefetch=2)
    running = iter(loader)
    next(running)
    loader.close()
    with pytest.raises(StateError, match="its loader was closed"):
        for _ in running:
            pass


def test_whoever_waits_while_another_closes_the_loader_is_told(pictures, monkeypatch):
    told, abandon = threading.Event(), Run.abandon
    monkeypatch.setattr(Run, "abandon", lambda run: (abandon(run), told.set()))
    gate = Gate(pictures)
    loader = Loader(pictures, 2, transform=gate, num_threads=1, prefetch=1)
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            next(iter(loader))
        except StateError as error:
            caught.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    gate.wait_for(1)  # the only thread is at the batch that is waited for
    closer = threading.Thread(target=loader.close)
    closer.start()
    assert told.wait(GRACE)
    gate.open.set()
    waiter.join(GRACE)
    closer.join(GRACE)
    assert [str(error)[:34] for error in caught] == ["this iterator's threads are gone: "]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(pictures):
    loader = Loader(pictures, 2, num_threads=2)
    running = iter(loader)
    next(running)
    child = os.fork()
    if child == 0:  # pragma: no cover
        code = 1
        try:
            signal.alarm(GRACE)
            try:
                next(running)
                next(running)
            except StateError:
                code = 2
            code = 0 if code == 2 and len(list(loader)) == N // 2 else code
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert next(running)["number"].tolist() == [2, 3]


SCRIPT = """
import itertools, sys, threading
import domainkit as dk

ds = dk.load_dataset("text/sentiment-sentences", "train")
loader = dk.Loader(ds, 32, num_threads=2)
running = iter(loader)
next(running)
if sys.argv[1] == "interrupt":
    import signal, os
    def work(batch, draws):
        os.kill(os.getpid(), signal.SIGINT)
        return batch
    loader.close()
    loader = dk.Loader(ds, 32, num_threads=2, transform=work)
    try:
        for batch in loader:
            pass
    except KeyboardInterrupt:
        print("interrupted", sum(t.name.startswith("domainkit") for t in threading.enumerate()))
    loader.close()
    print(threading.active_count())
else:
    print("ends in mid epoch")
"""


@pytest.mark.parametrize(
    ("how", "told"), [("interrupt", "interrupted 2\n1\n"), ("exit", "ends in mid epoch\n")]
)
def test_ctrl_c_and_the_end_of_the_interpreter(how, told):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, how],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, told, "")


# -- fields ------------------------------------------------------------------------------------


def test_collate_takes_the_values_of_a_column(tmp_path):
    rows = [{"tokens": [i] * (i % 3 + 1), "text": str(i), "number": i} for i in range(9)]
    features = {"tokens": Tokens(), "text": Text(), "number": Int()}
    ds = dataset(tmp_path, rows, features)
    mine = {
        "tokens": lambda values: torch.tensor([int(v.sum()) for v in values]),
        "number": lambda values: [type(v) for v in values],
        "text": "".join,
    }
    batch = next(iter(Loader(ds, 9, collate=mine)))
    assert batch["tokens"].tolist() == [i * (i % 3 + 1) for i in range(9)]
    assert batch["number"] == [int] * 9
    assert batch["text"] == "012345678"
    assert list(batch) == ["tokens", "text", "number"]


def test_pictures_come_channels_last_and_equal_to_single_ones(pictures, tmp_path):
    batch = next(iter(Loader(pictures, 6, num_threads=2)))
    assert batch["image"].shape == (6, 3, 40, 100)
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    mixed = dataset(
        tmp_path,
        [{"image": jpeg(5 + i, 7, seed=i), "number": i} for i in range(6)],
        {"image": Image(), "number": Int()},
    )
    made = next(iter(Loader(mixed, 6, num_threads=2)))["image"]
    assert isinstance(made, Ragged) and made.channels_last
    for i in range(6):
        assert torch.equal(made[i], mixed[i]["image"])
        assert torch.equal(batch["image"][i], pictures[i]["image"])


def test_a_batch_the_loop_keeps_is_never_written_again(pictures):
    big = Loader(pictures, 40, num_threads=2, prefetch=2)  # 480,000 bytes: too small to recycle
    tiled = Recycler()
    kept = [tiled(1 << 20, torch.uint8).fill_(i) for i in range(20)]
    assert all(int(t[0]) == int(t[-1]) == i for i, t in enumerate(kept))
    addresses = {t.data_ptr() for t in kept}
    assert len(addresses) == 20
    view = kept[3][10:20]
    del kept
    gc.collect()
    for _ in range(40):
        again = tiled(1 << 20, torch.uint8).fill_(99)
        assert view.tolist() == [3] * 10
        assert again.data_ptr() != view.data_ptr() - 10
    assert len(list(big)) == 1


def test_recycled_memory_is_of_the_asked_size_and_dtype():
    memory = Recycler()
    memory(3 << 20, torch.uint8)  # free at once
    for count, dtype in ((1 << 19, torch.float32), (5, torch.int64), (700_001, torch.float32)):
        made = memory(count, dtype)
        assert (made.shape, made.dtype) == ((count,), dtype)
        made.fill_(1)


def test_recordings_of_one_length_are_dense(tmp_path):
    from domainkit.audio.codec import encode_wav

    waves = torch.rand(5, 2, 33) - 0.5
    rows = [{"audio": encode_wav(wave, 8000), "number": i} for i, wave in enumerate(waves)]
    ds = dataset(tmp_path, rows, {"audio": Audio(8000), "number": Int()})
    batch = next(iter(Loader(ds, 5)))["audio"]
    assert torch.equal(batch, torch.stack([ds[i]["audio"] for i in range(5)]))
    assert float((batch - waves).abs().max()) < 1 / 32000


def test_a_thread_leaves_a_later_batch_for_an_earlier_one(pictures, monkeypatch):
    """Batch 0 is opened last; whoever is at batch 1 by then turns to it after a sample."""
    opened, one, decoded = threading.Event(), threading.Event(), []
    read, decode = Assembly.read, Assembly.decode

    def held(self: Assembly) -> None:
        read(self)
        if 0 in self._rows:
            assert one.wait(GRACE)  # a sample of batch 1 is being decoded by the other thread
            opened.set()

    def noted(self: Assembly, index: int) -> None:
        decoded.append(int(self._rows[index]))
        if decoded[-1] >= 8:
            one.set()
            assert opened.wait(GRACE)
            # batch 0's first sample is under way, so its share for others is in the queue
            while not any(row < 8 for row in decoded):
                os.sched_yield()
        decode(self, index)

    monkeypatch.setattr(Assembly, "read", held)
    monkeypatch.setattr(Assembly, "decode", noted)
    loader = Loader(pictures, 8, num_threads=2, prefetch=2)
    running = iter(loader)
    next(running)
    # alone, the other thread would have gone on with its batch, one sample for each of these
    assert sum(row >= 8 for row in decoded[:8]) <= 2
    running.close()
