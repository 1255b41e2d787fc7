"""The hand-written C derivatives (ours, labeled a re-implementation): built when asked for, called through ctypes.

`cc -O3 -march=native` into a temporary folder; without a compiler `load` raises one clear line. `check` compares a function's Jacobian
with the complex-step reference of its program.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.programs import ba, hand

SOURCES = Path(__file__).parent / "c"
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")
TOLERANCE = 1e-10


class NoCompilerError(RuntimeError):
    """There is no C compiler, or it failed."""


def _compiler() -> str:
    """Path of the C compiler."""
    found = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
    if found is None:
        raise NoCompilerError(
            "no C compiler (cc, gcc, clang) on this machine: install one to compare with hand-written C"
        )
    return found


@functools.cache
def version() -> str:
    """What compiled the peer, with its flags."""
    line = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return f"hand-written C (ours), {line}, {' '.join(FLAGS[:2])}"


@functools.cache
def load(name: str) -> ctypes.CDLL:
    """The library of ``c/NAME.c``, compiled for this machine.

    Raises:
        NoCompilerError: there is no compiler, or it does not accept the source.
    """
    source = SOURCES / f"{name}.c"
    folder = Path(tempfile.mkdtemp(prefix=f"custodiet-bench-{os.getuid()}-"))
    target = folder / f"{name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}.so"
    done = subprocess.run([_compiler(), *FLAGS, str(source), "-o", str(target), "-lm"], capture_output=True, text=True)
    if done.returncode:
        raise NoCompilerError(f"{source.name} did not compile: {done.stderr.strip().splitlines()[0]}")
    library = ctypes.CDLL(str(target))
    shutil.rmtree(folder)
    return library


def _pointer(array: np.ndarray | None) -> ctypes.c_void_p:
    """Address of a C-contiguous array."""
    if array is None:
        return ctypes.c_void_p(None)
    if not array.flags.c_contiguous:
        raise ValueError("the array must be C-contiguous")
    return ctypes.c_void_p(array.ctypes.data)


class BaJacobian:
    """Sparse Jacobian of bundle adjustment by hand-written C; call it with the arguments of `ba_residuals`."""

    def __init__(self, num: int) -> None:
        self.function = load("ba").ba_jacobian
        self.function.restype = None
        self.residuals = np.empty(3 * num)
        self.values = np.empty(31 * num)

    def __call__(self, cams, points, weights, observations, feats) -> np.ndarray:
        """The values in ADBench's order; `residuals` holds the objective."""
        arrays = (cams, points, weights, observations, feats, self.residuals, self.values)
        self.function(ctypes.c_long(len(weights)), *map(_pointer, arrays))
        return self.values


class HandJacobian:
    """Dense Jacobian of hand tracking by hand-written C, (n, 3, 26) or with coordinates (n, 3, 28)."""

    def __init__(self, num: int, complicated: bool) -> None:
        self.function = load("hand").hand_jacobian
        self.function.restype = None
        self.complicated = complicated
        self.errors = np.empty((num, 3))
        self.jacobian = np.empty((num, 3, 28 if complicated else 26))

    def __call__(self, theta, *rest) -> np.ndarray:
        """Arguments as `hand_simple` or `hand_complicated` takes them."""
        us, rest = (rest[0], rest[1:]) if self.complicated else (None, rest)
        arrays = (theta, us, *rest, self.errors, self.jacobian)
        self.function(ctypes.c_long(len(self.errors)), *map(_pointer, arrays))
        return self.jacobian


def check() -> dict[str, float]:
    """Largest error of each C derivative against complex step, and of its objective, relative to the largest entry.

    Raises:
        AssertionError: an error is beyond rounding: the peer would be wrong.
    """
    inputs = ba.make_inputs(7, 11, 40)
    inputs[0][0, :3] = 0.0  # the branch without a rotation
    mine = BaJacobian(40)
    values = mine(*inputs)
    blocks = values[: 40 * 30].reshape(40, 2, 15)
    rotated = inputs[3][:, 0] != 0
    nearly = inputs[0].copy()
    nearly[0, :3] = 1e-7
    expected = ba.reference_blocks(nearly, *inputs[1:])
    assert _error(blocks[~rotated], expected[~rotated]) < 1e-6, (
        "the branch without a rotation is not the limit of the other"
    )
    found = {
        "ba": _error(blocks[rotated], expected[rotated]),
        "ba_objective": _error(mine.residuals, ba.ba_residuals(*inputs)),
    }
    simple = hand.make_inputs(60)
    mine = HandJacobian(60, complicated=False)
    found["hand_simple"] = _error(mine(*simple), hand.reference_simple(*simple)[0])
    found["hand_simple_objective"] = _error(mine.errors, hand.hand_simple(*simple))
    full = hand.make_complicated_inputs(60)
    mine = HandJacobian(60, complicated=True)
    shifted = (np.append(full[0], [0.0, 0.0]), *full[1:])
    found["hand_complicated"] = _error(mine(*full), hand.reference_shifted(*shifted)[0])
    found["hand_complicated_objective"] = _error(mine.errors, hand.hand_complicated(*full))
    wrong = {name: error for name, error in found.items() if not error < TOLERANCE}
    assert not wrong, f"hand-written C disagrees with complex step: {wrong}"
    return found


def _error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))
