"""Nested values: tuples, lists, dicts, NamedTuples and dataclasses, with numbers and arrays at the leaves.

`flatten` gives the leaves in a fixed order (dicts in their own order, dataclasses in that of their fields) and a
structure that builds the same nest around new leaves. None is a nest without leaves. Whatever else is met (strings,
random generators, objects) is carried inside the structure, or refused by `flatten_differentiable`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.core import traced
from custodiet.autodiff.rules.core import primal_of
from custodiet.errors import DifferentiationError

__all__ = ["Structure", "flatten", "flatten_differentiable", "is_float_leaf", "is_leaf", "map_leaves", "same_structure"]


class Structure:
    """The shape of a nest: `kind`, what identifies its parts, and their structures; `kind` None is a leaf."""

    __slots__ = ("children", "keys", "kind", "path")

    def __init__(self, kind: Any, keys: Any, children: list[Structure], path: str) -> None:
        self.kind = kind
        self.keys = keys
        self.children = children
        self.path = path

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Structure):
            return NotImplemented
        return self.kind is other.kind and self.keys == other.keys and self.children == other.children

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if self.kind is None:
            return "*"
        name = self.kind if isinstance(self.kind, str) else self.kind.__name__
        return f"{name}({', '.join(map(repr, self.children))})"

    @property
    def num_leaves(self) -> int:
        """Number of leaves."""
        return 1 if self.kind is None else sum(one.num_leaves for one in self.children)

    def paths(self) -> list[str]:
        """Where each leaf sits: `[0]["w"].bias`."""
        if self.kind is None:
            return [self.path]
        return [path for one in self.children for path in one.paths()]

    def build(self, leaves: list[Any]) -> Any:
        """The nest with these leaves."""
        rest = iter(leaves)
        return self._build(rest)

    def _build(self, rest: Any) -> Any:
        if self.kind is None:
            return next(rest)
        if self.kind == "static":
            return self.keys[0]
        parts = [one._build(rest) for one in self.children]
        if self.kind is dict or (isinstance(self.kind, type) and issubclass(self.kind, dict)):
            made = dict(zip(self.keys, parts, strict=True))
            return made if self.kind is dict else self.kind(made)
        if dataclasses.is_dataclass(self.kind):
            return _rebuild(self.kind, dict(zip(self.keys, parts, strict=True)))
        if hasattr(self.kind, "_fields"):
            return self.kind(*parts)
        return self.kind(parts)


def _rebuild(kind: Any, values: dict[str, Any]) -> Any:
    """A dataclass instance without its checks: leaves may be cotangents."""
    made = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


def is_leaf(x: Any) -> bool:
    """A number or an array, traced or not."""
    return traced(x) or isinstance(x, (float, int, np.ndarray, np.generic, complex))


def is_float_leaf(x: Any) -> bool:
    """A leaf that can have a derivative: a float, or an array of float32 or float64."""
    plain = primal_of(x)
    if isinstance(plain, (np.ndarray, np.generic)):
        return plain.dtype.kind == "f"
    return isinstance(plain, float)


def flatten(tree: Any, leaf: Callable[[Any], bool] = is_leaf, path: str = "") -> tuple[list[Any], Structure]:
    """Leaves and structure of a nest.

    Args:
        tree: the nest.
        leaf: says what is a leaf; anything else that is no container is kept inside the structure.
    """
    if leaf(tree):
        return [tree], Structure(None, (), [], path)
    if tree is None:
        return [], Structure("static", (None,), [], path)
    kind = type(tree)
    if isinstance(tree, dict):
        keys, values = tuple(tree), list(tree.values())
        names = [f"{path}[{key!r}]" for key in keys]
    elif isinstance(tree, (tuple, list)):
        keys = getattr(tree, "_fields", None) or tuple(range(len(tree)))
        values = list(tree)
        names = [f"{path}.{key}" if isinstance(key, str) else f"{path}[{key}]" for key in keys]
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        keys = tuple(field.name for field in dataclasses.fields(tree) if hasattr(tree, field.name))
        values = [getattr(tree, key) for key in keys]
        names = [f"{path}.{key}" for key in keys]
    else:
        return [], Structure("static", (tree,), [], path)
    leaves, children = [], []
    for value, name in zip(values, names, strict=True):
        more, child = flatten(value, leaf, name)
        leaves += more
        children.append(child)
    return leaves, Structure(kind, keys, children, path)


def flatten_differentiable(tree: Any, name: str) -> tuple[list[Any], Structure]:
    """Leaves of an argument that is differentiated: floats and floating arrays only.

    Raises:
        DifferentiationError: a leaf is an integer, a boolean, complex, or nothing that has a derivative.
    """
    leaves, structure = flatten(tree, path=name)
    for leaf, path in zip(leaves, structure.paths(), strict=True):
        if not is_float_leaf(leaf):
            plain = primal_of(leaf)
            what = f"an array of {plain.dtype}" if isinstance(plain, np.ndarray) else type(plain).__name__
            hint = "Pass a float (3.0 for 3), or leave it out of argnums."
            if isinstance(plain, complex) or getattr(getattr(plain, "dtype", None), "kind", "") == "c":
                hint = "Pass the real and imaginary parts."
            raise DifferentiationError(
                f"{path} has no derivative", expected="floats and floating arrays", got=what, hint=hint
            )
    _refuse_static(structure)
    return leaves, structure


def _refuse_static(structure: Structure) -> None:
    if structure.kind == "static" and structure.keys[0] is not None:
        raise DifferentiationError(
            f"{structure.path} has no derivative",
            expected="numbers, arrays, tuples, lists, dicts, dataclasses or None",
            got=type(structure.keys[0]).__name__,
            hint="Leave the argument out of argnums, or make the class a dataclass.",
        )
    for one in structure.children:
        _refuse_static(one)


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """The nest with every leaf replaced."""
    leaves, structure = flatten(tree)
    return structure.build([function(one) for one in leaves])


def same_structure(one: Structure, two: Structure, what: str) -> None:
    """Raise unless two nests are alike."""
    if one != two:
        raise DifferentiationError(f"{what} has another structure", expected=repr(one), got=repr(two))
