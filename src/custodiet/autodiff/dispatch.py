"""Which path a derivative takes: the one seam between the public functions and the engines behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from custodiet.autodiff.core import traced
from custodiet.autodiff.engine import check_argnums, reverse_call
from custodiet.autodiff.rules.core import primal_of
from custodiet.errors import DifferentiationError

__all__ = ["MODES", "Explanation", "State", "explain_call", "run_value_and_grad", "scalar_result"]

MODES = ("auto", "compile", "trace")


@dataclass
class State:
    """What one wrapped function keeps between calls; compiled code is cached here."""

    calls: int = 0
    compiled: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The path that a call takes and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def check_mode(mode: str) -> None:
    """Raise for a mode that does not exist."""
    if mode not in MODES:
        raise DifferentiationError("mode is not one of the modes", expected=MODES, got=mode)


def scalar_result(value: Any, f: Callable[..., Any]) -> None:
    """Raise unless a function returned one float."""
    plain = primal_of(value) if traced(value) else value
    if isinstance(plain, (float, np.floating)):
        return
    if isinstance(plain, np.ndarray) and plain.shape == () and plain.dtype.kind == "f":
        return
    got = f"an array of shape {plain.shape}" if isinstance(plain, np.ndarray) else type(plain).__name__
    name = getattr(f, "__name__", "the function")
    if isinstance(plain, np.ndarray):
        hint = "Return a single number, such as its sum, or use jacobian."
    elif isinstance(plain, tuple):
        hint = "With a second result that is not differentiated, pass has_aux=True."
    else:
        hint = "Return a float."
    raise DifferentiationError(
        f"{name} did not return a number that can be differentiated", expected="a float", got=got, hint=hint
    )


def run_value_and_grad(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    argnums: int | tuple[int, ...],
    has_aux: bool,
    mode: str,
    state: State,
) -> tuple[Any, Any]:
    """Value and gradient of one call.

    Returns:
        (value or (value, aux), gradient); the gradient in the nest of the argument, a tuple where argnums is one.
    """
    check_mode(mode)
    state.calls += 1
    places = check_argnums(argnums, args)
    record = reverse_call(f, args, kwargs, places, has_aux)
    scalar_result(record.value, f)
    one = primal_of(record.value)
    seed: Any = 1.0 if isinstance(one, float) and not isinstance(one, np.floating) else np.ones_like(one)[()]
    if isinstance(one, np.ndarray):
        seed = np.ones_like(one)
    gradients = record.rebuild(record.back([seed]))
    value = (record.value, record.aux) if has_aux else record.value
    return value, gradients[0] if isinstance(argnums, int) else gradients


def explain_call(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], mode: str) -> Explanation:
    """The path that `grad(f, mode=mode)(*args)` takes and why."""
    check_mode(mode)
    return Explanation(path="trace", reason="only the tape is there in this version")
