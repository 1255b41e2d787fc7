"""Python's own functions: one small handler each, which takes the lowerer and the call."""

from __future__ import annotations

import ast
import builtins
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.compiler import composites
from custodiet.autodiff.compiler.array_arguments import as_lazy, plain_number, told
from custodiet.autodiff.compiler.arrays import Lazy, is_array
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import (
    Const,
    Operand,
    Ref,
    Require,
)
from custodiet.autodiff.compiler.values import (
    Mapping,
    RangeValue,
    Static,
    Tup,
    Value,
    describe_value,
    known,
)

__all__ = ["BUILTIN_CALLS"]

MAX_PRODUCT = 64
Handler = Callable[[Any, ast.Call], Any]


def _len(self: Any, node: ast.Call) -> Value:
    value = self.value(node.args[0])
    if isinstance(value, Tup | Mapping):
        return Const(len(value.items))
    if isinstance(value, Lazy) or is_array(value):
        return self.dims(value)[0]  # type: ignore[arg-type]
    if isinstance(value, Static) and isinstance(value.value, str):
        return Const(len(value.value))
    raise Declined(f"`len` of {describe_value(value)}", line=node.lineno)


def _range(self: Any, node: ast.Call) -> Value:
    parts = [self.integer(self.value(one), node.lineno) for one in node.args]
    if len(parts) == 1:
        return RangeValue(Const(0), parts[0], Const(1))
    return RangeValue(parts[0], parts[1], parts[2] if len(parts) == 3 else Const(1))


def _float(self: Any, node: ast.Call) -> Value:
    value = self.value(node.args[0]) if node.args else Const(0.0)
    if isinstance(value, Static) and isinstance(value.value, str):
        try:
            return Const(float(value.value))
        except ValueError:
            raise Declined(f"`float` of {value.value!r}", line=node.lineno) from None
    return self.as_float(value, node.lineno)


def _product(self: Any, node: ast.Call) -> Value:
    """``itertools.product`` of what is known, as a tuple of tuples."""
    line = node.lineno
    parts = [self.known_rounds(self.rounds(self.passed(one), line)) for one in node.args]
    times = known(self.value(node.keywords[0].value)) if node.keywords else 1
    if not all(isinstance(one, list) for one in parts) or not isinstance(times, int):
        raise Declined("`product` of something of unknown length", line=line)
    found = [Tup(list(items)) for items in itertools.product(*parts, repeat=times)]
    if len(found) > MAX_PRODUCT:
        raise Declined(f"`product` with more than {MAX_PRODUCT} items", line=line)
    return Tup(found)  # type: ignore[arg-type]


def _int(self: Any, node: ast.Call) -> Value:
    value = self.scalar(self.value(node.args[0]), node.lineno)
    if value.type == "b":
        return self.op("btoi", value)
    return value if value.type == "i" else self.op("ftoi", value)


def _abs(self: Any, node: ast.Call) -> Value:
    value = self.scalar(self.value(node.args[0]), node.lineno)
    return self.op("fabs" if value.type == "f" else "iabs", value)


def _extreme(compare: str, program: Callable[..., Any]) -> Handler:
    def run(self: Any, node: ast.Call) -> Value:
        line = node.lineno
        values = [self.value(_listed(one)) for one in node.args]
        if len(values) == 1 and isinstance(values[0], Tup):
            values = values[0].items
            if len(values) == 1:
                return self.scalar(values[0], line)
        elif len(values) == 1 and isinstance(values[0], Lazy | Ref) and _is_vector(values[0]):
            return self.scalar(self.run(program, values, line), line)
        if len(values) < 2:
            raise Declined(
                f"`{told(node)}` of something else than numbers, a vector or a list of known length", line=line
            )
        numbers = [self.scalar(one, line) for one in values]
        if any(one.type == "f" for one in numbers):
            numbers = [self.as_float(one, line) for one in numbers]
        kind = numbers[0].type
        found = numbers[0]
        for one in numbers[1:]:  # the first of equals stays, as in Python
            found = self.op("select", self.op(f"{kind}{compare}", one, found), one, found)
        return found

    return run


def _is_vector(value: Any) -> bool:
    if isinstance(value, Lazy):
        return len(value.dims) == 1
    return is_array(value) and value.type.ndim == 1


def _listed(node: ast.expr) -> ast.expr:
    """A generator as the list of what it gives."""
    if isinstance(node, ast.GeneratorExp):
        return ast.copy_location(ast.ListComp(node.elt, node.generators), node)
    return node


def _sum(self: Any, node: ast.Call) -> Value:
    start: Operand = Const(0)
    for one in (*node.args[1:], *(one.value for one in node.keywords)):
        start = self.scalar(self.value(one), node.lineno)
    return self.accumulate(node.args[0], start, node.lineno)


def _prod(self: Any, node: ast.Call) -> Value:
    start: Operand = Const(1)
    for one in node.keywords:
        start = self.scalar(self.value(one.value), node.lineno)
    return self.accumulate(node.args[0], start, node.lineno, ast.Mult())


def _truth_of(every: bool) -> Handler:
    """`all` or `any`: nothing is computed after the first item that decides."""

    def run(self: Any, node: ast.Call) -> Value:
        return self.decided(node.args[0], every, node.lineno)

    return run


def _divmod(self: Any, node: ast.Call) -> Value:
    left, right = (self.value(one) for one in node.args)
    if any(isinstance(one, Lazy) or is_array(one) for one in (left, right)):
        raise Declined("`divmod` of arrays: `//` and `%` are compiled", line=node.lineno)
    return Tup([self.binary(kind, left, right, node.lineno) for kind in (ast.FloorDiv(), ast.Mod())])


def _round(self: Any, node: ast.Call) -> Value:
    value = self.scalar(self.value(node.args[0]), node.lineno)
    if value.type == "b":
        return self.op("btoi", value)
    return value if value.type == "i" else self.op("ftoi", self.op("rint", value))


def _bool(self: Any, node: ast.Call) -> Value:
    return self.truth(node.args[0])


def _sorted(self: Any, node: ast.Call) -> Value:
    """A list of numbers in order, which is found on plain numbers."""
    line = node.lineno
    options = {str(one.arg): self.value(one.value) for one in node.keywords}
    value = self.value(_listed(node.args[0]))
    if isinstance(value, Tup) and not all(map(plain_number, value.items)):
        raise Declined("`sorted` of something else than numbers", line=line)
    values = self.materialize(as_lazy(self, value, line) if isinstance(value, Tup | Lazy) else value, line)
    if not _is_vector(values):
        raise Declined("`sorted` of something else than numbers", line=line)
    kind, size = values.type.dtype, self.dim(values, 0)
    backwards = options.get("reverse", Const(False))
    if not isinstance(backwards, Const):
        raise Declined("`sorted` with reverse= that is computed", line=line)
    key = options.get("key")

    def rank(at: tuple[Operand, ...]) -> Operand:
        one = self.load(values, at, line)
        if key is not None and not (isinstance(key, Static) and key.value is None):
            one = self.scalar(self.called(key, [one], node), line)
        one = self.as_float(one, line)
        self.emit(Require(self.op("feq", one, one), line=line))
        return self.op("fneg", one) if backwards.value else one

    ranks = self.materialize(Lazy([size], "f", rank), line)
    order = self.run(composites.stable_order, [ranks], line)
    found = self.new_array("sorted", [size], kind, line, blank=True, is_list=True)
    self.nest(
        [size], lambda at: self._initial(found, at, self.load(values, (self.load(order, at, line),), line), line), line
    )
    return found


def _sequence(self: Any, node: ast.Call) -> Value:
    is_list = told(node) == "list"
    value = self.value(_listed(node.args[0])) if node.args else Tup([])
    if isinstance(value, RangeValue):
        found = self.known_rounds(self.rounds(value, node.lineno))
        value = Tup(found) if isinstance(found, list) else value
    if isinstance(value, Mapping) and not value.attributes:
        value = Tup([self.static(one, node.lineno) for one in value.items])
    if isinstance(value, Tup):
        return Tup(list(value.items), is_list=is_list, own=is_list)
    if is_list and _is_vector(value):
        array = self.lazy(value, node.lineno)
        dst = self.new_array("list", array.dims, array.dtype, node.lineno, blank=True, is_list=True)
        self.nest(array.dims, lambda at: self._initial(dst, at, array.element(at), node.lineno), node.lineno)
        return dst
    raise Declined(f"`{told(node)}` of something else than a tuple, a dict, a vector or a list", line=node.lineno)


def _floor(op: str) -> Handler:
    def run(self: Any, node: ast.Call) -> Value:
        value = self.scalar(self.value(node.args[0]), node.lineno)
        return value if value.type == "i" else self.op("ftoi", self.op(op, value))

    return run


def _predicate(kind: str) -> Handler:
    def run(self: Any, node: ast.Call) -> Value:
        value = self.as_float(self.scalar(self.value(node.args[0]), node.lineno), node.lineno)
        if kind == "nan":
            return self.op("fne", value, value)
        return self.op("flt" if kind == "finite" else "feq", self.op("fabs", value), Const(math.inf))

    return run


def _checked(handler: Handler, least: int, most: int, *keywords: str) -> Handler:
    """A handler of so many positional arguments and these keywords; what has others is declined."""

    def run(self: Any, node: ast.Call) -> Value:
        if not least <= len(node.args) <= most:
            raise Declined(f"`{told(node)}` of {len(node.args)} arguments", line=node.lineno)
        for one in node.keywords:
            if one.arg not in keywords:
                raise Declined(f"argument {one.arg}= of `{told(node)}`", line=node.lineno)
        return handler(self, node)

    return run


BUILTIN_CALLS: dict[Any, Handler] = {
    builtins.len: _checked(_len, 1, 1), builtins.range: _checked(_range, 1, 3), builtins.float: _checked(_float, 0, 1),
    builtins.int: _checked(_int, 1, 1), builtins.abs: _checked(_abs, 1, 1), builtins.bool: _checked(_bool, 1, 1),
    builtins.max: _checked(_extreme("gt", composites.largest), 1, 99), builtins.min: _checked(_extreme("lt", composites.smallest), 1, 99),
    builtins.sum: _checked(_sum, 1, 2, "start"), math.prod: _checked(_prod, 1, 1, "start"), builtins.any: _checked(_truth_of(False), 1, 1),
    builtins.all: _checked(_truth_of(True), 1, 1), builtins.divmod: _checked(_divmod, 2, 2), builtins.round: _checked(_round, 1, 1),
    builtins.sorted: _checked(_sorted, 1, 1, "key", "reverse"), builtins.list: _checked(_sequence, 0, 1),
    itertools.product: _checked(_product, 1, 9, "repeat"),
    builtins.tuple: _checked(_sequence, 0, 1), np.float64: _checked(_float, 0, 1), math.floor: _checked(_floor("floor"), 1, 1),
    math.ceil: _checked(_floor("ceil"), 1, 1), math.trunc: _checked(_int, 1, 1), math.isnan: _checked(_predicate("nan"), 1, 1),
    math.isfinite: _checked(_predicate("finite"), 1, 1), math.isinf: _checked(_predicate("infinite"), 1, 1),
}  # fmt: skip
