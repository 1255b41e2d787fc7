"""Functions with a derivative of their own: custom_vjp, custom_jvp, and checkpoint (compute again instead of keeping)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.core import Trace, fail, top_of, traced
from custodiet.autodiff.engine import reached, reverse_call
from custodiet.autodiff.forward import ForwardTrace
from custodiet.autodiff.pytree import flatten, is_float_leaf, same_structure
from custodiet.autodiff.rules.core import shape_of
from custodiet.autodiff.tape import ReverseTrace
from custodiet.errors import DifferentiationError

__all__ = ["call_on_tape", "checkpoint", "custom_jvp", "custom_vjp", "lower_nest"]


def lower_nest(tree: Any, trace: Trace) -> Any:
    """A nest as it looks one level further out than `trace`."""
    leaves, structure = flatten(tree)
    return structure.build([_lower(one, trace) for one in leaves]) if leaves else tree


def _lower(leaf: Any, trace: Trace) -> Any:
    if not traced(leaf):
        return leaf
    if leaf._is_array_:
        value = leaf.keep() if leaf.t in (trace, None) else leaf.snapshot()
        return value.copy() if type(value) is np.ndarray else value
    return leaf.v if leaf.t is trace else leaf


def _clean(tree: Any, trace: Trace, name: str) -> tuple[list[Any], Any]:
    """Leaves and structure of a result that must not depend on the trace behind its arguments' back."""
    leaves, structure = flatten(tree)
    for one in leaves:
        if traced(one) and one.t is trace:
            fail(
                f"{name} uses a traced value that is not among its arguments (from a closure or a global)",
                hint="Pass it as an argument.",
            )
    return [one._value() if traced(one) and one.t is None else one for one in leaves], structure


def call_on_tape(
    trace: ReverseTrace, result: Any, parents: list[Any], back: Callable[[list[Any]], list[Any]], name: str
) -> Any:
    """Put a finished computation on a tape.

    Args:
        result: its value, a nest without this trace.
        parents: the leaves of its arguments.
        back: cotangents of the result's leaves -> one per parent (None: nothing).
    """
    leaves, structure = _clean(result, trace, name)
    moving = [is_float_leaf(one) for one in leaves]
    floats = [one for one, yes in zip(leaves, moving, strict=True) if yes]

    def spread(g: Any) -> list[Any]:
        rest = iter(g)
        return back([next(rest) if yes else None for yes in moving])

    made = iter(trace.call_many(floats, parents, spread))
    return structure.build([next(made) if yes else one for one, yes in zip(leaves, moving, strict=True)])


class custom_vjp:
    """A function whose cotangents the user computes.

    Args:
        f: the function; called as it is where nothing is differentiated.

    `defvjp(fwd, bwd)`: `fwd(*args)` returns (value, kept); `bwd(kept, cotangent)` a tuple with one cotangent per
    argument, None where there is none. Both are differentiated themselves where a higher order asks for it.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = _reaching(f)
        self.fwd: Callable[..., Any] | None = None
        self.bwd: Callable[..., Any] | None = None
        functools.update_wrapper(self, f)

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Set the two halves of the derivative."""
        self.fwd, self.bwd = fwd, bwd

    def __call__(self, *args: Any) -> Any:
        name = getattr(self.f, "__name__", "the function")
        leaves, _ = flatten(args)
        top = top_of(leaves)
        if top is None:
            return self.f(*args)
        if self.fwd is None or self.bwd is None:
            raise DifferentiationError(f"custom_vjp {name} has no derivative yet", hint="Call defvjp(fwd, bwd).")
        if not isinstance(top, ReverseTrace):
            fail(f"custom_vjp {name} has no forward mode", hint="Use custom_jvp, which serves both directions.")
        value, kept = reached(self.fwd, lower_nest(args, top), {})
        bwd = self.bwd

        def back(cotangents: list[Any]) -> list[Any]:
            _, structure = flatten(value)
            got = reached(bwd, (kept, structure.build(cotangents)), {})
            return _cotangents(got, args, name)

        return call_on_tape(top, value, leaves, back, f"custom_vjp {name}")


def _cotangents(got: Any, args: tuple[Any, ...], name: str) -> list[Any]:
    """What bwd returned, leaf by leaf."""
    if not isinstance(got, tuple) or len(got) != len(args):
        raise DifferentiationError(
            f"the bwd of custom_vjp {name} must return a tuple",
            expected=f"{len(args)} cotangents",
            got=type(got).__name__,
        )
    out: list[Any] = []
    for k, (c, arg) in enumerate(zip(got, args, strict=True)):
        own, structure = flatten(arg)
        if c is None:
            out += [None] * len(own)
            continue
        leaves, other = flatten(c)
        same_structure(structure, other, f"cotangent {k} of custom_vjp {name}")
        for g, x in zip(leaves, own, strict=True):
            if shape_of(g) != shape_of(x):
                raise DifferentiationError(
                    f"cotangent {k} of custom_vjp {name} has another shape", expected=shape_of(x), got=shape_of(g)
                )
        out += leaves
    return out


class custom_jvp:
    """A function whose tangent the user computes; reverse mode transposes it.

    Args:
        f: the function.

    `defjvp(rule)`: `rule(primals, tangents)` returns (value, tangent), the tangent linear in `tangents`.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = _reaching(f)
        self.rule: Callable[..., Any] | None = None
        functools.update_wrapper(self, f)

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule; usable as a decorator."""
        self.rule = rule
        return rule

    def __call__(self, *args: Any) -> Any:
        name = getattr(self.f, "__name__", "the function")
        leaves, structure = flatten(args)
        top = top_of(leaves)
        if top is None:
            return self.f(*args)
        if self.rule is None:
            raise DifferentiationError(f"custom_jvp {name} has no derivative yet", hint="Call defjvp(rule).")
        rule, lower = self.rule, lower_nest(args, top)
        if isinstance(top, ForwardTrace):
            return self._forward(top, rule, leaves, structure, lower, name)
        below, _ = flatten(lower)
        wanted = [k for k, one in enumerate(leaves) if traced(one) and one.t is top]
        zeros = [_zero(below[k]) for k in wanted]

        def along(*tangents: Any) -> Any:
            full = [_zero(one) if is_float_leaf(one) else None for one in below]
            for k, t in zip(wanted, tangents, strict=True):
                full[k] = t
            return reached(rule, (lower, structure.build(full)), {})[1]

        value = reached(rule, (lower, structure.build([_zero(x) if is_float_leaf(x) else None for x in below])), {})[0]

        def back(cotangents: list[Any]) -> list[Any]:
            record = reverse_call(along, tuple(zeros), {}, tuple(range(len(zeros))))
            got = record.back(cotangents)
            out: list[Any] = [None] * len(leaves)
            for k, g in zip(wanted, got, strict=True):
                out[k] = g
            return out

        return call_on_tape(top, value, leaves, back, f"custom_jvp {name}")  # type: ignore[arg-type]

    def _forward(self, top: ForwardTrace, rule: Any, leaves: Any, structure: Any, lower: Any, name: str) -> Any:
        below, _ = flatten(lower)
        count = 1 if top.width is None else top.width
        moved: list[list[Any]] = []
        value: Any = None
        for k in range(count):
            tangents = []
            for one, low in zip(leaves, below, strict=True):
                if traced(one) and one.t is top:
                    tangents.append(one.i if top.width is None else np.broadcast_to(one.i, (count, *shape_of(low)))[k])
                else:
                    tangents.append(_zero(low) if is_float_leaf(low) else None)
            value, change = reached(rule, (lower, structure.build(tangents)), {})
            moved.append(_clean(change, top, f"custom_jvp {name}")[0])
        outs, out_structure = _clean(value, top, f"custom_jvp {name}")
        columns = moved[0] if top.width is None else [np.stack(c) for c in zip(*moved, strict=True)]
        made = [top.wrap(o, t) if is_float_leaf(o) else o for o, t in zip(outs, columns, strict=True)]
        return out_structure.build(made)


def _reaching(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, traced into where it is called with traced values from inside a rule."""

    @functools.wraps(f, updated=())
    def run(*args: Any, **kwargs: Any) -> Any:
        moving = any(map(traced, flatten((args, kwargs))[0]))
        return reached(f, args, kwargs) if moving else f(*args, **kwargs)

    return run


def _zero(x: Any) -> Any:
    shape = shape_of(x)
    return np.zeros(shape, x.dtype) if shape else 0.0


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which keeps only its arguments on the tape and runs again on the way back.

    Args:
        f: takes and returns floats, arrays and nests of them; what it needs is among its arguments.

    Raises:
        DifferentiationError: f uses a traced value of its surroundings.
    """
    name = getattr(f, "__name__", "the function")

    @functools.wraps(f, updated=())
    def run(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = flatten((args, kwargs))
        top = top_of(leaves)
        if not isinstance(top, ReverseTrace):
            return reached(f, args, kwargs) if top is not None else f(*args, **kwargs)
        lower_args, lower_kwargs = lower_nest((args, kwargs), top)
        below, _ = flatten((lower_args, lower_kwargs))
        wanted = [k for k, one in enumerate(leaves) if traced(one) and one.t is top]

        def again(*moving: Any) -> Any:  # this room is not traced into: f is reached where it is called
            full = [one.copy() if isinstance(one, np.ndarray) else one for one in below]
            for k, one in zip(wanted, moving, strict=True):
                full[k] = one
            new_args, new_kwargs = structure.build(full)
            return reached(f, new_args, new_kwargs)

        def back(cotangents: list[Any]) -> list[Any]:
            record = reverse_call(again, tuple(below[k] for k in wanted), {}, tuple(range(len(wanted))))
            out: list[Any] = [None] * len(leaves)
            for k, g in zip(wanted, record.back(cotangents), strict=True):
                out[k] = g
            return out

        copied_args, copied_kwargs = lower_nest((args, kwargs), top)
        value = reached(f, copied_args, copied_kwargs)
        return call_on_tape(top, value, leaves, back, f"checkpoint({name})")

    return run
