"""NumPy calls that met a traced array: ufuncs, functions, methods, and building arrays from traced numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.arrays import TracedArray, cell_of, constant
from custodiet.autodiff.core import apply, fail, traced
from custodiet.autodiff.rules import COMPOSITES, RULES
from custodiet.autodiff.rules.composites import CONSTANT, REFUSED
from custodiet.autodiff.rules.core import dtype_of, primal_of, register
from custodiet.autodiff.rules.indexing import along_index, index_add

__all__ = ["array_function", "array_of", "array_ufunc", "cast", "method_of", "plain_deep"]

_TEST_UFUNCS = frozenset(
    {
        np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.isnan, np.isinf, np.isfinite,
        np.signbit, np.logical_and, np.logical_or, np.logical_not, np.logical_xor,
    }
)  # fmt: skip
_REDUCTIONS: dict[Any, Any] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
}


def plain_deep(value: Any) -> Any:
    """Primal values, also inside tuples, lists and dicts."""
    if type(value) in (tuple, list):
        return type(value)(plain_deep(one) for one in value)
    if type(value) is dict:
        return {k: plain_deep(v) for k, v in value.items()}
    return primal_of(value)


def cast(x: Any, dtype: Any) -> Any:
    """`x.astype(dtype)` between floating dtypes."""
    return x.astype(dtype)


def _define_cast() -> None:
    register(
        "astype",
        cast,
        (lambda g, out, x, dtype: g.astype(dtype_of(x)), None),
        (lambda t, out, x, dtype: t.astype(dtype), None),
        ("", ""),
    )


_define_cast()


def array_of(data: Any, dtype: Any = None, copy: bool = True) -> Any:
    """`np.array(data)` where numbers or arrays inside may be traced.

    Args:
        data: array, number or nested sequences of equal shapes.
        dtype: floating dtype, or None for NumPy's choice.
        copy: False lets an array that needs no change through.
    """
    if type(data) is TracedArray:
        if dtype is not None and np.dtype(dtype) != data.dtype:
            return data.astype(dtype)
        return data.copy("K") if copy else data
    if not _holds_traced(data):
        out = np.array(data, dtype=dtype) if copy else np.asarray(data, dtype=dtype)
        return constant(out)
    if dtype is not None and np.dtype(dtype).kind != "f":
        return np.array(plain_deep(data), dtype=whole_dtype(dtype))
    if not isinstance(data, (list, tuple)):
        out = cell_of(data)
    elif not data:
        return constant(np.array(data, dtype=dtype))
    else:
        parts = [array_of(one) if isinstance(one, (list, tuple)) else one for one in data]
        shapes = {np.shape(one) for one in parts}
        if len(shapes) > 1:
            raise ValueError(f"setting an array element with a sequence: the shapes {sorted(shapes)} differ")
        out = np.stack(parts)
    return out if dtype is None or out.dtype == np.dtype(dtype) else out.astype(dtype)


def whole_dtype(dtype: Any) -> np.dtype[Any]:
    """A dtype to which a conversion ends the derivative because it is piecewise constant; others are refused."""
    found = np.dtype(dtype)
    if found.kind not in "iub":
        fail(f"a traced value cannot become {found}", hint="Use float32 or float64, or pass stop_gradient(x).")
    return found


def _holds_traced(data: Any) -> bool:
    if isinstance(data, (list, tuple)):
        return any(_holds_traced(one) for one in data)
    return traced(data)


def is_complex(x: Any) -> bool:
    """True for complex numbers and arrays."""
    return type(x) is complex or getattr(getattr(x, "dtype", None), "kind", "") == "c"


def _listed(x: Any) -> Any:
    return array_of(x) if isinstance(x, (list, tuple)) else x


def array_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A ufunc that met a traced value."""
    for one in inputs:
        kind = type(one)
        if kind is list or kind is tuple:
            return array_ufunc(ufunc, method, tuple(_listed(x) for x in inputs), kwargs)
        if kind is not TracedArray and is_complex(one):
            fail("complex numbers are not differentiated", hint="Write the real and imaginary parts out.")
    if method == "__call__" and not kwargs:
        rule = RULES.get(ufunc)
        if rule is not None:
            return apply(rule, inputs, kwargs)
    if method == "__call__":
        if ufunc in _TEST_UFUNCS:
            return ufunc(*(primal_of(one) for one in inputs), **plain_deep(kwargs))
        if ufunc is np.divmod:
            return np.floor_divide(*inputs), np.remainder(*inputs)
        if ufunc is np.modf:
            whole = np.trunc(primal_of(inputs[0]))
            return inputs[0] - whole, whole
        rule = RULES.get(ufunc)
        if rule is None:
            fail(
                f"the ufunc {ufunc.__name__} has no derivative rule", hint="explain() lists what has; custom_vjp adds."
            )
        extra = {k: v for k, v in kwargs.items() if v is not None and k not in ("out", "casting", "order", "subok")}
        if extra.get("where", True) is True:
            extra.pop("where", None)
        if extra:
            fail(f"np.{ufunc.__name__} with {', '.join(extra)}= has no derivative rule", hint="Use np.where or astype.")
        return apply(rule, inputs, {"out": kwargs["out"]} if kwargs.get("out") is not None else {})
    if method == "reduce" and ufunc in _REDUCTIONS:
        options = {k: v for k, v in kwargs.items() if k not in ("out",) and v is not None}
        options.setdefault("axis", 0 if "axis" not in kwargs else None)
        return _REDUCTIONS[ufunc](inputs[0], **options)
    if method == "accumulate" and ufunc in (np.add, np.multiply):
        return (np.cumsum if ufunc is np.add else np.cumprod)(inputs[0], axis=kwargs.get("axis", 0))
    if method == "outer":
        a, b = inputs
        return ufunc(np.reshape(a, (*np.shape(a), *(1,) * np.ndim(b))), b)
    if method == "at" and ufunc is np.add and type(inputs[0]) is TracedArray:
        target, index, values = inputs
        target += index_add(values, target.shape, index)
        return None
    fail(f"np.{ufunc.__name__}.{method} has no derivative rule", hint="Write a loop, or use a reduction.")


def array_function(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A NumPy function that met a traced value."""
    rule = RULES.get(func)
    if rule is not None:
        if not rule.spread and 0 < len(rule.params) < len(args):
            fail(f"{rule.name} with {len(args)} arguments by position has no derivative rule", hint="Name its options.")
        return apply(rule, tuple(args), dict(kwargs))
    program = COMPOSITES.get(func)
    if program is not None:
        try:
            inspect.signature(program).bind(*args, **kwargs)
        except TypeError as error:
            fail(f"np.{func.__name__} called like this has no derivative rule: {error}", hint="Leave the option out.")
        return program(*args, **kwargs)
    if func in (np.zeros_like, np.ones_like, np.empty_like, np.full_like):
        return _like(func, *args, **kwargs)
    if func in CONSTANT:
        return func(*plain_deep(args), **plain_deep(kwargs))
    if func in _MUTATORS:
        return _MUTATORS[func](*args, **kwargs)
    if not _any_in_trace(args) and not _any_in_trace(tuple(kwargs.values())):
        if func in (np.put, np.place, np.putmask):
            fail(f"np.{func.__name__} cannot write into an array of a traced function", hint="Write a[index] = values.")
        return constant(func(*_copies(plain_deep(args)), **_copies(plain_deep(kwargs))))
    name = f"{getattr(func, '__module__', 'numpy')}.{func.__name__}"
    fail(
        f"{name} has no derivative rule",
        hint=REFUSED.get(func, "Write it with the functions that have one, or use custom_vjp."),
    )


def _copies(values: Any) -> Any:
    """Arrays that the function may keep, return a view of, or change."""
    if type(values) in (tuple, list):
        return type(values)(_copies(one) for one in values)
    if type(values) is dict:
        return {k: _copies(v) for k, v in values.items()}
    return values.copy() if isinstance(values, np.ndarray) else values


def _any_in_trace(values: Any) -> bool:
    if traced(values):
        return values.t is not None
    return isinstance(values, (list, tuple)) and any(_any_in_trace(one) for one in values)


def _like(func: Any, a: Any, *args: Any, **kwargs: Any) -> Any:
    if func is np.full_like:
        value, args = (args[0], args[1:]) if args else (kwargs.pop("fill_value"), args)
        out = constant(np.zeros_like(primal_of(a), *args, **kwargs))
        out[...] = value
        return out
    return constant(func(primal_of(a), *args, **kwargs))


def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    if type(dst) is not TracedArray:
        fail(
            "np.copyto cannot put a traced value into a plain array",
            hint="Write dst[...] = src in the function itself.",
        )
    dst[...] = src if where is True else np.where(where, src, dst)


def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    steps = np.arange(min(a.shape))
    a[(steps,) * a.ndim] = val


def _put_along_axis(arr: Any, indices: Any, values: Any, axis: int) -> None:
    arr[along_index(indices, axis)] = values


_MUTATORS: dict[Any, Callable[..., None]] = {
    np.copyto: _copyto,
    np.fill_diagonal: _fill_diagonal,
    np.put_along_axis: _put_along_axis,
}

_METHODS: dict[str, Any] = {
    name: getattr(np, name)
    for name in (
        "sum", "mean", "prod", "var", "std", "max", "min", "cumsum", "cumprod", "ravel", "squeeze", "swapaxes",
        "trace", "diagonal", "repeat", "take", "clip", "round", "dot", "argmax", "argmin", "argsort",
        "nonzero", "any", "all", "ptp", "searchsorted",
    )
}  # fmt: skip


def method_of(x: Any, name: str) -> Callable[..., Any]:
    """The ndarray method `name` of a traced array or NumPy number."""
    function = _METHODS.get(name)
    if function is not None:
        return lambda *args, **kwargs: function(x, *args, **kwargs)
    if name == "reshape":

        def reshape(*shape: Any, **kwargs: Any) -> Any:
            return np.reshape(x, shape[0] if len(shape) == 1 else shape, **kwargs)

        return reshape
    if name == "transpose":

        def transpose(*axes: Any) -> Any:
            return np.transpose(x, (axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes) or None)

        return transpose
    if name == "flatten":
        return lambda order="C": np.ravel(x, order).copy()
    if name == "astype":
        return lambda dtype, **kwargs: cell_of(x).astype(dtype, **kwargs)[()]
    if name in ("copy", "conj", "conjugate"):
        return lambda *args, **kwargs: x if not x._is_array_ else x.copy()
    if name == "tolist":
        return x.item
    if name in ("tobytes", "nbytes", "strides", "itemsize", "dump", "ctypes", "data"):
        fail(f"the attribute {name!r} of a traced array has no derivative", hint="Read it from stop_gradient(x).")
    fail(f"the array method {name!r} is not differentiable", hint="Use the NumPy function of that name, or indexing.")
