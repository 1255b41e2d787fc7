"""From the syntax tree to typed SSA: calls, what loops run over, comprehensions."""

from __future__ import annotations

import ast
import builtins
import operator
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from custodiet.autodiff.compiler.array_arguments import told
from custodiet.autodiff.compiler.arrays import Lazy, is_array, is_list
from custodiet.autodiff.compiler.builtin_calls import BUILTIN_CALLS
from custodiet.autodiff.compiler.composites import COMPOSITES, SCALAR_PROGRAMS
from custodiet.autodiff.compiler.comprehensions import Comprehensions
from custodiet.autodiff.compiler.expressions import LIBRARY
from custodiet.autodiff.compiler.frontend import Declined, Source, source_of
from custodiet.autodiff.compiler.ir import (
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
from custodiet.autodiff.compiler.values import (
    UNKNOWN,
    Closure,
    Frame,
    Mapping,
    RangeValue,
    Static,
    Tup,
    Value,
    describe_value,
    holds_objects,
    is_own,
    known,
)

__all__ = ["CallExpressions"]

MAX_DEPTH = 40
ALLOCATORS: dict[Any, float | None] = {
    np.zeros: 0.0,
    np.ones: 1.0,
    np.empty: 0.0,
    np.zeros_like: 0.0,
    np.empty_like: 0.0,
    np.ones_like: 1.0,
}
ALLOCATORS[np.full] = ALLOCATORS[np.full_like] = None
STRICT = object()
"""`zip` that wants equal lengths"""
LIKE = (np.zeros_like, np.empty_like, np.ones_like, np.full_like)
FLOAT_DTYPES = (float, np.float64, "float64", "f8", "float", None)


class CallExpressions(Comprehensions):
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
            and all(one.arg in ("strict", "start") for one in node.keywords)
        ):
            function = self.read(node.func.id, node.lineno)
            name = function.value if isinstance(function, Static) else None
            if name is builtins.enumerate and len(node.args) == 2:
                start = self.integer(self.value(node.args[1]), node.lineno)
                return (name, self._iterable_value(node.args[0]), start)
            if name is builtins.enumerate and node.keywords:
                raise Declined(f"argument {node.keywords[0].arg}= of `enumerate`", line=node.lineno)
            if name in (builtins.enumerate, builtins.zip, builtins.reversed) and node.args:
                strict = any(self.value(one.value) != Const(False) for one in node.keywords)
                return (STRICT if strict else name, *(self._iterable_value(one) for one in node.args))
        return self.passed(node)

    def rounds(self, value: Value | tuple[Any, ...], line: int) -> list[Value] | tuple[Operand, Callable[[Ref], Value]]:
        """See `iterable`."""
        if isinstance(value, tuple):
            return self._combined(value, line)
        if isinstance(value, Tup):
            return value.items
        if isinstance(value, Mapping):
            return [self.static(key, line) for key in value.items]
        if isinstance(value, Static) and isinstance(value.value, str):
            return [Static(one) for one in value.value]
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
        raise Declined(
            f"a loop over {describe_value(value)}: ranges, arrays, tuples, lists and dicts are compiled", line=line
        )

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
        if kind is builtins.enumerate:
            found = self.rounds(parts[0], line)
            start = parts[1] if len(parts) > 1 else Const(0)
            if isinstance(found, list):
                return [Tup([self.op("iadd", start, Const(place)), item]) for place, item in enumerate(found)]
            trips, item = found

            def numbered(counter: Ref) -> Value:
                return Tup([counter if start == Const(0) else self.op("iadd", start, counter), item(counter)])

            return trips, numbered
        inner = [self.rounds(one, line) for one in parts]
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
            if is_list(owner) or isinstance(owner, Tup):
                raise Declined(
                    f"`.{node.func.attr}()` of a {'tuple' if isinstance(owner, Tup) and not owner.is_list else 'list'}",
                    line=node.lineno,
                )
            if isinstance(owner, Lazy) or is_array(owner):
                return self.method(node.func.attr, owner, node)
            if isinstance(owner, Mapping) and not owner.attributes:
                return self._dict_method(owner, node.func.attr, node)
            function = self.attribute(owner, node.func)
        else:
            function = self.value(node.func)
        self.line = node.lineno
        if any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords):
            return self._call_starred(function, node)
        return self.call(function, node)

    def _dict_method(self, owner: Mapping, name: str, node: ast.Call) -> Value:
        """What a dict's methods give; its values as they are now."""
        line = node.lineno
        if name in ("keys", "values", "items") and not node.args and not node.keywords:
            keys = [self.static(one, line) for one in owner.items]
            values = list(owner.items.values())
            pairs: list[Value] = [Tup([key, value]) for key, value in zip(keys, values, strict=True)]
            return Tup({"keys": keys, "values": values, "items": pairs}[name])
        if name == "get" and 1 <= len(node.args) <= 2 and not node.keywords:
            key = known(self.value(node.args[0]))
            if key is UNKNOWN:
                raise Declined("`.get()` of a dict with a key that is not known", line=line)
            return (
                owner.items[key]
                if key in owner.items
                else self.value(node.args[1])
                if len(node.args) > 1
                else Static(None)
            )
        if name == "copy" and not node.args and not node.keywords:
            return Mapping(dict(owner.items), own=True)
        raise Declined(f"`.{name}()` of a dict: keys, values, items, get and copy are compiled", line=line)

    def _call_starred(self, function: Value, node: ast.Call) -> Value:
        raise Declined("a call with * or **: spelled out arguments are compiled", line=node.lineno)

    def method(self, name: str, owner: Any, node: ast.Call) -> Value:
        """A method of an array."""
        work = METHODS.get(name)
        if work is None:
            raise Declined(f"`.{name}()` of an array is not compiled", line=node.lineno)
        return work(self, owner, node)

    def call(self, function: Value, node: ast.Call) -> Value:
        """A call whose arguments are spelled out."""
        if isinstance(function, Closure):
            return self._inline(function.node, function.frame.source, function.frame, function.defaults, node)
        if not isinstance(function, Static):
            raise Declined(f"{describe_value(function)} is called", line=node.lineno)
        target = function.value
        known = _hashable(target) and (target in ARRAY_CALLS or target in COMPOSITES)
        if isinstance(target, types.FunctionType) and not known and not _is_numpy(target):
            return self._call_function(target, node)
        handler = (BUILTIN_CALLS.get(target) or ARRAY_CALLS.get(target)) if _hashable(target) else None
        if handler is not None:
            return handler(self, node)
        if _hashable(target) and target in SCALAR_CALLS:
            return self._scalar_call(
                SCALAR_CALLS[target], node, numbers_only=getattr(target, "__module__", "") == "math"
            )
        if _hashable(target) and target in SCALAR_PROGRAMS:
            return self._scalar_program(SCALAR_PROGRAMS[target], node)
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
        name = told(node)
        if isinstance(target, type):
            raise Declined(f"`{name}()` makes an object: dataclasses are compiled as arguments", line=node.lineno)
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
        values = [known(self.value(one)) for one in node.args]
        if node.keywords or any(
            one is UNKNOWN or isinstance(one, str) for one in values
        ):  # a name may be that of a file
            raise Declined(f"`{name}` is not compiled", line=node.lineno)
        try:
            found = target(*values)
        except Exception as error:  # CPython raises it too
            raise Declined(f"`{name}` raises {type(error).__name__}", line=node.lineno) from None
        parts = found if isinstance(found, tuple) else (found,)
        if not all(isinstance(one, np.ndarray) and one.dtype in (np.float64, np.int64) and one.ndim for one in parts):
            raise Declined(f"`{name}` is not compiled", line=node.lineno)
        made = [self.read_constant(one) for one in parts]
        return Tup(made) if isinstance(found, tuple) else made[0]

    def _scalar_call(self, name: str, node: ast.Call, *, numbers_only: bool) -> Value:
        values = [self.value(one) for one in node.args]
        if numbers_only:
            values = [self.scalar(one, node.lineno) for one in values]
        if node.keywords:
            raise Declined(f"argument {node.keywords[0].arg}= of `{told(node)}`", line=node.lineno)
        if len(values) != _num_operands(name):
            raise Declined(f"`{told(node)}` of {len(values)} arguments", line=node.lineno)
        if any(isinstance(one, Lazy) or is_array(one) for one in values):
            return self.elementwise(
                values, lambda *parts: self.scalar_operation(name, list(parts), node.lineno), "f", node.lineno
            )
        return self.scalar_operation(name, values, node.lineno)

    def _scalar_program(self, function: Callable[..., Any], node: ast.Call) -> Value:
        """A function of numbers that is a program itself, over the elements of arrays."""
        values = [self.value(one) for one in node.args]
        line = node.lineno
        if node.keywords or len(values) != function.__code__.co_argcount:
            raise Declined(f"`{told(node)}` of {len(values)} arguments, or with keywords", line=line)

        def work(*parts: Operand) -> Operand:
            return self.scalar(self.run(function, [self.as_float(one, line) for one in parts], line), line)

        if any(isinstance(one, Lazy) or is_array(one) for one in values):
            return self.elementwise(values, work, "f", line)
        return work(*(self.scalar(one, line) for one in values))

    def scalar_operation(self, name: str, values: list[Any], line: int) -> Operand:
        """A named function of numbers."""
        if name in _INT_RESULTS and all(self.scalar(one, line).type != "f" for one in values):
            raise Declined("a NumPy function of ints alone: of a float it is compiled", line=line)
        args = [self.as_float(one, line) for one in values]
        if name in _EXTREMES:
            return self._extreme_of(name, *args)
        return self.op(name, *args)

    def _extreme_of(self, name: str, a: Operand, b: Operand) -> Operand:
        """np.maximum and its kin: NaN where either is, with fmax and fmin where both are; equals share the derivative."""
        compare = "fgt" if name in ("npmax", "npfmax") else "flt"
        half = Const(0.5)
        middle = self.op("fadd", self.op("fmul", half, a), self.op("fmul", half, b))
        first, second = (a, b) if name in ("npmax", "npmin") else (b, a)
        nan = self.op("select", self.op("fne", a, a), first, second)
        equal = self.op("select", self.op("feq", a, b), middle, nan)
        return self.op("select", self.op(compare, a, b), a, self.op("select", self.op(compare, b, a), b, equal))

    def _allocate(self, target: Any, node: ast.Call) -> Value:
        line = node.lineno
        for one in node.keywords:
            kind = self.value(one.value)
            if one.arg != "dtype" or not isinstance(kind, Static) or kind.value not in FLOAT_DTYPES:
                raise Declined("an array of another dtype than float64", line=line)
        given = self.value(node.args[0])
        if target in LIKE:
            if self._is_int(given) or not (isinstance(given, Lazy) or is_array(given)):
                raise Declined(f"`{told(node)}` of something else than an array of floats", line=line)
            shape = tuple(self.dims(given))  # type: ignore[arg-type]
        else:
            parts = given.items if isinstance(given, Tup) else [given]
            shape = tuple(self.integer(one, line) for one in parts)
        number = ALLOCATORS[target]
        if number is None:
            filler = self.value(node.args[1])
            named = any(self.value(one.value) != Static(None) for one in node.keywords)
            if target is np.full and isinstance(filler, Ref | Const) and filler.type != "f" and not named:
                raise Declined("an array of another dtype than float64", line=line)
            fill = self.as_float(filler, line)
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
        if self._is_running(body):
            found = self.recursive_call(body, source, parent, env, node)
        else:
            found = self._read_in_place(body, source, parent, env, node.lineno)
        if holds_objects(found):  # it may be what was handed over
            for one in (*node.args, *(given.value for given in node.keywords)):
                if isinstance(one, ast.Name) and is_own(self.frame.env.get(one.id)):
                    self.hold(self.frame.env[one.id])
        return found

    def _read_in_place(
        self, body: ast.FunctionDef | ast.Lambda, source: Source, parent: Frame | None, env: dict[str, Value], line: int
    ) -> Value:
        """A function's body, its parameters bound."""
        running, at, depth = self.frame, self.line, self.frame.depth + 1
        if depth > MAX_DEPTH:
            raise Declined("functions call one another too deep to be read in place", line=line)
        frame = Frame(source, env, parent, depth, home=self.context, caller=running, call_line=line)
        self.active_nodes.append(body)
        try:
            return self.run_body(frame, body)
        except Declined as declined:
            if source.file == LIBRARY and not declined.file:
                name = getattr(body, "name", "a function")
                raise Declined(f"`{name}` of these arguments: {declined.reason}", line=line) from None
            if not declined.file and parent is None:
                line = (declined.line or self.line) + source.first_line
                raise Declined(declined.reason, line=line, file=source.file) from None
            raise
        finally:
            self.active_nodes.pop()
            self.frame, self.line = running, at

    def run(self, function: Callable[..., Any], values: Sequence[Value], line: int) -> Value:
        """A plain Python function of values: read in place."""
        source = source_of(function)
        body = source.node
        names = [one.arg for one in body.args.args]
        env = dict(zip(names, (self.materialize(one, line) for one in values), strict=True))
        return self._read_in_place(body, source, None, env, line)

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
        """An argument; `_inline` looks after those that are names."""
        return self.passed(node) if isinstance(node, ast.Name) else self.hold(self.passed(node))

    def _bind(self, body: ast.FunctionDef | ast.Lambda, defaults: dict[str, Value], node: ast.Call) -> dict[str, Value]:
        if body.args.vararg or body.args.kwarg:
            raise Declined(f"`{told(node)}`, which has * or ** parameters", line=node.lineno)
        names = [one.arg for one in (*body.args.posonlyargs, *body.args.args)]
        env = dict(defaults)
        if len(node.args) > len(names):
            raise Declined(f"`{told(node)}` with too many arguments", line=node.lineno)
        for name, one in zip(names, node.args, strict=False):
            env[name] = self._handed(one)
        for one in node.keywords:
            env[str(one.arg)] = self._handed(one.value)
        wanted = [*names, *(one.arg for one in body.args.kwonlyargs)]
        if set(env) != set(wanted):
            raise Declined(f"`{told(node)}` with these arguments", line=node.lineno)
        for name, one in env.items():
            if isinstance(one, Mapping) and one.own:
                env[name] = Mapping(one.items, one.attributes)  # the caller has it too
            elif isinstance(one, Tup) and one.own:
                env[name] = Tup(one.items, one.is_list)
        return env

    def called(self, function: Value, values: list[Value], node: ast.Call) -> Value:
        """A function of the program or of a library, of values."""
        names = [f"$argument{next(self.numbers)}" for _ in values]
        outer = dict(self.frame.env)
        self.frame.env.update(zip(names, values, strict=True))
        made = ast.Call(node.func, [ast.copy_location(ast.Name(one, ast.Load()), node) for one in names], [])
        found = self.call(function, ast.copy_location(made, node))
        self.restore(outer)
        return found


_EXTREMES = frozenset({"npmax", "npmin", "npfmax", "npfmin"})
_INT_RESULTS = {
    "fadd", "fsub", "fmul", "fneg", "fpow", "square", "recip", "floor", "ceil", "trunc", "rint", "fmod", "cfmod", "ffloordiv", *_EXTREMES,
}  # fmt: skip
"""what NumPy computes in 64-bit ints where all operands are ints"""


def _num_operands(name: str) -> int:
    return 2 if name in _EXTREMES else len(DERIVATIVES.get(name, "a"))


_OPERATORS: dict[Any, ast.operator] = {
    operator.add: ast.Add(), operator.sub: ast.Sub(), operator.mul: ast.Mult(), operator.truediv: ast.Div(),
    operator.floordiv: ast.FloorDiv(), operator.mod: ast.Mod(), operator.pow: ast.Pow(),
}  # fmt: skip


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _is_numpy(function: types.FunctionType) -> bool:
    return (function.__module__ or "").split(".")[0] in ("numpy", "scipy")
