"""The interpreted derivatives: one call of a function, traced, in either direction.

Everything the public functions do on the interpreted path is one of these three: `reverse_call` (run and keep the
tape), `forward_call` (run with tangents), `reached` (run without a derivative, as the traced function would).
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from custodiet.autodiff import array_fast  # noqa: F401 - it puts the short way into the operators
from custodiet.autodiff.core import fail, traced
from custodiet.autodiff.forward import ForwardTrace
from custodiet.autodiff.pytree import Structure, flatten, flatten_differentiable
from custodiet.autodiff.reach import Reach
from custodiet.autodiff.rules.core import copied_alike, primal_of
from custodiet.autodiff.sweep import pull
from custodiet.autodiff.tape import ReverseTrace
from custodiet.errors import DifferentiationError

__all__ = ["Recorded", "argument_name", "check_argnums", "forward_call", "reached", "reverse_call", "settle"]


def argument_name(f: Callable[..., Any], place: int) -> str:
    """The name of a positional argument, or its number."""
    code = getattr(f, "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code is not None else ()
    return f"argument {names[place]!r}" if place < len(names) else f"argument {place}"


def check_argnums(argnums: int | Sequence[int], args: tuple[Any, ...]) -> tuple[int, ...]:
    """The places that argnums names, as a tuple of places, negative ones counted from the end."""
    wanted = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for one in wanted:
        if not isinstance(one, int) or isinstance(one, bool) or not -len(args) <= one < len(args):
            raise DifferentiationError(
                "argnums names an argument that was not passed by position",
                expected=f"numbers from 0 to {len(args) - 1}" if args else "at least one positional argument",
                got=one,
            )
    places = tuple(one % len(args) for one in wanted)
    if len(set(places)) < len(places):
        raise DifferentiationError("argnums names an argument twice", got=wanted)
    return places


def reach_call(
    f: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], taken: Sequence[int]
) -> tuple[Any, Reach]:
    """Call `f` with exchanged globals; arguments outside `taken` get handles so that they can be written into."""
    reach = Reach()
    made = _callable(f, reach)
    given = [one if k in taken else _argument(one, reach) for k, one in enumerate(args)]
    named = {k: _argument(v, reach) for k, v in kwargs.items()}
    try:
        return made(*given, **named), reach
    except (ValueError, TypeError) as error:
        if isinstance(error.__cause__, DifferentiationError):  # NumPy wraps what our conversions raise
            raise error.__cause__ from None
        raise
    except RecursionError as error:
        raise DifferentiationError(
            "the function calls itself too deeply",
            hint="Is the recursion finite? sys.setrecursionlimit raises the limit.",
        ) from error


def _callable(f: Callable[..., Any], reach: Reach) -> Callable[..., Any]:
    made = reach.replace(f)
    if made is not f or isinstance(f, (types.FunctionType, types.MethodType, types.BuiltinFunctionType, type)):
        if isinstance(made, types.MethodType):
            return types.MethodType(made.__func__, reach.instance(made.__self__))
        return made
    return reach.instance(f)


def _argument(value: Any, reach: Reach) -> Any:
    """An argument without a derivative: floating arrays, also in nests, become handles; callables are reached."""
    if isinstance(value, (float, int, str)) or value is None or traced(value):
        return value
    if isinstance(value, np.ndarray):
        return reach.handle(value) if value.dtype.kind == "f" else value
    return reach.nest(value)


def settle(value: Any, trace: Any) -> Any:
    """A result without this trace: its value one level further out; constants become plain."""
    if not traced(value):
        if isinstance(value, np.ndarray) and value.dtype == object:
            fail("the function returned an array of objects", hint="Build it with np.array inside the function.")
        return value
    if value._is_array_:
        value.sync()
        if value.t is None:
            return settle(value.v, trace)
    return value.v if value.t is trace else value


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One recorded call: its result without the trace, and the way back."""

    value: Any
    """the result as the function returned it, leaves one level out"""
    out_leaves: list[Any]
    out_structure: Structure
    places: list[int]
    """place on the tape of every leaf of the result; 0 where it does not depend on the arguments"""
    aux: Any
    trace: ReverseTrace
    in_leaves: list[Any]
    in_places: list[int]
    in_structures: list[Structure]

    def back(self, cotangents: list[Any]) -> list[Any]:
        """Cotangents of the argument's leaves from those of the result's leaves."""
        seeds = [(place, g) for place, g in zip(self.places, cotangents, strict=True) if place and g is not None]
        got = pull(self.trace, seeds, self.in_places)
        return [finish_leaf(g, x) for g, x in zip(got, self.in_leaves, strict=True)]

    def rebuild(self, leaves: list[Any]) -> tuple[Any, ...]:
        """Leaves back in the nests of the arguments, one per differentiated argument."""
        out, start = [], 0
        for structure in self.in_structures:
            stop = start + structure.num_leaves
            out.append(structure.build(leaves[start:stop]))
            start = stop
        return tuple(out)


def finish_leaf(g: Any, x: Any) -> Any:
    """A cotangent in the shape, dtype and type of its argument, owned by the caller."""
    plain = primal_of(x)
    if isinstance(plain, np.ndarray):
        if traced(g):
            return g.astype(plain.dtype) if g._is_array_ else np.broadcast_to(g, plain.shape)
        full = np.zeros(plain.shape, plain.dtype)
        full[...] = g
        return full
    if traced(g):
        return g[()] if g._is_array_ else g
    if isinstance(plain, np.generic):
        return plain.dtype.type(g)
    return float(g)


def _kept_apart(leaf: Any) -> Any:
    """An array that the tape may refer to: the caller's own may be written, at the end of the call or before `back`."""
    return copied_alike(leaf) if isinstance(leaf, np.ndarray) and not traced(leaf) else leaf


def _containers(args: Sequence[Any], given: Sequence[Any]) -> list[tuple[Any, Any, dict[Any, Any]]]:
    """Lists and dicts among arguments: the caller's, the one that the function gets, and what is in that now."""
    found: list[tuple[Any, Any, dict[Any, Any]]] = []
    for original, made in zip(args, given, strict=True):
        if type(original) in (list, dict):
            found.append((original, made, dict(made) if isinstance(made, dict) else dict(enumerate(made))))
        if type(original) in (list, tuple):
            found += _containers(list(original), list(made))
        elif type(original) is dict:
            found += _containers(list(original.values()), list(made.values()))
    return found


def _write_back(arrays: list[tuple[Any, Any]], containers: list[tuple[Any, Any, dict[Any, Any]]], trace: Any) -> None:
    """What the function wrote into its arguments, in the caller's own arrays, lists and dicts, without the trace.

    Raises:
        ValueError: an array is read-only, as NumPy says it.
    """
    for handle, original in arrays:
        if handle.version:
            if not original.flags["W"]:
                raise ValueError("assignment destination is read-only")
            original[...] = primal_of(handle)
    for original, made, before in containers:
        items = made if isinstance(made, dict) else dict(enumerate(made))
        if items.keys() == before.keys() and all(items[key] is before[key] for key in items):
            continue
        plain = {
            key: original[key] if key in before and one is before[key] else _settle_nest(one, trace)
            for key, one in items.items()
        }
        original.clear()
        original.update(plain) if isinstance(original, dict) else original.extend(plain.values())


def reverse_call(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    argnums: tuple[int, ...],
    has_aux: bool = False,
    *,
    on_trace: Callable[[ReverseTrace], None] | None = None,
) -> Recorded:
    """Run `f` on a tape.

    Args:
        argnums: places of the differentiated arguments, checked.
        has_aux: f returns (value, anything).
        on_trace: is handed the tape before the run.
    """
    trace = ReverseTrace()
    if on_trace is not None:
        on_trace(trace)
    given, leaves, places, structures = list(args), [], [], []
    arrays: list[tuple[Any, Any]] = []
    for k in argnums:
        own, structure = flatten_differentiable(args[k], argument_name(f, k))
        lifted = [trace.lift(_kept_apart(one)) for one in own]
        arrays += [(h, x) for h, x in zip(lifted, own, strict=True) if isinstance(x, np.ndarray) and not traced(x)]
        places += [one.i for one in lifted]
        leaves += [x.snapshot() if traced(x) and x._is_array_ else x for x in own]
        structures.append(structure)
        given[k] = structure.build(lifted)
    kept = _containers(args, given)
    result, reach = reach_call(f, given, kwargs, argnums)
    value, aux = split_aux(result, has_aux)
    out, out_structure = flatten(value)
    held = [_hold(one) for one in out]
    record = Recorded(
        value=out_structure.build([settle(one, trace) for one in held]),
        out_leaves=[settle(one, trace) for one in held],
        out_structure=out_structure,
        places=[one.i if traced(one) and one.t is trace else 0 for one in held],
        aux=_settle_nest(aux, trace),
        trace=trace,
        in_leaves=leaves,
        in_places=places,
        in_structures=structures,
    )
    trace.close()
    reach.check_aliases(arrays)
    _write_back(arrays, kept, trace)
    reach.finish()
    return record


def _hold(leaf: Any) -> Any:
    """A leaf of a result, with what views show fetched now."""
    if traced(leaf) and leaf._is_array_:
        leaf.sync()
    return leaf


def _settle_nest(tree: Any, trace: Any) -> Any:
    leaves, structure = flatten(tree)
    return structure.build([settle(one, trace) for one in leaves]) if leaves else tree


def split_aux(result: Any, has_aux: bool) -> tuple[Any, Any]:
    """(value, aux) of a result."""
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise DifferentiationError(
            "the function's result does not fit has_aux=True", expected="a pair (value, aux)", got=type(result).__name__
        )
    return result


def forward_call(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    argnums: tuple[int, ...],
    tangents: list[list[Any]],
    width: int | None = None,
    has_aux: bool = False,
) -> tuple[Any, list[Any], list[Any], Structure, Any]:
    """Run `f` with tangents.

    Args:
        tangents: per differentiated argument the tangents of its leaves, of their shapes (K, *shape) with width K.

    Returns:
        The result, the leaves of the result, their tangents, the result's structure, aux.
    """
    trace = ForwardTrace(width)
    given = list(args)
    arrays: list[tuple[Any, Any]] = []
    for k, changes in zip(argnums, tangents, strict=True):
        own, structure = flatten_differentiable(args[k], argument_name(f, k))
        lifted = [trace.lift(one, change) for one, change in zip(own, changes, strict=True)]
        arrays += [(h, x) for h, x in zip(lifted, own, strict=True) if isinstance(x, np.ndarray) and not traced(x)]
        given[k] = structure.build(lifted)
    kept = _containers(args, given)
    result, reach = reach_call(f, given, kwargs, argnums)
    value, aux = split_aux(result, has_aux)
    out, structure = flatten(value)
    held = [_hold(one) for one in out]
    leaves = [settle(one, trace) for one in held]
    changes = [_tangent(one, leaf, trace, width) for one, leaf in zip(held, leaves, strict=True)]
    settled = _settle_nest(aux, trace)
    trace.close()
    reach.check_aliases(arrays)
    _write_back(arrays, kept, trace)
    reach.finish()
    return structure.build(leaves), leaves, changes, structure, settled


def _tangent(one: Any, leaf: Any, trace: Any, width: int | None) -> Any:
    lead = () if width is None else (width,)
    if traced(one) and one.t is trace:
        return (
            np.broadcast_to(one.i, lead + leaf.shape)
            if isinstance(leaf, np.ndarray) and np.shape(one.i) == ()
            else one.i
        )
    plain = primal_of(leaf)
    if isinstance(plain, np.ndarray):
        return np.zeros(lead + plain.shape, plain.dtype if plain.dtype.kind == "f" else float)
    return np.zeros(lead) if lead else 0.0


def reached(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run `f` as a traced function runs, without a trace of our own (arguments may belong to outer traces)."""
    result, reach = reach_call(f, list(args), kwargs, range(len(args)))
    reach.finish()
    return result
