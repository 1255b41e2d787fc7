"""PyTorch's side of the study: eager reverse mode on the programs themselves or on their usual array form."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from custodiet.studies.autodiff_programs import lorenz, rosenbrock
from custodiet.studies.autodiff_timing import Thunk

__all__ = ["Thunk", "gradient", "lorenz_gradient", "rosenbrock_array", "rosenbrock_loop", "version", "with_namespace"]


def version() -> str:
    """What is measured."""
    return f"torch {torch.__version__} eager"


def with_namespace(function: Callable, namespace: Any) -> Callable:
    """The same source with another module where it says ``np``."""
    return types.FunctionType(function.__code__, {**function.__globals__, "np": namespace}, function.__name__)


def gradient(function: Callable, inputs: tuple, argnums: tuple[int, ...]) -> Thunk:
    """A call that runs `function` on float64 tensors and pulls one back; the tensors are made beforehand."""
    torch.set_num_threads(1)
    arguments = list(inputs)
    for index, value in enumerate(inputs):
        if isinstance(value, np.ndarray) or index in argnums:
            arguments[index] = torch.as_tensor(np.array(value))  # by way of NumPy, a Python float stays float64
    leaves = [arguments[argnum].requires_grad_() for argnum in argnums]
    return lambda: torch.autograd.grad(function(*arguments), leaves)


def lorenz_gradient(inputs: tuple) -> Thunk:
    """The unmodified loop on 0-d tensors."""
    return gradient(lorenz.lorenz, inputs, lorenz.ARGNUMS)


def rosenbrock_loop(inputs: tuple) -> Thunk:
    """The unmodified indexed loop."""
    return gradient(rosenbrock.rosenbrock, inputs, (0,))


def rosenbrock_array(inputs: tuple) -> Thunk:
    """The vectorized source with torch for NumPy."""
    return gradient(with_namespace(rosenbrock.rosenbrock_array, torch), inputs, (0,))
