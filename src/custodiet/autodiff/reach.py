"""Letting a function run on traced values without changing it: the globals that it sees are exchanged.

`reach(f)` gives a function with f's code, defaults and closure whose globals are an `Overlay`: a dictionary that looks
every name up in the real globals at the moment it is used, and answers `np`, `math`, `scipy.special`, functions of
them, the user's own functions, classes and modules, and floating arrays with their traced stand-ins. It follows

- functions and lambdas named in globals, closures, `functools.partial`, bound methods, and imports inside functions;
- methods of the user's classes, through subclasses made on the spot (plain classes and dataclasses).

- instances of such classes, also those that exist already, and lists, tuples and dicts of up to a thousand entries that
  hold any of these: they are doubled, and what the function assigns in a double is written back when it is done.

It does not reach objects with `__slots__`, `__del__` or a metaclass, longer containers, C code, or the standard library.
There a plain float is asked for, and `TracedFloat.__float__` raises with the next step: nothing is lost in silence.
"""

from __future__ import annotations

import builtins
import dis
import functools
import sys
import types
from typing import Any

import numpy as np

from custodiet.autodiff import stand_ins
from custodiet.autodiff.arrays import TracedArray
from custodiet.autodiff.core import traced
from custodiet.autodiff.rules.core import primal_of

__all__ = ["Reach"]

_FOREIGN = frozenset(
    {"numpy", "scipy", "numba", "torch", "jax", "pandas", "polars", "matplotlib", "pytest", "hypothesis", "llvmlite"}
)
_MISSING = object()
_LONG = 1000
"""Lists and dicts that are longer are not searched for something to exchange."""
_INERT = frozenset({int, float, complex, str, bytes, bool, list, dict, set, type(None)})
"""Types that are never exchanged; lists and dicts may be written to, so that they stay the caller's own."""


def _is_foreign(module: str | None) -> bool:
    """Code that is not traced into: the libraries and this room itself."""
    if not module:
        return False
    root = module.partition(".")[0]
    return root in _FOREIGN or root in sys.stdlib_module_names or module.startswith("custodiet.autodiff")


def _is_argument(following: list[dis.Instruction]) -> bool:
    """Is what was just loaded handed to a call (`isinstance(x, float)`, `map(float, xs)`), not compared?"""
    passed = ("LOAD_GLOBAL", "LOAD_FAST", "LOAD_CONST", "BUILD_TUPLE", "KW_NAMES", "PRECALL", "GET_ITER")
    for one in following:
        if one.opname.startswith("CALL"):
            return True
        if one.opname not in passed:
            return False
    return False


@functools.lru_cache(maxsize=4096)
def _facts(code: types.CodeType) -> tuple[bool, frozenset[str], frozenset[str], frozenset[str]]:
    """Is `float` only called; which globals are written; what class bodies inside read; which cells are assigned to."""
    float_called, written, by_name, rebound = True, set(), set(), set()
    steps = list(dis.get_instructions(code))
    for k, one in enumerate(steps):
        if one.opname == "LOAD_GLOBAL" and one.argval == "float" and not (one.arg or 0) & 1:
            float_called = float_called and _is_argument(steps[k + 1 :])
        elif one.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            written.add(one.argval)
        elif one.opname in ("STORE_DEREF", "DELETE_DEREF"):
            rebound.add(one.argval)
        elif one.opname == "LOAD_NAME":
            by_name.add(one.argval)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            called, more, names, cells = _facts(inner)
            rebound |= cells
            float_called = float_called and called
            written |= more
            by_name |= names
    return float_called, frozenset(written), frozenset(by_name), frozenset(rebound)


class Overlay(dict[str, Any]):
    """Globals of one reached function; what is missing is looked up in the real ones when it is used."""

    __slots__ = ("reach", "real")

    def __init__(self, real: dict[str, Any], reach: Reach, float_called: bool) -> None:
        super().__init__()
        self.real = real
        self.reach = reach
        self["__builtins__"] = reach.builtins_float if float_called else reach.builtins_plain
        self["__name__"] = real.get("__name__")

    def __missing__(self, name: str) -> Any:
        real = self.real
        if type(real) is Overlay:  # a derivative inside a derivative: ask the outer one
            value = real[name]
        else:
            value = real.get(name, _MISSING)
        if value is builtins.float:
            value = dict.__getitem__(self, "__builtins__")["float"]
        if value is _MISSING:
            value = dict.__getitem__(self, "__builtins__").get(name, _MISSING)
            if value is _MISSING:
                raise KeyError(name)
            self[name] = value
            return value
        kind = type(value)
        if kind is float or kind is int or kind is str or kind is bool:
            return value
        made = self.reach.nest(value)
        if made is not value:
            self[name] = made
        return made


class _ModuleView(types.ModuleType):
    """A user's module whose functions are reached when they are asked for."""

    def __init__(self, module: types.ModuleType, reach: Reach) -> None:
        super().__init__(module.__name__, module.__doc__)
        self.__dict__["_module"] = module
        self.__dict__["_reach"] = reach

    def __getattr__(self, name: str) -> Any:
        made = self.__dict__["_reach"].replace(getattr(self.__dict__["_module"], name))
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_module"], name, primal_of(value))


class Reach:
    """The exchanges made for one derivative; throw it away afterwards."""

    def __init__(self) -> None:
        self.made: dict[int, Any] = {}
        self.alive: list[Any] = []
        self.arrays: list[tuple[TracedArray, np.ndarray[Any, Any]]] = []
        self.doubles: list[tuple[Any, Any, Any]] = []
        self.overlays: list[tuple[Overlay, frozenset[str]]] = []
        plain = dict(vars(builtins))
        plain["__import__"] = self._import
        self.builtins_plain = plain
        self.builtins_float = {**plain, "float": stand_ins.traced_float}

    def _import(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self.replace(builtins.__import__(name, *args, **kwargs))

    def finish(self) -> None:
        """Write back what the function wrote into globals and into arrays that it did not get as handles."""
        for overlay, written in self.overlays:
            for name in written:
                if name in overlay:
                    overlay.real[name] = self._original(overlay[name])
        for original, double, start in self.doubles:
            self._write_back(original, double, start)
        for handle, original in self.arrays:
            if handle.version:
                now = primal_of(handle)
                if now is not original and original.flags["W"]:
                    original[...] = now

    def handle(self, array: np.ndarray[Any, Any]) -> TracedArray:
        """A constant handle on a plain array; what is written into it is written into the array at the end."""
        found = self.made.get(id(array))
        if found is None:
            found = TracedArray(array, 0, None)
            found.shared = True
            self.arrays.append((found, array))
            self._keep(array, found)
        return found

    def _keep(self, value: Any, made: Any) -> Any:
        self.made[id(value)] = made
        self.alive.append(value)
        return made

    def replace(self, value: Any) -> Any:
        """The stand-in of a value, or the value itself."""
        kind = type(value)
        if kind in _INERT or traced(value):
            return value
        if kind is tuple:
            return self._tuple(value)
        found = self.made.get(id(value))
        if found is not None:
            return found
        if kind is types.FunctionType:
            return self.function(value)
        if kind is np.ndarray:
            return self.handle(value) if value.dtype.kind == "f" else value
        try:
            stand_in = stand_ins.REPLACED.get(value)
        except TypeError:  # it cannot be hashed, so that it is no function that we know
            stand_in = None
        if stand_in is not None:
            return stand_in
        if isinstance(value, types.ModuleType):
            return self._module(value)
        if kind is types.MethodType:
            inner = self.replace(value.__func__)
            return value if inner is value.__func__ else types.MethodType(inner, value.__self__)
        if kind is functools.partial:
            inner = self.replace(value.func)
            return value if inner is value.func else functools.partial(inner, *value.args, **value.keywords)
        if isinstance(value, type):
            return self.subclass(value)
        return self.instance(value)

    def _tuple(self, value: tuple[Any, ...]) -> tuple[Any, ...]:
        made = tuple(self.nest(one) for one in value)
        return made if any(a is not b for a, b in zip(made, value, strict=True)) else value

    def _module(self, module: types.ModuleType) -> Any:
        stand_in = stand_ins.MODULES.get(module.__name__)
        if stand_in is not None:
            return stand_in
        if _is_foreign(module.__name__) or isinstance(module, _ModuleView):
            return module
        return self._keep(module, _ModuleView(module, self))

    def function(self, f: types.FunctionType) -> Any:
        """`f` with exchanged globals and closure; functions of the libraries stay."""
        found = self.made.get(id(f))
        if found is not None:
            return found
        if f in stand_ins.REPLACED:
            return stand_ins.REPLACED[f]
        if _is_foreign(f.__globals__.get("__name__")):
            return f
        float_called, written, by_name, rebound = _facts(f.__code__)
        overlay = Overlay(f.__globals__, self, float_called)
        cells = None
        if f.__closure__:
            names = zip(f.__closure__, f.__code__.co_freevars, strict=True)
            cells = tuple(types.CellType() if self._moves(cell, name, rebound) else cell for cell, name in names)
        made = types.FunctionType(f.__code__, overlay, f.__name__, self._defaults(f.__defaults__), cells)
        self._keep(f, made)
        for new, old in zip(cells or (), f.__closure__ or (), strict=True):
            if new is not old:
                new.cell_contents = self.nest(old.cell_contents)
        if f.__kwdefaults__:
            made.__kwdefaults__ = {k: self.replace(v) for k, v in f.__kwdefaults__.items()}
        made.__dict__.update(f.__dict__)
        made.__qualname__, made.__module__, made.__doc__ = f.__qualname__, f.__module__, f.__doc__
        if written:
            self.overlays.append((overlay, written))
        for name in by_name:  # class bodies look names up without asking the overlay
            if name in f.__globals__ and name not in written:
                overlay[name] = self.replace(f.__globals__[name])
        return made

    def _defaults(self, values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        return tuple(self.replace(one) for one in values) if values else values

    def _moves(self, cell: Any, name: str, rebound: frozenset[str]) -> bool:
        """Does a closure cell hold something to exchange? Cells that the function assigns to stay the caller's."""
        if name == "__class__" or name in rebound:
            return False
        try:
            kind = type(cell.cell_contents)
        except ValueError:
            return False
        return kind in (list, dict) or (kind not in _INERT and not hasattr(kind, "_traced_"))

    def subclass(self, cls: type) -> type:
        """A subclass of a user's class with reached methods; classes with machinery of their own stay as they are."""
        plain_kind = type(cls) is type and "__init_subclass__" not in {k for c in cls.__mro__[:-1] for k in vars(c)}
        if (
            not plain_kind
            or _is_foreign(cls.__module__)
            or issubclass(cls, (BaseException, tuple))
            or cls.__flags__ & 1 << 8
        ):
            return cls
        names: dict[str, Any] = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__}
        made: type = cls
        for owner in reversed(cls.__mro__[:-1]):
            if _is_foreign(owner.__module__):
                continue
            for name, member in vars(owner).items():
                fresh = self._member(member)
                if fresh is not member:
                    names[name] = fresh
                elif name in names and name not in ("__slots__", "__module__", "__qualname__"):
                    names[name] = member
        if len(names) == 3:
            return cls
        if "__eq__" in names and "__hash__" not in names:
            names["__hash__"] = cls.__hash__
        made = type(cls.__name__, (cls,), names)
        return self._keep(cls, made)

    def _member(self, member: Any) -> Any:
        if type(member) is types.FunctionType:
            return self.function(member)
        if type(member) in (staticmethod, classmethod):
            inner = self.replace(member.__func__)
            return member if inner is member.__func__ else type(member)(inner)
        if type(member) is property:
            parts = [self.replace(one) if one is not None else None for one in (member.fget, member.fset, member.fdel)]
            return property(parts[0], parts[1], parts[2], member.__doc__)
        return member

    def instance(self, value: Any) -> Any:
        """A double of an instance of a user's class: reached methods, and attributes exchanged as globals are.

        Where no attribute has to be exchanged, the double shares the original's; else what the function assigns to
        attributes is written back at the end.
        """
        kind = type(value)
        if _is_foreign(kind.__module__) or kind.__module__ == "builtins" or not hasattr(value, "__dict__"):
            return value
        if isinstance(value, type) or hasattr(kind, "__del__") or callable(getattr(kind, "__get__", None)):
            return value
        made_class = self.replace(kind)
        found = object.__new__(made_class)
        self._keep(value, found)
        before = value.__dict__
        after = {name: self.nest(one) for name, one in before.items()}
        if all(after[name] is one for name, one in before.items()):
            if made_class is kind:
                return self._keep(value, value)
            object.__setattr__(found, "__dict__", before)
            return found
        found.__dict__.update(after)
        self.doubles.append((before, found.__dict__, dict(after)))
        return found

    def nest(self, value: Any, depth: int = 0) -> Any:
        """The stand-in of a value; lists and dicts that hold something to exchange are doubled and written back."""
        kind = type(value)
        if kind is not list and kind is not dict:
            return self.replace(value)
        found = self.made.get(id(value))
        if found is not None:
            return found
        if len(value) > _LONG or depth > 8:
            return value
        items = value.items() if kind is dict else enumerate(value)
        after = {key: self.nest(one, depth + 1) for key, one in items}
        if all(after[key] is one for key, one in (value.items() if kind is dict else enumerate(value))):
            return value
        made: Any = after if kind is dict else list(after.values())
        self._keep(value, made)
        self.doubles.append((value, made, dict(after) if kind is dict else list(made)))
        return made

    def _write_back(self, original: Any, double: Any, start: Any) -> None:
        """Repeat on the original what was assigned, appended or deleted in its double."""
        if isinstance(double, dict):
            for key, one in double.items():
                if key not in start or start[key] is not one:
                    original[key] = self._original(one)
            for key in start.keys() - double.keys():
                original.pop(key, None)
        elif len(double) != len(start) or any(a is not b for a, b in zip(double, start, strict=True)):
            original[:] = [self._original(one) for one in double]

    def _original(self, made: Any) -> Any:
        """What the caller knows a stand-in by; plain values for traced ones."""
        for value in self.alive:
            if self.made[id(value)] is made:
                return value
        return primal_of(made)
