"""Python's own functions: one small handler each, which takes the lowerer and the call."""

from __future__ import annotations

import ast
import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.compiler.arrays import Lazy, is_array
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import (
    Const,
    Operand,
)
from custodiet.autodiff.compiler.values import (
    Mapping,
    RangeValue,
    Static,
    Tup,
    Value,
)

__all__ = ["BUILTIN_CALLS"]


def _len(self: Any, node: ast.Call) -> Value:
    value = self.value(node.args[0])
    if isinstance(value, Tup | Mapping):
        return Const(len(value.items))
    if isinstance(value, Lazy) or is_array(value):
        return self.dims(value)[0]  # type: ignore[arg-type]
    raise Declined("`len` of something else than an array or tuple", line=node.lineno)


def _range(self: Any, node: ast.Call) -> Value:
    parts = [self.integer(self.value(one), node.lineno) for one in node.args]
    if len(parts) == 1:
        return RangeValue(Const(0), parts[0], Const(1))
    return RangeValue(parts[0], parts[1], parts[2] if len(parts) == 3 else Const(1))


def _float(self: Any, node: ast.Call) -> Value:
    return self.as_float(self.value(node.args[0]), node.lineno) if node.args else Const(0.0)


def _int(self: Any, node: ast.Call) -> Value:
    value = self.scalar(self.value(node.args[0]), node.lineno)
    if value.type == "b":
        return self.op("btoi", value)
    return value if value.type == "i" else self.op("ftoi", value)


def _abs(self: Any, node: ast.Call) -> Value:
    value = self.scalar(self.value(node.args[0]), node.lineno)
    return self.op("fabs" if value.type == "f" else "iabs", value)


def _extreme(compare: str) -> Callable[[Any, ast.Call], Value]:
    def run(self: Any, node: ast.Call) -> Value:
        values = [self.value(one) for one in node.args]
        if len(values) == 1 and isinstance(values[0], Tup):
            values = values[0].items
        if len(values) < 2 or node.keywords:
            raise Declined("`min` or `max` of a sequence", line=node.lineno)
        numbers = [self.scalar(one, node.lineno) for one in values]
        if any(one.type == "f" for one in numbers):
            numbers = [self.as_float(one, node.lineno) for one in numbers]
        kind = numbers[0].type
        found = numbers[0]
        for one in numbers[1:]:  # the first of equals stays, as in Python
            found = self.op("select", self.op(f"{kind}{compare}", one, found), one, found)
        return found

    return run


def _sum(self: Any, node: ast.Call) -> Value:
    given = [*node.args[1:], *(one.value for one in node.keywords if one.arg == "start")]
    if len(given) + 1 != len(node.args) + len(node.keywords) or len(given) > 1:
        raise Declined("`sum` of other arguments", line=node.lineno)
    start: Operand = self.scalar(self.value(given[0]), node.lineno) if given else Const(0)
    return self.accumulate(node.args[0], start, node.lineno)


def _sequence(self: Any, node: ast.Call) -> Value:
    value = self.value(node.args[0]) if node.args else Tup([])
    if isinstance(value, Tup):
        function = self.value(node.func)
        return Tup(list(value.items), is_list=isinstance(function, Static) and function.value is list)
    raise Declined("`list` or `tuple` of something else than a tuple", line=node.lineno)


def _floor(op: str) -> Callable[[Any, ast.Call], Value]:
    def run(self: Any, node: ast.Call) -> Value:
        value = self.scalar(self.value(node.args[0]), node.lineno)
        return value if value.type == "i" else self.op("ftoi", self.op(op, value))

    return run


def _isnan(self: Any, node: ast.Call) -> Value:
    value = self.scalar(self.value(node.args[0]), node.lineno)
    return self.op("not", self.op("feq", self.as_float(value, node.lineno), self.as_float(value, node.lineno)))


BUILTIN_CALLS: dict[Any, Callable[[Any, ast.Call], Value]] = {
    builtins.len: _len, builtins.range: _range, builtins.float: _float, builtins.int: _int, builtins.abs: _abs,
    builtins.max: _extreme("gt"), builtins.min: _extreme("lt"), builtins.sum: _sum, builtins.list: _sequence,
    builtins.tuple: _sequence, np.float64: _float, math.floor: _floor("floor"), math.ceil: _floor("ceil"), math.trunc: _int,
    math.isnan: _isnan,
}  # fmt: skip
