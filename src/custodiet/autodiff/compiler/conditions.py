"""From the syntax tree to typed SSA: comparisons, and what is true."""

from __future__ import annotations

import ast

from custodiet.autodiff.compiler.arrays import Lazy, is_array, is_list
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.indexing import Indexing
from custodiet.autodiff.compiler.ir import Const, Operand, Ref
from custodiet.autodiff.compiler.operations import COMPARISONS
from custodiet.autodiff.compiler.values import Frame, Mapping, Static, Tup, Value

__all__ = ["Conditions"]


class Conditions(Indexing):
    """The part of the lowerer that knows conditions; `Expressions` builds on it."""

    frame: Frame

    def scalar(self, value: Value, line: int) -> Operand:
        """A value that must be a number."""
        raise TypeError("a part of a Lowerer")

    def read(self, name: str, line: int) -> Value:
        """A name of the program."""
        raise TypeError("a part of a Lowerer")

    def _compare(self, node: ast.Compare) -> Value:
        left = self.value(node.left)
        found: Operand | None = None
        for kind, right_node in zip(node.ops, node.comparators, strict=True):
            if found is not None and not _simple(right_node):
                raise Declined("a chain of comparisons with calls in its middle: give them names", line=node.lineno)
            right = self.value(right_node)
            one = self._comparison(kind, left, right, node.lineno)
            found = one if found is None else self.op("and", found, one)
            left = right
        return found if found is not None else Const(True)

    def _comparison(self, kind: ast.cmpop, left: Value, right: Value, line: int) -> Operand:
        equality = not isinstance(kind, ast.In | ast.NotIn)
        if equality and (isinstance(kind, ast.Is | ast.IsNot) or isinstance(left, Static) or isinstance(right, Static)):
            return self._static_comparison(kind, left, right, line)
        if isinstance(kind, ast.In | ast.NotIn):
            return self._membership(kind, left, right, line)
        name = COMPARISONS.get(type(kind).__name__)
        if name is None:
            raise Declined(f"`{type(kind).__name__}` as a comparison", line=line)
        if is_list(left) or is_list(right):
            raise Declined("a comparison of lists", line=line)
        if any(isinstance(one, Lazy) or is_array(one) for one in (left, right)):
            return self.elementwise([left, right], lambda a, b: self._comparison(kind, a, b, line), "b", line)  # type: ignore[return-value]
        a, b = self.scalar(left, line), self.scalar(right, line)
        a, b = (self.op("btoi", one) if one.type == "b" else one for one in (a, b))
        if a.type == b.type == "i":
            return self.op(f"i{name}", a, b)
        return self.op(f"f{name}", self.as_float(a, line), self.as_float(b, line))

    def _membership(self, kind: ast.cmpop, left: Value, right: Value, line: int) -> Operand:
        """`in`: of what is known, or an int in a tuple, list or set of ints."""
        items: list[Value] | None = None
        if isinstance(right, Tup):
            items = right.items
        elif isinstance(right, Mapping) and not right.attributes:
            items = [Static(one) for one in right.items]
        elif isinstance(right, Static) and isinstance(right.value, frozenset | set | tuple):
            items = [Const(one) if isinstance(one, bool | int | float) else Static(one) for one in right.value]
        elif isinstance(right, Static) and isinstance(right.value, str) and isinstance(left, Static):
            items, left = [Static(True)], Static(left.value in right.value)
        if items is None:
            raise Declined("`in` something else than a tuple, list, set or dict that is known", line=line)
        if isinstance(left, Const | Static) and all(isinstance(one, Const | Static) for one in items):
            found: Operand = Const(any(left.value == one.value for one in items))
        elif isinstance(left, Ref | Const) and left.type == "i" and all(isinstance(one, Ref | Const) for one in items):
            found = Const(False)
            for one in items:
                found = self.op("or", found, self._comparison(ast.Eq(), left, one, line))
        else:
            raise Declined("`in` with other values than ints, or what is known", line=line)
        return found if isinstance(kind, ast.In) else self.op("not", found)

    def _static_comparison(self, kind: ast.cmpop, left: Value, right: Value, line: int) -> Operand:
        if isinstance(left, Static) and isinstance(right, Static):
            same = left.value is right.value or left.value == right.value
        elif isinstance(left, Static) and left.value is None or isinstance(right, Static) and right.value is None:
            same = False
        else:
            raise Declined("a comparison of something that is no number with one", line=line)
        if isinstance(kind, ast.Is | ast.Eq):
            return Const(same)
        if isinstance(kind, ast.IsNot | ast.NotEq):
            return Const(not same)
        raise Declined("an order of things that are no numbers", line=line)

    def truth(self, node: ast.expr) -> Operand:
        """An expression as a condition."""
        if isinstance(node, ast.BoolOp):
            return self._conjunction(node)
        return self._as_bool(self.value(node), node.lineno)

    def _as_bool(self, value: Value, line: int) -> Operand:
        if isinstance(value, Static):
            return Const(bool(value.value))
        if isinstance(value, Tup):
            return Const(bool(value.items))
        found = self.scalar(value, line)
        if found.type == "b":
            return found
        return self.op("fne", found, Const(0.0)) if found.type == "f" else self.op("ine", found, Const(0))

    def _boolop(self, node: ast.BoolOp) -> Value:
        """`x or y` has the value of x or y, not its truth."""
        if not self._is_condition(node):
            raise Declined("`and` or `or` of things that are no comparisons: an `if` is compiled", line=node.lineno)
        return self._conjunction(node)

    def _is_condition(self, node: ast.expr) -> bool:
        if isinstance(node, ast.BoolOp):
            return all(map(self._is_condition, node.values))
        if isinstance(node, ast.Name):
            value = self.read(node.id, node.lineno)
            return isinstance(value, Ref | Const) and value.type == "b"
        return isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))

    def _conjunction(self, node: ast.BoolOp) -> Operand:
        """`and` and `or` of conditions: what stands on the right is computed only where it counts."""
        name = "$flag"
        self.frame.env[name] = self.truth(node.values[0])
        for one in node.values[1:]:
            so_far = self.frame.env[name]
            if isinstance(so_far, Const):
                if bool(so_far.value) != isinstance(node.op, ast.And):
                    break
                self.frame.env[name] = self.truth(one)
                continue
            if not isinstance(so_far, Ref):
                raise Declined("a condition that is no bool", line=node.lineno)
            cond = so_far if isinstance(node.op, ast.And) else self.op("not", so_far)

            def run(one: ast.expr = one) -> None:
                self.frame.env[name] = self.truth(one)

            self.branch(cond, run, lambda: None, line=node.lineno)
        found = self.frame.env.pop(name)
        if not isinstance(found, Ref | Const):
            raise Declined("a condition that is no bool", line=node.lineno)
        return found


def _simple(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Constant | ast.Attribute)
