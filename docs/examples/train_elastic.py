"""Train a small classifier with DDP; killed at any moment, it goes on at whatever size there is.

One machine, two processes:

    torchrun --standalone --nproc-per-node 2 train_elastic.py
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import domainkit as dk


def save(path: Path, state: dict[str, Any]) -> None:
    """All of it or nothing: whoever is killed here leaves the last checkpoint as it was."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoint.pt"))
    parser.add_argument("--every", type=int, default=20, help="steps between checkpoints")
    parser.add_argument("--split", default="train")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32, help="per rank")
    parser.add_argument("--global-batch", type=int, help="over all ranks, in place of the above")
    parser.add_argument("--last", default="pad", choices=["pad", "drop", "short"])
    args = parser.parse_args()

    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if cuda else "gloo")
    rank, world_size = dist.get_rank(), dist.get_world_size()

    loader = dk.Loader(
        dk.load_dataset("vision/fashion-mnist-mini", args.split),
        args.global_batch // world_size if args.global_batch else args.batch_size,
        shuffle=True,
        seed=0,
        transform="vision/fashion-mnist-train-1",
        device=device,
        last=args.last,
    )  # rank and world size are torch.distributed's
    torch.manual_seed(0)  # a run can be repeated: everyone begins with the same weights
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 10)
    )
    model = DistributedDataParallel(net.to(device), device_ids=[device] if cuda else None)
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)

    step = 0
    if args.checkpoint.exists():
        saved = torch.load(args.checkpoint, map_location=device, weights_only=True)
        net.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        loader.load_state_dict(saved["loader"])
        step = saved["step"]

    for epoch in range(loader.epoch, args.epochs):
        loader.set_epoch(epoch)  # a loaded epoch goes on where it stood
        # with last="short" a rank may have one batch less than the others: they must not wait
        with model.join(enable=args.last == "short"):
            for batch in loader:
                loss = loss_of(model(batch["image"]), batch["label"])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
                if rank == 0 and step % args.every == 0:
                    print(f"epoch {epoch}, step {step}, world {world_size}: {loss.item():.4f}")
                    state = {"model": net.state_dict(), "optimizer": optimizer.state_dict()}
                    save(args.checkpoint, {**state, "loader": loader.state_dict(), "step": step})

    test = dk.load_dataset("vision/fashion-mnist-mini", "test")
    loader = dk.Loader(test, 100, transform="vision/fashion-mnist-eval-1", device=device)
    accuracy = dk.evaluate(model, loader, field="image")  # of all ranks' samples, each once
    if rank == 0:
        print(f"accuracy {accuracy:.4f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
