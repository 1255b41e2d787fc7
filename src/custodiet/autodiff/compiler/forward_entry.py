"""A compiled function with tangents: arguments and directions in, values and their derivatives along the directions out."""

from __future__ import annotations

import builtins
import ctypes
import struct
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import is_ as is_same
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custodiet.autodiff.compiler.entry import (
    CompiledGradient,
    Trapped,
    flatten_argument,
    kind_of,
    read_program,
)
from custodiet.autodiff.compiler.fast_call import CONTIGUOUS_ALIGNED
from custodiet.autodiff.compiler.frontend import Declined, Source, free_value
from custodiet.autodiff.compiler.ir import Arr, Program, Ref
from custodiet.autodiff.compiler.llvm_ir import BITS
from custodiet.autodiff.compiler.llvm_tangent import to_llvm_tangent
from custodiet.autodiff.compiler.native import ENTRY, NativeFunction, load_native, vector_lanes
from custodiet.autodiff.compiler.results import Memory, aligned_zeros, build_nest, nest_of, where, window
from custodiet.autodiff.compiler.tangent import Layout, Tangents
from custodiet.autodiff.compiler.values import Value

__all__ = ["CompiledTangent", "compile_tangent"]

MAX_WIDTH = 32
"""directions a sweep: with more, the registers overflow"""
ABSENT = object()


@dataclass(frozen=True)
class _Native:
    """The machine code for one number of directions a sweep."""

    layout: Layout
    function: NativeFunction
    text: str


class CompiledTangent:
    """One function for one signature: native code for its results and their derivatives along many directions at once.

    Attributes:
        program: the program as it was understood.
        spec: how CPython nests the results, learned when they were first compared.
        only_changes: the caller found that it needs no values of the results.
        verified: bits of the basic blocks whose derivative was compared.
    """

    def __init__(
        self, source: Source, program: Program, result: Value, free: list[tuple[Any, Any, Any]], statics: list[tuple[Any, str, Any]]
    ) -> None:  # fmt: skip
        self.program, self.result, self.free = program, result, free
        self.tangents = Tangents(program)
        self.file, self.first_line = source.file, source.first_line
        self.spec: Any = None
        self.verified = 0
        self.verified_once = False
        self.only_changes = False
        params = program.params
        self.writes = bool(program.stores & {ref.name for ref in params})
        base = self.tangents.sweep.base
        written = {base(ref) for ref in params if isinstance(ref.type, Arr) and ref.name in program.stores}
        stores = [isinstance(ref.type, Arr) and base(ref) in written for ref in params]
        self._plan = [
            (ref.type if isinstance(ref.type, Arr) else None, self.tangents.carries(ref), stored)
            for ref, stored in zip(params, stores, strict=True)
        ]
        self._floats = [place for place, ref in enumerate(params) if self.tangents.is_active(ref)]
        own = {base(ref) for ref in params if isinstance(ref.type, Arr)}
        self._borrowed = [
            isinstance(one, Ref) and isinstance(one.type, Arr) and base(one) in own for one in program.results
        ]
        formats = [
            "QQ" + "q" * ref.type.ndim if isinstance(ref.type, Arr) else {"f": "d", "i": "q", "b": "q"}[ref.type]
            for ref in params
        ]
        self._pack = struct.Struct("=" + "".join(formats) + "Q" * (len(self._floats) + 1)).pack
        self._num_floats = sum(one.type == "f" for one in program.results)
        self._num_slots = sum(2 + one.type.ndim if isinstance(one.type, Arr) else 1 for one in program.results)
        self._watched = _watched(statics)
        self._free_kinds = [(function, name, kind) for function, name, kind in free if function is not None]
        self._direct = False
        self._natives: dict[int, _Native] = {}
        self._identities: dict[tuple[int, ...], Any] = {}
        _, lines = to_llvm_tangent(ENTRY, self.tangents, Layout(1, 1))
        self.block_places = [program.where(line, self.file, self.first_line) for line in lines]
        self.num_blocks = len(lines)
        self.all_blocks = (1 << self.num_blocks) - 1
        self._out = ctypes.c_double * (self._num_slots + 1 + -(-self.num_blocks // BITS))

    def still_valid(self) -> bool:
        """Whether the functions and modules that the source names are the ones that were compiled, and numbers are of their types."""
        watched, cells = self._watched
        for names, name, value in watched:
            if names.get(name, ABSENT) is not value:
                return False
        try:
            for function, name, kind in self._free_kinds:
                if kind_of(free_value(function, name)) != kind:
                    return False
            return not cells or all(free_value(function, name) is value for function, name, value in cells)
        except (KeyError, AttributeError):
            return False

    def native(self, width: int) -> _Native:
        """Machine code for `width` directions a sweep, compiled when first asked for."""
        found = self._natives.get(width)
        if found is None:
            layout = Layout(width, vector_lanes())
            text, _ = to_llvm_tangent(ENTRY, self.tangents, layout)
            found = _Native(layout, load_native(text), text)
            self._natives[width] = found
        return found

    def where(self, blocks: int) -> str:
        """File and line of the first of some basic blocks."""
        found = [one for number, one in enumerate(self.block_places) if blocks >> number & 1]
        file, line = found[0] if found else (self.file, self.first_line + 1)
        return f"{file}:{line}"

    def __call__(
        self,
        args: Sequence[Any],
        seeds: NDArray[np.float64] | None = None,
        *,
        write_back: bool = False,
        with_values: bool = True,
    ) -> tuple[list[Any], list[NDArray[np.float64]], int]:
        """Run it.

        Args:
            args: the arguments.
            seeds: directions (N, K), a row for each of the N numbers in the differentiated arguments; None: the identity.
            write_back: arguments that the program writes into are changed, as in CPython; else they stay as they are.
            with_values: hand out the result's leaves; without them a call is a few microseconds shorter.

        Returns:
            The leaves of the result, floats and arrays; of each its derivative, (*shape, K); bits of the basic blocks entered.

        Raises:
            Trapped: CPython has to run this call. Arguments are as they were.
        """
        given = list(args)
        if not self._direct:
            given = []
            for one in args:
                flatten_argument(one, kind_of(one), given)
            self._direct = len(given) == len(args) and all(map(is_same, given, args))
        if self.free:
            for function, name, _ in self.free:
                value = free_value(function, name)
                flatten_argument(value, kind_of(value), given)
        native, sweeps, num = self._seeds(given, seeds)
        if self.writes:
            CompiledGradient.refuse_aliases(given)
        entered = 0
        copies: list[tuple[Any, NDArray[Any]]] = []
        values: list[Any] = []
        found: list[list[NDArray[np.float64]]] = []
        for prepared in sweeps:
            copies = []
            values, changes, bits = self._sweep(native, given, prepared, copies, with_values)
            found.append(changes)
            entered |= bits
        if not all(np.isfinite(one).all() for changes in found for one in changes):
            raise Trapped  # an exact zero times an infinite slope is zero, and the interpreted path knows where
        if write_back:
            for original, copy in copies:
                original[:] = copy.tolist() if isinstance(original, list) else copy
        if len(found) == 1 and num:
            return values, found[0], entered
        joined = [np.concatenate(parts, axis=-1)[..., :num] for parts in zip(*found, strict=True)]
        return values, joined, entered

    def _sweep(
        self, native: _Native, given: list[Any], prepared: list[NDArray[np.float64] | None], copies: list[tuple[Any, NDArray[Any]]],
        with_values: bool,
    ) -> tuple[list[Any], list[NDArray[np.float64]], int]:  # fmt: skip
        words: list[Any] = []
        keep: list[Any] = []
        for (kind, carries, stored), value, seed in zip(self._plan, given, prepared, strict=True):
            if kind is None:
                words.append(value)
                continue
            if stored or type(value) is not np.ndarray or value.flags.num & CONTIGUOUS_ALIGNED != CONTIGUOUS_ALIGNED:
                value = CompiledGradient.as_array(value, kind, stored, copies)
                keep.append(value)
            place = 0
            if carries:
                if seed is None or stored:
                    seed = aligned_zeros(value.size, native.layout.stride) if seed is None else seed.copy()
                    keep.append(seed)
                place = where(seed)
            words += (where(value), place, *value.shape)
        for number in self._floats:
            words.append(where(prepared[number]))  # type: ignore[arg-type]
        room = np.empty((self._num_floats + 1, native.layout.stride))
        out = self._out()
        try:
            packed = self._pack(*words, where(room))
        except struct.error:  # an int beyond 64 bits
            raise Trapped from None
        if native.function.call(packed, out):
            raise Trapped
        return self._unpack(native.layout, out, room, with_values)

    def _seeds(
        self, given: list[Any], seeds: NDArray[np.float64] | None
    ) -> tuple[_Native, Iterable[list[NDArray[np.float64] | None]], int]:
        """Directions as native code takes them: per sweep, per parameter a padded matrix; and their number."""
        sizes = tuple(
            (1 if ref.type == "f" else len(value) if isinstance(value, list) else value.size) if wanted else 0
            for ref, value, wanted in zip(self.program.params, given, self.program.active, strict=True)
        )
        if seeds is None and sizes in self._identities:
            return self._identities[sizes]
        num = sum(sizes) if seeds is None else seeds.shape[1]
        count = max(1, -(-num // MAX_WIDTH))
        native = self.native(max(1, -(-num // count)))
        sweeps = (self._prepared(native.layout, sizes, seeds, number) for number in range(count))
        if seeds is None and count == 1:
            self._identities = {sizes: (native, list(sweeps), num)}
            return self._identities[sizes]
        return native, sweeps, num

    def _prepared(
        self, layout: Layout, sizes: tuple[int, ...], seeds: NDArray[np.float64] | None, number: int
    ) -> list[NDArray[np.float64] | None]:
        """The directions of one sweep."""
        first, last = number * layout.width, (number + 1) * layout.width
        start, prepared = 0, []
        for size, wanted in zip(sizes, self.program.active, strict=True):
            padded = aligned_zeros(size, layout.stride) if wanted else None
            prepared.append(padded)
            if padded is not None and seeds is not None:
                columns = seeds[start : start + size, first:last]
                padded[:, : columns.shape[1]] = columns
            elif padded is not None:
                rows = np.arange(max(start, first), min(start + size, last))
                padded[rows - start, rows - first] = 1.0
            start += size
        return prepared

    def _unpack(
        self, layout: Layout, out: Any, room: NDArray[np.float64], with_values: bool
    ) -> tuple[list[Any], list[NDArray[np.float64]], int]:
        ints = (ctypes.c_int64 * len(out)).from_buffer(out)
        memory = Memory(ints[self._num_slots])
        values: list[Any] = []
        changes: list[NDArray[np.float64]] = []
        at, floats = 0, 0
        for result, borrowed in zip(self.program.results, self._borrowed, strict=True):
            if not isinstance(result.type, Arr):
                values.append(out[at])
                changes.append(room[floats, : layout.width])
                at, floats = at + 1, floats + 1
                continue
            shape = tuple(ints[at + 2 : at + 2 + result.type.ndim])
            if with_values:
                value = window(ints[at], shape, memory)
                values.append(value.copy() if borrowed else value)
            change = self._change(layout, result, ints[at + 1], shape, memory)
            changes.append(change.copy() if borrowed else change)
            at += 2 + result.type.ndim
        entered = 0
        for word in range(-(-self.num_blocks // BITS)):
            entered |= ints[at + 1 + word] << (BITS * word)
        return values, changes, entered

    def _change(
        self, layout: Layout, result: Any, address: int, shape: tuple[int, ...], memory: Memory
    ) -> NDArray[np.float64]:
        full = (*shape, layout.width)
        if not self.tangents.carries(result) or 0 in shape:
            return np.zeros(full)
        if self.tangents.is_tight(result):
            return window(address, full, memory)
        strides, step = [8], 8 * layout.stride
        for length in reversed(shape):
            strides.insert(0, step)
            step *= length
        return window(address, full, memory, tuple(strides))

    # -- the nest of the results --------------------------------------------------------------------------------------

    def learn(self, value: Any) -> None:
        """Take over how CPython nests the results.

        Raises:
            Declined: it is no nest of tuples, lists and dicts that the program knows.
        """
        self.spec = nest_of(self.result, value)

    def build(self, leaves: Sequence[Any]) -> Any:
        """Leaves as the user's function nests them."""
        return build_nest(self.spec, leaves)


def _watched(
    statics: list[tuple[Any, str, Any]],
) -> tuple[list[tuple[dict[str, Any], str, Any]], list[tuple[Any, str, Any]]]:
    """Names to watch, each once: in the dictionary that has them (and not, above it, in the globals), and those of cells."""
    found: dict[tuple[int, str], tuple[dict[str, Any], str, Any]] = {}
    cells: list[tuple[Any, str, Any]] = []
    for function, name, value in statics:
        names = getattr(function, "__globals__", {})
        if isinstance(function, types.ModuleType) and name in vars(function):
            found[id(function), name] = (vars(function), name, value)
        elif not isinstance(function, types.FunctionType) or name in function.__code__.co_freevars:
            cells.append((function, name, value))
        elif name in names:
            found[id(names), name] = (names, name, value)
        else:
            found[id(names), name] = (names, name, ABSENT)
            found[0, name] = (builtins.__dict__, name, value)
    return list(found.values()), cells


def compile_tangent(function: Callable[..., Any], args: Sequence[Any], argnums: Sequence[int]) -> CompiledTangent:
    """Compile a function with tangents for arguments of these types.

    Args:
        function: a plain Python function that returns floats, arrays of floats, and nests of them.
        args: positional arguments; only their structure and types count.
        argnums: which of them are differentiated.

    Raises:
        Declined: the function is for the interpreted path, and why.
    """
    source, lowerer, program, free = read_program(function, args, argnums)
    line = source.first_line + 1
    if not program.results:
        raise Declined("nothing is returned", line=line, file=source.file)
    for one in program.results:
        if one.type != "f" and not (isinstance(one.type, Arr) and one.type.dtype == "f"):
            raise Declined("a result is no float and no array of floats", line=line, file=source.file)
    try:
        return CompiledTangent(source, program, lowerer.result, free, lowerer.statics)
    except Declined as declined:
        if declined.line and not declined.file:
            file, line = program.where(declined.line, source.file, source.first_line)
            raise Declined(declined.reason, line=line, file=file) from None
        raise
