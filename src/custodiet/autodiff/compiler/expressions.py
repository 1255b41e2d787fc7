"""From the syntax tree to typed SSA: expressions, subscripts and calls."""

from __future__ import annotations

import ast
import itertools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from custodiet.autodiff.compiler import composites
from custodiet.autodiff.compiler.array_arguments import items_to_array
from custodiet.autodiff.compiler.arrays import Lazy, is_array, is_list
from custodiet.autodiff.compiler.conditions import Conditions
from custodiet.autodiff.compiler.folding import fold
from custodiet.autodiff.compiler.frontend import AttributeOf, Declined, Source, free_value
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
from custodiet.autodiff.compiler.operations import (
    BOOL_BINARY,
    FLOAT_BINARY,
    INT_BINARY,
    result_type,
)
from custodiet.autodiff.compiler.values import (
    UNKNOWN,
    Closure,
    Frame,
    Guarded,
    Mapping,
    Static,
    Tup,
    Undefined,
    Value,
    describe,
    describe_value,
    is_own,
    known,
    let_go,
)

__all__ = ["LIBRARY", "Expressions"]

SPELLED = {
    "Yield": "`yield`", "YieldFrom": "`yield from`", "Await": "`await`", "JoinedStr": "an f-string", "GeneratorExp": "a generator",
    "DictComp": "a dict comprehension", "SetComp": "a set comprehension", "Starred": "a starred expression", "Slice": "a slice",
}  # fmt: skip
"""expressions that are left to the tape, in words"""
LIBRARY = composites.__file__
"""functions of this file stand for others, and their lines are no user's"""


class Expressions(Conditions):
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
        self.places: dict[tuple[str, int], int] = {}
        self.main: Source | None = None
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
        if self.frame is None:
            return
        line = getattr(stmt, "line", None)
        name = (
            place_key(stmt.arr, stmt.index)
            if isinstance(stmt, Store)
            else getattr(getattr(stmt, "dst", None), "name", "")
        )
        if name:
            source, at = self.spelled(line or self.line)
            self.origins[name] = (source.file, at + source.first_line)
        if line is not None:
            stmt.line = self.place(line)  # type: ignore[attr-defined]

    def spelled(self, line: int) -> tuple[Source, int]:
        """The user's function that a line of the running one belongs to: of a library function's it is the call."""
        frame = self.frame
        while frame.caller is not None and frame.source.file == LIBRARY:
            frame, line = frame.caller, frame.call_line
        return frame.source, line

    def place(self, line: int) -> int:
        """A line of the running function as statements keep it; see `Program.places`."""
        source, line = self.spelled(line or self.line)
        if self.main is None or source.node is self.main.node or source.function is self.main.function:
            return line
        key = (source.file, line + source.first_line)
        return -1 - self.places.setdefault(key, len(self.places))

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
        raise Declined(f"a number is needed, and this is {describe_value(value)}", line=line)

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
        raise Declined(
            f"{describe_value(value)} is unpacked: tuples, and lists of known length, are compiled", line=line
        )

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
            raise Declined(f"{SPELLED.get(type(node).__name__, type(node).__name__)} is not compiled", line=node.lineno)
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
        return Tup([let_go(self.kept(one)) for one in node.elts])

    def kept(self, node: ast.expr) -> Value:
        """An expression's value as something that gets a name: arrays are computed."""
        return self.hold(self.passed(node))

    def passed(self, node: ast.expr) -> Value:
        """Likewise, of what is handed on and not kept."""
        value = self.materialize(self.value(node), node.lineno)
        if isinstance(value, Ref):
            self.new_products.discard(value.name)
        return value

    def hold(self, value: Value) -> Value:
        """A dict or list that has a name and gets another: changing it is for the tape from now on."""
        frame: Frame | None = self.frame if is_own(value) else None
        found = value
        while frame is not None:
            for name, one in frame.env.items():
                if one is value:
                    found = frame.env[name] = let_go(value)
            frame = frame.parent
        return found

    def restore(self, env: dict[str, Value]) -> None:
        """Names as they were before an expression with names of its own; what it let go of stays so."""
        for name, value in self.frame.env.items():
            if isinstance(value, Mapping | Tup) and not value.own and is_own(env.get(name)):
                env[name] = let_go(env[name])
        self.frame.env = env

    def _list(self, node: ast.List) -> Value:
        return Tup([let_go(self.kept(one)) for one in node.elts], is_list=True, own=True)

    def _set(self, node: ast.Set) -> Value:
        items = [self.value(one) for one in node.elts]
        if not all(isinstance(one, Const | Static) for one in items):
            raise Declined("a set of things that are not known from the source", line=node.lineno)
        return Static(frozenset(one.value for one in items))

    def _dict(self, node: ast.Dict) -> Value:
        found: dict[Any, Value] = {}
        for key_node, value in zip(node.keys, node.values, strict=True):
            key = UNKNOWN if key_node is None else known(self.value(key_node))
            if key is UNKNOWN:
                raise Declined("a dict with `**` or keys that are not known from the source", line=node.lineno)
            found[key] = let_go(self.kept(value))
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
                raise Declined("`~` of a list", line=node.lineno)
            if isinstance(given, Lazy) and given.dtype == "b":
                return self.elementwise([given], lambda a: self.op("not", a), "b", node.lineno)
            if isinstance(given, Ref | Const) and given.type == "b":
                raise Declined(
                    "`~` of a bool, which NumPy's and Python's understand differently: use `not`", line=node.lineno
                )
            return self.op("ixor", self.integer(given, node.lineno), Const(-1))
        if is_list(given):
            raise Declined("`-` of a list", line=node.lineno)
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

    @staticmethod
    def _is_bool(value: Value) -> bool:
        return value.dtype == "b" if isinstance(value, Lazy) else isinstance(value, Ref | Const) and value.type == "b"

    def _repeated(self, left: Value, right: Value, line: int) -> Value:
        """`[0.0] * n`: an array of floats."""
        items = self.items(left, line)
        if len(items) != 1:
            raise Declined("a list of more or fewer items than one is repeated", line=line)
        fill = self.scalar(items[0], line)
        if fill.type != "f":
            raise Declined("`[0] * n` of ints: lists of floats are compiled", line=line)
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
            raise Declined("an operation on lists: np.array() of them is compiled", line=line)
        if any(isinstance(one, Lazy) or is_array(one) for one in (left, right)):
            if isinstance(kind, ast.Add | ast.Sub):
                for product, other in ((left, right), (right, left)):
                    fresh = isinstance(product, Ref) and product.name in self.new_products
                    if fresh and (isinstance(kind, ast.Add) or product is left):
                        self.new_products.discard(product.name)
                        found = self.updated_product(product, other, isinstance(kind, ast.Sub), line)
                        if found is not None:
                            return found
            dtype = "f"
            if type(kind).__name__ in INT_BINARY and all(map(self._is_int, (left, right))):
                dtype = "i"
            elif type(kind).__name__ in BOOL_BINARY and all(map(self._is_bool, (left, right))):
                dtype = "b"
            return self.elementwise([left, right], lambda a, b: self.binary(kind, a, b, line), dtype, line)
        a, b = self.scalar(left, line), self.scalar(right, line)
        name = type(kind).__name__
        if a.type == b.type == "b" and name in BOOL_BINARY:
            return self.op(BOOL_BINARY[name], a, b)
        if a.type == b.type == "b":
            raise Declined(
                f"`{name}` on two bools, which NumPy's and Python's understand differently: use int()", line=line
            )
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
            raise Declined("an int to the power of an int that is not from 0 to 8 in the source", line=line)
        return self.op("fpow", self.as_float(a, line), self.as_float(b, line))

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
                self.frame.env[name] = self.hold(self.value(part))

            return assign

        self.branch(cond, run(node.body), run(node.orelse), line=node.lineno)
        found = self.frame.env.pop(name)
        if isinstance(found, Undefined):
            raise Declined("the two values of a conditional expression are of two kinds", line=node.lineno)
        return found

    # -- arrays -------------------------------------------------------------------------------------------------------

    def listed(self, value: Tup, line: int) -> Ref:
        """A list of numbers as an array."""
        return items_to_array(self, value, line)

    def _attribute(self, node: ast.Attribute) -> Value:
        return self.attribute(self.value(node.value), node)

    def attribute(self, owner: Value, node: ast.Attribute) -> Value:
        """``owner.name``."""
        if isinstance(owner, Lazy) or is_array(owner):
            return self._array_attribute(owner, node)  # type: ignore[arg-type]
        if isinstance(owner, Mapping) and owner.attributes:
            if node.attr not in owner.items:
                raise Declined(f"`.{node.attr}` of an object that has no such field", line=node.lineno)
            return owner.items[node.attr]
        if isinstance(owner, Static):
            try:
                found = getattr(owner.value, node.attr)
            except AttributeError:
                raise Declined(f"there is no `{ast.unparse(node)}`", line=node.lineno) from None
            except Exception as error:  # a property's own
                raise Declined(f"`{ast.unparse(node)}` raises {type(error).__name__}", line=node.lineno) from None
            holder = owner.value
            self.statics.append(
                (AttributeOf(holder) if isinstance(holder, types.FunctionType) else holder, node.attr, found)
            )
            return self.static(found, node.lineno)
        raise Declined(f"`.{node.attr}` of {describe_value(owner)}", line=node.lineno)

    def _array_attribute(self, owner: Ref | Lazy, node: ast.Attribute) -> Value:
        if is_list(owner):
            raise Declined(f"`.{node.attr}` of a list: np.array() of it has one", line=node.lineno)
        dims = self.dims(owner)
        if node.attr == "shape":
            return Tup(list(dims))
        if node.attr == "size":
            return self._count(dims)
        if node.attr == "ndim":
            return Const(len(dims))
        if node.attr == "T":
            return self.transposed(owner, node.lineno)
        raise Declined(f"`.{node.attr}` of an array: shape, size, ndim, T and methods are compiled", line=node.lineno)

    def _subscript(self, node: ast.Subscript) -> Value:
        owner = self.value(node.value)
        if isinstance(owner, Tup):
            return self._tuple_item(owner, node)
        if isinstance(owner, Mapping) and not owner.attributes:
            key = known(self.value(node.slice))
            if key is UNKNOWN:
                raise Declined("a dict is read with a key that is not known from the source", line=node.lineno)
            if key not in owner.items:
                raise Declined(f"key {key!r} is not in the dict", line=node.lineno)
            return owner.items[key]
        if isinstance(owner, Lazy) or is_array(owner):
            return self.item(owner, node)  # type: ignore[arg-type]
        raise Declined(f"a subscript of {describe_value(owner)}", line=node.lineno)

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
            raise Declined("a tuple or list of other things than numbers is indexed by a variable", line=node.lineno)
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
            raise Declined(f"an element of {describe(array.type)} is written", line=line)
        if array.type.dtype == "f":
            src = self.as_float(src, line)
        elif src.type == "b":
            src = self.op("btoi", src)
        elif src.type != "i":
            raise Declined("a float is written into an array of ints", line=line)
        self.stores.add(self.base_name(array.name))
        self.emit(Store(array, index, src, line=line))
