"""``sum`` as the Python that runs has it: from 3.12 on sums of floats make up for what the additions lose."""

from __future__ import annotations

import ast
import sys

from custodiet.autodiff.compiler.expressions import Expressions
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Arr, Const, Ref, Require
from custodiet.autodiff.compiler.values import Tup, Value

__all__ = ["LOST", "Sums", "sum_step"]

COMPENSATED_SUM = sys.version_info >= (3, 12)
"""from then on `sum` of floats makes up for what the additions lose"""


LOST = "$lost"
"""the hidden name of what the additions of a sum lost"""


class SumStep(ast.expr):
    """One addition of `sum`: the new total, and what was lost so far."""

    _fields = ("item",)

    def __init__(self, item: ast.expr) -> None:
        super().__init__()
        self.item = item


def sum_step(item: ast.expr) -> list[ast.stmt]:
    """A round of a compensated sum."""
    pair = ast.Tuple([ast.Name("$sum", ast.Store()), ast.Name(LOST, ast.Store())], ast.Store())
    return [ast.Assign([pair], SumStep(item))]


class Sums(Expressions):
    """The part of the lowerer that knows `sum`."""

    def gives_numpy_floats(self, node: ast.expr) -> bool:
        """Whether what is summed are elements of NumPy arrays, or arithmetic on them, by the look of the source."""
        if not isinstance(node, ast.GeneratorExp | ast.ListComp):
            return self._is_numpy_array(node)
        items: set[str] = set()
        for generator in node.generators:
            over = [generator.iter]
            if isinstance(generator.iter, ast.Call) and isinstance(generator.iter.func, ast.Name):
                over = generator.iter.args if generator.iter.func.id in ("zip", "reversed") else []
            if over and all(map(self._is_numpy_array, over)):
                items |= {one.id for one in ast.walk(generator.target) if isinstance(one, ast.Name)}
        parts = list(ast.walk(node.elt))
        plain = (
            ast.BinOp,
            ast.UnaryOp,
            ast.Name,
            ast.Constant,
            ast.Subscript,
            ast.operator,
            ast.unaryop,
            ast.expr_context,
        )
        return all(isinstance(one, plain) for one in parts) and any(
            (isinstance(one, ast.Name) and one.id in items)
            or (isinstance(one, ast.Subscript) and self._is_numpy_array(one.value))
            for one in parts
        )

    def _is_numpy_array(self, node: ast.expr) -> bool:
        if not isinstance(node, ast.Name):
            return False
        try:
            value = self.read(node.id, node.lineno)
        except Declined:  # a name of the comprehension itself
            return False
        return isinstance(value, Ref) and isinstance(value.type, Arr) and not value.type.is_list

    def _sumstep(self, node: SumStep) -> Value:
        """Neumaier's step, as CPython takes it for floats; what it makes up for has no derivative of its own."""
        total, lost = self.frame.env["$sum"], self.frame.env[LOST]
        item, line = self.value(node.item), node.item.lineno
        new = self.materialize(self.binary(ast.Add(), total, item, line), line)
        numbers = [one for one in (total, item, new) if isinstance(one, Ref | Const) and one.type == "f"]
        if len(numbers) < 3:
            return Tup([new, lost])
        x, v, t = (self.op("still", one) for one in numbers)
        larger = self.op("fge", self.op("fabs", x), self.op("fabs", v))
        part = self.op(
            "select", larger, self.op("fadd", self.op("fsub", x, t), v), self.op("fadd", self.op("fsub", v, t), x)
        )
        return Tup([new, self.op("fadd", self.scalar(lost, line), part)])

    def with_what_was_lost(self, total: Value, lost: Value, line: int) -> Value:
        """The sum with its compensation, if that is finite. NumPy's floats are summed without: where it shows, CPython says."""
        if lost == Const(0.0) or not isinstance(total, Ref) or total.type != "f":
            return total
        known = self.scalar(lost, line)
        finite = self.op("feq", self.op("fsub", known, known), Const(0.0))
        counts = self.op("and", finite, self.op("fne", known, Const(0.0)))  # -0.0 stays -0.0
        whole = self.op("select", counts, self.op("fadd", total, known), total)
        bound = self.op("fadd", self.op("fmul", Const(1e-10), self.op("fabs", self.op("still", whole))), Const(1e-12))
        self.emit(Require(self.op("not", self.op("fgt", self.op("fabs", known), bound)), line=line))
        return whole
