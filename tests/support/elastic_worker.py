"""Run by torchrun: a training script, watched. The test hears of every batch and lets it go.

``python elastic_worker.py PORT LOADER SCRIPT ARGUMENTS...`` runs SCRIPT as it stands. Around it:
``dk.Loader`` tells which samples it hands out and waits for the answer, so that a test can kill
this process, or another one, at exactly that step; torch's own hooks tell the loss and that the
optimizer has stepped. Where the test is gone this process ends.

LOADER is "domainkit", or one of the ways people use today, from ``support.elastic_peers``.
"""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

import domainkit as dk

__all__ = ["main"]


class Wire:
    """Lines of JSON to the test and back."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rw", encoding="utf-8")

    def tell(self, **what: Any) -> None:
        try:
            self.file.write(json.dumps(what) + "\n")
            self.file.flush()
        except OSError:
            os._exit(3)

    def wait(self) -> None:
        try:
            answer = self.file.readline()
        except OSError:
            answer = ""
        if not answer:
            os._exit(3)


def watch(wire: Wire, base: type, checkpoint: Path) -> type:
    """A loader class whose training loader (the shuffled one) tells what it does."""

    class Watched(base):  # type: ignore[misc, valid-type]
        told = False

        def __iter__(self) -> Iterator[Any]:
            if not self.shuffle:
                yield from super().__iter__()
                return
            if not self.told:
                self.told = True
                # what the script has just read: rank 0 writes no other before everyone's first step
                step = torch.load(checkpoint)["step"] if checkpoint.exists() else 0
                generation = [uuid.uuid4().hex]  # all ranks of one start of the workers
                distributed.broadcast_object_list(generation)
                wire.tell(
                    event="start",
                    pid=os.getpid(),
                    agent=os.getppid(),
                    rank=self.rank,
                    world_size=self.world_size,
                    generation=generation[0],
                    step=step,
                )
            padded = self.padded
            for batch in super().__iter__():
                added, padded = self.padded - padded, self.padded
                wire.tell(event="batch", epoch=self.epoch, ids=batch.ids.tolist(), padded=added)
                wire.wait()
                yield batch

    return Watched


def main() -> None:
    port, loader, script, *arguments = sys.argv[1:]
    wire = Wire(int(port))
    checkpoint = Path(arguments[arguments.index("--checkpoint") + 1])
    if loader == "domainkit":
        base: type = dk.Loader
    else:
        from support import elastic_peers

        base = getattr(elastic_peers, loader)
    dk.Loader = watch(wire, base, checkpoint)  # type: ignore[misc, assignment]
    losses: list[float] = []

    def note_loss(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        if isinstance(module, nn.CrossEntropyLoss):
            losses.append(output.item())

    def note_step(*_: Any) -> None:
        wire.tell(event="trained", loss=losses[-1])

    nn.modules.module.register_module_forward_hook(note_loss)
    register_optimizer_step_post_hook(note_step)
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")
    wire.tell(event="end")


if __name__ == "__main__":
    main()
