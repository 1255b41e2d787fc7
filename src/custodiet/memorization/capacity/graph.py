"""A step as a CUDA graph: recorded once, then launched as one, which a model of 32 columns needs to keep a GPU busy.

This is the one place that knows CUDA graphs. What is recorded must read and write the same tensors at every call, ask the
host nothing and take no branch on data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["record_step"]

WARMUP_STEPS = 3


def record_step(run: Callable[[], None], tensors: Sequence[Tensor], device: str) -> tuple[Callable[[], None], str]:
    """A function that makes the step `run`, recorded as a CUDA graph where that can be done.

    Args:
        run: one step; it is called a few times to warm up.
        tensors: everything that `run` changes; they come back as they were.
        device: where they lie.

    Returns:
        The function, and how it runs: "CUDA graph", or "step by step" with the reason in parentheses.

    Raises:
        torch.OutOfMemoryError: a step does not fit into the GPU's memory; no graph would help.
    """
    if torch.device(device).type != "cuda":
        return run, f"step by step (a graph needs a CUDA device, this is {device})"
    kept = [one.clone() for one in tensors]
    try:
        replay, how = _record(run, device), "CUDA graph"
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        replay, how = run, f"step by step (the graph could not be recorded: {str(error).strip().splitlines()[0]})"
    for one, then in zip(tensors, kept, strict=True):
        one.copy_(then)
    return replay, how


def _record(run: Callable[[], None], device: str) -> Callable[[], None]:
    """Warm up on a side stream, so that libraries have their handles and workspaces, then record there."""
    with torch.cuda.device(device):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARMUP_STEPS):
                run()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=side):
            run()
    return graph.replay
