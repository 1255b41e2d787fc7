"""The short way into compiled code, for arguments that are numbers and arrays and nothing else.

A general call walks the structure of its arguments; these few lines of generated Python do for one signature what that walk
would do, and answer None for anything else, so that nothing is decided here that the long way does not decide.
"""

from __future__ import annotations

import builtins
import ctypes
import struct
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from custodiet.autodiff.compiler.frontend import AttributeOf
from custodiet.autodiff.compiler.ir import Arr, Ref
from custodiet.autodiff.compiler.llvm_ir import BITS

__all__ = ["CONTIGUOUS_ALIGNED", "make_fast_call"]

CONTIGUOUS_ALIGNED = 0x101
"""flags of an array that native code can read in place"""
TYPE_NAMES = {"f": "float", "i": "int", "b": "bool"}


def make_fast_call(compiled: Any, args: Sequence[Any], single: bool) -> Callable[[tuple[Any, ...]], Any] | None:
    """A function of the argument tuple that returns (value, gradients), or None where the long way must be taken.

    Args:
        compiled: a `CompiledGradient`.
        args: arguments of the signature.
        single: the gradient is wanted bare, not in a tuple.

    Returns:
        None where this signature has no short way: nested arguments, values read from outside, arguments that are
        written, several results, recursion.
    """
    params: list[Ref] = compiled.program.params
    plain = all(type(one) in (float, int, bool) or isinstance(one, np.ndarray) for one in args)
    special = compiled.free or compiled.writes or compiled.program.callees
    if not plain or special or len(params) != len(args) or len(compiled.program.results) != 1:
        return None
    if len(set(compiled.argnums)) != len(compiled.argnums):
        return None
    checks, words, shadows = _arguments(compiled, args)
    at = 1
    gradients: dict[int, str] = {}
    for place, (ref, has_gradient) in enumerate(zip(params, compiled.plan.has_gradient, strict=True)):
        if has_gradient:
            gradients[place] = f"out[{at}]"
            at += 1
        elif isinstance(ref.type, Arr):
            gradients[place] = f"s{place}" if shadows[place] else f"zeros(x{place}.shape)"
        else:
            gradients[place] = "0.0"
    wanted = [gradients[place] for place in compiled.argnums]
    answer = wanted[0] if single else f"({', '.join(wanted)},)"
    num_words = -(-compiled.num_blocks // BITS)
    entered = [
        f"    if ints(out)[{at + word}] & ~(compiled.verified >> {BITS * word}): return None"
        for word in range(num_words)
    ]
    names = ", ".join(f"x{place}" for place in range(len(args)))
    lines = [
        "def call(args):",
        f"    if len(args) != {len(args)}: return None",
        f"    {names}, = args" if args else "    pass",
        f"    if not ({' and '.join(checks) or 'True'}): return None",
        *[f"    if {one}: return None" for one in _static_checks(compiled)],
        *[f"    s{place} = zeros(x{place}.shape)" for place, has in enumerate(shadows) if has],
        "    out = Out()",
        f"    try: packed = pack({', '.join([*words, *map(repr, compiled.seeds)])})",
        "    except PackError: return None",  # an int of more than 64 bits
        "    if native(packed, out): return None",
        *entered,
        f"    return out[0], {answer}",
    ]
    scope = _scope(compiled)
    exec("\n".join(lines), scope)  # built above from numbers and fixed names alone
    return scope["call"]


def _arguments(compiled: Any, args: Sequence[Any]) -> tuple[list[str], list[str], list[bool]]:
    """Conditions on the arguments, what is packed, and which arrays get an adjoint."""
    checks: list[str] = []
    words: list[str] = []
    shadows: list[bool] = []
    for place, (ref, one) in enumerate(zip(compiled.program.params, args, strict=True)):
        name = f"x{place}"
        if not isinstance(ref.type, Arr):
            checks.append(f"type({name}) is {TYPE_NAMES[ref.type]}")
            words.append(name)
            shadows.append(False)
            continue
        kind = "F8" if ref.type.dtype == "f" else "I8"
        checks.append(f"type({name}) is ndarray and {name}.dtype is {kind} and {name}.ndim == {ref.type.ndim}")
        checks.append(f"{name}.flags.num & {CONTIGUOUS_ALIGNED} == {CONTIGUOUS_ALIGNED}")
        for axis, size in enumerate(one.shape):
            checks.append(f"{name}.shape[{axis}] {'==' if size == 1 else '!='} 1")
        has = compiled.plan.has_shadow[place]
        shadows.append(has)
        words += [f"{name}.__array_interface__['data'][0]", f"s{place}.__array_interface__['data'][0]" if has else "0"]
        words.append(f"*{name}.shape")
    return checks, words, shadows


def _static_checks(compiled: Any) -> list[str]:
    """What must still mean what it meant; each is true where it does not."""
    found = []
    for place, (function, name, value) in enumerate(compiled.statics):
        if isinstance(function, AttributeOf):
            found.append(f"owner{place}.{name} is not value{place}")
        elif not isinstance(function, types.FunctionType):
            found.append(f"getattr(owner{place}, {name!r}, None) is not value{place}")
        elif name in function.__code__.co_freevars:
            found.append(f"cell{place}.cell_contents is not value{place}")
        elif name in function.__globals__:
            found.append(f"globals{place}.get({name!r}) is not value{place}")
        elif getattr(builtins, name, None) is value:
            found.append(f"{name!r} in globals{place}")
    return found


def _scope(compiled: Any) -> dict[str, Any]:
    out_type = compiled.out_type
    scope: dict[str, Any] = {
        "compiled": compiled,
        "ndarray": np.ndarray,
        "F8": np.dtype(np.float64),
        "I8": np.dtype(np.int64),
        "zeros": np.zeros,
        "Out": out_type,
        "pack": compiled.pack,
        "PackError": struct.error,
        "native": compiled.native.call,
        "ints": (ctypes.c_int64 * out_type._length_).from_buffer,
    }
    for place, (function, name, value) in enumerate(compiled.statics):
        scope[f"value{place}"] = value
        if isinstance(function, AttributeOf):
            scope[f"owner{place}"] = function.function
            continue
        if not isinstance(function, types.FunctionType):
            scope[f"owner{place}"] = function
            continue
        scope[f"globals{place}"] = function.__globals__
        if name in function.__code__.co_freevars:
            scope[f"cell{place}"] = (function.__closure__ or ())[function.__code__.co_freevars.index(name)]
    return scope
