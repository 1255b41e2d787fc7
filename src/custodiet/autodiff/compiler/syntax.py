"""What a statement's tree tells before it is read: the names that it binds, the kinds of statements in it."""

from __future__ import annotations

import ast
from functools import lru_cache

__all__ = ["assigned_names", "keyed_names", "statement_kinds"]

NESTED = (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")


@lru_cache(maxsize=4096)
def assigned_names(node: ast.AST) -> frozenset[str]:
    """Names that a loop's body binds, nested functions aside."""
    found: set[str] = set()
    todo: list[ast.AST] = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, ast.Name):
            if isinstance(one.ctx, ast.Store):
                found.add(one.id)
        elif isinstance(one, NESTED) and one is not node:
            if isinstance(one, ast.FunctionDef):
                found.add(one.name)
        else:
            todo.extend(ast.iter_child_nodes(one))
    return frozenset(found)


@lru_cache(maxsize=4096)
def statement_kinds(node: ast.AST) -> frozenset[type]:
    """Types of the statements in a statement, itself and nested functions included."""
    found: set[type] = set()
    todo: list[ast.AST] = [node]
    while todo:
        one = todo.pop()
        found.add(type(one))
        for name in BLOCKS:
            part = getattr(one, name, None)
            if isinstance(part, list):
                todo.extend(part)
    return frozenset(found)


@lru_cache(maxsize=4096)
def keyed_names(node: ast.AST) -> frozenset[str]:
    """Names of which an item is assigned in a statement, as ``d`` in ``d[key] = 1``."""
    return frozenset(
        one.value.id
        for one in ast.walk(node)
        if isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Store) and isinstance(one.value, ast.Name)
    )
