"""Operations on numbers that are known while a program is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from custodiet.autodiff.compiler.ir import Const, Operand

__all__ = ["fold"]


def fold(name: str, args: tuple[Operand, ...]) -> Const | None:
    """The value of an operation on constants, where CPython computes it without an error."""
    if name == "select" and isinstance(args[0], Const):
        chosen = args[1] if args[0].value else args[2]
        return chosen if isinstance(chosen, Const) else None
    if not all(isinstance(one, Const) for one in args):
        return None
    numbers = [one.value for one in args]  # type: ignore[union-attr]
    work = _FOLDS.get(name)
    if work is None:
        return None
    try:
        found = work(*numbers)
    except (ArithmeticError, ValueError):
        return None
    return Const(found) if not isinstance(found, int) or -(2**63) <= found < 2**63 else None


def _exact_float(number: int) -> float:
    found = float(number)
    if int(found) != number:
        raise ArithmeticError
    return found


_FOLDS: dict[str, Callable[..., Any]] = {
    "fadd": lambda a, b: a + b, "fsub": lambda a, b: a - b, "fmul": lambda a, b: a * b, "fdiv": lambda a, b: a / b,
    "iadd": lambda a, b: a + b, "isub": lambda a, b: a - b, "imul": lambda a, b: a * b, "fneg": lambda a: -a, "ineg": lambda a: -a,
    "imod": lambda a, b: a % b, "ifloordiv": lambda a, b: a // b, "itof": _exact_float, "btoi": int, "not": lambda a: not a,
    "iand": lambda a, b: a & b, "ior": lambda a, b: a | b, "ixor": lambda a, b: a ^ b, "ishr": lambda a, b: a >> b,
    "ishl": lambda a, b: a << b if b < 64 else 2**64, "xor": lambda a, b: a ^ b,
    "and": lambda a, b: a and b, "or": lambda a, b: a or b, "imax": max, "imin": min, "fpow": math.pow, "sqrt": math.sqrt,
    "log": math.log, "exp": math.exp,
    **{f"{kind}lt": lambda a, b: a < b for kind in "fi"}, **{f"{kind}le": lambda a, b: a <= b for kind in "fi"},
    **{f"{kind}gt": lambda a, b: a > b for kind in "fi"}, **{f"{kind}ge": lambda a, b: a >= b for kind in "fi"},
    **{f"{kind}eq": lambda a, b: a == b for kind in "fi"}, **{f"{kind}ne": lambda a, b: a != b for kind in "fi"},
}  # fmt: skip
