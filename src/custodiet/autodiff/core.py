"""Traces, levels and the one function through which every recorded call passes.

A derivative in progress is a *trace*: a tape (`tape.ReverseTrace`) or a forward sweep (`forward.ForwardTrace`). Traces
are numbered as they begin, so that of two traces the one with the larger number is the inner one; a value belongs to
one trace and wraps a value of the next outer one, down to a plain number or array. No state is global but the counter,
so that threads do not meet, and derivatives of derivatives do not mix ("perturbation confusion").
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from custodiet.autodiff.rules.core import Rule, primal_of
from custodiet.errors import DifferentiationError

__all__ = ["Trace", "apply", "apply_scalar", "fail", "operands", "run_primal", "top_of", "traced", "user_line"]

_LEVELS = count(1)
_OURS = str(Path(__file__).parent)


class Trace(ABC):
    """One derivative in progress; `level` is larger for inner traces."""

    __slots__ = ("level",)

    def __init__(self) -> None:
        self.level = next(_LEVELS)

    @abstractmethod
    def process(self, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a primitive on values of this trace and outer ones."""

    @abstractmethod
    def scalar(self, out: Any, args: tuple[Any, ...], partials: tuple[Any, ...]) -> Any:
        """A number computed from numbers, with its partial derivatives."""

    @abstractmethod
    def store(self, handle: Any, key: Any, value: Any) -> None:
        """`handle[key] = value`, either of which may be of this trace."""


def user_line() -> str | None:
    """`file:line` of the innermost frame that is the user's; None where there is none."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        outside = f"{_OURS}/" not in name and "/numpy/" not in name and "/scipy/" not in name
        if outside and not name.startswith("<"):
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def fail(message: str, *, hint: str | None = None, expected: object = None, got: object = None) -> NoReturn:
    """Raise a DifferentiationError that names the user's line."""
    raise DifferentiationError(message, hint=hint, expected=expected, got=got, where=user_line())


def traced(x: Any) -> bool:
    """True for a value that belongs to a trace, or an array handle that could."""
    return hasattr(type(x), "_traced_")


def top_of(values: Sequence[Any]) -> Trace | None:
    """The innermost trace among these values; None where all are plain or constant."""
    top, level = None, 0
    for one in values:
        if hasattr(type(one), "_traced_"):
            trace = one.t
            if trace is not None and trace.level > level:
                top, level = trace, trace.level
    return top


def normalized(rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Put the operands that came as keywords into their places."""
    wanted = len(rule.vjps)
    if kwargs and rule.name == "np.clip":
        kwargs = {{"min": "a_min", "max": "a_max"}.get(k, k): v for k, v in kwargs.items()}
    if rule.params:
        placed, rest = list(args), dict(kwargs)
        for name in rule.params[len(args) : wanted]:
            if name not in rest:
                if rule.name == "np.clip":
                    placed.append(None)
                    continue
                break
            placed.append(rest.pop(name))
        args, kwargs = tuple(placed), rest
    for name, value in kwargs.items():
        if traced(value) and value.t is not None:
            fail(f"{rule.name} is not differentiable in {name}=", hint="Pass a plain value: stop_gradient(x).")
    return args, {k: primal_of(v) for k, v in kwargs.items() if v is not np._NoValue}


def operands(rule: Rule, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values that may carry a derivative."""
    if not rule.variadic:
        return args
    return args[rule.spread :] if rule.spread else tuple(args[0])


def apply(rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a primitive, recorded in the innermost trace that its operands belong to."""
    from custodiet.autodiff.arrays import constant, link_view, plain

    out = kwargs.pop("out", None) if kwargs else None
    if kwargs:
        args, kwargs = normalized(rule, args, kwargs)
    values = operands(rule, args)
    top = top_of(values)
    if top is None:
        result = constant(rule.primal(*plain(args), **kwargs))
    else:
        result = top.process(rule, args, kwargs)
    if hasattr(type(result), "_traced_") and result._is_array_:
        link_view(result, rule, args, kwargs)
    if out is not None:
        target = out[0] if isinstance(out, tuple) else out
        if not traced(target) and top is None:
            target[...] = primal_of(result)
            return target
        if not traced(target):
            fail(f"{rule.name} cannot write a traced result into the plain array of out=", hint="Use the return value.")
        target[...] = result
        return target
    return result


def run_primal(rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A primitive on values one level further out, which may be traced themselves."""
    if top_of(operands(rule, args)) is None:
        return rule.primal(*args, **kwargs)
    return apply(rule, args, kwargs)


def apply_scalar(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Run an operator or a function of `math` on numbers, some of them traced."""
    from custodiet.autodiff.rules.scalars import SCALARS

    args = tuple(one[()] if hasattr(type(one), "_traced_") and one._is_array_ else one for one in args)
    top = top_of(args)
    if top is None:
        return function(*(primal_of(one) for one in args))
    values = tuple(one.v if getattr(one, "t", None) is top else one for one in args)
    out = apply_scalar(function, values) if any(map(traced, values)) else function(*values)
    return top.scalar(out, args, SCALARS[function][1](out, *values))
