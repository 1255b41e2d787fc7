"""What a statement's tree tells before it is read: the names that it binds, the kinds of statements in it."""

from __future__ import annotations

import ast
from functools import lru_cache

__all__ = [
    "GROWTH",
    "KEYWORDS",
    "assigned_names",
    "changed_tables",
    "grown_names",
    "statement_kinds",
    "views_gone_through",
]

NESTED = (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
GROWTH = ("append", "pop")
"""methods that change the length of a list"""
KEYWORDS = {
    "ClassDef": "class", "Delete": "del", "Import": "import", "ImportFrom": "import", "Global": "global", "Nonlocal": "nonlocal",
    "AsyncFor": "async for", "AsyncWith": "async with", "TryStar": "except*", "AsyncFunctionDef": "async def",
}  # fmt: skip
"""statements that are left to the tape, as they are spelled"""
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
def changed_tables(node: ast.AST) -> frozenset[str]:
    """Names of what a statement stores elements of."""
    return frozenset(
        one.value.id
        for one in ast.walk(node)
        if isinstance(one, ast.Subscript) and isinstance(one.ctx, ast.Store) and isinstance(one.value, ast.Name)
    )


def views_gone_through(node: ast.expr) -> frozenset[str]:
    """Names of the dicts whose `values()` or `items()` stand in an expression: they show later changes."""
    return frozenset(
        one.func.value.id
        for one in ast.walk(node)
        if isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and one.func.attr in ("values", "items")
        and isinstance(one.func.value, ast.Name)
    )


@lru_cache(maxsize=4096)
def grown_names(node: ast.AST) -> frozenset[str]:
    """Names of lists whose length a statement changes."""
    return frozenset(
        one.func.value.id
        for one in ast.walk(node)
        if isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and one.func.attr in GROWTH
        and isinstance(one.func.value, ast.Name)
    )
