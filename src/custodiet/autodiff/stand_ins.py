"""`numpy`, `math`, `scipy.special` and the `float` type as a traced function sees them.

NumPy hands calls on traced arrays to us, but not those that take none (`np.zeros`) or a list (`np.array([x, y])`), and
`math.sin` asks for a plain float. The modules here answer those calls and pass every other name on to the original.
`from custodiet.autodiff import numpy as np, math` gives the same modules to code that tracing does not reach.
"""

from __future__ import annotations

import builtins
import math as real_math
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as real_numpy
import scipy
from scipy import special as real_special

from custodiet.autodiff.array_calls import array_function, array_of, plain_deep
from custodiet.autodiff.arrays import constant
from custodiet.autodiff.core import apply_scalar, fail, traced
from custodiet.autodiff.floats import ScalarOps, TracedFloat
from custodiet.autodiff.rules import SCALARS
from custodiet.autodiff.rules.core import primal_of

__all__ = ["MODULES", "REPLACED", "math", "numpy", "special", "traced_float"]

REPLACED: dict[Any, Any] = {}
"""Callables that are exchanged wherever a traced function names them."""


def _module(original: types.ModuleType, names: dict[str, Any]) -> types.ModuleType:
    stand_in = types.ModuleType(original.__name__, f"{original.__name__} for traced values")

    def __getattr__(name: str) -> Any:
        return getattr(original, name)

    ufuncs = {name: one for name, one in vars(original).items() if isinstance(one, real_numpy.ufunc)}
    stand_in.__dict__.update(ufuncs)  # asking the original each time costs as much as one on a small array
    stand_in.__dict__.update(names, __getattr__=__getattr__, __wrapped__=original)
    return stand_in


# ---- math


def _number(function: Callable[..., Any]) -> Callable[..., Any]:
    partials = SCALARS[function][1]
    unary = function.__name__ not in ("log", "atan2", "hypot", "pow", "fmod", "remainder", "copysign", "ldexp", "fma")

    def slow(*args: Any) -> Any:
        if any(traced(one) for one in args):
            return apply_scalar(function, args)
        return function(*args)

    def fast(x: Any) -> Any:
        if type(x) is TracedFloat:
            v = x.v
            if type(v) is float:
                out = function(v)
                trace = x.t
                place = len(trace.entries)
                trace.entries.append((x.i, partials(out, v)[0], 0, 0.0))
                return TracedFloat(out, place, trace)
        elif not traced(x):
            return function(x)
        return apply_scalar(function, (x,))

    chosen = fast if unary else slow
    chosen.__name__ = function.__name__
    return chosen


def _on_values(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        return function(*plain_deep(args), **plain_deep(kwargs))

    run.__name__ = function.__name__
    return run


def _fsum(seq: Any) -> Any:
    items = list(seq)
    moving = tuple(one for one in items if traced(one))
    if not moving:
        return real_math.fsum(items)
    return _n_ary(real_math.fsum, lambda out, *args: (1.0,) * len(args), items)


def _n_ary(function: Callable[..., Any], partials: Callable[..., Any], items: list[Any]) -> Any:
    """A function of a sequence of numbers, recorded as one step."""
    from custodiet.autodiff.core import top_of

    top = top_of(items)
    if top is None:
        return function(plain_deep(items))
    values = [one.v if getattr(one, "t", None) is top else one for one in items]
    out = _n_ary(function, partials, values) if any(map(traced, values)) else function(values)
    return top.scalar(out, tuple(items), partials(out, *values))


def _prod(iterable: Any, *, start: Any = 1) -> Any:
    out = start
    for one in iterable:
        out = out * one
    return out


def _dist(p: Any, q: Any) -> Any:
    return math.hypot(*(a - b for a, b in zip(p, q, strict=True)))


def _sumprod(p: Any, q: Any) -> Any:
    return _fsum([a * b for a, b in zip(p, q, strict=True)])


def _modf(x: Any) -> Any:
    whole = float(real_math.trunc(primal_of(x)))
    return (x - whole, whole) if traced(x) else real_math.modf(x)


def _math_names() -> dict[str, Any]:
    names: dict[str, Any] = {}
    for function in SCALARS:
        if getattr(real_math, getattr(function, "__name__", ""), None) is function:
            names[function.__name__] = _number(function)
    for name in ("isnan", "isinf", "isfinite", "isclose", "floor", "ceil", "trunc", "ulp"):
        names[name] = _on_values(getattr(real_math, name))
    names.update(fsum=_fsum, prod=_prod, dist=_dist, modf=_modf)
    if hasattr(real_math, "sumprod"):
        names["sumprod"] = _sumprod
    for name, stand_in in names.items():
        REPLACED[getattr(real_math, name)] = stand_in
    return names


math = _module(real_math, _math_names())


# ---- numpy


def _maker(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        return constant(function(*args, **kwargs))

    run.__name__ = function.__name__
    return run


def _array(object: Any, dtype: Any = None, *, copy: Any = True, ndmin: int = 0, **kwargs: Any) -> Any:
    if kwargs and not _deep_traced(object):
        return constant(real_numpy.array(object, dtype=dtype, copy=copy, ndmin=ndmin, **kwargs))
    out = _laid_out(array_of(object, dtype, copy=bool(copy)), kwargs.get("order"))
    missing = ndmin - real_numpy.ndim(out)
    return real_numpy.reshape(out, (1,) * missing + out.shape) if missing > 0 else out


def _laid_out(out: Any, order: str | None) -> Any:
    """An array in the order that was asked for: a copy where it lies otherwise."""
    flags = getattr(primal_of(out), "flags", None)
    if flags is None or order not in ("C", "F") or flags["C_CONTIGUOUS" if order == "C" else "F_CONTIGUOUS"]:
        return out
    return out.copy(order)


def _asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, **kwargs: Any) -> Any:
    return _laid_out(array_of(a, dtype, copy=copy is True), order)


def _ascontiguousarray(a: Any, dtype: Any = None, **kwargs: Any) -> Any:
    return _laid_out(array_of(a, dtype, copy=False), "C")


def _asfortranarray(a: Any, dtype: Any = None, **kwargs: Any) -> Any:
    return _laid_out(array_of(a, dtype, copy=False), "F")


def _full(shape: Any, fill_value: Any, dtype: Any = None, **kwargs: Any) -> Any:
    if not traced(fill_value):
        return constant(real_numpy.full(shape, fill_value, dtype, **kwargs))
    out = constant(real_numpy.zeros(shape, dtype or getattr(fill_value, "dtype", float)))
    out[...] = fill_value
    return out


def _fromiter(iterable: Any, dtype: Any = None, count: int = -1, **kwargs: Any) -> Any:
    return array_of(
        [one for _, one in zip(range(count), iterable, strict=False)] if count >= 0 else list(iterable), dtype
    )


def _asfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    out = array_of(a, dtype, copy=False)
    if not real_numpy.isfinite(primal_of(out)).all():
        raise ValueError("array must not contain infs or NaNs")
    return out


def _linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, **kwargs: Any) -> Any:
    if not (traced(start) or traced(stop)) or kwargs:
        if any(traced(one) and one.t is not None for one in (start, stop)):
            fail("np.linspace of traced ends takes only num and endpoint")
        return constant(real_numpy.linspace(primal_of(start), primal_of(stop), num, endpoint, **kwargs))
    steps = real_numpy.arange(num) / max(num - 1 if endpoint else num, 1)
    return start * (1.0 - steps) + stop * steps


def _ramp(*args: Any, **kwargs: Any) -> Any:
    if any(traced(one) for one in args):
        fail("np.arange of a traced number has no derivative rule", hint="start + step * np.arange(n)")
    return constant(real_numpy.arange(*args, **kwargs))


def _from_list(function: Callable[..., Any]) -> Callable[..., Any]:
    """A NumPy function that may get nested lists holding traced numbers, which NumPy would not notice."""

    def run(*args: Any, **kwargs: Any) -> Any:
        args = tuple(array_of(one) if type(one) in (list, tuple) and _deep_traced(one) else one for one in args)
        return constant(function(*args, **kwargs))

    run.__name__ = function.__name__
    run.__doc__ = function.__doc__
    return run


def _deep_traced(data: Any) -> bool:
    if isinstance(data, (list, tuple)):
        return any(_deep_traced(one) for one in data)
    return traced(data)


def _numpy_names() -> dict[str, Any]:
    names: dict[str, Any] = {
        name: _maker(getattr(real_numpy, name))
        for name in ("zeros", "ones", "empty", "eye", "identity", "logspace", "geomspace", "tri", "fromfunction")
    }
    names.update(
        array=_array,
        asarray=_asarray,
        asanyarray=_asarray,
        ascontiguousarray=_ascontiguousarray,
        asfortranarray=_asfortranarray,
        asarray_chkfinite=_asfinite,
        full=_full,
        fromiter=_fromiter,
        linspace=_linspace,
    )
    names[real_numpy.arange.__name__] = _ramp
    take_lists = ["sum", "prod", "mean", "var", "std", "max", "min", "amax", "amin", "cumsum", "cumprod", "dot", "sort",
                  "matmul", "outer", "inner", "kron", "median", "diff", "clip", "trapezoid", "argmax", "argmin",
                  "average", "ptp", "trace", "transpose", "reshape", "ravel", "flip", "roll", "tile", "repeat",
                  "where", "interp", "polyval", "diag", "argsort", "take", "cross", "convolve", "einsum",
                  "atleast_1d"]  # fmt: skip
    for name in take_lists:
        names[name] = _from_list(getattr(real_numpy, name))
    names["float64"] = names["double"] = traced_type(real_numpy.float64)
    names["float32"] = traced_type(real_numpy.float32)
    for name, stand_in in names.items():
        REPLACED.setdefault(getattr(real_numpy, name), stand_in)
    linear = {name: _from_list(getattr(real_numpy.linalg, name)) for name in ("norm", "solve", "inv", "det", "slogdet")}
    names["linalg"] = _module(real_numpy.linalg, linear)
    return names


def _sum(iterable: Any, /, start: Any = 0) -> Any:
    """`sum` from Python 3.12 on: floats are added with Neumaier's compensation, which is a constant to the derivative."""
    if isinstance(start, (str, bytes, bytearray)):
        return builtins.sum(iterable, start)  # it refuses them
    total, lost = start, 0.0
    phase = int if type(start) is int else float if type(primal_of(start)) is float else None
    for item in iterable:
        plain = primal_of(item)
        if phase is float and type(plain) is float:
            x = primal_of(total)
            total = total + item
            t = primal_of(total)
            lost += (x - t) + plain if abs(x) >= abs(plain) else (plain - t) + x
        elif phase is float and isinstance(plain, int):
            total = total + float(plain)
        elif phase is int:
            total = total + item
            if type(plain) not in (int, bool):
                phase = float if type(primal_of(total)) is float else None
        else:
            if lost and real_math.isfinite(lost):
                total = total + lost
            total, lost, phase = total + item, 0.0, None
    return total + lost if lost and real_math.isfinite(lost) else total


if sys.version_info >= (3, 12):
    REPLACED[builtins.sum] = _sum


# ---- types that are called as conversions


class _TypeMeta(type):
    """`float` as seen by a traced function: called, it keeps the derivative; everything else is the real type's."""

    _real: Any

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and traced(args[0]):
            return _convert(cls._real, args[0])
        return cls._real(*args, **kwargs)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls._real)

    def __subclasscheck__(cls, other: Any) -> bool:
        return issubclass(getattr(other, "_real", other), cls._real)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls._real, name)

    def __eq__(cls, other: Any) -> bool:
        return cls._real is getattr(other, "_real", other)

    def __hash__(cls) -> int:
        return hash(cls._real)


def _convert(kind: Any, x: Any) -> Any:
    if type(x)._is_array_:
        if x.size != 1:
            raise TypeError("only arrays of size 1 can be converted to Python scalars")
        x = x.item()
    if not isinstance(x, ScalarOps):
        return kind(x)
    inner = x.v
    if traced(inner):
        return type(x)(_convert(kind, inner), x.i, x.t)
    return type(x)(kind(inner), x.i, x.t)


def traced_type(real: Any) -> Any:
    """The stand-in of a floating type; `dtype=` arguments accept it as they accept the real one."""
    made = _TypeMeta(real.__name__, (), {"_real": real, "__module__": real.__module__, "__doc__": real.__doc__})
    if real is not float:
        made.dtype = real_numpy.dtype(real)  # type: ignore[attr-defined] # NumPy reads it where a dtype is expected
    else:
        made.dtype = real_numpy.dtype(float)  # type: ignore[attr-defined]
    return made


traced_float = traced_type(builtins.float)
numpy = _module(real_numpy, _numpy_names())


# ---- scipy.special: its Python functions convert their arguments, so they are caught by name


def _special_names() -> dict[str, Any]:
    names = {}
    for name in ("logsumexp", "softmax", "log_softmax", "polygamma"):
        original = getattr(real_special, name)
        names[name] = _catch(original)
        REPLACED[original] = names[name]
    return names


def _catch(original: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        held = tuple(array_of(one) if type(one) in (list, tuple) and _deep_traced(one) else one for one in args)
        if any(traced(one) for one in (*held, *kwargs.values())):
            return array_function(original, held, kwargs)
        return constant(original(*held, **kwargs))

    run.__name__ = original.__name__
    return run


special = _module(real_special, _special_names())
MODULES: dict[str, types.ModuleType] = {
    "numpy": numpy,
    "math": math,
    "numpy.linalg": numpy.linalg,
    "scipy.special": special,
    "scipy": _module(scipy, {"special": special}),
}
"""Modules by name, with what stands in for them."""
