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
import weakref
from abc import ABCMeta
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff import stand_ins
from custodiet.autodiff.arrays import TracedArray
from custodiet.autodiff.core import fail, traced
from custodiet.autodiff.rules.core import copied_alike, primal_of

__all__ = ["Reach"]

_FOREIGN = frozenset(
    {"numpy", "scipy", "numba", "torch", "jax", "pandas", "polars", "matplotlib", "pytest", "hypothesis", "llvmlite"}
)
_MISSING = object()
_FLOAT = "float as traced"
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
def _facts(code: types.CodeType) -> tuple[bool, frozenset[str], frozenset[str]]:
    """Is `float` only called or handed on; which globals are written; which names do class bodies inside read."""
    convertible, written, by_name = True, set(), set()
    steps = list(dis.get_instructions(code))
    for k, one in enumerate(steps):
        if one.argval == "float" and one.opname != "LOAD_CONST":
            is_call = one.opname == "LOAD_GLOBAL" and bool((one.arg or 0) & 1)
            passed = one.opname == "LOAD_GLOBAL" and _is_argument(steps[k + 1 :])
            convertible = convertible and (is_call or passed)
        if one.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            written.add(one.argval)
        elif one.opname == "LOAD_NAME":
            by_name.add(one.argval)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            called, more, names = _facts(inner)
            convertible = convertible and called
            written |= more
            by_name |= names
    return convertible, frozenset(written), frozenset(by_name)


@functools.lru_cache(maxsize=4096)
def _renamed(code: types.CodeType) -> types.CodeType:
    """The same code, where the global `float` is looked up under a name of ours."""
    consts = tuple(_renamed(one) if isinstance(one, types.CodeType) else one for one in code.co_consts)
    names = tuple(_FLOAT if one == "float" else one for one in code.co_names)
    return code.replace(co_consts=consts, co_names=names)


class Overlay(dict[str, Any]):
    """Globals of one module's reached functions; what is missing is looked up in the real ones when it is used."""

    __slots__ = ("reach", "real", "written")

    def __init__(self, real: dict[str, Any], reach: Reach) -> None:
        super().__init__()
        self.real = real
        self.reach = reach
        self.written: set[str] = set()
        self["__builtins__"] = reach.builtins
        self["__name__"] = real.get("__name__")

    def __missing__(self, name: str) -> Any:
        if name == _FLOAT:
            return stand_ins.traced_float if self._find("float") is builtins.float else self["float"]
        value = self._find(name)
        kind = type(value)
        if kind is float or kind is int or kind is str or kind is bool:
            return value
        made = self.reach.nest(value)
        if made is not value or kind is types.BuiltinFunctionType or kind is type:
            self[name] = made
        return made

    def _find(self, name: str) -> Any:
        real = self.real
        if type(real) is Overlay:  # a derivative inside a derivative: ask the outer one
            return real[name]
        value = real.get(name, _MISSING)
        if value is _MISSING:
            value = self.reach.builtins.get(name, _MISSING)
        if value is _MISSING:
            raise KeyError(name)
        return value


class _Like(type):
    """The class of reached subclasses: for `isinstance`, `==` and as a key each is the class that it stands for."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__mro__[1])

    def __subclasscheck__(cls, other: Any) -> bool:
        return issubclass(other, cls.__mro__[1])

    def __eq__(cls, other: Any) -> bool:
        return other is cls or other is cls.__mro__[1]

    def __hash__(cls) -> int:
        return hash(cls.__mro__[1])


class _AbstractLike(_Like, ABCMeta):
    """The same for abstract base classes."""


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


def _importing(reach: weakref.ref[Reach]) -> Callable[..., Any]:
    """`__import__` for functions that `reach` made; their globals keep it alive."""

    def run(name: str, *args: Any, **kwargs: Any) -> Any:
        found, owner = builtins.__import__(name, *args, **kwargs), reach()
        return found if owner is None else owner.replace(found)

    return run


class Reach:
    """The exchanges made for one derivative; throw it away afterwards."""

    def __init__(self) -> None:
        self.made: dict[int, Any] = {}
        self.alive: list[Any] = []
        self.arrays: list[tuple[TracedArray, np.ndarray[Any, Any]]] = []
        self.doubles: list[tuple[Any, Any, Any]] = []
        self.overlays: dict[int, Overlay] = {}
        self.cells: dict[int, tuple[Any, Any, Any]] = {}
        self.classes: list[tuple[type, type, dict[str, Any]]] = []
        self.budget = 20_000
        self.builtins = {**vars(builtins), "__import__": _importing(weakref.ref(self))}

    def finish(self) -> None:
        """Write back what the function wrote into globals, closures, attributes, containers and arrays."""
        for overlay in self.overlays.values():
            for name in overlay.written:
                if name in overlay:
                    overlay.real[name] = self._original(overlay[name])
        for cell, double, start in self.cells.values():
            if double.cell_contents is not start:
                cell.cell_contents = self._original(double.cell_contents)
        for original, double, start in self.doubles:
            self._write_back(original, double, start)
        for cls, made, start in self.classes:
            for name, value in dict(vars(made)).items():
                if start.get(name, _MISSING) is not value:
                    setattr(cls, name, self._original(value))
        written = [(h, x) for h, x in self.arrays if h.version]
        for handle, original in written:
            now = primal_of(handle)
            if now is not original and original.flags["W"]:
                original[...] = now
        for one in (self.made, self.alive, self.arrays, self.doubles, self.overlays, self.cells, self.classes):
            one.clear()  # they refer to each other: the copies of the arrays would wait for the garbage collector

    def check_aliases(self, lifted: list[tuple[TracedArray, np.ndarray[Any, Any]]]) -> None:
        """Raise if an array was written into that the function got twice, or that overlaps another one that it got."""
        every = lifted + self.arrays
        for handle, original in every:
            if handle.version:
                for other, more in every:
                    if other is not handle and np.may_share_memory(original, more):
                        fail(
                            "the function writes into an array that it also sees under another name",
                            hint="Pass a copy under one of the names: x.copy().",
                        )

    def handle(self, array: np.ndarray[Any, Any]) -> TracedArray:
        """A constant handle on a plain array; what is written into it is written into the array at the end."""
        found = self.made.get(id(array))
        if found is None:
            found = TracedArray(copied_alike(array), 0, None)  # the tape may refer to it when the caller's has changed
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
        convertible, written, by_name = _facts(f.__code__)
        overlay = self._overlay(f.__globals__)
        overlay.written |= written
        code = _renamed(f.__code__) if convertible else f.__code__
        pairs = list(zip(f.__closure__ or (), f.__code__.co_freevars, strict=True))
        cells = tuple(self._cell(cell, name) for cell, name in pairs) if pairs else None
        made = types.FunctionType(code, overlay, f.__name__, None, cells)
        self._keep(f, made)
        for cell, name in pairs:
            self._fill(cell, name)
        if f.__defaults__:
            made.__defaults__ = tuple(self.nest(one) for one in f.__defaults__)
        if f.__kwdefaults__:
            made.__kwdefaults__ = {k: self.nest(v) for k, v in f.__kwdefaults__.items()}
        made.__dict__ = f.__dict__
        made.__qualname__, made.__module__, made.__doc__ = f.__qualname__, f.__module__, f.__doc__
        for name in by_name:  # class bodies look names up without asking the overlay
            if name in f.__globals__ and name not in overlay.written:
                overlay[name] = self.nest(f.__globals__[name])
        return made

    def _overlay(self, real: dict[str, Any]) -> Overlay:
        found = self.overlays.get(id(real))
        if found is None:
            found = self.overlays[id(real)] = Overlay(real, self)
        return found

    def _cell(self, cell: Any, name: str) -> Any:
        """The double of a closure cell that holds something to exchange; one double per cell, whoever shares it."""
        known = self.cells.get(id(cell))
        if known is not None:
            return known[1]
        try:
            kind = type(cell.cell_contents)
        except ValueError:
            return cell
        if name == "__class__" or hasattr(kind, "_traced_") or (kind in _INERT and kind not in (list, dict)):
            return cell
        double = types.CellType(_MISSING)
        self.cells[id(cell)] = (cell, double, _MISSING)
        return double

    def _fill(self, cell: Any, name: str) -> None:
        known = self.cells.get(id(cell))
        if known is not None and known[2] is _MISSING:
            value = self.nest(cell.cell_contents)
            known[1].cell_contents = value
            self.cells[id(cell)] = (cell, known[1], value)

    def subclass(self, cls: type) -> type:
        """A subclass of a user's class with reached methods; classes with machinery of their own stay as they are."""
        hooked = "__init_subclass__" in {k for c in cls.__mro__[:-1] for k in vars(c)}
        if (
            type(cls) not in (type, ABCMeta)
            or hooked
            or not cls.__dictoffset__
            or hasattr(cls, "__del__")
            or _is_foreign(cls.__module__)
            or issubclass(cls, (BaseException, tuple))
        ):
            return cls
        names: dict[str, Any] = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__}
        fixed = len(names)
        for owner in reversed(cls.__mro__[:-1]):
            if _is_foreign(owner.__module__):
                continue
            for name, member in vars(owner).items():
                fresh = self._member(member)
                if fresh is not member:
                    names[name] = fresh
                elif name in names and name not in ("__slots__", "__module__", "__qualname__"):
                    names[name] = member
        if len(names) == fixed:
            return cls
        if "__eq__" in names and "__hash__" not in names:
            names["__hash__"] = cls.__hash__
        made = _Like(cls.__name__, (cls,), names) if type(cls) is type else _AbstractLike(cls.__name__, (cls,), names)
        self.classes.append((cls, made, dict(vars(made))))
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

        What the function assigns to attributes is written back at the end.
        """
        kind = type(value)
        if _is_foreign(kind.__module__) or kind.__module__ == "builtins" or not hasattr(value, "__dict__"):
            return value
        if isinstance(value, type) or hasattr(kind, "__del__") or callable(getattr(kind, "__get__", None)):
            return value
        made_class = self.replace(kind)
        try:
            found = object.__new__(made_class)
        except TypeError:  # it extends a built-in container, or is abstract
            return value
        self._keep(value, found)
        after = {name: self.nest(one) for name, one in value.__dict__.items()}
        found.__dict__.update(after)
        self.doubles.append((value.__dict__, found.__dict__, dict(after)))
        return found

    def nest(self, value: Any, depth: int = 0) -> Any:
        """The stand-in of a value; lists and dicts are doubled, and what is changed in a double is written back."""
        kind = type(value)
        if kind is not list and kind is not dict:
            return self.replace(value)
        found = self.made.get(id(value))
        if found is not None:
            return found
        if len(value) > _LONG or depth > 8 or self.budget < 0:
            return value
        self.budget -= len(value)
        made: Any = {} if kind is dict else []
        self._keep(value, made)
        if kind is dict:
            made.update((key, self.nest(one, depth + 1)) for key, one in value.items())
        else:
            made += [self.nest(one, depth + 1) for one in value]
        self.doubles.append((value, made, made.copy()))
        return made

    def _write_back(self, original: Any, double: Any, start: Any) -> None:
        """Repeat on the original what was assigned, appended or deleted in its double."""
        if isinstance(double, dict):
            for key, one in double.items():
                if key not in start or start[key] is not one:
                    original[key] = self._original(one)
            for key in start.keys() - double.keys():
                original.pop(key, None)
        else:
            kept = len(start) <= len(double) and all(a is b for a, b in zip(double, start, strict=False))
            if kept:
                original.extend(self._original(one) for one in double[len(start) :])
            else:
                original[:] = [self._original(one) for one in double]

    def _original(self, made: Any) -> Any:
        """What the caller knows a stand-in by; plain values for traced ones."""
        for value in self.alive:
            if self.made[id(value)] is made:
                return value
        if isinstance(made, types.FunctionType):
            return self._released(made) if type(made.__globals__) is Overlay else made
        held: Any = made
        if type(held) is dict:
            return {key: self._original(one) for key, one in held.items()}
        if type(held) in (list, tuple):
            return type(held)([self._original(one) for one in held])
        return primal_of(made)

    def _released(self, made: types.FunctionType) -> types.FunctionType:
        """A function that was born during the derivative and outlives it, back on the real globals."""
        overlay: Any = made.__globals__
        out = types.FunctionType(made.__code__, overlay.real, made.__name__, made.__defaults__, made.__closure__)
        out.__kwdefaults__ = made.__kwdefaults__
        return out if _FLOAT not in made.__code__.co_names else made
