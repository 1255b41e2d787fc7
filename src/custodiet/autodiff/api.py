"""The public derivatives: grad, value_and_grad, vjp, jvp, jacobian, hessian, hvp, stop_gradient, explain.

All take plain Python functions of floats, arrays and nests of them, and leave every other argument (integers, strings,
random generators, objects) alone. All nest in one another to any order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from custodiet.autodiff.compiler.show import SourceText, source_for
from custodiet.autodiff.core import traced
from custodiet.autodiff.dispatch import Explanation, State, check_mode, explain_call, run_value_and_grad, scalar_result
from custodiet.autodiff.engine import check_argnums, forward_call, reverse_call
from custodiet.autodiff.forward_dispatch import native_forward, state_of
from custodiet.autodiff.pytree import flatten, flatten_differentiable, map_leaves, same_structure
from custodiet.autodiff.rules.core import primal_of, shape_of
from custodiet.errors import DifferentiationError

__all__ = ["explain", "grad", "hvp", "jvp", "stop_gradient", "value_and_grad", "vjp"]

Argnums = int | Sequence[int]


class Derivative(Protocol):
    """What `grad` and `value_and_grad` return: a function, and the generated derivative to read."""

    source: SourceText
    """Python of what was compiled last; a comment before that"""

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    def source_for(self, *args: Any) -> str:
        """Python of the derivative for arguments of these types."""
        ...


def _tidy(argnums: Argnums) -> int | tuple[int, ...]:
    return argnums if isinstance(argnums, int) else tuple(argnums)


def value_and_grad(
    f: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, mode: str = "auto"
) -> Derivative:
    """A function that returns f's value and its gradient.

    Args:
        f: returns a float (or NumPy number, or 0-d array); with has_aux a pair (float, anything).
        argnums: which positional arguments to differentiate in: a number, or several.
        has_aux: the second of f's two results is handed through, undifferentiated.
        mode: "auto", "compile" or "trace".

    Returns:
        A function of f's arguments that returns (value, gradient), with has_aux ((value, aux), gradient). The gradient
        has the nest, shapes and dtypes of the argument; with several argnums it is a tuple. Its attribute `source` is the
        generated derivative as Python, for the types that were compiled last; `source_for(*args)` compiles and shows.

    Raises:
        DifferentiationError: f did not return a number, or an argument has no derivative.
    """
    check_mode(mode)
    state, wanted = State(), _tidy(argnums)

    @functools.wraps(f, assigned=("__module__", "__name__", "__qualname__", "__doc__"), updated=())
    def run(*args: Any, **kwargs: Any) -> Any:
        return run_value_and_grad(f, args, kwargs, wanted, has_aux, mode, state)

    def shown_for(*args: Any) -> str:
        return source_for(f, args, check_argnums(wanted, args), has_aux)

    run.state = state  # type: ignore[attr-defined]
    run.source = SourceText(getattr(f, "__name__", "the function"), state.compiled)  # type: ignore[attr-defined]
    run.source_for = shown_for  # type: ignore[attr-defined]
    return run  # type: ignore[return-value]


def grad(f: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, mode: str = "auto") -> Derivative:
    """A function that returns f's gradient; arguments as in `value_and_grad`.

    Returns:
        A function of f's arguments that returns the gradient, with has_aux (gradient, aux).
    """
    both = value_and_grad(f, argnums, has_aux=has_aux, mode=mode)

    @functools.wraps(f, assigned=("__module__", "__name__", "__qualname__", "__doc__"), updated=())
    def run(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    run.state, run.source, run.source_for = both.state, both.source, both.source_for  # type: ignore[attr-defined]
    return run  # type: ignore[return-value]


def vjp(f: Callable[..., Any], *args: Any, has_aux: bool = False) -> Any:
    """Value of f and the function that carries cotangents back.

    Args:
        f: any function of floats, arrays and nests of them.
        args: where to differentiate; f is differentiated in all of them.

    Returns:
        (value, pull), with has_aux (value, pull, aux): `pull(cotangent)`, which may be called again, takes a nest like
        the value and returns a tuple with one nest per argument.
    """
    record = reverse_call(f, args, {}, tuple(range(len(args))), has_aux)

    def back(cotangent: Any) -> tuple[Any, ...]:
        leaves, structure = flatten(cotangent)
        same_structure(record.out_structure, structure, "the cotangent")
        for g, x in zip(leaves, record.out_leaves, strict=True):
            if shape_of(g) != shape_of(x):
                raise DifferentiationError("a cotangent has another shape", expected=shape_of(x), got=shape_of(g))
        return record.rebuild(record.back([_fit(g, x) for g, x in zip(leaves, record.out_leaves, strict=True)]))

    return (record.value, back, record.aux) if has_aux else (record.value, back)


def _fit(g: Any, x: Any) -> Any:
    """A tangent or cotangent in the dtype of its value; integers become floats."""
    plain = primal_of(x)
    if isinstance(plain, (np.ndarray, np.generic)) and plain.dtype.kind == "f":
        return (
            g.astype(plain.dtype)
            if hasattr(g, "dtype")
            else plain.dtype.type(g)
            if np.ndim(g) == 0 and not hasattr(g, "t")
            else g
        )
    return float(g) if isinstance(g, int) else g


def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False, mode: str = "auto"
) -> Any:
    """Value of f and its derivative along a direction, by forward mode.

    Args:
        primals: f's arguments.
        tangents: the direction, one nest per argument.
        mode: "auto" runs native code from the second call of the same function object on, or at once where it runs long;
            "compile" runs it at once, or raises; "trace" never does.

    Returns:
        (value, tangent), with has_aux (value, tangent, aux).
    """
    check_mode(mode)
    if (
        not isinstance(primals, (tuple, list))
        or not isinstance(tangents, (tuple, list))
        or len(primals) != len(tangents)
    ):
        raise DifferentiationError("jvp takes two tuples of equal length: the arguments and their tangents")
    changes = []
    for k, (x, t) in enumerate(zip(primals, tangents, strict=True)):
        own, structure = flatten_differentiable(x, f"primals[{k}]")
        moved, other = flatten(t)
        same_structure(structure, other, f"tangents[{k}]")
        for a, b in zip(own, moved, strict=True):
            if shape_of(a) != shape_of(b):
                raise DifferentiationError(f"tangents[{k}] has another shape", expected=shape_of(a), got=shape_of(b))
        changes.append([_fit(b, a) for a, b in zip(own, moved, strict=True)])
    places = tuple(range(len(primals)))
    if mode != "trace" and not has_aux:
        found = _native_jvp(f, tuple(primals), places, changes, mode)
        if found is not None:
            return found
    value, _, moved, structure, aux = forward_call(f, tuple(primals), {}, places, changes, None, has_aux)
    tangent = structure.build([one[()] if isinstance(one, np.ndarray) and np.ndim(one) == 0 else one for one in moved])
    return (value, tangent, aux) if has_aux else (value, tangent)


def _native_jvp(
    f: Callable[..., Any], primals: tuple[Any, ...], places: tuple[int, ...], changes: list[list[Any]], mode: str
) -> tuple[Any, Any] | None:
    flat = [t for one in changes for t in one]
    if any(traced(t) for t in flat):
        return None
    seeds = np.concatenate([np.ravel(t) for t in flat]).astype(float)[:, None] if flat else np.zeros((0, 1))
    native = native_forward(f, primals, places, seeds, mode, state_of(f), write_back=True)
    if native is None:
        return None
    along = [float(one[0]) if one.ndim == 1 else one[..., 0] for one in native.changes]
    return native.entry.build(native.values), native.entry.build(along)


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The product of f's Hessian with a direction: reverse mode over forward mode.

    Args:
        f: returns a float.
        primals: f's arguments, all of them differentiated.
        tangents: the direction, one nest per argument.

    Returns:
        A tuple with one nest per argument; for a single argument the nest itself.
    """

    def slope(*args: Any) -> Any:
        value, change = jvp(f, args, tuple(tangents), mode="trace")
        scalar_result(value, f)
        return change

    gradients = grad(slope, tuple(range(len(primals))), mode="trace")(*primals)
    return gradients[0] if len(primals) == 1 else gradients


def stop_gradient(x: Any) -> Any:
    """The plain value of x, at every level of differentiation: what follows treats it as a constant.

    Args:
        x: a number, an array or a nest of them.
    """

    def strip(one: Any) -> Any:
        plain = primal_of(one)
        return plain.copy() if isinstance(plain, np.ndarray) and plain is not one else plain

    return map_leaves(strip, x)


def explain(f: Callable[..., Any], *args: Any, mode: str = "auto", **kwargs: Any) -> Explanation:
    """Which path `grad(f)(*args)` takes, and why.

    Returns:
        An Explanation with `path` ("trace" or "compile") and `reason`.
    """
    return explain_call(f, args, kwargs, mode)
