"""A plain Python function as a differentiable torch operation on the CPU: the one bridge between `autodiff` and torch.

The function sees Python floats and float64 arrays; what it returns and its gradients are rounded to the dtypes that torch expects.
The backward pass is an operation of the same kind, made from the function's pullback, so that gradients have gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from custodiet.autodiff.api import value_and_grad, vjp
from custodiet.errors import DifferentiationError

__all__ = ["as_torch"]

DTYPES = (torch.float32, torch.float64)
HINT = "Move it there before the call: op(x.cpu(), ...)."


def as_torch(f: Callable[..., Any]) -> Callable[..., torch.Tensor]:
    """A torch operation that computes `f`, with its derivative of any order.

    Args:
        f: takes floats and arrays and whatever else; returns a float or an array of floats. It is handed copies.

    Returns:
        A function of f's arguments. Tensors on the CPU of dtype float32 or float64 stand for arrays, 0-d ones for floats, and
        those that require a gradient get one; everything else is handed through. The result has the widest of their dtypes.

    Raises:
        DifferentiationError: a tensor is elsewhere or of another dtype, or f returned something else; the derivative's own.
    """
    known: dict[Any, _Known] = {}

    def operation(*args: Any, **kwargs: Any) -> torch.Tensor:
        tensors = [k for k, one in enumerate(args) if isinstance(one, torch.Tensor)]
        for name, one in [*enumerate(args), *kwargs.items()]:
            _check(one, name)
        dtype = torch.float32 if tensors and all(args[k].dtype == torch.float32 for k in tensors) else torch.float64
        given = [_plain(one) for one in args]
        live = tuple(k for k in tensors if args[k].requires_grad) if torch.is_grad_enabled() else ()
        if not live:
            return _tensor(_checked(f(*given, **kwargs), f), dtype)
        key = (live, tuple(one.ndim for one in args if isinstance(one, torch.Tensor)))
        if key not in known:
            known[key] = _Known(value_and_grad(f, live))
        call = _Call(f, given, kwargs, live, known[key], dtype)
        return _Operation.apply(call, *(args[k] for k in live))  # type: ignore[no-any-return]

    operation.__name__ = getattr(f, "__name__", "operation")
    operation.__doc__ = f.__doc__
    return operation


@dataclass
class _Known:
    """What one function was found to be for arguments of one kind."""

    derivative: Callable[..., Any]
    is_number: bool = False
    """whether it returned a number when it was first run: from then on value and gradient come from compiled code"""


class _Call:
    """One call of the user's function: what is fixed, and how to come back from its result."""

    def __init__(
        self, f: Callable[..., Any], given: Sequence[Any], kwargs: dict[str, Any], live: tuple[int, ...], known: _Known,
        dtype: torch.dtype,
    ) -> None:  # fmt: skip
        self.f, self.given, self.kwargs, self.live = f, list(given), kwargs, live
        self.known, self.dtypes = known, [dtype]
        self.back: Callable[[Any], Sequence[Any]] | None = None

    def full(self, values: Sequence[Any]) -> list[Any]:
        """All positional arguments, with these in the places that are differentiated."""
        found = list(self.given)
        for place, one in zip(self.live, values, strict=True):
            found[place] = one
        return found

    def outputs(self, values: Sequence[Any]) -> list[Any]:
        """The result; in the same run what leads back from it."""
        if self.known.is_number:
            value, gradients = self.known.derivative(*self.full(values), **self.kwargs)
            self.back = lambda cotangent: [cotangent * np.asarray(one) for one in gradients]
            return [value]
        value, back = self.both(values)
        self.known.is_number = np.ndim(_checked(value, self.f)) == 0
        self.back = back
        return [value]

    def both(self, values: Sequence[Any]) -> tuple[Any, Callable[[Any], Sequence[Any]]]:
        """The result and its pullback, from the tape."""
        f, full, kwargs = self.f, self.full, self.kwargs  # the tape follows the function, so it has to see it
        return vjp(lambda *moved: f(*full(moved), **kwargs), *values)

    def pull(self, cotangents: Sequence[Any], values: Sequence[Any]) -> list[Any]:
        """Gradients from the cotangent of the result; a function that can be differentiated in both."""
        if self.known.is_number:
            _, gradients = self.known.derivative(*self.full(values), **self.kwargs)
            return [cotangents[0] * one for one in gradients]
        return list(self.both(values)[1](cotangents[0]))


class _Pullback:
    """The backward pass of a call, as a call of its own: from cotangents and arguments to gradients."""

    back = None

    def __init__(self, call: Any, num_cotangents: int, dtypes: list[torch.dtype]) -> None:
        self.call, self.num, self.dtypes = call, num_cotangents, dtypes

    def outputs(self, values: Sequence[Any]) -> list[Any]:
        """The gradients."""
        return self.call.pull(values[: self.num], values[self.num :])

    def pull(self, cotangents: Sequence[Any], values: Sequence[Any]) -> list[Any]:
        """The way back from the gradients' own cotangents."""
        _, back = vjp(lambda *moved: tuple(self.outputs(moved)), *values)
        return list(back(tuple(cotangents)))


class _Operation(torch.autograd.Function):
    """A call, or the backward pass of one, in torch's graph."""

    @staticmethod
    def forward(ctx: Any, call: Any, *tensors: torch.Tensor) -> Any:
        """Run it outside the graph."""
        found = call.outputs([_plain(one) for one in tensors])
        ctx.call = call
        ctx.save_for_backward(*tensors)
        made = tuple(_tensor(one, dtype) for one, dtype in zip(found, call.dtypes, strict=True))
        return made[0] if isinstance(call, _Call) else made

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        """Gradients; as an operation of the graph where torch keeps one."""
        call, tensors = ctx.call, ctx.saved_tensors
        dtypes = [one.dtype for one in tensors]
        if torch.is_grad_enabled():
            back = _Pullback(call, len(cotangents), dtypes)
            return None, *_Operation.apply(back, *cotangents, *tensors)
        if call.back is not None:
            found = call.back(_plain(cotangents[0]))
        else:
            found = call.pull([_plain(one) for one in cotangents], [_plain(one) for one in tensors])
        return None, *(_tensor(one, dtype) for one, dtype in zip(found, dtypes, strict=True))


def _check(one: Any, name: int | str) -> None:
    """Raise for a tensor that the function cannot be handed."""
    where = f"argument {name}" if isinstance(name, str) else f"positional argument {name}"
    if isinstance(one, torch.Tensor):
        if isinstance(name, str):
            raise DifferentiationError(f"{where} is a tensor", hint="Pass tensors by position.")
        if one.device.type != "cpu" or one.layout != torch.strided:
            raise DifferentiationError(
                f"{where} is not a dense tensor in the CPU's memory", expected="cpu", got=f"{one.device}, {one.layout}", hint=HINT
            )  # fmt: skip
        if one.dtype not in DTYPES:
            raise DifferentiationError(
                f"{where} has a dtype without a derivative here", expected="torch.float32 or torch.float64", got=one.dtype,
                hint="Cast it, or hand over an array or a Python int where no gradient is wanted.",
            )  # fmt: skip
    elif isinstance(one, list | tuple) and any(isinstance(part, torch.Tensor) for part in one):
        raise DifferentiationError(f"{where} is a nest of tensors", hint="Pass each tensor as an argument of its own.")


def _plain(one: Any) -> Any:
    """A tensor as the function sees it: a float, or an array of its own."""
    if not isinstance(one, torch.Tensor):
        return one
    if one.ndim == 0:
        return float(one.detach())
    return np.array(one.detach().to(torch.float64).numpy())


def _tensor(value: Any, dtype: torch.dtype) -> torch.Tensor:
    return torch.tensor(np.asarray(value, dtype=np.float64), dtype=dtype)


def _checked(value: Any, f: Callable[..., Any]) -> Any:
    """What the function returned, if it is a float or an array of floats."""
    if isinstance(value, float | np.floating) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
        return value
    name = getattr(f, "__name__", "the function")
    got = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
    raise DifferentiationError(f"{name} returned no floats", expected="a float or an array of floats", got=got)
