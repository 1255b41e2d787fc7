"""What a name of the user's program may stand for while its source is read."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from custodiet.autodiff.compiler.frontend import Declined, Source
from custodiet.autodiff.compiler.ir import Arr, Const, Operand, Ref, Type

__all__ = [
    "UNKNOWN",
    "Closure",
    "Frame",
    "Growing",
    "Guarded",
    "Mapping",
    "RangeValue",
    "Static",
    "Tup",
    "Undefined",
    "Value",
    "known",
    "leaves",
    "rebuild",
]


@dataclass
class Tup:
    """A tuple (or a list that is only read) whose length is known."""

    items: list[Value]
    is_list: bool = False
    own: bool = False
    """a list that this function made, so that nobody else sees it change"""


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
class Growing:
    """A list of floats that `append` makes longer: memory with room at its end, and how much of it is the list."""

    memory: Ref
    size: Operand


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
    caller: Frame | None = None
    """whose call is read in place here"""
    call_line: int = 0


NAMES = {
    "Closure": "a function",
    "Guarded": "a name that only a loop assigned",
    "Mask": "an array of bools",
    "RangeValue": "a range",
    "Growing": "a list",
}


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
    if isinstance(value, Growing):
        return [value.memory, value.size]
    if isinstance(value, Static):
        return []
    if isinstance(value, Undefined):
        raise Declined(value.reason, line=line)
    raise Declined(
        f"{NAMES.get(type(value).__name__, 'an object')} is carried through a loop, a branch or a call", line=line
    )


def rebuild(value: Value, new: list[Operand]) -> Value:
    """The same structure with other leaves, taken from the front of `new`."""
    if isinstance(value, Ref | Const):
        return new.pop(0)
    if isinstance(value, Tup):
        return Tup([rebuild(item, new) for item in value.items], value.is_list, value.own)
    if isinstance(value, Growing):
        return Growing(new.pop(0), new.pop(0))  # type: ignore[arg-type]
    if isinstance(value, Mapping):
        return Mapping({key: rebuild(item, new) for key, item in value.items.items()}, value.attributes, value.own)
    return value


def let_go(value: Value) -> Value:
    """A dict or list as one that others may see."""
    if isinstance(value, Mapping) and value.own:
        return Mapping(value.items, value.attributes)
    return Tup(value.items, value.is_list) if isinstance(value, Tup) and value.own else value


def is_own(value: Value | None) -> bool:
    """Whether a value is a dict or list that nobody else sees."""
    return isinstance(value, Mapping | Tup) and value.own


def holds_objects(value: Value) -> bool:
    """Whether a dict or a list is in it, or a function, which may have kept one."""
    if isinstance(value, Tup) and not value.is_list:
        return any(map(holds_objects, value.items))
    return isinstance(value, Mapping | Tup | Closure | Guarded)


def same_shape(a: Value, b: Value) -> bool:
    """Whether two values have one structure, leaf types aside."""
    if isinstance(a, Ref | Const) and isinstance(b, Ref | Const):
        return isinstance(a.type, Arr) == isinstance(b.type, Arr) and (not isinstance(a.type, Arr) or a.type == b.type)
    if isinstance(a, Tup) and isinstance(b, Tup):
        return len(a.items) == len(b.items) and all(map(same_shape, a.items, b.items))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.items.keys() == b.items.keys() and all(same_shape(a.items[k], b.items[k]) for k in a.items)
    if isinstance(a, Growing) and isinstance(b, Growing):
        return a.memory.type == b.memory.type
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


UNKNOWN: Any = object()


def known(value: Value) -> Any:
    """The Python value that a value stands for, where it does not depend on the call; else UNKNOWN."""
    if isinstance(value, Const | Static):
        return value.value
    if isinstance(value, Tup):
        parts = tuple(map(known, value.items))
        return UNKNOWN if any(one is UNKNOWN for one in parts) else parts
    return UNKNOWN


def describe_value(value: Value) -> str:
    """What a value is, in words."""
    if isinstance(value, Ref | Const):
        return describe(value.type)
    if isinstance(value, Tup):
        return "a list" if value.is_list else "a tuple"
    if isinstance(value, Mapping):
        return "an object" if value.attributes else "a dict"
    if isinstance(value, Static):
        return "None" if value.value is None else f"a {type(value.value).__name__}"
    dims = getattr(value, "dims", None)
    if dims is not None:
        return f"a {len(dims)}-dimensional array" + (" of bools" if value.dtype == "b" else "")
    return NAMES.get(type(value).__name__, "something else")


def describe(kind: Type) -> str:
    """A type in words."""
    if isinstance(kind, Arr) and kind.is_list:
        return f"a list of {'floats' if kind.dtype == 'f' else 'ints'}"
    if isinstance(kind, Arr):
        return f"a {kind.ndim}-dimensional array"
    return {"f": "a float", "i": "an int", "b": "a bool"}[kind]
