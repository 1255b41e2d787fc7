"""A compiled function: arguments in, value and gradients out, or a reason why CPython has to do it."""

from __future__ import annotations

import ctypes
import dataclasses
import struct
import threading
import types
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custodiet.autodiff.compiler.adjoint import Reversed, reverse_program
from custodiet.autodiff.compiler.aliases import Aliases
from custodiet.autodiff.compiler.frontend import Declined, Source, free_value, source_of
from custodiet.autodiff.compiler.ir import Arr, Const, Operand, Program, Ref
from custodiet.autodiff.compiler.llvm_ir import BITS, to_llvm
from custodiet.autodiff.compiler.lower import Lowerer
from custodiet.autodiff.compiler.native import ENTRY, NativeFunction
from custodiet.autodiff.compiler.plan import Plan, keep_plan, load_plan, make_plan, plan_key
from custodiet.autodiff.compiler.stack import STACK_TOO_SMALL, call_limits, on_large_stack
from custodiet.autodiff.compiler.values import Mapping, Static, Tup, Value, describe_value, leaves

__all__ = [
    "CompiledGradient", "Parameters", "Trapped", "address_of", "compile_gradient", "flatten_argument", "kind_of", "python_value",
    "read_program", "signature_of",
]  # fmt: skip

FLOAT_DTYPE, INT_DTYPE = np.dtype(np.float64), np.dtype(np.int64)
Address = Callable[[NDArray[Any]], int]


class Trapped(Exception):
    """CPython would raise here, or the numbers left the range in which both agree: run it there."""


def signature_of(args: Sequence[Any]) -> tuple[Any, ...]:
    """What a compiled function is made for: the structure and types of its arguments, values aside."""
    return tuple(kind_of(one) for one in args)


def kind_of(value: Any) -> Any:
    """What one argument is to the compiler."""
    kind = type(value)
    if kind is float or kind is np.float64:
        return "f"
    if kind is int or kind is np.int64:
        return "i"
    if kind is bool or kind is np.bool_:
        return "b"
    if kind is np.ndarray:
        dtype, shape = value.dtype, value.shape
        name = "f8" if dtype is FLOAT_DTYPE else "i8" if dtype is INT_DTYPE else dtype.str
        return (name, len(shape), *[size == 1 for size in shape]) if 1 in shape else (name, len(shape))
    if kind is tuple:
        return ("t", *map(kind_of, value))
    if kind is list:
        return _list_kind(value)
    if kind is dict:
        return ("d", *((key, kind_of(one)) for key, one in value.items()))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return (kind, *((one.name, kind_of(getattr(value, one.name))) for one in dataclasses.fields(value)))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return (kind, *map(kind_of, value))
    if value is None or isinstance(value, str | types.FunctionType | types.BuiltinFunctionType):
        return ("s", value)
    return ("s", id(value))


def _list_kind(value: list[Any]) -> Any:
    """A list of floats is an array to the compiler; other lists are tuples."""
    if value and all(type(one) is float or type(one) is np.float64 for one in value):
        return "lf"
    if value and all(type(one) is int for one in value):
        return "li"
    return ("t", *map(kind_of, value))


class Parameters:
    """Leaves of the arguments: a name for each in the program, and how it is packed at a call."""

    def __init__(self) -> None:
        self.refs: list[Ref] = []
        self.wanted: list[bool] = []
        self.shapes: list[tuple[int, ...] | None] = []

    def bind(self, name: str, value: Any, wanted: bool) -> Value:
        """The compiler's view of an argument."""
        kind = kind_of(value)
        if kind in ("f", "i", "b"):
            return self._leaf(name, kind, wanted and kind == "f")
        if kind == "lf":
            return self._leaf(name, Arr("f", 1, is_list=True), wanted)
        if kind == "li":
            return self._leaf(name, Arr("i", 1, is_list=True), False)
        if kind[0] == "s":
            if isinstance(value, np.ndarray | tuple | list | dict):
                raise Declined(f"{name} is a {type(value).__name__}: subclasses are not compiled")
            return Static(value)
        if isinstance(value, np.ndarray):
            if value.ndim == 0 or value.dtype not in (FLOAT_DTYPE, INT_DTYPE):
                raise Declined(f"{name} is a {value.ndim}-dimensional array of {value.dtype}")
            return self._leaf(
                name,
                Arr("f" if value.dtype == FLOAT_DTYPE else "i", value.ndim),
                wanted and value.dtype == FLOAT_DTYPE,
                value.shape,
            )
        if isinstance(value, tuple | list):
            items = [self.bind(f"{name}_{place}", one, wanted) for place, one in enumerate(value)]
            if hasattr(value, "_fields"):
                return Mapping(dict(zip(value._fields, items, strict=True)), attributes=True)  # type: ignore[union-attr]
            return Tup(items, isinstance(value, list))
        if isinstance(value, dict):
            return Mapping(
                {key: self.bind(f"{name}_{place}", one, wanted) for place, (key, one) in enumerate(value.items())}
            )
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            parts = {
                one.name: self.bind(f"{name}_{one.name}", getattr(value, one.name), wanted)
                for one in dataclasses.fields(value)
            }
            return Mapping(parts, attributes=True)
        return Static(value)

    def tell_lengths(self, lowerer: Lowerer) -> None:
        """Lengths of the arrays so far: those of 1 are known, the others are read once."""
        for ref, shape in zip(self.refs, self.shapes, strict=True):
            if isinstance(ref.type, Arr) and shape is not None:
                dims: list[Operand] = [
                    Const(1) if one == 1 else lowerer.dim(ref, axis) for axis, one in enumerate(shape)
                ]
                lowerer.known_dims[ref.name] = dims
        lowerer.own_params = {ref.name for ref in self.refs}

    def _leaf(self, name: str, kind: Any, wanted: bool, shape: tuple[int, ...] | None = None) -> Ref:
        clean = "".join(char if char.isalnum() else "_" for char in name)
        ref = Ref(f"{clean}_in{len(self.refs)}", kind)
        self.shapes.append(shape)
        self.refs.append(ref)
        self.wanted.append(wanted)
        return ref


def flatten_argument(value: Any, kind: Any, out: list[Any]) -> None:
    """Leaves of an argument in the order in which `Parameters` named them."""
    if kind in ("f", "i", "b") or kind in ("lf", "li") or isinstance(value, np.ndarray):
        out.append(value)
    elif isinstance(value, tuple | list):
        for one in value:
            flatten_argument(one, kind_of(one), out)
    elif isinstance(value, dict):
        for one in value.values():
            flatten_argument(one, kind_of(one), out)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for one in dataclasses.fields(value):
            part = getattr(value, one.name)
            flatten_argument(part, kind_of(part), out)


def _rebuild(value: Any, kind: Any, parts: list[Any]) -> Any:
    """An argument's structure around its gradients, taken from the front of `parts`."""
    if kind in ("f", "i", "b") or kind in ("lf", "li") or isinstance(value, np.ndarray):
        found = parts.pop(0)
        return found.tolist() if kind == "lf" else found
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_rebuild(one, kind_of(one), parts) for one in value))
    if isinstance(value, tuple | list):
        return type(value)([_rebuild(one, kind_of(one), parts) for one in value])
    if isinstance(value, dict):
        return {key: _rebuild(one, kind_of(one), parts) for key, one in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {
            one.name: _rebuild(getattr(value, one.name), kind_of(getattr(value, one.name)), parts)
            for one in dataclasses.fields(value)
        }
        made = object.__new__(type(value))  # without its checks: a gradient need not pass them
        for name, part in found.items():
            object.__setattr__(made, name, part)
        return made
    return None


def address_of(array: NDArray[Any]) -> int:
    """Where an array's numbers lie."""
    return array.__array_interface__["data"][0]


class CompiledGradient:
    """One function for one signature: native code for its value and the gradients of some arguments.

    Attributes:
        program: the program as it was understood.
        plan: how the machine code is called.
        num_blocks: basic blocks whose entry is told by `entered`.
    """

    def __init__(
        self,
        program: Program,
        plan: Plan,
        native: NativeFunction,
        result: Value,
        argnums: Sequence[int],
        free: list[tuple[Any, Any, Any]],
        statics: list[tuple[Any, str, Any]],
        *,
        file: str,
        first_line: int,
    ) -> None:
        self.program, self.plan, self.native, self.result = program, plan, native, result
        self.argnums, self.free, self.statics = tuple(argnums), free, statics
        self.num_blocks, self.first_line = len(plan.block_lines), first_line + 1
        self.block_places = [program.where(line, file, first_line) for line in plan.block_lines]
        self.file = file
        self.all_blocks = (1 << self.num_blocks) - 1
        self.verified = 0
        self.verified_once = False
        self.writes = bool(program.stores & {ref.name for ref in program.params})
        self.seeds = [1.0] + [0.0] * (plan.num_seeds - 1)
        formats = []
        for ref in program.params:
            formats.append(
                "QQ" + "q" * ref.type.ndim if isinstance(ref.type, Arr) else {"f": "d", "i": "q", "b": "q"}[ref.type]
            )
        self._limited = bool(program.callees)
        limits = "qq" if self._limited else ""
        self.pack = struct.Struct("=" + "".join(formats) + "d" * plan.num_seeds + limits).pack
        num_out = len(program.results) + sum(plan.has_gradient) + -(-self.num_blocks // BITS)
        self.out_type = ctypes.c_double * max(1, num_out)
        self._stored = [ref.name in program.stores for ref in program.params]

    @cached_property
    def reversed(self) -> Reversed:
        """The reverse sweep, to read; made again where the machine code came from the disk."""
        return reverse_program(self.program)

    @property
    def text(self) -> str:
        """LLVM IR of value and gradient."""
        return to_llvm(ENTRY, self.program, self.reversed)[0]

    def still_valid(self) -> bool:
        """Whether what the source names is what was compiled: the same functions and modules, numbers of the same types."""
        try:
            return all(free_value(owner, name) is value for owner, name, value in self.statics) and all(
                function is None or kind_of(free_value(function, name)) == kind for function, name, kind in self.free
            )
        except (KeyError, AttributeError):
            return False

    def __call__(self, args: Sequence[Any], *, deep: bool = False) -> tuple[Any, list[Any], int]:
        """Run it.

        Args:
            args: the function's arguments.
            deep: this thread has a large stack, for deep recursion.

        Returns:
            The result; gradients of `argnums`, each in its argument's structure; bits of the basic blocks entered.

        Raises:
            Trapped: CPython has to run this call. Arguments are as they were.
        """
        given: list[Any] = []
        for one in args:
            flatten_argument(one, kind_of(one), given)
        for function, name, _ in self.free:
            value = free_value(function, name)
            flatten_argument(value, kind_of(value), given)
        words: list[Any] = []
        shadows: list[Any] = []
        keep: list[Any] = []
        copies: list[tuple[Any, NDArray[Any]]] = []
        for ref, value, shadowed, stored in zip(
            self.program.params, given, self.plan.has_shadow, self._stored, strict=True
        ):
            if not isinstance(ref.type, Arr):
                words.append(int(value) if ref.type == "b" else value)
                shadows.append(None)
                continue
            array = self.as_array(value, ref.type, stored, copies)
            shadow = np.zeros(array.shape) if shadowed else None
            words += (address_of(array), 0 if shadow is None else address_of(shadow), *array.shape)
            shadows.append(shadow)
            keep.append(array)
        if copies:
            self.refuse_aliases(given)
        out = self.out_type()
        try:
            packed = self.pack(*words, *self.seeds, *(call_limits(deep) if self._limited else ()))
        except struct.error:  # an int of more than 64 bits
            raise Trapped from None
        status = self.native.call(packed, out)
        if status == STACK_TOO_SMALL and not deep:
            try:
                return on_large_stack(lambda: self(args, deep=True))
            except RecursionError:
                raise Trapped from None
        if status:
            raise Trapped
        for original, copy in copies:
            original[:] = copy.tolist() if isinstance(original, list) else copy
        return self._unpack(args, out, shadows)

    @staticmethod
    def as_array(value: Any, kind: Arr, stored: bool, copies: list[tuple[Any, NDArray[Any]]]) -> NDArray[Any]:
        """An argument as contiguous memory; a copy where the program writes into it."""
        dtype = FLOAT_DTYPE if kind.dtype == "f" else INT_DTYPE
        if isinstance(value, np.ndarray):
            if not stored:
                return value if value.flags.c_contiguous and value.flags.aligned else np.ascontiguousarray(value)
            if not value.flags["W"]:
                raise Trapped
            array = np.array(value, order="C")
        else:
            array = np.array(value, dtype=dtype)
        if stored:
            copies.append((value, array))
        return array

    @staticmethod
    def refuse_aliases(given: Sequence[Any]) -> None:
        """Where an argument is written, no two may share memory: the compiled code holds them apart."""
        arrays = [one for one in given if isinstance(one, np.ndarray)]
        lists = [id(one) for one in given if isinstance(one, list)]
        if len(set(lists)) != len(lists):
            raise Trapped
        for place, one in enumerate(arrays):
            if any(np.may_share_memory(one, other) for other in arrays[place + 1 :]):
                raise Trapped

    def _unpack(self, args: Sequence[Any], out: Any, shadows: list[Any]) -> tuple[Any, list[Any], int]:
        ints = (ctypes.c_int64 * len(out)).from_buffer(out)
        results: list[Any] = []
        for place, one in enumerate(self.program.results):
            results.append(out[place] if one.type == "f" else bool(ints[place]) if one.type == "b" else ints[place])
        at = len(results)
        found: list[Any] = []
        for ref, has_gradient, shadow in zip(self.program.params, self.plan.has_gradient, shadows, strict=True):
            if has_gradient:
                found.append(out[at])
                at += 1
            else:
                found.append(shadow if isinstance(ref.type, Arr) else None)
        entered = 0
        for word in range(-(-self.num_blocks // BITS)):
            entered |= ints[at + word] << (BITS * word)
        gradients = []
        place = 0
        for number, one in enumerate(args):
            kind = kind_of(one)
            own: list[Any] = []
            flatten_argument(one, kind, own)
            parts = found[place : place + len(own)]
            place += len(own)
            if number in self.argnums:
                parts = [self._zero_like(leaf) if part is None else part for leaf, part in zip(own, parts, strict=True)]
                gradients.append((number, _rebuild(one, kind, parts)))
        ordered = dict(gradients)
        return python_value(self.result, results), [ordered[number] for number in self.argnums], entered

    def where(self, blocks: int) -> str:
        """File and line of the first of some basic blocks."""
        found = [one for number, one in enumerate(self.block_places) if blocks >> number & 1]
        file, line = found[0] if found else (self.file, self.first_line)
        return f"{file}:{line}"

    @staticmethod
    def _zero_like(leaf: Any) -> Any:
        if isinstance(leaf, np.ndarray | list):
            return np.zeros(np.shape(leaf))
        return 0.0 if isinstance(leaf, float) else None


def python_value(value: Value, leaves: list[Any]) -> Any:
    """The result as the user's function returns it, its leaves taken from the front of a list."""
    if isinstance(value, Ref | Const):
        return leaves.pop(0)
    if isinstance(value, Tup):
        items = (python_value(one, leaves) for one in value.items)
        return list(items) if value.is_list else tuple(items)
    if isinstance(value, Mapping):
        return {key: python_value(one, leaves) for key, one in value.items.items()}
    return value.value if isinstance(value, Static) else None


def compile_gradient(
    function: Callable[..., Any], args: Sequence[Any], argnums: Sequence[int], *, has_aux: bool = False
) -> CompiledGradient:
    """Compile a function's value and gradient for arguments of these types.

    Args:
        function: a plain Python function.
        args: positional arguments; only their structure and types count.
        argnums: which of them are differentiated.
        has_aux: the function returns (value, anything).

    Raises:
        Declined: the function is for the tape, and why.
    """
    source, lowerer, program, free = read_program(function, args, argnums)
    _check_result(lowerer.result, has_aux, source.first_line + 1, source.file)
    key = plan_key(program)
    planned, reversed_ = load_plan(key), None
    if planned is None:
        try:
            reversed_ = reverse_program(program)
        except Declined as declined:
            file, line = program.where(declined.line, source.file, source.first_line)
            raise Declined(declined.reason, line=line, file=file) from None
        planned = make_plan(program, reversed_)
        keep_plan(key, planned[0])
    plan, native = planned
    program.stores |= set(plan.stores)
    if any(ref.name in program.stores for ref in program.params if ref.name.startswith("free_")):
        raise Declined("it writes into an array or list from outside", line=source.first_line + 1, file=source.file)
    compiled = CompiledGradient(
        program,
        plan,
        native,
        lowerer.result,
        argnums,
        free,
        lowerer.statics,
        file=source.file,
        first_line=source.first_line,
    )
    if reversed_ is not None:
        compiled.reversed = reversed_
    return compiled


def read_program(
    function: Callable[..., Any], args: Sequence[Any], argnums: Sequence[int]
) -> tuple[Source, Lowerer, Program, list[tuple[Any, Any, Any]]]:
    """A function's source, its lowerer with the kind of its result, its program, and the free names that it reads.

    Raises:
        Declined: it is not understood.
    """
    with _READING:
        return _read_checked(function, args, argnums)


_READING = threading.RLock()
"""CPython's parser counts its depth for the whole process: two threads in it at once can trip over that"""


def _read_checked(
    function: Callable[..., Any], args: Sequence[Any], argnums: Sequence[int]
) -> tuple[Source, Lowerer, Program, list[tuple[Any, Any, Any]]]:
    source = source_of(function)
    names = [one.arg for one in (*source.node.args.posonlyargs, *source.node.args.args)]
    if source.node.args.vararg or source.node.args.kwarg:
        raise Declined("it takes * or ** parameters", line=source.first_line + 1, file=source.file)
    if len(args) > len(names):
        raise Declined("it is called with too many arguments", line=source.first_line + 1, file=source.file)
    read = _read(source, names, args, argnums, frozenset())
    aliases, sites = Aliases(read.program), read.lowerer.sites
    copied = [
        place
        for copy, owner, place in read.lowerer.view_copies
        if copy in aliases.names and (aliases.is_written(copy) or aliases.is_written(owner))
    ]
    if copied:
        first = min(copied)
        file, line = read.program.where(first, source.file, source.first_line)
        raise Declined("a view other than a row or range of an array that is also written", line=line, file=file)
    snapshots = {
        sites.get(name, name) for name in aliases.names if aliases.is_written(name)
    } & read.lowerer.product_sites
    if snapshots:
        read = _read(source, names, args, argnums, frozenset(snapshots))
        aliases = Aliases(read.program)
    read.program.stores |= {ref.name for ref in read.program.params if aliases.is_written(ref.name)}
    return source, read.lowerer, read.program, read.free


@dataclasses.dataclass
class _Read:
    """One reading of a function."""

    program: Program
    lowerer: Lowerer
    free: list[tuple[Any, Any, Any]]
    refs: list[Ref]


def _read(
    source: Source, names: list[str], args: Sequence[Any], argnums: Sequence[int], snapshots: frozenset[str]
) -> _Read:
    parameters = Parameters()
    lowerer = Lowerer()
    lowerer.snapshot_sites = snapshots
    arguments: dict[str, Value] = {
        name: parameters.bind(name, value, place in argnums)
        for place, (name, value) in enumerate(zip(names, args, strict=False))
    }
    lowerer.note_function(source.function)
    _bind_defaults(source.function, names, len(args), arguments, lowerer)  # pyright: ignore[reportArgumentType]
    free: list[tuple[Any, Any, Any]] = []

    def read_free(owner: types.FunctionType, name: str, value: Any) -> Value:
        free.append((owner, name, kind_of(value)))
        return parameters.bind(f"free_{name}", value, False)

    def read_constant(value: NDArray[Any]) -> Value:
        free.append((None, value, None))
        ref = parameters.bind(f"constant_{len(free)}", np.ascontiguousarray(value), False)
        return ref

    lowerer.read_free, lowerer.read_constant = read_free, read_constant
    lowerer.active_nodes.append(source.node)
    parameters.tell_lengths(lowerer)
    program = lowerer.lower(source, arguments, parameters.refs, parameters.wanted)
    program.params, program.active = parameters.refs, parameters.wanted
    return _Read(program, lowerer, free, parameters.refs)


def _check_result(result: Value, has_aux: bool, line: int, file: str) -> None:
    value = result.items[0] if has_aux and isinstance(result, Tup) and len(result.items) == 2 else result
    if not isinstance(value, Ref | Const) or value.type != "f":
        raise Declined(f"what is returned is {describe_value(value)}, not one float", line=line, file=file)
    if has_aux and _has_attributes(result):
        raise Declined("an object is returned", line=line, file=file)
    if any(isinstance(leaf.type, Arr) for leaf in leaves(result)):
        raise Declined("an array is returned beside the value", line=line, file=file)


def _has_attributes(value: Value) -> bool:
    if isinstance(value, Mapping):
        return value.attributes or any(map(_has_attributes, value.items.values()))
    return isinstance(value, Tup) and any(map(_has_attributes, value.items))


def _bind_defaults(
    function: types.FunctionType, names: list[str], num_given: int, arguments: dict[str, Value], lowerer: Lowerer
) -> None:
    defaults = dict(zip(reversed(names), reversed(function.__defaults__ or ()), strict=False))
    for name in names[num_given:]:
        if name not in defaults:
            raise Declined(f"argument {name} is missing")
        arguments[name] = lowerer.static(defaults[name], 0)
    for name, value in (function.__kwdefaults__ or {}).items():
        arguments[name] = lowerer.static(value, 0)
