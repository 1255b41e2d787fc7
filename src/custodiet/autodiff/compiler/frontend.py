"""The source of a function: its syntax tree, and what its free names mean now."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import textwrap
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["AttributeOf", "Declined", "Source", "free_value", "source_of"]


class Declined(Exception):
    """The compiler leaves this program to the tape.

    Args:
        reason: what it met, in words.
        line: line of the user's file, 0 where unknown.
        file: the user's file.
    """

    def __init__(self, reason: str, *, line: int = 0, file: str = "") -> None:
        self.reason, self.line, self.file = reason, line, file
        where = f"{file}:{line}: " if line else ""
        super().__init__(f"{where}{reason}")


@dataclass(frozen=True)
class Source:
    """A function and its tree."""

    function: types.FunctionType
    node: ast.FunctionDef | ast.Lambda
    file: str
    first_line: int
    """line of the file at which line 1 of the tree lies, less one"""

    @property
    def text(self) -> str:
        """What a cache is keyed by."""
        return ast.dump(self.node, include_attributes=False)


_SOURCES: dict[types.CodeType, Source | Declined] = {}


def source_of(function: Callable[..., Any]) -> Source:
    """The tree of a plain Python function or lambda.

    Raises:
        Declined: it has no source, or is no plain function.
    """
    if not isinstance(function, types.FunctionType):
        raise Declined(f"{getattr(function, '__name__', function)!r} is no plain Python function")
    code = function.__code__
    if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        raise Declined("it is a generator or a coroutine", line=code.co_firstlineno, file=code.co_filename)
    found = _SOURCES.get(code)
    if found is None:
        try:
            found = _parse(function)
        except Declined as declined:
            found = declined
        _SOURCES[code] = found
    if isinstance(found, Declined):
        raise found
    return found if found.function is function else Source(function, found.node, found.file, found.first_line)


def _parse(function: types.FunctionType) -> Source:
    code = function.__code__
    linecache.checkcache(code.co_filename)
    nodes, start = _quick_nodes(code), code.co_firstlineno
    if len(nodes) != 1:
        nodes, start = _careful_nodes(code)
    if len(nodes) != 1:
        raise Declined("its source could not be told apart from its neighbors'", line=start, file=code.co_filename)
    node = nodes[0]
    if isinstance(node, ast.FunctionDef) and any(not _harmless(one) for one in node.decorator_list):
        pass  # what runs is the function inside the decorator: its code object is the one that was handed in
    return Source(function, node, code.co_filename, start - 1)


def _quick_nodes(code: types.CodeType) -> list[ast.FunctionDef | ast.Lambda]:
    """A `def` by the lines that its code object tells; none where these are no whole statement."""
    if code.co_name == "<lambda>":
        return []
    lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 : _last_line(code)]
    try:
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except SyntaxError:
        return []
    offset = code.co_firstlineno - 1
    return [one for one in tree.body if isinstance(one, ast.FunctionDef) and _fits(one, code, offset)]


def _last_line(code: types.CodeType) -> int:
    last = max((end for _, end, _, _ in code.co_positions() if end is not None), default=code.co_firstlineno)
    return max([last, *(_last_line(one) for one in code.co_consts if isinstance(one, types.CodeType))])


def _careful_nodes(code: types.CodeType) -> tuple[list[ast.FunctionDef | ast.Lambda], int]:
    try:
        lines, start = inspect.getsourcelines(code)
    except (OSError, TypeError):
        raise Declined("there is no source", file=code.co_filename) from None
    text = textwrap.dedent("".join(lines))
    try:
        tree = ast.parse(text)
    except SyntaxError:
        tree = _parse_fragment(text, code)
    return _fitting(tree, code, start - 1), start


def _fitting(tree: ast.AST, code: types.CodeType, offset: int) -> list[ast.FunctionDef | ast.Lambda]:
    return [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda) and _fits(node, code, offset)
    ]


def _parse_fragment(text: str, code: types.CodeType) -> ast.AST:
    """A lambda in the middle of an expression: its lines alone are no program."""
    for candidate in (f"({text.strip()})", text.strip().rstrip(",)"), "f(" + text.strip().rstrip(",") + ")"):
        try:
            return ast.parse(candidate)
        except SyntaxError:
            continue
    start = text.find("lambda")
    for end in range(len(text), start, -1):
        try:
            return ast.parse(text[start:end].strip(), mode="eval")
        except SyntaxError:
            continue
    raise Declined("its source is a fragment", line=code.co_firstlineno, file=code.co_filename)


def _harmless(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute)


def _fits(node: ast.FunctionDef | ast.Lambda, code: types.CodeType, offset: int) -> bool:
    name = node.name if isinstance(node, ast.FunctionDef) else "<lambda>"
    arguments = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    count = code.co_argcount + code.co_kwonlyargcount
    if name != code.co_name or arguments != list(code.co_varnames[:count]):
        return False
    if isinstance(node, ast.FunctionDef):
        first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        return first + offset == code.co_firstlineno
    return _same_lambda(node, code)


def _same_lambda(node: ast.Lambda, code: types.CodeType) -> bool:
    compiled = compile(ast.Expression(node), "", "eval")
    inner = next(one for one in compiled.co_consts if isinstance(one, types.CodeType))
    constants = [one for one in inner.co_consts if not isinstance(one, types.CodeType)]
    theirs = [one for one in code.co_consts if not isinstance(one, types.CodeType)]
    names = set(inner.co_names) | set(inner.co_freevars)
    return constants == theirs and names == set(code.co_names) | set(code.co_freevars)


class AttributeOf:
    """Stands for a function whose own attributes are meant, such as its code or its defaults, not the names that it reads."""

    def __init__(self, function: types.FunctionType) -> None:
        self.function = function


def free_value(function: Any, name: Any) -> Any:
    """What a free name of a function, or an attribute of another object, means now; without either it is a constant itself.

    Raises:
        KeyError: nothing.
        AttributeError: the object has no such attribute.
    """
    if function is None:
        return name
    if isinstance(function, AttributeOf):
        return getattr(function.function, name)
    if not isinstance(function, types.FunctionType):
        return getattr(function, name)
    if name in function.__code__.co_freevars and function.__closure__ is not None:
        cell = function.__closure__[function.__code__.co_freevars.index(name)]
        try:
            return cell.cell_contents
        except ValueError:
            raise KeyError(name) from None
    if name in function.__globals__:
        return function.__globals__[name]
    return vars(builtins)[name]
