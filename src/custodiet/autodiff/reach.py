"""Letting a function run on traced values without changing it: the globals that it sees are exchanged.

`reach(f)` gives a function with f's code, defaults and closure whose globals are an `Overlay`: a dictionary that looks
every name up in the real globals at the moment it is used, and answers `np`, `math`, `scipy.special`, functions of
them, the user's own functions, classes and modules, and floating arrays with their traced stand-ins. It follows

- functions and lambdas named in globals, closures, `functools.partial`, bound methods, and imports inside functions;
- methods of the user's classes, through subclasses made on the spot (plain classes and dataclasses).

It does not reach functions kept in containers (`ACT = {"tanh": math.tanh}`), instances that exist already and are not
arguments, C code, or modules of the standard library. There a plain float is asked for, and `TracedFloat.__float__`
raises with the next step: nothing is ever lost in silence.
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
_INERT = frozenset({int, float, complex, str, bytes, bool, list, dict, set, type(None)})
"""Types that are never exchanged; lists and dicts may be written to, so that they stay the caller's own."""


def _is_foreign(module: str | None) -> bool:
    """Code that is not traced into: the libraries and this room itself."""
    if not module:
        return False
    root = module.partition(".")[0]
    return root in _FOREIGN or root in sys.stdlib_module_names or module.startswith("custodiet.autodiff")


@functools.lru_cache(maxsize=4096)
def _facts(code: types.CodeType) -> tuple[bool, frozenset[str], frozenset[str], frozenset[str]]:
    """Is `float` only called; which globals are written; what class bodies inside read; which cells are assigned to."""
    float_called, written, by_name, rebound = True, set(), set(), set()
    for one in dis.get_instructions(code):
        if one.opname == "LOAD_GLOBAL" and one.argval == "float" and not (one.arg or 0) & 1:
            float_called = False
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
        made = self.reach.replace(value)
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
                    overlay.real[name] = _stripped(overlay[name])
                elif name in overlay.real and name not in overlay:
                    continue
        for handle, original in self.arrays:
            if handle.version:
                now = primal_of(handle)
                if now is not original and original.flags.writeable:
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
        except TypeError:
            return value
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
        made = tuple(self.replace(one) for one in value)
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
                new.cell_contents = self.replace(old.cell_contents)
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
        return kind not in _INERT and not hasattr(kind, "_traced_")

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
        """An instance of a user's class that shares the original's attributes but has reached methods."""
        kind = type(value)
        if _is_foreign(kind.__module__) or kind.__module__ == "builtins" or not hasattr(value, "__dict__"):
            return value
        made_class = self.replace(kind)
        if made_class is kind or hasattr(kind, "__del__"):
            return value
        found = self.made.get(id(value))
        if found is None:
            found = object.__new__(made_class)
            object.__setattr__(found, "__dict__", value.__dict__)
            self._keep(value, found)
        return found


def _stripped(value: Any) -> Any:
    """A value without its traces, for what outlives the derivative."""
    if type(value) is types.FunctionType:
        return value
    return primal_of(value)
