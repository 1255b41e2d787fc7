"""Between native memory and Python: arrays that native code made, the nest that a function returns, addresses."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custodiet.autodiff.compiler.entry import address_of
from custodiet.autodiff.compiler.frontend import Declined
from custodiet.autodiff.compiler.ir import Arr, Const, Ref
from custodiet.autodiff.compiler.values import Mapping, Static, Tup, Value

__all__ = ["Memory", "aligned_zeros", "build_nest", "nest_of", "window", "where"]

ALIGNMENT = 64


class Memory:
    """What native code allocated and a result lies in; freed with the last array that shows it."""

    def __init__(self, head: int) -> None:
        self.head = head

    def __del__(self) -> None:
        while self.head:
            block, self.head = self.head, ctypes.c_void_p.from_address(self.head).value or 0
            FREE(block)


FREE = ctypes.CDLL(None).free
FREE.argtypes, FREE.restype = [ctypes.c_void_p], None


_OFFSET = object.__basicsize__
_word_at = ctypes.c_size_t.from_address


def _quick_address(array: NDArray[Any]) -> int:
    """`address_of` at a fifth of the time: an array object holds the address right after the head of every object."""
    return _word_at(id(array) + _OFFSET).value


_PROBE = np.zeros(3)[1:]
where = _quick_address if _quick_address(_PROBE) == address_of(_PROBE) else address_of


class _Window:
    """An array of doubles somewhere, as NumPy asks for it."""

    def __init__(self, address: int, shape: tuple[int, ...], strides: tuple[int, ...] | None, memory: Any) -> None:
        self.memory = memory
        self.__array_interface__ = {
            "data": (address, False), "shape": shape, "strides": strides, "typestr": "<f8", "version": 3,
        }  # fmt: skip


def window(
    address: int, shape: tuple[int, ...], memory: Memory, strides: tuple[int, ...] | None = None
) -> NDArray[np.float64]:
    """Doubles that native code left at an address; the array keeps their memory."""
    return np.asarray(_Window(address, shape, strides, memory))


def aligned_zeros(rows: int, columns: int) -> NDArray[np.float64]:
    """A matrix of zeros that begins at the boundary of a vector."""
    raw = np.zeros(rows * columns + ALIGNMENT // 8)
    skip = -address_of(raw) % ALIGNMENT // 8
    return raw[skip : skip + rows * columns].reshape(rows, columns)


def nest_of(value: Value, seen: Any) -> Any:
    """How CPython nests a result, for `build_nest`.

    Args:
        value: what the compiler knows of it.
        seen: the result in CPython.

    Raises:
        Declined: it is no nest of tuples, lists and dicts that the program knows.
    """
    if isinstance(value, Ref | Const):
        if isinstance(value.type, Arr) and isinstance(seen, list):
            return "list"
        if isinstance(value.type, Arr) != isinstance(seen, np.ndarray):
            raise Declined("a result is another kind of object in CPython")
        return "leaf"
    if isinstance(value, Tup) and isinstance(seen, tuple | list) and len(seen) == len(value.items):
        return (type(seen), [nest_of(one, other) for one, other in zip(value.items, seen, strict=True)])
    if isinstance(value, Mapping) and type(seen) is dict and list(seen) == list(value.items):
        return (
            dict,
            [nest_of(one, other) for one, other in zip(value.items.values(), seen.values(), strict=True)],
            list(seen),
        )
    if isinstance(value, Static) and value.value is None and seen is None:
        return None
    raise Declined("a result is another kind of object in CPython")


def build_nest(spec: Any, leaves: Sequence[Any]) -> Any:
    """Leaves as the user's function nests them."""
    return _build(spec, list(leaves))


def _build(spec: Any, leaves: list[Any]) -> Any:
    if spec is None:
        return None
    if spec == "leaf":
        return leaves.pop(0)
    if spec == "list":
        return leaves.pop(0).tolist()
    parts = [_build(one, leaves) for one in spec[1]]
    if spec[0] is dict:
        return dict(zip(spec[2], parts, strict=True))
    return spec[0](*parts) if hasattr(spec[0], "_fields") else spec[0](parts)
