"""50 epochs with breaks, errors and restarts: threads, open files and memory stay as they were."""

from __future__ import annotations

import gc
import random
import threading

import psutil
import pytest
from support.media import picture
from support.rows import dataset

from domainkit.features import Image, Int
from domainkit.loader import Bucketed, Budget, Loader

EPOCHS, N = 50, 64
SIDE = 400  # a batch of 8 has 3.8 MB: what leaks would be seen


def test_threads_files_and_memory_are_flat(tmp_path):
    good = [picture(i, "JPEG", height=SIDE + i % 3, width=SIDE) for i in range(8)]
    rows = ({"image": b"no" if i == 40 else good[i % 8], "number": i} for i in range(N))
    ds = dataset(tmp_path, rows, {"image": Image(), "number": Int()})
    fit = ds.select([i for i in range(N) if i != 40])
    choice, process = random.Random(0), psutil.Process()

    def measured() -> tuple[int, int, int]:
        gc.collect()
        return threading.active_count(), process.num_fds(), process.memory_info().rss

    loader = Loader(fit, 8, shuffle=True, num_threads=3)
    seen = []
    for epoch in range(EPOCHS):
        what = choice.choice(["whole", "break", "error", "restart", "damaged", "budget", "dropped"])
        stop = choice.randrange(1, 7)
        if what in ("whole", "break", "error"):
            try:
                for step, _ in enumerate(loader, 1):
                    if what == "break" and step == stop:
                        break
                    if what == "error" and step == stop:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                pass
        elif what == "restart":
            state = loader.state_dict()
            loader.close()
            loader = Loader(fit, 8, shuffle=True, num_threads=3, prefetch=choice.randrange(1, 9))
            loader.load_state_dict(state)
        elif what == "damaged":
            with pytest.raises(Exception, match="row 40"):
                list(Loader(ds, 8, num_threads=2))
            list(Loader(ds, 8, num_threads=2, on_error="skip"))
        elif what == "budget":
            list(Loader(fit, Budget(pixels=2_000_000), num_threads=2))
            list(Loader(fit, Bucketed(8, "image"), num_threads=0))
        else:
            running = iter(Loader(fit, 8, num_threads=2))
            next(running)
            del running
        if epoch >= 9:
            seen.append(measured())
    threads, files, memory = zip(*seen, strict=True)
    assert max(threads) - min(threads) <= 3  # the loader's own, which a restart ends
    assert max(files) == min(files)
    half = len(memory) // 2
    assert max(memory[half:]) < max(memory[:half]) + (40 << 20)
