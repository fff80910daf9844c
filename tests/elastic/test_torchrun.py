"""The training script of the site under torchrun: killed, shrunk and grown, it loses no sample.

Real agents and workers on 127.0.0.1, killed with SIGKILL at steps they wait at. What counts are the
samples in the steps that led to the final weights. Many more such jobs, and what people use today,
are in ``tests/benchmarks/elastic.py``.
"""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest
from support.elastic import Job, Lineage, Step, count

pytestmark = pytest.mark.skipif(
    not (Path("/proc/self/stat").exists() and hasattr(signal, "SIGKILL")), reason="Linux alone"
)

N = 1003
EVERY = 7  # steps between checkpoints
SCRIPT = ("--split", f"train[:{N}]", "--every", EVERY)


def assert_nothing_is_left(job: Job) -> None:
    assert all(agent.poll() is not None for agent in job.agents)
    assert [w.pid for w in job.log if Path(f"/proc/{w.pid}").exists()] == []


def test_a_node_dies_and_another_comes(tmp_path):
    """4 ranks, then 2, then 4 again; together they always take 16 samples, 63 steps an epoch."""
    rng = random.Random(1)
    dies = rng.randrange(8, 60)
    grows = 65  # the last checkpoint is then of the very end of epoch 0
    options = ("--epochs", 2, "--global-batch", 16, "--last", "short")
    with Job(tmp_path, *SCRIPT, *options) as job:
        job.start_node()
        job.start_node()
        job.run_at(4, hold=(rng.randrange(4), dies))
        job.kill_node(job.node_of(job.wait_held()))
        job.run_at(2, hold=(rng.randrange(2), grows))
        before = job.wait_held().generation
        job.start_node()
        job.wait_for_start(4, after=before)
        job.run_at(4)
        lineage = job.wait_end()
    assert_nothing_is_left(job)
    assert count(lineage, N, epochs=2) == (0, 0), job.report()
    shrunk = (dies - 1) // EVERY * EVERY  # the checkpoint that the two went on from
    sizes = {step.number: step.world_size for step in lineage.steps}
    assert sizes == {number: 2 if shrunk < number <= 63 else 4 for number in range(1, 127)}
    assert lineage.discarded == (dies - 1 - shrunk) + (grows - 1 - 63)


def test_a_killed_worker_leaves_no_trace_in_the_losses(tmp_path):
    rng = random.Random(2)
    options = ("--epochs", 1, "--batch-size", 32, "--last", "pad")
    lineages = []
    for kills in ([], [rng.randrange(EVERY + 1, 16)]):
        folder = tmp_path / f"kills{len(kills)}"
        folder.mkdir()
        with Job(folder, *SCRIPT, *options, max_nodes=1) as job:
            job.start_node()
            for step in kills:
                job.run_at(2, hold=(rng.randrange(2), step))
                job.kill_worker(job.wait_held())
            job.run_at(2)
            lineages.append(job.wait_end())
        assert_nothing_is_left(job)
        assert count(lineages[-1], N, epochs=1) == (0, 0), job.report()
        assert lineages[-1].generations == 1 + len(kills)
    whole, resumed = (lineage.losses() for lineage in lineages)
    assert len(whole) == 2 * 16
    assert resumed == pytest.approx(whole, abs=1e-6)


def test_what_is_lost_or_repeated_would_be_seen():
    """The counting itself, on 2 epochs of 6 samples by 2 ranks."""

    def lineage(*parts: tuple[int, list[int], list[int], int]) -> Lineage:
        steps = [
            Step(number, rank, 2, epoch, ids, padded, loss=0.0)
            for number, (epoch, *both, padded) in enumerate(parts, 1)
            for rank, ids in enumerate(both)
        ]
        return Lineage(steps, discarded=0, generations=1)

    first, second = (0, [5, 1], [0, 3], 0), (0, [2], [4], 0)
    padded = (0, [2, 4], [5, 1], 2)
    next_ = [(1, [0, 1], [2, 3], 0), (1, [4], [5], 0)]
    assert count(lineage(first, second, *next_), 6, epochs=2) == (0, 0)
    assert count(lineage(first, padded, *next_), 6, epochs=2) == (0, 0)
    assert count(lineage(first, (*padded[:3], 0), *next_), 6, epochs=2) == (0, 2)
    assert count(lineage(first, *next_), 6, epochs=2) == (2, 0)
    assert count(lineage(first, first, second, *next_), 6, epochs=2) == (0, 4)
    assert count(lineage(first, second), 6, epochs=2) == (6, 0)
