"""The only file that knows process groups: sums over the ranks that torchrun started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["process_group", "rank", "sum_over_ranks", "world_size"]


def rank() -> int:
    """This process's rank; 0 without a process group."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def world_size() -> int:
    """Number of ranks; 1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """Sum a tensor over all ranks in place; nothing to do without a process group."""
    if world_size() > 1:
        dist.all_reduce(tensor)
    return tensor


@contextmanager
def process_group() -> Iterator[None]:
    """Join the group that torchrun's environment describes (gloo on CPU, nccl on CUDA); alone without one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()
