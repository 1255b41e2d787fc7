"""From the syntax tree to typed SSA: comprehensions, and builtins that go through a generator, as loops."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from custodiet.autodiff.compiler import sums
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Alloc, Arr, Const, Loop, Operand, Ref
from custodiet.autodiff.compiler.sums import LOST, Sums, sum_step
from custodiet.autodiff.compiler.values import Tup, Value, let_go

__all__ = ["Comprehensions"]

MAX_KNOWN_ROUNDS = 32


class Comprehensions(Sums):
    """The part of the lowerer that knows comprehensions."""

    def iterable(self, node: ast.expr) -> list[Value] | tuple[Operand, Callable[[Ref], Value]]:
        """What a `for` runs over; calls know how."""
        raise TypeError("a part of a Lowerer")

    def counted(self, trips: Operand, body: Callable[[Ref], None], line: int) -> None:
        """A loop that the program does not spell; it carries nothing."""
        name = f"loop{next(self.numbers)}"
        counter, count = self.fresh(f"{name}_round", "i"), self.fresh(f"{name}_rounds", "i")
        outer, self.block = self.block, []
        body(counter)
        inner, self.block = self.block, outer
        self.emit(Loop(name, counter, count, trips, [], None, [], inner, line=line))

    def _listcomp(self, node: ast.ListComp) -> Value:
        if len(node.generators) != 1:
            raise Declined("a list comprehension with two loops: loops with append are compiled", line=node.lineno)
        _refuse_leaks(node)
        generator = node.generators[0]
        found = self.known_rounds(self.iterable(generator.iter))
        if generator.ifs and not isinstance(found, list):
            raise Declined(
                "a comprehension with `if` over something of unknown length: a loop with append is compiled",
                line=node.lineno,
            )
        with_names = dict(self.frame.env)
        if isinstance(found, list):
            items: list[Value] = []
            for item in found:
                self.assign(generator.target, item)
                tests = [self.truth(one) for one in generator.ifs]
                if not all(isinstance(one, Const) for one in tests):
                    raise Declined(
                        "a comprehension whose `if` depends on numbers: a loop with append is compiled",
                        line=node.lineno,
                    )
                if all(one.value for one in tests if isinstance(one, Const)):
                    items.append(let_go(self.kept(node.elt)))
            self.restore(with_names)
            return Tup(items, is_list=True)
        trips, item = found
        dst = self.fresh("list", Arr("f", 1, is_list=True))
        self.emit(Alloc(dst, (trips,), Const(0.0), line=node.lineno))

        def body(counter: Ref) -> None:
            self.assign(generator.target, item(counter))
            self.store(dst, (counter,), self._float_item(self.value(node.elt), node.lineno), node.lineno)

        self.counted(trips, body, node.lineno)
        self.restore(with_names)
        return dst

    @staticmethod
    def known_rounds(found: Any) -> Any:
        """The rounds of a short range as items."""
        if isinstance(found, tuple) and isinstance(found[0], Const) and found[0].value <= MAX_KNOWN_ROUNDS:
            return [found[1](Const(place)) for place in range(int(found[0].value))]
        return found

    def _float_item(self, value: Value, line: int) -> Operand:
        found = self.scalar(value, line)
        if found.type != "f":
            raise Declined("a list of ints of unknown length: lists of floats are compiled", line=line)
        return found

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a target; statements know how."""
        raise TypeError("Expressions is half of a Lowerer")

    def accumulate(self, node: ast.expr, start: Operand, line: int, kind: ast.operator | None = None) -> Value:
        """`sum` or `math.prod` of a generator, an array or a tuple."""
        if kind is None and sums.COMPENSATED_SUM and not self.gives_numpy_floats(node):
            outer = self.frame.env.get(LOST)
            self.frame.env[LOST] = Const(0.0)
            found = self._gone_through(node, "$sum", start, sum_step, line, beside=LOST)
            total = self.with_what_was_lost(found, self.frame.env.pop(LOST), line)
            if outer is not None:
                self.frame.env[LOST] = outer
            return total
        return self._gone_through(
            node,
            "$sum",
            start,
            lambda one: [ast.AugAssign(ast.Name("$sum", ast.Store()), kind or ast.Add(), one)],
            line,
        )

    def decided(self, node: ast.expr, every: bool, line: int) -> Value:
        """`all` or `any` of a generator, an array or a tuple."""

        def check(one: ast.expr) -> list[ast.stmt]:
            found: list[ast.stmt] = [ast.Assign([ast.Name("$any", ast.Store())], ast.Constant(not every)), ast.Break()]
            return [ast.If(test=ast.UnaryOp(ast.Not(), one) if every else one, body=found, orelse=[])]

        return self._gone_through(node, "$any", Const(every), check, line)

    def _gone_through(
        self, node: ast.expr, name: str, start: Operand, work: Callable[[ast.expr], list[ast.stmt]], line: int,
        beside: str = "",
    ) -> Value:  # fmt: skip
        """What a hidden name holds after a loop over the items of a generator, an array or a tuple; `beside` is kept too."""
        loop = ast.For(
            target=ast.Name("$item", ast.Store()), iter=node, orelse=[], body=work(ast.Name("$item", ast.Load()))
        )
        if isinstance(node, ast.GeneratorExp | ast.ListComp):
            _refuse_leaks(node)
            body: list[ast.stmt] = work(node.elt)
            loops = [*node.generators]
            if len(loops) > 1 and name == "$any":
                raise Declined("`any` or `all` of a generator with two loops", line=line)
            while loops:
                generator = loops.pop()
                for one in reversed(generator.ifs):
                    body = [ast.If(test=one, body=body, orelse=[])]
                loop = ast.For(target=generator.target, iter=generator.iter, body=body, orelse=[])
                body = [loop]
        for one in ast.walk(loop):
            if not hasattr(one, "lineno"):
                one.lineno = one.end_lineno = line  # type: ignore[attr-defined]
                one.col_offset = one.end_col_offset = 0  # type: ignore[attr-defined]
        outer = dict(self.frame.env)
        self.frame.env[name] = start
        self.statement(loop)
        found, other = self.frame.env[name], self.frame.env.get(beside)
        self.restore(outer)
        if other is not None:
            self.frame.env[beside] = other
        return found

    def statement(self, node: ast.stmt) -> None:
        """One statement; statements know how."""
        raise TypeError("Expressions is half of a Lowerer")


def _refuse_leaks(node: ast.expr) -> None:
    """`:=` binds a name outside of its comprehension, and a lambda keeps the comprehension's own names."""
    if any(isinstance(one, ast.NamedExpr | ast.Lambda) for one in ast.walk(node)):
        raise Declined("`:=` or `lambda` within a comprehension", line=node.lineno)
