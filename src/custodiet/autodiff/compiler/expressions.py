"""From the syntax tree to typed SSA: expressions, subscripts and calls."""

from __future__ import annotations

import ast
import builtins
import itertools
import math
import operator
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.compiler.arrays import Lazy, is_array, is_list
from custodiet.autodiff.compiler.composites import COMPOSITES
from custodiet.autodiff.compiler.frontend import Declined, free_value, source_of
from custodiet.autodiff.compiler.indexing import Indexing
from custodiet.autodiff.compiler.ir import (
    Alloc,
    Arr,
    Block,
    Const,
    Load,
    Op,
    Operand,
    Program,
    Ref,
    Require,
    Stmt,
    Store,
    Type,
    View,
    place_key,
)
from custodiet.autodiff.compiler.numpy_calls import ARRAY_CALLS, METHODS, items_to_array
from custodiet.autodiff.compiler.operations import (
    BOOL_BINARY,
    COMPARISONS,
    DERIVATIVES,
    FLOAT_BINARY,
    INT_BINARY,
    SCALAR_CALLS,
    result_type,
)
from custodiet.autodiff.compiler.values import (
    Closure,
    Frame,
    Guarded,
    Mapping,
    RangeValue,
    Static,
    Tup,
    Undefined,
    Value,
    describe,
)

__all__ = ["Expressions"]

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
FLOAT_DTYPES = (float, np.float64, "float64", "f8", "float", None)


class Expressions(Indexing):
    """The half of the lowerer that reads expressions."""

    frame: Frame
    block: Block

    def __init__(self) -> None:
        self.block = []
        self.numbers = itertools.count()
        self.callees: dict[str, Program] = {}
        self.stores: set[str] = set()
        self.views: dict[str, str] = {}
        self.told: dict[str, str] = {}
        self.origins: dict[str, tuple[str, int]] = {}
        self.known_dims: dict[str, list[Operand]] = {}
        self.sites: dict[str, str] = {}
        self.snapshot_sites: frozenset[str] = frozenset()
        self.product_sites: set[str] = set()
        self.view_sites: dict[str, int] = {}
        self.new_products: set[str] = set()
        """products that no name stands for yet"""
        self.free_inputs: dict[tuple[int, str], Value] = {}
        self.context: Any = None
        self.read_free: Callable[[types.FunctionType, str, Any], Value] | None = None
        self.read_constant: Callable[[Any], Value] | None = None
        self.statics: list[tuple[Any, str, Any]] = []
        self.line = 0
        self.result: Value = Static(None)
        self.active_nodes: list[Any] = []
        self.frame = None  # type: ignore[assignment]

    # -- building blocks ----------------------------------------------------------------------------------------------

    def fresh(self, name: str, kind: Type) -> Ref:
        """A name that was not used yet."""
        return Ref(f"{name.strip('$')}_{next(self.numbers)}", kind)

    def emit(self, stmt: Stmt) -> None:
        """Append to the present block."""
        self.block.append(stmt)
        name = (
            place_key(stmt.arr, stmt.index)
            if isinstance(stmt, Store)
            else getattr(getattr(stmt, "dst", None), "name", "")
        )
        if name and self.frame is not None:
            source = self.frame.source
            self.origins[name] = (source.file, (getattr(stmt, "line", 0) or self.line) + source.first_line)

    def op(self, name: str, *args: Operand, hint: str = "t") -> Operand:
        """A scalar operation; constants are folded where that cannot raise."""
        folded = _fold(name, args)
        if folded is not None:
            return folded
        kind: Any = result_type(name)
        if name in ("copy", "select"):
            kind = args[-1].type
        dst = self.fresh(hint, kind)
        self.emit(Op(dst, name, args, self.line))
        return dst

    def as_float(self, value: Value, line: int) -> Operand:
        """A number as a float."""
        scalar = self.scalar(value, line)
        if scalar.type == "b":
            scalar = self.op("btoi", scalar)
        return scalar if scalar.type == "f" else self.op("itof", scalar)

    def scalar(self, value: Value, line: int) -> Operand:
        """A value that must be a number."""
        if isinstance(value, Ref | Const) and not isinstance(value.type, Arr):
            return value
        what = describe(value.type) if isinstance(value, Ref | Const) else type(value).__name__.lower()
        raise Declined(f"a number is needed, and this is {what}", line=line)

    def integer(self, value: Value, line: int) -> Operand:
        """A value that must be an int."""
        found = self.scalar(value, line)
        if found.type == "b":
            return self.op("btoi", found)
        if found.type != "i":
            raise Declined("an int is needed, and this is a float", line=line)
        return found

    def items(self, value: Value, line: int) -> list[Value]:
        """What unpacking a value gives."""
        if isinstance(value, Tup):
            return value.items
        raise Declined("what is unpacked has no known length", line=line)

    def read(self, name: str, line: int) -> Value:
        """A name of the program."""
        frame: Frame | None = self.frame
        while frame is not None:
            if name in frame.env:
                value = frame.env[name] if frame.home is self.context else self.captured(frame, name, line)
                if isinstance(value, Undefined):
                    raise Declined(value.reason, line=line)
                if isinstance(value, Guarded):
                    rounds = self.op("igt", value.rounds, Const(0))
                    self.emit(Require(rounds, line=line))
                    return value.value
                return value
            if frame.parent is None:
                break
            frame = frame.parent
        return self._free(frame, name, line)

    def _free(self, frame: Frame | None, name: str, line: int) -> Value:
        if frame is None:
            raise Declined(f"{name} is not known", line=line)
        try:
            value = free_value(frame.source.function, name)
        except KeyError:
            raise Declined(f"{name} is not known", line=line) from None
        if isinstance(value, bool | int | float | np.ndarray | np.generic | list) and self.read_free is not None:
            key = (id(frame.source.function), name)
            if key not in self.free_inputs:
                self.free_inputs[key] = self.read_free(frame.source.function, name, value)
            return self.captured(None, key, line)
        self.statics.append((frame.source.function, name, value))
        return self.static(value, line)

    def captured(self, frame: Frame | None, name: Any, line: int) -> Value:
        """A name of an enclosing function that is compiled apart; `calls` knows how."""
        raise TypeError("Expressions is half of a Lowerer")

    def static(self, value: Any, line: int) -> Value:
        """A Python object that was found, not computed."""
        if isinstance(value, tuple):
            return Tup([self.static(one, line) for one in value])
        if isinstance(value, bool | int | float) and not isinstance(value, np.generic):
            return Const(value)
        if isinstance(value, np.ndarray | list | dict | set):
            raise Declined(f"a {type(value).__name__} is read from outside", line=line)
        return Static(value)

    # -- expressions --------------------------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """Any expression."""
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise Declined(f"`{type(node).__name__}` expressions are not compiled", line=node.lineno)
        return method(node)

    def _constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, bool | float | int):
            if isinstance(node.value, int) and not -(2**63) <= node.value < 2**63:
                raise Declined("an int of more than 64 bits", line=node.lineno)
            return Const(node.value)
        return Static(node.value)

    def _name(self, node: ast.Name) -> Value:
        return self.read(node.id, node.lineno)

    def _tuple(self, node: ast.Tuple) -> Value:
        return Tup([self.kept(one) for one in node.elts])

    def kept(self, node: ast.expr) -> Value:
        """An expression's value as something that has a name: arrays are computed."""
        value = self.materialize(self.value(node), node.lineno)
        if isinstance(value, Ref):
            self.new_products.discard(value.name)
        return value

    def _list(self, node: ast.List) -> Value:
        return Tup([self.kept(one) for one in node.elts], is_list=True)

    def _dict(self, node: ast.Dict) -> Value:
        found: dict[Any, Value] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, ast.Constant):
                raise Declined("a dict with computed keys", line=node.lineno)
            found[key.value] = self.kept(value)
        return Mapping(found)

    def _namedexpr(self, node: ast.NamedExpr) -> Value:
        value = self.kept(node.value)
        self.frame.env[node.target.id] = value
        return value

    def _lambda(self, node: ast.Lambda) -> Value:
        return self.closure(node)

    def closure(self, node: ast.FunctionDef | ast.Lambda) -> Closure:
        """A nested function with its defaults, evaluated now."""
        positional = [*node.args.posonlyargs, *node.args.args]
        defaults = {
            one.arg: self.value(value)
            for one, value in zip(
                positional[len(positional) - len(node.args.defaults) :], node.args.defaults, strict=True
            )
        }
        for one, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            if value is not None:
                defaults[one.arg] = self.value(value)
        return Closure(node, self.frame, defaults)

    def _unaryop(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            return self.op("not", self.truth(node.operand))
        given = self.value(node.operand)
        if isinstance(node.op, ast.UAdd):
            return given
        if not isinstance(node.op, ast.USub):
            if is_list(given):
                raise Declined("the inverse of a list", line=node.lineno)
            return self.op("ixor", self.integer(given, node.lineno), Const(-1))
        if is_list(given):
            raise Declined("the negative of a list", line=node.lineno)
        if isinstance(given, Lazy) or is_array(given):
            return self.elementwise([given], lambda a: self.op("fneg", self.as_float(a, node.lineno)), "f", node.lineno)
        value = self.scalar(given, node.lineno)
        if value.type == "b":
            value = self.op("btoi", value)
        return self.op("fneg" if value.type == "f" else "ineg", value)

    def _binop(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Mult) and isinstance(node.left, ast.List):
            return self._repeated(left, right, node.lineno)
        if isinstance(node.op, ast.Add) and isinstance(left, Tup) and isinstance(right, Tup):
            if left.is_list != right.is_list:
                raise Declined("a list and a tuple are joined", line=node.lineno)
            return Tup([*left.items, *right.items], left.is_list)
        if isinstance(node.op, ast.MatMult):
            product = self.matmul(left, right, node.lineno)
            if is_array(product):
                self.new_products.add(product.name)
            return product
        return self.binary(node.op, left, right, node.lineno)

    @staticmethod
    def _is_int(value: Value) -> bool:
        if isinstance(value, Lazy):
            return value.dtype == "i"
        kind = value.type if isinstance(value, Ref | Const) else None
        return kind == "i" or (isinstance(kind, Arr) and kind.dtype == "i")

    def _repeated(self, left: Value, right: Value, line: int) -> Value:
        """`[0.0] * n`: an array of floats."""
        items = self.items(left, line)
        if len(items) != 1:
            raise Declined("a longer list is repeated", line=line)
        fill = self.scalar(items[0], line)
        if fill.type != "f":
            raise Declined("a list of ints is repeated", line=line)
        return self.allocated("list", (self.integer(right, line),), fill, line)

    def allocated(self, name: str, shape: tuple[Operand, ...], fill: Operand, line: int) -> Ref:
        """A new array of floats, all `fill`."""
        dst = self.new_array(name, shape, "f", line, blank=fill != Const(0.0), is_list=name == "list")
        if fill != Const(0.0):
            self.nest(shape, lambda index: self.emit(Store(dst, index, fill, line=line, initial=True)), line)
        return dst

    def binary(self, kind: ast.operator, left: Value, right: Value, line: int) -> Any:
        """An arithmetic operation on numbers or arrays."""
        self.line = line
        if any(map(is_list, (left, right))) and all(
            not isinstance(one, Lazy) and is_list(one) == is_array(one) for one in (left, right)
        ):
            raise Declined("an operation on lists", line=line)
        if any(isinstance(one, Lazy) or is_array(one) for one in (left, right)):
            if isinstance(kind, ast.Add | ast.Sub):
                for product, other in ((left, right), (right, left)):
                    fresh = isinstance(product, Ref) and product.name in self.new_products
                    if fresh and (isinstance(kind, ast.Add) or product is left):
                        self.new_products.discard(product.name)
                        found = self.updated_product(product, other, isinstance(kind, ast.Sub), line)
                        if found is not None:
                            return found
            ints = isinstance(kind, ast.Add | ast.Sub | ast.Mult) and all(map(self._is_int, (left, right)))
            return self.elementwise(
                [left, right], lambda a, b: self.binary(kind, a, b, line), "i" if ints else "f", line
            )
        a, b = self.scalar(left, line), self.scalar(right, line)
        name = type(kind).__name__
        if a.type == b.type == "b" and name in BOOL_BINARY:
            return self.op(BOOL_BINARY[name], a, b)
        a, b = (self.op("btoi", one) if one.type == "b" else one for one in (a, b))
        if name == "Pow":
            return self._power(a, b, line)
        if name in INT_BINARY and a.type == b.type == "i":
            return self.op(INT_BINARY[name], a, b)
        if name not in FLOAT_BINARY:
            raise Declined(f"`{name}` on numbers", line=line)
        return self.op(FLOAT_BINARY[name], self.as_float(a, line), self.as_float(b, line))

    def _power(self, a: Operand, b: Operand, line: int) -> Operand:
        if isinstance(b, Const) and b.type == "i" and 0 <= b.value <= 8 and (a.type == "i" or b.value in (0, 1, 2)):
            if a.type == "f" and b.value == 2:
                return self.op("pow2", a)
            found: Operand = Const(1) if a.type == "i" else Const(1.0)
            for place in range(int(b.value)):
                found = a if place == 0 else self.op("imul" if a.type == "i" else "fmul", found, a)
            return found
        if a.type == b.type == "i":
            raise Declined("an int to the power of an int", line=line)
        return self.op("fpow", self.as_float(a, line), self.as_float(b, line))

    def _compare(self, node: ast.Compare) -> Value:
        left = self.value(node.left)
        found: Operand | None = None
        for kind, right_node in zip(node.ops, node.comparators, strict=True):
            if found is not None and not _simple(right_node):
                raise Declined("a chain of comparisons of more than names", line=node.lineno)
            right = self.value(right_node)
            one = self._comparison(kind, left, right, node.lineno)
            found = one if found is None else self.op("and", found, one)
            left = right
        return found if found is not None else Const(True)

    def _comparison(self, kind: ast.cmpop, left: Value, right: Value, line: int) -> Operand:
        if isinstance(kind, ast.Is | ast.IsNot) or isinstance(left, Static) or isinstance(right, Static):
            return self._static_comparison(kind, left, right, line)
        name = COMPARISONS.get(type(kind).__name__)
        if name is None:
            raise Declined("a membership test", line=line)
        if is_list(left) or is_list(right):
            raise Declined("a comparison of lists", line=line)
        if any(isinstance(one, Lazy) or is_array(one) for one in (left, right)):
            return self.elementwise([left, right], lambda a, b: self._comparison(kind, a, b, line), "b", line)  # type: ignore[return-value]
        a, b = self.scalar(left, line), self.scalar(right, line)
        a, b = (self.op("btoi", one) if one.type == "b" else one for one in (a, b))
        if a.type == b.type == "i":
            return self.op(f"i{name}", a, b)
        return self.op(f"f{name}", self.as_float(a, line), self.as_float(b, line))

    def _static_comparison(self, kind: ast.cmpop, left: Value, right: Value, line: int) -> Operand:
        if isinstance(left, Static) and isinstance(right, Static):
            same = left.value is right.value or left.value == right.value
        elif isinstance(left, Static) and left.value is None or isinstance(right, Static) and right.value is None:
            same = False
        else:
            raise Declined("a comparison with something that is no number", line=line)
        if isinstance(kind, ast.Is | ast.Eq):
            return Const(same)
        if isinstance(kind, ast.IsNot | ast.NotEq):
            return Const(not same)
        raise Declined("an order of things that are no numbers", line=line)

    def truth(self, node: ast.expr) -> Operand:
        """An expression as a condition."""
        if isinstance(node, ast.BoolOp):
            return self._conjunction(node)
        return self._as_bool(self.value(node), node.lineno)

    def _as_bool(self, value: Value, line: int) -> Operand:
        if isinstance(value, Static):
            return Const(bool(value.value))
        if isinstance(value, Tup):
            return Const(bool(value.items))
        found = self.scalar(value, line)
        if found.type == "b":
            return found
        return self.op("fne", found, Const(0.0)) if found.type == "f" else self.op("ine", found, Const(0))

    def _boolop(self, node: ast.BoolOp) -> Value:
        """`x or y` has the value of x or y, not its truth."""
        if not self._is_condition(node):
            raise Declined("`and` or `or` of things that are no bools", line=node.lineno)
        return self._conjunction(node)

    def _is_condition(self, node: ast.expr) -> bool:
        if isinstance(node, ast.BoolOp):
            return all(map(self._is_condition, node.values))
        if isinstance(node, ast.Name):
            value = self.read(node.id, node.lineno)
            return isinstance(value, Ref | Const) and value.type == "b"
        return isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))

    def _conjunction(self, node: ast.BoolOp) -> Operand:
        """`and` and `or` of conditions: what stands on the right is computed only where it counts."""
        name = "$flag"
        self.frame.env[name] = self.truth(node.values[0])
        for one in node.values[1:]:
            so_far = self.frame.env[name]
            if isinstance(so_far, Const):
                if bool(so_far.value) != isinstance(node.op, ast.And):
                    break
                self.frame.env[name] = self.truth(one)
                continue
            if not isinstance(so_far, Ref):
                raise Declined("a condition that is no bool", line=node.lineno)
            cond = so_far if isinstance(node.op, ast.And) else self.op("not", so_far)

            def run(one: ast.expr = one) -> None:
                self.frame.env[name] = self.truth(one)

            self.branch(cond, run, lambda: None, line=node.lineno)
        found = self.frame.env.pop(name)
        if not isinstance(found, Ref | Const):
            raise Declined("a condition that is no bool", line=node.lineno)
        return found

    def branch(self, cond: Operand, then: Callable[[], None], orelse: Callable[[], None], *, line: int) -> None:
        """Two paths and what they assign; statements know how."""
        raise TypeError("Expressions is half of a Lowerer")

    def _ifexp(self, node: ast.IfExp) -> Value:
        cond = self.truth(node.test)
        if isinstance(cond, Const):
            return self.value(node.body if cond.value else node.orelse)
        name = f"$choice{next(self.numbers)}"

        def run(part: ast.expr) -> Callable[[], None]:
            def assign() -> None:
                self.frame.env[name] = self.value(part)

            return assign

        self.branch(cond, run(node.body), run(node.orelse), line=node.lineno)
        found = self.frame.env.pop(name)
        if isinstance(found, Undefined):
            raise Declined("the two values of a conditional expression are of two kinds", line=node.lineno)
        return found

    # -- arrays -------------------------------------------------------------------------------------------------------

    def _attribute(self, node: ast.Attribute) -> Value:
        return self.attribute(self.value(node.value), node)

    def attribute(self, owner: Value, node: ast.Attribute) -> Value:
        """``owner.name``."""
        if isinstance(owner, Lazy) or is_array(owner):
            return self._array_attribute(owner, node)  # type: ignore[arg-type]
        if isinstance(owner, Mapping) and owner.attributes:
            if node.attr not in owner.items:
                raise Declined(f"attribute {node.attr} is no field", line=node.lineno)
            return owner.items[node.attr]
        if isinstance(owner, Static):
            try:
                found = getattr(owner.value, node.attr)
            except AttributeError:
                raise Declined(f"{node.attr} is not there", line=node.lineno) from None
            self.statics.append((owner.value, node.attr, found))
            return self.static(found, node.lineno)
        raise Declined(f"attribute {node.attr} of a number", line=node.lineno)

    def _array_attribute(self, owner: Ref | Lazy, node: ast.Attribute) -> Value:
        if is_list(owner):
            raise Declined(f"`.{node.attr}` of a list", line=node.lineno)
        dims = self.dims(owner)
        if node.attr == "shape":
            return Tup(list(dims))
        if node.attr == "size":
            return self._count(dims)
        if node.attr == "ndim":
            return Const(len(dims))
        if node.attr == "T":
            return self.transposed(owner, node.lineno)
        raise Declined(f"`.{node.attr}` of an array", line=node.lineno)

    def _subscript(self, node: ast.Subscript) -> Value:
        owner = self.value(node.value)
        if isinstance(owner, Tup):
            return self._tuple_item(owner, node)
        if isinstance(owner, Mapping) and not owner.attributes:
            key = self.value(node.slice)
            known = key.value if isinstance(key, Const | Static) else None
            if known not in owner.items:
                raise Declined("a key that is not known", line=node.lineno)
            return owner.items[known]
        if isinstance(owner, Lazy) or is_array(owner):
            return self.item(owner, node)  # type: ignore[arg-type]
        raise Declined("a subscript of something else than an array", line=node.lineno)

    def _tuple_item(self, owner: Tup, node: ast.Subscript) -> Value:
        if isinstance(node.slice, ast.Slice):
            parts = [
                None if one is None else self.value(one)
                for one in (node.slice.lower, node.slice.upper, node.slice.step)
            ]
            if all(one is None or isinstance(one, Const) for one in parts):
                return Tup(owner.items[slice(*(None if one is None else int(one.value) for one in parts))])  # type: ignore[union-attr]
            raise Declined("a computed slice of a tuple", line=node.lineno)
        index = self.value(node.slice)
        if isinstance(index, Ref) and all(isinstance(one, Ref | Const) and not is_array(one) for one in owner.items):
            return self.load(items_to_array(self, owner, node.lineno), (self.integer(index, node.lineno),), node.lineno)
        if not isinstance(index, Const):
            raise Declined("a tuple or list of known length is indexed by a variable", line=node.lineno)
        try:
            return owner.items[int(index.value)]
        except IndexError:
            raise Declined("an index beyond a tuple", line=node.lineno) from None

    def load(self, array: Ref, index: tuple[Operand, ...], line: int) -> Operand:
        """An element."""
        if not isinstance(array.type, Arr) or len(index) != array.type.ndim:
            raise Declined("an index of another length than the array's dimensions", line=line)
        dst = self.fresh("x", array.type.dtype)
        self.emit(Load(dst, array, index, line=line))
        return dst

    def store(self, array: Ref, index: tuple[Operand, ...], value: Value, line: int) -> None:
        """Write an element."""
        src = self.scalar(value, line)
        if not isinstance(array.type, Arr):
            raise Declined("an element of a number is written", line=line)
        if array.type.dtype == "f":
            src = self.as_float(src, line)
        elif src.type == "b":
            src = self.op("btoi", src)
        elif src.type != "i":
            raise Declined("a float is written into an array of ints", line=line)
        self.stores.add(self.base_name(array.name))
        self.emit(Store(array, index, src, line=line))

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
                return (name, *(self._iterable_value(one) for one in node.args))
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
        if all(isinstance(one, list) for one in inner):
            return [Tup(list(items)) for items in zip(*inner, strict=False)]  # type: ignore[arg-type]
        if any(isinstance(one, list) for one in inner):
            return self._zipped_with_known(inner, line)
        trips = inner[0][0]
        for one in inner[1:]:
            trips = self.op("imin", trips, one[0])  # type: ignore[arg-type]
        return trips, lambda counter: Tup([one[1](counter) for one in inner])  # type: ignore[operator, misc]

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
        handler = (_HANDLERS.get(target) or ARRAY_CALLS.get(target)) if _hashable(target) else None
        if handler is not None:
            return handler(self, node)
        if _hashable(target) and target in SCALAR_CALLS:
            return self._scalar_call(SCALAR_CALLS[target], node)
        if _hashable(target) and target in ALLOCATORS:
            return self._allocate(target, node)
        if _hashable(target) and target in COMPOSITES:
            return self._call_function(COMPOSITES[target], node)
        if _hashable(target) and target in _OPERATORS:
            return self.binary(_OPERATORS[target], *(self.value(one) for one in node.args), node.lineno)
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
        if node.keywords or any(one is _UNKNOWN for one in values):
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
            fill = self.as_float(self.value(node.args[1]), line)
            extra = 2
        else:
            fill, extra = Const(number), 1
        if len(node.args) > extra:
            raise Declined("an array of another dtype than float64", line=line)
        return self.allocated("array", shape, fill, line)

    def _call_function(self, target: types.FunctionType, node: ast.Call) -> Value:
        source = source_of(target)
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
            return self.recursive_call(body, source, parent, env, node)
        if depth > MAX_DEPTH:
            raise Declined("functions call one another too deep to be read in place", line=node.lineno)
        frame = Frame(source, env, parent, depth, home=self.context)
        self.active_nodes.append(body)
        try:
            return self.run_body(frame, body)
        except Declined as declined:
            if declined.line and not declined.file and parent is None:
                raise Declined(declined.reason, line=declined.line + source.first_line, file=source.file) from None
            raise
        finally:
            self.active_nodes.pop()
            self.frame = running

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

    def _bind(self, body: ast.FunctionDef | ast.Lambda, defaults: dict[str, Value], node: ast.Call) -> dict[str, Value]:
        if body.args.vararg or body.args.kwarg:
            raise Declined("a function with * or ** parameters is called", line=node.lineno)
        names = [one.arg for one in (*body.args.posonlyargs, *body.args.args)]
        env = dict(defaults)
        if len(node.args) > len(names):
            raise Declined("too many arguments", line=node.lineno)
        for name, one in zip(names, node.args, strict=False):
            env[name] = self.kept(one)
        for one in node.keywords:
            env[str(one.arg)] = self.kept(one.value)
        wanted = [*names, *(one.arg for one in body.args.kwonlyargs)]
        if set(env) != set(wanted):
            raise Declined("arguments do not fit the function that is called", line=node.lineno)
        return env

    # -- comprehensions and builtins ------------------------------------------------------------------------------------

    def _listcomp(self, node: ast.ListComp) -> Value:
        if len(node.generators) != 1:
            raise Declined("a comprehension with two loops", line=node.lineno)
        _refuse_leaks(node)
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
            self.frame.env = {**{k: v for k, v in self.frame.env.items() if k in with_names}, **with_names}
            return Tup(items, is_list=True)
        trips, item = found
        dst = self.fresh("list", Arr("f", 1, is_list=True))
        self.emit(Alloc(dst, (trips,), Const(0.0), line=node.lineno))

        def body(counter: Ref) -> None:
            self.assign(generator.target, item(counter))
            self.store(dst, (counter,), self._float_item(self.value(node.elt), node.lineno), node.lineno)

        self.counted(trips, body, node.lineno)
        self.frame.env = with_names
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

    def accumulate(self, node: ast.expr, start: Operand, line: int) -> Value:
        """`sum` of a generator, an array or a tuple."""
        loop = ast.For(
            target=ast.Name("$item", ast.Store()), iter=node, orelse=[],
            body=[ast.AugAssign(ast.Name("$sum", ast.Store()), ast.Add(), ast.Name("$item", ast.Load()))],
        )  # fmt: skip
        if isinstance(node, ast.GeneratorExp | ast.ListComp):
            _refuse_leaks(node)
            if len(node.generators) != 1:
                raise Declined("a generator with two loops", line=line)
            generator = node.generators[0]
            body: list[ast.stmt] = [ast.AugAssign(ast.Name("$sum", ast.Store()), ast.Add(), node.elt)]
            for one in reversed(generator.ifs):
                body = [ast.If(test=one, body=body, orelse=[])]
            loop = ast.For(target=generator.target, iter=generator.iter, body=body, orelse=[])
        for one in ast.walk(loop):
            if not hasattr(one, "lineno"):
                one.lineno = one.end_lineno = line  # type: ignore[attr-defined]
                one.col_offset = one.end_col_offset = 0  # type: ignore[attr-defined]
        outer = dict(self.frame.env)
        self.frame.env["$sum"] = start
        self.statement(loop)
        found = self.frame.env["$sum"]
        self.frame.env = outer
        return found

    def statement(self, node: ast.stmt) -> None:
        """One statement; statements know how."""
        raise TypeError("Expressions is half of a Lowerer")


_INT_RESULTS = {"fadd", "fsub", "fmul", "fneg", "fpow", "square", "recip", "npmax", "npmin"}
"""what NumPy computes in 64-bit ints where all operands are ints"""


def _num_operands(name: str) -> int:
    return 2 if name in ("npmax", "npmin") else len(DERIVATIVES.get(name, "a"))


def _refuse_leaks(node: ast.expr) -> None:
    """`:=` binds a name outside of its comprehension, and a lambda keeps the comprehension's own names."""
    if any(isinstance(one, ast.NamedExpr | ast.Lambda) for one in ast.walk(node)):
        raise Declined("`:=` or `lambda` within a comprehension", line=node.lineno)


def _simple(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Constant | ast.Attribute)


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


def _fold(name: str, args: tuple[Operand, ...]) -> Const | None:
    """The value of an operation on constants, where CPython computes it without an error."""
    if name == "select" and isinstance(args[0], Const):
        chosen = args[1] if args[0].value else args[2]
        return chosen if isinstance(chosen, Const) else None
    if not all(isinstance(one, Const) for one in args):
        return None
    numbers = [one.value for one in args]  # type: ignore[union-attr]
    work = _FOLDS.get(name)
    if work is None:
        return None
    try:
        found = work(*numbers)
    except (ArithmeticError, ValueError):
        return None
    return Const(found) if not isinstance(found, int) or -(2**63) <= found < 2**63 else None


def _exact_float(number: int) -> float:
    found = float(number)
    if int(found) != number:
        raise ArithmeticError
    return found


_FOLDS: dict[str, Callable[..., Any]] = {
    "fadd": lambda a, b: a + b, "fsub": lambda a, b: a - b, "fmul": lambda a, b: a * b, "fdiv": lambda a, b: a / b,
    "iadd": lambda a, b: a + b, "isub": lambda a, b: a - b, "imul": lambda a, b: a * b, "fneg": lambda a: -a, "ineg": lambda a: -a,
    "imod": lambda a, b: a % b, "ifloordiv": lambda a, b: a // b, "itof": _exact_float, "btoi": int, "not": lambda a: not a,
    "iand": lambda a, b: a & b, "ior": lambda a, b: a | b, "ixor": lambda a, b: a ^ b, "ishr": lambda a, b: a >> b,
    "ishl": lambda a, b: a << b if b < 64 else 2**64, "xor": lambda a, b: a ^ b,
    "and": lambda a, b: a and b, "or": lambda a, b: a or b, "imax": max, "imin": min, "fpow": math.pow, "sqrt": math.sqrt,
    "log": math.log, "exp": math.exp,
    **{f"{kind}lt": lambda a, b: a < b for kind in "fi"}, **{f"{kind}le": lambda a, b: a <= b for kind in "fi"},
    **{f"{kind}gt": lambda a, b: a > b for kind in "fi"}, **{f"{kind}ge": lambda a, b: a >= b for kind in "fi"},
    **{f"{kind}eq": lambda a, b: a == b for kind in "fi"}, **{f"{kind}ne": lambda a, b: a != b for kind in "fi"},
}  # fmt: skip


def _len(self: Expressions, node: ast.Call) -> Value:
    value = self.value(node.args[0])
    if isinstance(value, Tup | Mapping):
        return Const(len(value.items))
    if isinstance(value, Lazy) or is_array(value):
        return self.dims(value)[0]  # type: ignore[arg-type]
    raise Declined("`len` of something else than an array or tuple", line=node.lineno)


def _range(self: Expressions, node: ast.Call) -> Value:
    parts = [self.integer(self.value(one), node.lineno) for one in node.args]
    if len(parts) == 1:
        return RangeValue(Const(0), parts[0], Const(1))
    return RangeValue(parts[0], parts[1], parts[2] if len(parts) == 3 else Const(1))


def _float(self: Expressions, node: ast.Call) -> Value:
    return self.as_float(self.value(node.args[0]), node.lineno) if node.args else Const(0.0)


def _int(self: Expressions, node: ast.Call) -> Value:
    value = self.scalar(self.value(node.args[0]), node.lineno)
    if value.type == "b":
        return self.op("btoi", value)
    return value if value.type == "i" else self.op("ftoi", value)


def _abs(self: Expressions, node: ast.Call) -> Value:
    value = self.scalar(self.value(node.args[0]), node.lineno)
    return self.op("fabs" if value.type == "f" else "iabs", value)


def _extreme(compare: str) -> Callable[[Expressions, ast.Call], Value]:
    def run(self: Expressions, node: ast.Call) -> Value:
        values = [self.value(one) for one in node.args]
        if len(values) == 1 and isinstance(values[0], Tup):
            values = values[0].items
        if len(values) < 2 or node.keywords:
            raise Declined("`min` or `max` of a sequence", line=node.lineno)
        numbers = [self.scalar(one, node.lineno) for one in values]
        if any(one.type == "f" for one in numbers):
            numbers = [self.as_float(one, node.lineno) for one in numbers]
        kind = numbers[0].type
        found = numbers[0]
        for one in numbers[1:]:  # the first of equals stays, as in Python
            found = self.op("select", self.op(f"{kind}{compare}", one, found), one, found)
        return found

    return run


def _sum(self: Expressions, node: ast.Call) -> Value:
    start: Operand = Const(0)
    if len(node.args) > 1:
        start = self.scalar(self.value(node.args[1]), node.lineno)
    return self.accumulate(node.args[0], start, node.lineno)


def _sequence(self: Expressions, node: ast.Call) -> Value:
    value = self.value(node.args[0]) if node.args else Tup([])
    if isinstance(value, Tup):
        function = self.value(node.func)
        return Tup(list(value.items), is_list=isinstance(function, Static) and function.value is list)
    raise Declined("`list` or `tuple` of something else than a tuple", line=node.lineno)


def _floor(op: str) -> Callable[[Expressions, ast.Call], Value]:
    def run(self: Expressions, node: ast.Call) -> Value:
        value = self.scalar(self.value(node.args[0]), node.lineno)
        return value if value.type == "i" else self.op("ftoi", self.op(op, value))

    return run


def _isnan(self: Expressions, node: ast.Call) -> Value:
    value = self.scalar(self.value(node.args[0]), node.lineno)
    return self.op("not", self.op("feq", self.as_float(value, node.lineno), self.as_float(value, node.lineno)))


_HANDLERS: dict[Any, Callable[[Expressions, ast.Call], Value]] = {
    builtins.len: _len, builtins.range: _range, builtins.float: _float, builtins.int: _int, builtins.abs: _abs,
    builtins.max: _extreme("gt"), builtins.min: _extreme("lt"), builtins.sum: _sum, builtins.list: _sequence,
    builtins.tuple: _sequence, np.float64: _float, math.floor: _floor("floor"), math.ceil: _floor("ceil"), math.trunc: _int,
    math.isnan: _isnan,
}  # fmt: skip
