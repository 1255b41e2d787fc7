"""From the syntax tree to typed SSA: expressions, subscripts and calls."""

from __future__ import annotations

import ast
import itertools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.compiler.arrays import Lazy, is_array, is_list
from custodiet.autodiff.compiler.folding import fold
from custodiet.autodiff.compiler.frontend import AttributeOf, Declined, free_value
from custodiet.autodiff.compiler.indexing import Indexing
from custodiet.autodiff.compiler.ir import (
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
    place_key,
)
from custodiet.autodiff.compiler.numpy_calls import items_to_array
from custodiet.autodiff.compiler.operations import (
    BOOL_BINARY,
    COMPARISONS,
    FLOAT_BINARY,
    INT_BINARY,
    result_type,
)
from custodiet.autodiff.compiler.values import (
    Closure,
    Frame,
    Guarded,
    Mapping,
    Static,
    Tup,
    Undefined,
    Value,
    describe,
    let_go,
)

__all__ = ["Expressions"]


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
        self.own_params: set[str] = set()
        self.view_copies: list[tuple[str, str, int]] = []
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
        folded = fold(name, args)
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
                owner: Any = frame.source.function
                self.free_inputs[key] = self.read_free(owner, name, value)
            return self.captured(None, key, line)
        self.statics.append((frame.source.function, name, value))
        return self.static(value, line)

    def captured(self, frame: Frame | None, name: Any, line: int) -> Value:
        """A name of an enclosing function that is compiled apart; `calls` knows how."""
        raise TypeError("Expressions is half of a Lowerer")

    def note_function(self, function: Any) -> None:
        """What was read is this function as it is now: `importlib.reload` and its kin put other code into the same function."""
        if any(isinstance(owner, AttributeOf) and owner.function is function for owner, _, _ in self.statics):
            return
        for name in ("__code__", "__defaults__", "__kwdefaults__"):
            found = getattr(function, name)
            if found is not None:
                self.statics.append((AttributeOf(function), name, found))

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
        found = self.read(node.id, node.lineno)
        if isinstance(found, Mapping) and found.own:  # it gets another name, or goes into something
            frame: Frame | None = self.frame
            while frame is not None and node.id not in frame.env:
                frame = frame.parent
            if frame is not None:
                found = frame.env[node.id] = let_go(found)
        return found

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
        return Mapping(found, own=True)

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
            one.arg: self.kept(value)
            for one, value in zip(
                positional[len(positional) - len(node.args.defaults) :], node.args.defaults, strict=True
            )
        }
        for one, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            if value is not None:
                defaults[one.arg] = self.kept(value)
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
            holder = owner.value
            self.statics.append(
                (AttributeOf(holder) if isinstance(holder, types.FunctionType) else holder, node.attr, found)
            )
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

    def restore(self, env: dict[str, Value]) -> None:
        """Names as they were before an expression with names of its own; dicts that it let go of stay so."""
        for name, value in self.frame.env.items():
            if name in env and isinstance(value, Mapping) and not value.own:
                env[name] = let_go(env[name])
        self.frame.env = env

    def _subscript(self, node: ast.Subscript) -> Value:
        named = isinstance(node.value, ast.Name)
        owner = self.read(node.value.id, node.lineno) if named else self.value(node.value)  # type: ignore[attr-defined]
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


def _simple(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Constant | ast.Attribute)
