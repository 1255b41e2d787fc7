"""From the syntax tree to typed SSA: the simplest statements, and the rarer ones."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Sequence

import numpy as np

from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.growing import GrowingLists
from custodiet.autodiff.compiler.ir import Const
from custodiet.autodiff.compiler.syntax import statement_kinds
from custodiet.autodiff.compiler.values import (
    UNKNOWN,
    Mapping,
    Static,
    Value,
    known,
    let_go,
)

__all__ = ["BREAK", "CONTINUE", "RareStatements"]

BREAK, CONTINUE = "$break", "$continue"
LIVE_VIEWS = ("keys", "values", "items")


class RareStatements(GrowingLists):
    """`pass`, `break`, `with`, `try`, `match`, and keys of dicts."""

    def sequence(self, nodes: Sequence[ast.stmt]) -> None:
        raise TypeError("a part of a Lowerer")

    def _do_Pass(self, node: ast.Pass) -> None:
        pass

    def _do_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.value(node.value)

    def _do_Break(self, node: ast.Break) -> None:
        self.frame.env[BREAK] = Const(True)

    def _do_Continue(self, node: ast.Continue) -> None:
        self.frame.env[CONTINUE] = Const(True)

    def _do_With(self, node: ast.With) -> None:
        """`contextlib.suppress` and `np.errstate`: what they catch is a trap here, and CPython's business then."""
        for one in node.items:
            call = one.context_expr
            found = self.value(call.func) if isinstance(call, ast.Call) else None
            known = isinstance(found, Static) and found.value in (contextlib.suppress, np.errstate)
            if not known or one.optional_vars is not None:
                raise Declined("`with` of something else than contextlib.suppress or np.errstate", line=node.lineno)
        self.sequence(node.body)

    def _do_Try(self, node: ast.Try) -> None:
        """What is tried, as if it went well: an error is a trap, and CPython handles it."""
        if node.finalbody:
            leaves = {kind for one in (*node.body, *node.orelse, *node.finalbody) for kind in statement_kinds(one)}
            if not leaves.isdisjoint((ast.Return, ast.Break, ast.Continue, ast.Raise)):
                raise Declined("`finally` after a `return`, `break` or `continue`", line=node.lineno)
        self.sequence([*node.body, *node.orelse])
        self.sequence(node.finalbody)

    def _do_Match(self, node: ast.Match) -> None:
        """Values against literals, as a chain of comparisons."""
        self.frame.env["$subject"] = self.kept(node.subject)
        chain: list[ast.stmt] = []
        for case in reversed(node.cases):
            test = self._pattern(case.pattern)
            if case.guard is not None or test is None:
                raise Declined("`match` with a guard or a pattern that is no literal", line=node.lineno)
            chain = [ast.copy_location(ast.If(test=test, body=case.body, orelse=chain), node)]
        for one in chain:
            ast.fix_missing_locations(one)
        self.sequence(chain)
        self.frame.env.pop("$subject", None)

    def _pattern(self, pattern: ast.pattern) -> ast.expr | None:
        if isinstance(pattern, ast.MatchValue):
            subject = ast.Name("$subject", ast.Load())
            found = ast.Compare(left=subject, ops=[ast.Eq()], comparators=[pattern.value])
            return ast.copy_location(found, pattern.value)
        if isinstance(pattern, ast.MatchOr):
            tests = [self._pattern(one) for one in pattern.patterns]
            if all(one is not None for one in tests):
                return ast.copy_location(ast.BoolOp(op=ast.Or(), values=tests), pattern)  # type: ignore[arg-type]
            return None
        if isinstance(pattern, ast.MatchAs) and pattern.pattern is None and pattern.name is None:
            return ast.copy_location(ast.Constant(True), pattern)
        return None

    def refuse_live_view(self, node: ast.expr) -> None:
        """``table.values()`` with a name would show later changes of the dict."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LIVE_VIEWS:
            owner = node.func.value
            table = self.frame.env.get(owner.id) if isinstance(owner, ast.Name) else None
            if isinstance(table, Mapping) and not table.attributes:
                raise Declined(
                    f"`.{node.func.attr}()` of a dict gets a name: list() of it is compiled", line=node.lineno
                )

    def _set_key(self, target: ast.Subscript, value: Value) -> bool:
        """``table[key] = value`` on a dict that a name of this function stands for."""
        if not isinstance(target.value, ast.Name) or target.value.id not in self.frame.env:
            return False
        table = self.frame.env[target.value.id]
        if not isinstance(table, Mapping) or table.attributes:
            return False
        key = known(self.value(target.slice))
        if key is UNKNOWN:
            raise Declined("a dict is written with a key that is not known from the source", line=target.lineno)
        if not table.own:
            raise Declined(
                "a dict that has another name, or that the caller sees, is changed: a copy of it may be",
                line=target.lineno,
            )
        items = {**table.items, key: let_go(self.hold(self.materialize(value, target.lineno)))}
        self.frame.env[target.value.id] = Mapping(items, own=True)
        return True
