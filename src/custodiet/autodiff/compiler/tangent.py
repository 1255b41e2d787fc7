"""What forward mode adds to a program: which arrays carry tangents and how they lie in memory, and the partials of operations.

A tangent is W numbers, one per direction. A float's lie in registers, as vectors of the processor's width and one smaller for the
rest; an array's lie in a second array, element after element. Their distance there is padded to whole vectors, but where an array is
only written and returned it is exactly W, so that what comes out is the Jacobian itself.
"""

from __future__ import annotations

import ast
import itertools
from dataclasses import dataclass

from custodiet.autodiff.compiler.adjoint import Sweep, parsed_rule, walk
from custodiet.autodiff.compiler.adjoint_calls import Facts
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Arr, Const, Load, Op, Operand, Program, Ref
from custodiet.autodiff.compiler.operations import DERIVATIVES

__all__ = ["Layout", "Partials", "Tangents"]

ONE, MINUS_ONE = Const(1.0), Const(-1.0)
MAY_BE_INFINITE = frozenset({"sqrt", "cbrt", "hypot", "atan2", "asin", "acos", "acosh", "atanh", "fpow"})
"""operations with finite values and infinite partials: there a tangent of zero stays zero, as in the interpreted path"""


@dataclass(frozen=True)
class Layout:
    """How W directions lie in registers and in memory.

    Attributes:
        width: the number of directions.
        lanes: doubles in one vector register.
    """

    width: int
    lanes: int

    @property
    def chunks(self) -> tuple[int, ...]:
        """Sizes of the vectors that together hold a tangent; powers of two."""
        full, rest = divmod(self.width, self.lanes)
        return (self.lanes,) * full + ((1 << (rest - 1).bit_length(),) if rest else ())

    @property
    def stride(self) -> int:
        """Distance of the tangents of neighboring elements, in doubles."""
        step = min(self.lanes, self.chunks[0])
        return -(-self.width // step) * step


class Tangents:
    """A program and what of it carries tangents.

    Attributes:
        program: the program, as it was read.
        active: names of floats and arrays that depend on the differentiated parameters.
        tight: arrays, by the one name of their memory, whose tangents lie without padding.
    """

    def __init__(self, program: Program) -> None:
        if program.callees:
            raise Declined("recursion in forward mode")
        self.program = program
        self.sweep = Sweep(program, Facts(program))
        self.active = self.sweep.active
        self.tight = self._find_tight()

    def is_active(self, operand: Operand) -> bool:
        """Whether a float carries a tangent."""
        return self.sweep.is_active(operand)

    def carries(self, array: Ref) -> bool:
        """Whether an array of floats has tangents beside it."""
        return isinstance(array.type, Arr) and array.type.dtype == "f" and array.name in self.active

    def is_tight(self, array: Ref) -> bool:
        """Whether an array's tangents lie without padding."""
        return self.sweep.base(array) in self.tight

    def _find_tight(self) -> set[str]:
        base = self.sweep.base
        found = {base(one) for one in self.program.results if isinstance(one, Ref) and isinstance(one.type, Arr)}
        found -= {base(ref) for ref in self.program.params if isinstance(ref.type, Arr)}
        return found - {
            base(stmt.arr)
            for stmt in walk(self.program.body)
            if isinstance(stmt, Load) and stmt.dst.name in self.active
        }


class Partials:
    """The partial derivatives of operations as statements of their own, from the same table as the reverse sweep.

    A rule is linear in `g`: it is read with g = 1, where a product with one is no product and a division becomes a product with a
    reciprocal that all operands share.
    """

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.out: list[Op] = []
        self.reciprocals: dict[Operand, Operand] = {}

    def of(self, stmt: Op, wanted: list[bool]) -> tuple[list[Op], list[tuple[Operand, Operand]]]:
        """Statements that compute the partials, and (partial, operand) pairs; an operand that stands twice is one pair.

        Args:
            stmt: the operation.
            wanted: per operand, whether it carries a tangent.

        Raises:
            Declined: it has no rule.
        """
        rule = DERIVATIVES.get(stmt.op)
        if rule is None:
            raise Declined(f"`{stmt.op}` has no compiled derivative", line=stmt.line)
        self.out, self.reciprocals = [], {}
        names: dict[str, Operand] = {"g": ONE, "y": stmt.dst, **dict(zip("ab", stmt.args, strict=False))}
        found: dict[Operand, Operand] = {}
        for text, arg, want in zip(rule, stmt.args, wanted, strict=True):
            if text is not None and want:
                one = self._value(parsed_rule(text), names)
                found[arg] = self._emit("fadd", found[arg], one) if arg in found else one
        return self.out, [(partial, arg) for arg, partial in found.items()]

    def _value(self, node: ast.expr, names: dict[str, Operand]) -> Operand:
        if isinstance(node, ast.Name):
            return names[node.id]
        if isinstance(node, ast.Constant):
            return Const(float(node.value))  # type: ignore[arg-type]
        if isinstance(node, ast.UnaryOp):
            return self._negative(self._value(node.operand, names))
        if isinstance(node, ast.BinOp):
            kind = type(node.op).__name__
            return self._binary(kind, self._value(node.left, names), self._value(node.right, names))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._emit(node.func.id, *(self._value(one, names) for one in node.args))
        raise Declined("a derivative rule that cannot be read")

    def _negative(self, value: Operand) -> Operand:
        return Const(-value.value) if isinstance(value, Const) else self._emit("fneg", value)

    def _binary(self, kind: str, left: Operand, right: Operand) -> Operand:
        if kind == "Div":
            if right not in self.reciprocals:
                self.reciprocals[right] = self._emit("fdiv", ONE, right)
            kind, right = "Mult", self.reciprocals[right]
        if kind == "Mult":
            for one, other in ((left, right), (right, left)):
                if one == ONE:
                    return other
                if one == MINUS_ONE:
                    return self._negative(other)
        return self._emit({"Add": "fadd", "Sub": "fsub", "Mult": "fmul"}[kind], left, right)

    def _emit(self, op: str, *args: Operand) -> Ref:
        dst = Ref(f"p.{next(self.numbers)}", "f")
        self.out.append(Op(dst, op, args))
        return dst
