"""What a name of the user's program may stand for while its source is read."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from custodiet.autodiff.compiler.frontend import Declined, Source
from custodiet.autodiff.compiler.ir import Arr, Const, Operand, Ref, Type

__all__ = [
    "Closure",
    "Frame",
    "Guarded",
    "Mapping",
    "RangeValue",
    "Static",
    "Tup",
    "Undefined",
    "Value",
    "leaves",
    "rebuild",
]


@dataclass
class Tup:
    """A tuple (or a list that is only read) whose length is known."""

    items: list[Value]
    is_list: bool = False


@dataclass
class Mapping:
    """A dict with known keys, or an object with known fields."""

    items: dict[Any, Value]
    attributes: bool = False
    own: bool = False
    """made in this function, so that nobody else sees it changed"""


@dataclass
class Static:
    """Any Python object that the program does not compute with: a module, a function, None, a string."""

    value: Any


@dataclass
class RangeValue:
    """`range` or the indices of something."""

    start: Operand
    stop: Operand
    step: Operand


@dataclass
class Undefined:
    """A name that has no value here, or values of two kinds."""

    reason: str


@dataclass
class Guarded:
    """A name that only a loop assigned: defined if there was a round."""

    value: Value
    rounds: Operand


@dataclass
class Closure:
    """A nested function or lambda, and the frame it was made in."""

    node: ast.FunctionDef | ast.Lambda
    frame: Frame
    defaults: dict[str, Value] = field(default_factory=dict)


Value = Any
"""Ref, Const, Lazy (`arrays`), Tup, Mapping, Static, RangeValue, Undefined, Guarded or Closure"""


@dataclass
class Frame:
    """A running function: its names, and where free ones come from."""

    source: Source
    env: dict[str, Value]
    parent: Frame | None = None
    depth: int = 0
    home: Any = None
    """the separately compiled function that it is a part of (`calls`); None for the one that was asked for"""


def leaves(value: Value, line: int = 0) -> list[Operand]:
    """Scalars and arrays inside a value, in order.

    Raises:
        Declined: it holds something else.
    """
    if isinstance(value, Ref | Const):
        return [value]
    if isinstance(value, Tup):
        return [leaf for item in value.items for leaf in leaves(item, line)]
    if isinstance(value, Mapping):
        return [leaf for item in value.items.values() for leaf in leaves(item, line)]
    if isinstance(value, Static):
        return []
    if isinstance(value, Undefined):
        raise Declined(value.reason, line=line)
    raise Declined(f"a {type(value).__name__.lower()} cannot be carried here", line=line)


def rebuild(value: Value, new: list[Operand]) -> Value:
    """The same structure with other leaves, taken from the front of `new`."""
    if isinstance(value, Ref | Const):
        return new.pop(0)
    if isinstance(value, Tup):
        return Tup([rebuild(item, new) for item in value.items], value.is_list)
    if isinstance(value, Mapping):
        return Mapping({key: rebuild(item, new) for key, item in value.items.items()}, value.attributes, value.own)
    return value


def let_go(value: Value) -> Value:
    """A dict as one that others may see."""
    return Mapping(value.items, value.attributes) if isinstance(value, Mapping) and value.own else value


def holds_objects(value: Value) -> bool:
    """Whether a dict is in it, or a function, which may have kept one."""
    if isinstance(value, Tup):
        return any(map(holds_objects, value.items))
    return isinstance(value, Mapping | Closure | Guarded)


def same_shape(a: Value, b: Value) -> bool:
    """Whether two values have one structure, leaf types aside."""
    if isinstance(a, Ref | Const) and isinstance(b, Ref | Const):
        return isinstance(a.type, Arr) == isinstance(b.type, Arr) and (not isinstance(a.type, Arr) or a.type == b.type)
    if isinstance(a, Tup) and isinstance(b, Tup):
        return len(a.items) == len(b.items) and all(map(same_shape, a.items, b.items))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.items.keys() == b.items.keys() and all(same_shape(a.items[k], b.items[k]) for k in a.items)
    if isinstance(a, Static) and isinstance(b, Static):
        return a.value is b.value or (type(a.value) is type(b.value) and a.value == b.value)
    return a is b


def join_type(a: Type, b: Type, line: int) -> Type:
    """The type that holds both.

    Raises:
        Declined: none does.
    """
    if a == b:
        return a
    if not isinstance(a, Arr) and not isinstance(b, Arr) and "f" in (a, b) and "b" not in (a, b):
        return "f"
    raise Declined(f"a name is {describe(a)} on one path and {describe(b)} on another", line=line)


def describe(kind: Type) -> str:
    """A type in words."""
    if isinstance(kind, Arr):
        return f"a {kind.ndim}-dimensional array"
    return {"f": "a float", "i": "an int", "b": "a bool"}[kind]
