"""What is left of a reverse sweep once its machine code exists; kept on the disk, so that neither is made again.

A plan is found by the program as it was lowered, every statement of it, by the derivatives' table and by the compiler's own files:
whatever could change the machine code changes the key.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from custodiet.autodiff.compiler.adjoint import Reversed
from custodiet.autodiff.compiler.ir import Arr, Program
from custodiet.autodiff.compiler.llvm_ir import to_llvm
from custodiet.autodiff.compiler.native import ENTRY, NativeFunction, keep, kept, load_kept, load_native, native_key
from custodiet.autodiff.compiler.operations import DERIVATIVES

__all__ = ["Plan", "keep_plan", "load_plan", "make_plan", "plan_key"]


@dataclass(frozen=True)
class Plan:
    """How a compiled gradient is called.

    Attributes:
        code_key: names its machine code.
        symbols: library functions that the code calls.
        num_seeds: incoming adjoints, one per result.
        has_gradient: per parameter whether a float comes back for it.
        has_shadow: per parameter whether an array of its shape takes its gradient.
        stores: parameters whose memory is written, by name.
        block_lines: the line of every basic block.
    """

    code_key: str
    symbols: list[str]
    num_seeds: int
    has_gradient: list[bool]
    has_shadow: list[bool]
    stores: list[str]
    block_lines: list[int]


def make_plan(program: Program, reversed_: Reversed) -> tuple[Plan, NativeFunction]:
    """Generate and compile.

    Args:
        program: what was lowered, after `reverse_program`.
        reversed_: its reverse sweep.

    Raises:
        Declined: a statement has no native form.
    """
    text, block_lines = to_llvm(ENTRY, program, reversed_)
    native = load_native(text)
    plan = Plan(
        code_key=native_key(text),
        symbols=native.symbols,
        num_seeds=len(reversed_.seeds),
        has_gradient=[one is not None for one in reversed_.gradients],
        has_shadow=[isinstance(ref.type, Arr) and ref.name in reversed_.active for ref in program.params],
        stores=sorted(program.stores),
        block_lines=block_lines,
    )
    return plan, native


def load_plan(key: str) -> tuple[Plan, NativeFunction] | None:
    """A plan and its machine code from the disk; None where either is missing or damaged."""
    told = kept(f"{key}.plan")
    if told is None:
        return None
    plan = Plan(**json.loads(told))
    native = load_kept(plan.code_key, plan.symbols)
    return None if native is None else (plan, native)


def keep_plan(key: str, plan: Plan) -> None:
    """Leave a plan on the disk."""
    keep(f"{key}.plan", json.dumps(asdict(plan)).encode())


def plan_key(program: Program) -> str:
    """Hash of a program as it was lowered, before its reverse sweep adds to it."""
    told = pickle.dumps((_parts(program), DERIVATIVES), protocol=5)
    return native_key(f"{_own_files()}\0{hashlib.blake2b(told, digest_size=16).hexdigest()}")


def _parts(program: Program) -> tuple[object, ...]:
    callees = [(name, _parts(one)) for name, one in program.callees.items()]
    return program.name, program.params, program.body, program.results, program.active, callees, sorted(program.stores)


@cache
def _own_files() -> str:
    """Sizes and times of the files that generate code: a change of any of them starts over."""
    with os.scandir(Path(__file__).parent) as files:
        found = sorted((one.name, one.stat().st_size, one.stat().st_mtime_ns) for one in files if one.is_file())
    return repr(found)
