"""The language between Python's source and machine code: typed, structured, every name assigned once.

Only the headers of loops are assigned twice: before the loop and at the end of each round. The reverse sweep is written
in the same language, with a few statements of its own for what rounds leave behind (frames).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "ARR_F", "ARR_I", "Accumulate", "Alloc", "Arr", "Block", "Call", "Const", "Copy", "Dim", "If", "Load", "Loop",
    "MatMul", "Op", "Operand", "Program", "Ref", "Require", "Restore", "ReverseLoop", "Save", "Set", "ShadowAdd",
    "Stmt", "Store", "Type", "Update", "View", "place_key", "uses",
]  # fmt: skip

Scalar = Literal["f", "i", "b"]
"""float64, int64, bool"""


@dataclass(frozen=True)
class Arr:
    """A C-contiguous array in memory, or a Python list of numbers: its slices are copies, and + joins."""

    dtype: Literal["f", "i"]
    ndim: int
    is_list: bool = False


Type = Scalar | Arr
ARR_F, ARR_I = Arr("f", 1), Arr("i", 1)


@dataclass(frozen=True)
class Ref:
    """A name and its type."""

    name: str
    type: Type


@dataclass(frozen=True, eq=False)
class Const:
    """A number that is known."""

    value: float | int | bool

    def __eq__(self, other: object) -> bool:  # 1 is not 1.0 here, 0.0 not -0.0
        return isinstance(other, Const) and self.type == other.type and repr(self.value) == repr(other.value)

    def __hash__(self) -> int:
        return hash(self.value)

    @property
    def type(self) -> Type:
        if isinstance(self.value, bool):
            return "b"
        return "i" if isinstance(self.value, int) else "f"


Operand = Ref | Const


@dataclass
class Stmt:
    """Something that is done; `line` is that of the user's source."""


@dataclass
class Op(Stmt):
    """``dst = op(args)`` on scalars; pure, but may raise the trap flag where CPython would raise an error."""

    dst: Ref
    op: str
    args: tuple[Operand, ...]
    line: int = 0


@dataclass
class Set(Stmt):
    """``dst = src``, where `dst` is an adjoint or a loop header and may be assigned again."""

    dst: Ref
    src: Operand


@dataclass
class Accumulate(Stmt):
    """``dst += src`` on an adjoint."""

    dst: Ref
    src: Operand


@dataclass
class Copy(Stmt):
    """``dst = src`` for an array: another name for the same memory."""

    dst: Ref
    src: Ref


@dataclass
class Alloc(Stmt):
    """A new array, and its adjoint beside it; both zero unless `fill` is something else."""

    dst: Ref
    shape: tuple[Operand, ...]
    fill: Operand
    line: int = 0
    blank: bool = False
    """every element is written before any is read, so that the memory may hold anything"""


@dataclass
class Dim(Stmt):
    """``dst = arr.shape[axis]``."""

    dst: Ref
    arr: Ref
    axis: int


@dataclass
class View(Stmt):
    """Row ``arr[index]`` of a matrix, or ``arr[low:high]`` along the first axis (bounds already clamped)."""

    dst: Ref
    arr: Ref
    index: Operand | None = None
    low: Operand | None = None
    high: Operand | None = None
    line: int = 0


@dataclass
class Load(Stmt):
    """``dst = arr[index]``; `checked` once the bounds were checked in the forward sweep."""

    dst: Ref
    arr: Ref
    index: tuple[Operand, ...]
    line: int = 0
    checked: bool = False


@dataclass
class Store(Stmt):
    """``arr[index] = src``."""

    arr: Ref
    index: tuple[Operand, ...]
    src: Operand
    line: int = 0
    initial: bool = False
    """the first write to a new array, element by element: nobody has read it, and its bounds are its own"""


@dataclass
class Update(Stmt):
    """``arr[index] += src`` (or ``-=``) on a new array that nobody else has seen: its adjoint stays what it is."""

    arr: Ref
    index: tuple[Operand, ...]
    src: Operand
    negative: bool
    line: int = 0


@dataclass
class MatMul(Stmt):
    """``dst = op(a) @ op(b)`` into a new array, by BLAS; `op` transposes where the flag is set.

    In the reverse sweep, on adjoints: ``a`` and ``b`` name data or adjoints by `which`, and the product is added.
    """

    dst: Ref
    a: Ref
    b: Ref
    transpose_a: bool
    transpose_b: bool
    sizes: tuple[Operand, Operand, Operand]
    """rows and columns of the product, and the length that is summed over"""
    which: str = "ppp"
    """per dst, a, b: p for the numbers, s for their adjoints"""
    add: bool = False
    line: int = 0


@dataclass
class ShadowAdd(Stmt):
    """``adjoint of arr[index] += src``; or read it into `take`, after which it is zero, or into `peek`."""

    arr: Ref
    index: tuple[Operand, ...]
    src: Operand | None = None
    take: Ref | None = None
    peek: Ref | None = None


@dataclass
class Require(Stmt):
    """Trap unless `cond`."""

    cond: Operand
    line: int = 0


@dataclass
class Call(Stmt):
    """A call that is not inlined (recursion): ``dsts = function(args)``."""

    dsts: tuple[Ref, ...]
    function: str
    args: tuple[Operand, ...]
    seeds: tuple[Operand, ...] = ()
    """reverse only: adjoints of the results; `dsts` then take the adjoints of the float arguments"""
    line: int = 0
    back: bool = False
    """the reverse sweep of an earlier call, whose record `args` names; forward, the record is the last of `dsts`"""
    depth: int = 1
    """how many of CPython's frames it stands for"""


@dataclass
class If(Stmt):
    """Two branches; names that both assign are the merged values."""

    cond: Operand
    then: Block
    orelse: Block
    line: int = 0


@dataclass
class Header:
    """A loop-carried name."""

    var: Ref
    init: Operand
    latch: Operand


@dataclass
class Loop(Stmt):
    """A loop. `trips` is known before it (for) or None (while: `pre` computes `cond` at each round's start).

    `counter` counts rounds from 0; `count` is how many there were, afterwards. A round that ends with `stop` true is the last.
    """

    name: str
    counter: Ref
    count: Ref
    trips: Operand | None
    pre: Block
    cond: Operand | None
    headers: list[Header]
    body: Block
    stop: Ref | None = None
    line: int = 0
    frame: list[Ref] = field(default_factory=list)
    """names that each round leaves for the reverse sweep, in the order of their slots"""


@dataclass
class ReverseLoop(Stmt):
    """The rounds of `loop` from the last to the first."""

    loop: Loop
    body: Block


@dataclass
class Save(Stmt):
    """Leave a name in the frame of the innermost running round."""

    loop: str
    var: Ref


@dataclass
class Restore(Stmt):
    """Take a name out of the frame."""

    loop: str
    var: Ref


Block = list[Stmt]


@dataclass
class Program:
    """One function: parameters, body, results."""

    name: str
    params: list[Ref]
    body: Block
    results: list[Operand]
    active: list[bool] = field(default_factory=list)
    """per parameter: whether its derivative is wanted"""
    callees: dict[str, Program] = field(default_factory=dict)
    stores: set[str] = field(default_factory=set)
    """names of parameters whose memory is written"""
    told: dict[str, str] = field(default_factory=dict)
    """what the user calls a name"""
    origins: dict[str, tuple[str, int]] = field(default_factory=dict)
    """file and line that a name is computed at"""
    places: list[tuple[str, int]] = field(default_factory=list)
    """files and lines of functions that were read in place: a statement's `line` -1 is the first of them, and so on"""

    def where(self, line: int, file: str, first_line: int) -> tuple[str, int]:
        """File and line that a statement's `line` stands for.

        Args:
            line: of a statement; 0 where unknown.
            file: the file of the function that was compiled.
            first_line: the line of the file at which line 1 of its tree lies, less one.
        """
        return self.places[-line - 1] if line < 0 else (file, (line or 1) + first_line)


def place_key(arr: Ref, index: tuple[Operand, ...]) -> str:
    """What an element is called in `Program.origins`: the store that writes it has no name of its own."""
    parts = [one.name if isinstance(one, Ref) else repr(one.value) for one in index]
    return f"{arr.name}[{', '.join(parts)}]"


def uses(stmt: Stmt) -> Iterator[Ref]:
    """Names that a statement reads itself, its inner blocks aside."""
    for value in vars(stmt).values():
        yield from _refs(value)


def _refs(value: object) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _refs(one)
