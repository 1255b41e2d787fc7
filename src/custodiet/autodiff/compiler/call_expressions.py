"""From the syntax tree to typed SSA: calls, what loops run over, comprehensions."""

from __future__ import annotations

import ast
import builtins
import operator
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.compiler.arrays import Lazy, is_array
from custodiet.autodiff.compiler.builtin_calls import BUILTIN_CALLS
from custodiet.autodiff.compiler.composites import COMPOSITES
from custodiet.autodiff.compiler.frontend import Declined, source_of
from custodiet.autodiff.compiler.ir import (
    Alloc,
    Arr,
    Const,
    Op,
    Operand,
    Ref,
    Require,
    View,
)
from custodiet.autodiff.compiler.numpy_calls import ARRAY_CALLS, METHODS
from custodiet.autodiff.compiler.operations import (
    DERIVATIVES,
    SCALAR_CALLS,
)
from custodiet.autodiff.compiler.sums import Sums, refuse_leaks
from custodiet.autodiff.compiler.values import (
    Closure,
    Frame,
    Mapping,
    RangeValue,
    Static,
    Tup,
    Value,
    holds_objects,
)

__all__ = ["CallExpressions"]

MAX_DEPTH = 40
MAX_KNOWN_ROUNDS = 32
ALLOCATORS: dict[Any, float | None] = {
    np.zeros: 0.0,
    np.ones: 1.0,
    np.empty: 0.0,
    np.zeros_like: 0.0,
    np.empty_like: 0.0,
    np.ones_like: 1.0,
}
ALLOCATORS[np.full] = None
STRICT = object()
"""`zip` that wants equal lengths"""
FLOAT_DTYPES = (float, np.float64, "float64", "f8", "float", None)


class CallExpressions(Sums):
    """The part of the lowerer that knows calls."""

    # -- loops over things ----------------------------------------------------------------------------------------------

    def iterable(self, node: ast.expr) -> list[Value] | tuple[Operand, Callable[[Ref], Value]]:
        """What a `for` runs over: known items, or a number of rounds and the item of each."""
        value = self._iterable_value(node)
        return self.rounds(value, node.lineno)

    def _iterable_value(self, node: ast.expr) -> Value | tuple[Any, ...]:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and all(one.arg == "strict" for one in node.keywords)
        ):
            function = self.read(node.func.id, node.lineno)
            name = function.value if isinstance(function, Static) else None
            if name in (builtins.enumerate, builtins.zip, builtins.reversed):
                strict = any(self.value(one.value) != Const(False) for one in node.keywords)
                return (STRICT if strict else name, *(self._iterable_value(one) for one in node.args))
        return self.kept(node)

    def rounds(self, value: Value | tuple[Any, ...], line: int) -> list[Value] | tuple[Operand, Callable[[Ref], Value]]:
        """See `iterable`."""
        if isinstance(value, tuple):
            return self._combined(value, line)
        if isinstance(value, Tup):
            return value.items
        if isinstance(value, Mapping):
            return [self.static(key, line) for key in value.items]
        if isinstance(value, RangeValue):
            return self._range_rounds(value)
        if isinstance(value, Ref) and isinstance(value.type, Arr):
            array = value
            ndim = value.type.ndim

            def item(counter: Ref) -> Value:
                if ndim == 1:
                    return self.load(array, (counter,), line)
                row = self.fresh("row", Arr(array.type.dtype, ndim - 1))  # type: ignore[union-attr]
                self.emit(View(row, array, index=counter, line=line))
                self.views[row.name] = array.name
                return row

            return self.dim(array, 0), item
        raise Declined("a loop over something else than a range, an array or a tuple", line=line)

    def _range_rounds(self, value: RangeValue) -> tuple[Operand, Callable[[Ref], Value]]:
        start, stop, step = value.start, value.stop, value.step
        if step == Const(1):
            span = stop if start == Const(0) else self.op("isub", stop, start)
            trips = self.op("imax", span, Const(0))
        elif isinstance(step, Const) and step.value != 0:
            size = abs(int(step.value))
            span = self.op("isub", stop, start) if step.value > 0 else self.op("isub", start, stop)
            trips = self.op("imax", self.op("ifloordiv", self.op("iadd", span, Const(size - 1)), Const(size)), Const(0))
        else:
            raise Declined("a range with a computed step", line=self.line)

        def item(counter: Ref) -> Value:
            offset = counter if step == Const(1) else self.op("imul", counter, step)
            return offset if start == Const(0) else self.op("iadd", start, offset, hint="i")

        return trips, item

    def _combined(self, value: tuple[Any, ...], line: int) -> list[Value] | tuple[Operand, Callable[[Ref], Value]]:
        kind, *parts = value
        inner = [self.rounds(one, line) for one in parts]
        if kind is builtins.enumerate:
            found = inner[0]
            if isinstance(found, list):
                return [Tup([Const(place), item]) for place, item in enumerate(found)]
            return found[0], lambda counter: Tup([counter, found[1](counter)])
        if kind is builtins.reversed:
            found = inner[0]
            if isinstance(found, list):
                return found[::-1]
            trips, item = found

            def backwards(counter: Ref) -> Value:
                place = self.op("isub", self.op("isub", trips, Const(1)), counter)
                if not isinstance(place, Ref):
                    place = self._named(place)
                return item(place)

            return trips, backwards
        if kind is STRICT:
            self._same_lengths(inner, line)
        if all(isinstance(one, list) for one in inner):
            return [Tup(list(items)) for items in zip(*inner, strict=False)]  # type: ignore[arg-type]
        if any(isinstance(one, list) for one in inner):
            return self._zipped_with_known(inner, line)
        trips = inner[0][0]
        for one in inner[1:]:
            trips = self.op("imin", trips, one[0])  # type: ignore[arg-type]
        return trips, lambda counter: Tup([one[1](counter) for one in inner])  # type: ignore[operator, misc]

    def _same_lengths(self, inner: list[Any], line: int) -> None:
        """What ``zip(..., strict=True)`` asks for; CPython says what is wrong."""
        sizes: list[Operand] = [Const(len(one)) if isinstance(one, list) else one[0] for one in inner]
        for one in sizes[1:]:
            self._same(sizes[0], one, line)

    def _zipped_with_known(self, inner: list[Any], line: int) -> list[Value]:
        """Items of a tuple beside those of arrays: as many rounds as the tuple has items, which the arrays must have too."""
        size = min(len(one) for one in inner if isinstance(one, list))
        out: list[Value] = []
        for one in inner:
            if not isinstance(one, list):
                self.emit(Require(self.op("ieq", one[0], Const(size)), line=line))
        for place in range(size):
            at = self._named(Const(place))
            out.append(Tup([one[place] if isinstance(one, list) else one[1](at) for one in inner]))
        return out

    def _named(self, operand: Operand) -> Ref:
        dst = self.fresh("i", operand.type)
        self.emit(Op(dst, "copy", (operand,), self.line))
        return dst

    # -- calls --------------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Value:
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value)
            if isinstance(owner, Lazy) or is_array(owner):
                return self.method(node.func.attr, owner, node)
            function = self.attribute(owner, node.func)
        else:
            function = self.value(node.func)
        self.line = node.lineno
        if any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords):
            return self._call_starred(function, node)
        return self.call(function, node)

    def _call_starred(self, function: Value, node: ast.Call) -> Value:
        raise Declined("a call with * or **", line=node.lineno)

    def counted(self, trips: Operand, body: Callable[[Ref], None], line: int) -> None:
        """A loop that the program does not spell; it carries nothing."""
        from custodiet.autodiff.compiler.ir import Loop

        name = f"loop{next(self.numbers)}"
        counter, count = self.fresh(f"{name}_round", "i"), self.fresh(f"{name}_rounds", "i")
        outer, self.block = self.block, []
        body(counter)
        inner, self.block = self.block, outer
        self.emit(Loop(name, counter, count, trips, [], None, [], inner, line=line))

    def method(self, name: str, owner: Any, node: ast.Call) -> Value:
        """A method of an array."""
        work = METHODS.get(name)
        if work is None:
            raise Declined(f"method `.{name}()`", line=node.lineno)
        return work(self, owner, node)

    def call(self, function: Value, node: ast.Call) -> Value:
        """A call whose arguments are spelled out."""
        if isinstance(function, Closure):
            return self._inline(function.node, function.frame.source, function.frame, function.defaults, node)
        if not isinstance(function, Static):
            raise Declined("a number is called", line=node.lineno)
        target = function.value
        known = _hashable(target) and (target in ARRAY_CALLS or target in COMPOSITES)
        if isinstance(target, types.FunctionType) and not known and not _is_numpy(target):
            return self._call_function(target, node)
        handler = (BUILTIN_CALLS.get(target) or ARRAY_CALLS.get(target)) if _hashable(target) else None
        if handler is not None:
            return handler(self, node)
        if _hashable(target) and target in SCALAR_CALLS:
            return self._scalar_call(SCALAR_CALLS[target], node)
        if _hashable(target) and target in ALLOCATORS:
            return self._allocate(target, node)
        if _hashable(target) and target in COMPOSITES:
            return self._call_function(COMPOSITES[target], node)
        if _hashable(target) and target in _OPERATORS:
            left, right = (self.value(one) for one in node.args)
            return self.binary(_OPERATORS[target], left, right, node.lineno)
        return self._constant_call(target, node)

    def _constant_call(self, target: Any, node: ast.Call) -> Value:
        """A NumPy function of known values, computed now: its arrays become inputs that never change."""
        name = getattr(target, "__name__", repr(target))
        module = getattr(target, "__module__", None) or ""
        bound = getattr(
            target, "__self__", None
        )  # a method may answer differently each time, a random generator's does
        pure = (
            module.startswith("numpy")
            and "random" not in module
            and (bound is None or isinstance(bound, types.ModuleType))
        )
        if not pure or self.read_constant is None:
            raise Declined(f"`{name}` is not compiled", line=node.lineno)
        values = [_known(self.value(one)) for one in node.args]
        if node.keywords or any(
            one is _UNKNOWN or isinstance(one, str) for one in values
        ):  # a name may be that of a file
            raise Declined(f"`{name}` is not compiled", line=node.lineno)
        found = target(*values)
        parts = found if isinstance(found, tuple) else (found,)
        if not all(isinstance(one, np.ndarray) and one.dtype in (np.float64, np.int64) and one.ndim for one in parts):
            raise Declined(f"`{name}` is not compiled", line=node.lineno)
        made = [self.read_constant(one) for one in parts]
        return Tup(made) if isinstance(found, tuple) else made[0]

    def _scalar_call(self, name: str, node: ast.Call) -> Value:
        values = [self.value(one) for one in node.args]
        if node.keywords:
            raise Declined(f"`{name}` with keywords", line=node.lineno)
        if len(values) != _num_operands(name):
            raise Declined(f"`{name}` of {len(values)} arguments", line=node.lineno)
        if any(isinstance(one, Lazy) or is_array(one) for one in values):
            return self.elementwise(
                values, lambda *parts: self.scalar_operation(name, list(parts), node.lineno), "f", node.lineno
            )
        return self.scalar_operation(name, values, node.lineno)

    def scalar_operation(self, name: str, values: list[Any], line: int) -> Operand:
        """A named function of numbers."""
        if name in _INT_RESULTS and all(self.scalar(one, line).type != "f" for one in values):
            raise Declined("a NumPy function of ints alone", line=line)
        args = [self.as_float(one, line) for one in values]
        if name in ("npmax", "npmin"):
            return self._extreme_of(name, *args)
        return self.op(name, *args)

    def _extreme_of(self, name: str, a: Operand, b: Operand) -> Operand:
        """np.maximum or np.minimum: NaN where either is; of equals each takes half the derivative, as on the tape."""
        compare = "fgt" if name == "npmax" else "flt"
        half = Const(0.5)
        middle = self.op("fadd", self.op("fmul", half, a), self.op("fmul", half, b))
        nan = self.op("select", self.op("fne", a, a), a, b)
        equal = self.op("select", self.op("feq", a, b), middle, nan)
        return self.op("select", self.op(compare, a, b), a, self.op("select", self.op(compare, b, a), b, equal))

    def _allocate(self, target: Any, node: ast.Call) -> Value:
        line = node.lineno
        for one in node.keywords:
            kind = self.value(one.value)
            if one.arg != "dtype" or not isinstance(kind, Static) or kind.value not in FLOAT_DTYPES:
                raise Declined("an array of another dtype than float64", line=line)
        given = self.value(node.args[0])
        if target in (np.zeros_like, np.empty_like, np.ones_like):
            if self._is_int(given) or not (isinstance(given, Lazy) or is_array(given)):
                raise Declined("an array like something else", line=line)
            shape = tuple(self.dims(given))  # type: ignore[arg-type]
        else:
            parts = given.items if isinstance(given, Tup) else [given]
            shape = tuple(self.integer(one, line) for one in parts)
        number = ALLOCATORS[target]
        if number is None:
            given = self.value(node.args[1])
            named = any(self.value(one.value) != Static(None) for one in node.keywords)
            if isinstance(given, Ref | Const) and given.type != "f" and not named:
                raise Declined("an array of another dtype than float64", line=line)
            fill = self.as_float(given, line)
            extra = 2
        else:
            fill, extra = Const(number), 1
        if len(node.args) > extra:
            raise Declined("an array of another dtype than float64", line=line)
        return self.allocated("array", shape, fill, line)

    def _call_function(self, target: types.FunctionType, node: ast.Call) -> Value:
        source = source_of(target)
        self.note_function(target)
        defaults: dict[str, Value] = {}
        positional = target.__code__.co_varnames[: target.__code__.co_argcount]
        for name, value in zip(reversed(positional), reversed(target.__defaults__ or ()), strict=False):
            defaults[name] = self.static(value, node.lineno)
        for name, value in (target.__kwdefaults__ or {}).items():
            defaults[name] = self.static(value, node.lineno)
        if isinstance(source.node, ast.FunctionDef) and source.node.decorator_list and hasattr(target, "__wrapped__"):
            raise Declined(f"{target.__name__} is wrapped by a decorator", line=node.lineno)
        return self._inline(source.node, source, None, defaults, node)

    def _inline(
        self,
        body: ast.FunctionDef | ast.Lambda,
        source: Any,
        parent: Frame | None,
        defaults: dict[str, Value],
        node: ast.Call,
    ) -> Value:
        env = self._bind(body, defaults, node)
        depth = self.frame.depth + 1
        running: Frame | None = self.frame
        if self._is_running(body):
            found = self.recursive_call(body, source, parent, env, node)
            self._share_what_was_handed(found, node)
            return found
        if depth > MAX_DEPTH:
            raise Declined("functions call one another too deep to be read in place", line=node.lineno)
        frame = Frame(source, env, parent, depth, home=self.context)
        self.active_nodes.append(body)
        try:
            found = self.run_body(frame, body)
        except Declined as declined:
            if declined.line and not declined.file and parent is None:
                raise Declined(declined.reason, line=declined.line + source.first_line, file=source.file) from None
            raise
        finally:
            self.active_nodes.pop()
            self.frame = running
        self._share_what_was_handed(found, node)
        return found

    def _is_running(self, body: ast.AST) -> bool:
        return any(one is body for one in self.active_nodes)

    def recursive_call(
        self,
        body: ast.FunctionDef | ast.Lambda,
        source: Any,
        parent: Frame | None,
        env: dict[str, Value],
        node: ast.Call,
    ) -> Value:
        """A call of a function that is being read; `calls` knows how."""
        raise TypeError("Expressions is half of a Lowerer")

    def run_body(self, frame: Frame, node: ast.FunctionDef | ast.Lambda) -> Value:
        """The value that a function returns; statements know how."""
        raise TypeError("Expressions is half of a Lowerer")

    def _handed(self, node: ast.expr) -> Value:
        """An argument; a dict that is named there stays ours, for what is called gets it as one that is not to be changed."""
        return (
            self.materialize(self.read(node.id, node.lineno), node.lineno)
            if isinstance(node, ast.Name)
            else self.kept(node)
        )

    def _share_what_was_handed(self, result: Value, node: ast.Call) -> None:
        """A result that holds a dict may be a dict that was handed over."""
        if not holds_objects(result):
            return
        for one in (*node.args, *(given.value for given in node.keywords)):
            if isinstance(one, ast.Name):
                self._name(one)

    def _bind(self, body: ast.FunctionDef | ast.Lambda, defaults: dict[str, Value], node: ast.Call) -> dict[str, Value]:
        if body.args.vararg or body.args.kwarg:
            raise Declined("a function with * or ** parameters is called", line=node.lineno)
        names = [one.arg for one in (*body.args.posonlyargs, *body.args.args)]
        env = dict(defaults)
        if len(node.args) > len(names):
            raise Declined("too many arguments", line=node.lineno)
        for name, one in zip(names, node.args, strict=False):
            env[name] = self._handed(one)
        for one in node.keywords:
            env[str(one.arg)] = self._handed(one.value)
        wanted = [*names, *(one.arg for one in body.args.kwonlyargs)]
        if set(env) != set(wanted):
            raise Declined("arguments do not fit the function that is called", line=node.lineno)
        for name, one in env.items():
            if isinstance(one, Mapping) and one.own:
                env[name] = Mapping(one.items, one.attributes)  # the caller has it too
        return env

    # -- comprehensions and builtins ------------------------------------------------------------------------------------

    def _listcomp(self, node: ast.ListComp) -> Value:
        if len(node.generators) != 1:
            raise Declined("a comprehension with two loops", line=node.lineno)
        refuse_leaks(node)
        generator = node.generators[0]
        found = self._known_items(self.iterable(generator.iter))
        if generator.ifs and not isinstance(found, list):
            raise Declined("a comprehension with conditions over something of unknown length", line=node.lineno)
        with_names = dict(self.frame.env)
        if isinstance(found, list):
            items: list[Value] = []
            for item in found:
                self.assign(generator.target, item)
                tests = [self.truth(one) for one in generator.ifs]
                if not all(isinstance(one, Const) for one in tests):
                    raise Declined("a comprehension with computed conditions", line=node.lineno)
                if all(one.value for one in tests if isinstance(one, Const)):
                    items.append(self.kept(node.elt))
            self.restore(with_names)
            return Tup(items, is_list=True)
        trips, item = found
        dst = self.fresh("list", Arr("f", 1, is_list=True))
        self.emit(Alloc(dst, (trips,), Const(0.0), line=node.lineno))

        def body(counter: Ref) -> None:
            self.assign(generator.target, item(counter))
            self.store(dst, (counter,), self._float_item(self.value(node.elt), node.lineno), node.lineno)

        self.counted(trips, body, node.lineno)
        self.restore(with_names)
        return dst

    @staticmethod
    def _known_items(found: Any) -> Any:
        """The rounds of a short range as items."""
        if isinstance(found, tuple) and isinstance(found[0], Const) and found[0].value <= MAX_KNOWN_ROUNDS:
            return [found[1](Const(place)) for place in range(int(found[0].value))]
        return found

    def _float_item(self, value: Value, line: int) -> Operand:
        found = self.scalar(value, line)
        if found.type != "f":
            raise Declined("a list of ints is made", line=line)
        return found

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a target; statements know how."""
        raise TypeError("Expressions is half of a Lowerer")


_INT_RESULTS = {"fadd", "fsub", "fmul", "fneg", "fpow", "square", "recip", "npmax", "npmin"}
"""what NumPy computes in 64-bit ints where all operands are ints"""


def _num_operands(name: str) -> int:
    return 2 if name in ("npmax", "npmin") else len(DERIVATIVES.get(name, "a"))


_UNKNOWN: Any = object()
_OPERATORS: dict[Any, ast.operator] = {
    operator.add: ast.Add(), operator.sub: ast.Sub(), operator.mul: ast.Mult(), operator.truediv: ast.Div(),
    operator.floordiv: ast.FloorDiv(), operator.mod: ast.Mod(), operator.pow: ast.Pow(),
}  # fmt: skip


def _known(value: Value) -> Any:
    """The Python value that a value stands for, where it does not depend on the call."""
    if isinstance(value, Const | Static):
        return value.value
    if isinstance(value, Tup):
        parts = tuple(map(_known, value.items))
        return _UNKNOWN if any(one is _UNKNOWN for one in parts) else parts
    return _UNKNOWN


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _is_numpy(function: types.FunctionType) -> bool:
    return (function.__module__ or "").split(".")[0] in ("numpy", "scipy")
