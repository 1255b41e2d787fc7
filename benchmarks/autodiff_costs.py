"""What a derivative costs beside its speed: compile latency, the tape's operations, memory under checkpoints, coverage."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import autodiff_ours as ours
from benchmarks import autodiff_peers as peers
from benchmarks.autodiff_pairs import UnavailableError, pair_row
from benchmarks.programs import heat, lorenz
from benchmarks.programs.coverage import examples
from benchmarks.table import Row, absolute_row

MIB = 2**20
LATENCY = """
import json, sys, time
from benchmarks.programs import gmm, hundred_lines
import custodiet.autodiff as autodiff
from custodiet.autodiff.compiler.entry import compile_gradient
program = {"elements": (hundred_lines.reactor, hundred_lines.make_inputs(), hundred_lines.ARGNUMS),
           "arrays": (gmm.gmm_array, gmm.make_inputs(), gmm.ARGNUMS)}[sys.argv[1]]
function, inputs, argnums = program
begin = time.perf_counter()
compile_gradient(function, inputs, argnums)
compiled = time.perf_counter()
autodiff.grad(function, argnums=argnums, mode="compile")(*inputs)
print(json.dumps({"compile_s": compiled - begin, "first_s": time.perf_counter() - compiled}))
"""
HEAT = """
import json, sys, time
from benchmarks import autodiff_ours as ours
num_cells, num_steps, num_snapshots = map(int, sys.argv[1:])
def peak(): return 1024 * int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
for _ in range(ours.WARM_UP_CALLS): ours.heat_gradient(num_cells, 8, 4)()
with open("/proc/self/clear_refs", "w") as file: file.write("5")
before, begin = peak(), time.process_time()
gradient = ours.heat_gradient(num_cells, num_steps, num_snapshots)()
print(json.dumps({"growth": peak() - before, "seconds": time.process_time() - begin, "finite": bool(abs(gradient).max() < 1e9)}))
"""


def array_chain(x, num):
    """Elementwise operations on an array, four a turn: what the tape's array operations are timed on."""
    y = x
    for _ in range(num):
        y = np.sin(y) * x + 0.5 * y
    return np.sum(y)


def latency_rows() -> list[Row]:
    """Compiling in a new process with an empty cache, and in the next one with the cache that it left."""
    rows = []
    for program, bars in {"elements": (0.5, 0.02), "arrays": (None, None)}.items():
        suffix = "" if program == "elements" else "_arrays"
        what = (
            "a function of 100 lines, scalars and elements"
            if program == "elements"
            else "GMM with array primitives, 40 parameters"
        )
        cold, cached, first, remark = [], [], [], ""
        try:
            ours.room()
            for _ in range(3):
                with tempfile.TemporaryDirectory() as cache:
                    for times in (cold, cached):
                        found = _in_process(LATENCY, program, cache=cache)
                        times.append(found["compile_s"])
                        first.append(found["first_s"])
        except (UnavailableError, ChildFailedError) as failure:
            remark = f". {failure}"
        rows.append(
            _measured(
                f"first_checked_call_s{suffix}", statistics.median(first) if first else None, unit="s", bar=None,
                input=f"{what}; the first call of `grad(f)` once the machine code is on the disk",
                reason=f"read again, then compared with CPython and the tape: every basic block is entered for the first time{remark}",
            )
        )  # fmt: skip
        roads = (
            ("cold", cold, bars[0], "empty", "parse, adjoint, code generation and LLVM"),
            (
                "cached",
                cached,
                bars[1],
                "warm",
                "parse, adjoint, code generation; the machine code comes from the disk",
            ),
        )
        for name, times, bar, cache, reason in roads:
            rows.append(
                _measured(
                    f"compile_latency_{name}_s{suffix}", statistics.median(times) if times else None, unit="s", bar=bar,
                    input=f"{what}; from source to callable machine code in a new process after import, {cache} disk cache",
                    reason=f"{reason}{remark}",
                )
            )  # fmt: skip
    return rows


def tape_rows() -> list[Row]:
    """The tape's cost per operation: the same program on both tapes, so that the ratio of times is that of operations."""
    floats = lorenz.make_inputs(100)
    x = np.linspace(0.1, 1.0, 100)
    steps, y, slope = 50, x, np.ones_like(x)
    for _ in range(steps):  # elementwise, so that a tangent of ones gives the gradient
        y, slope = np.sin(y) * x + 0.5 * y, np.cos(y) * slope * x + np.sin(y) + 0.5 * slope
    return [
        pair_row(
            "tape_vs_autograd_floats", ours.gradient(lorenz.lorenz, floats, lorenz.ARGNUMS, mode="trace"),
            peers.framework("hips", "lorenz_gradient", floats), expected=lorenz.reference_gradient(*floats),
            bar=30.0, better="higher", num_pairs=3, input="Lorenz, 100 steps, Python floats, about 7,500 operations",
            reason="a record per operation; the floor is the interpreter's own cost of the objective",
        ),
        pair_row(
            "tape_vs_autograd_arrays", ours.gradient(array_chain, (x, steps), (0,), mode="trace"),
            peers.hips_chain(array_chain, (x, steps)), expected=(slope,),
            bar=3.0, better="higher", num_pairs=5, input="200 elementwise operations on 100 elements",
            reason="NumPy's own call costs about half a microsecond at this size",
        ),
    ]  # fmt: skip


def heat_rows(num_steps: int = 1_000_000) -> list[Row]:
    """Peak growth of the process, and forward sweeps beyond the first, counted."""
    what = f"heat equation, 1,000 cells, {num_steps:,} steps"
    growths: dict[int, float | None] = {}
    remark = ""
    for snapshots in (1000, 20):
        growths[snapshots] = None
        steps = num_steps if snapshots == 1000 else num_steps // 100
        try:
            ours.room()
            found = _in_process(HEAT, "1000", str(steps), str(snapshots))
            growths[snapshots] = found["growth"] / MIB
        except (UnavailableError, ChildFailedError) as failure:
            remark = f". {failure}"
    kept_mib = 8 * 1000 * 1000 / MIB
    all_gib = 8 * 1000 * num_steps / 2**30
    return [
        _measured(
            "heat_memory_growth_mib", growths[1000], unit="MiB", bar=50.0, input=f"{what}, 1,000 snapshots",
            reason=f"1,000 snapshots of 1,000 cells are {kept_mib:.1f} MiB; all states would be {all_gib:.1f} GiB{remark}",
        ),
        _measured(
            "heat_memory_growth_mib_20_snapshots", growths[20], unit="MiB", bar=None,
            input=f"heat equation, 1,000 cells, {num_steps // 100:,} steps, 20 snapshots", reason=f"20 snapshots are 0.15 MiB{remark}",
        ),
        sweeps_row(),
    ]  # fmt: skip


def sweeps_row(num_steps: int = 5000, num_snapshots: int = 30) -> Row:
    """Forward sweeps beyond the first, by counting how often the step runs under the schedule.

    Griewank and Walther 2000 (revolve): with s snapshots and r repeats binomial(s + r, s) steps can be reversed; 10^6 steps at
    1,000 snapshots need r = 3, and so do 5,000 steps at 30 snapshots, which the tape can count.
    """
    count = 0

    def counted(u, rate):
        nonlocal count
        count += 1
        return heat.heat_step_array(u, rate)

    extra, remark = None, ""
    try:
        gradient = ours.heat_gradient(5, num_steps, num_snapshots, step=counted)
        count = 0
        gradient()
        extra = count / num_steps - 1.0
    except UnavailableError as failure:
        remark = f". {failure}"
    except Exception as failure:
        remark = f". counting failed: {type(failure).__name__}: {failure}"
    return _measured(
        "heat_extra_forward_sweeps", extra, unit="sweeps", bar=4.0,
        input=f"{num_steps:,} steps at {num_snapshots} snapshots, which need as many repeats as 10^6 at 1,000",
        reason=f"binomial(s + r, s) steps need at most r repeats: 3 here, and one more to record each step{remark}",
    )  # fmt: skip


def coverage_row() -> Row:
    """Share of the committed programs that take the compiled path."""
    everything = examples()
    declined, share, remark = [], None, ""
    try:
        ours.room()
        for example in everything:
            try:
                path, why = ours.path_of(example.function, example.inputs)
            except Exception as failure:
                path, why = "raised", f"{type(failure).__name__}: {failure}"
            if path != "compile":
                told = (why.splitlines() or ["no reason"])[0].replace(f"{Path(__file__).parents[1]}/", "")
                declined.append(f"{example.name} ({path}: {told})")
        share = 1.0 - len(declined) / len(everything)
    except UnavailableError as failure:
        remark = f"{failure}"
    return _measured(
        "coverage_compiled_share", share, unit="share of programs", bar=0.9, better="higher", kind="count",
        input=f"{len(everything)} committed programs", reason=remark or f"not compiled: {', '.join(declined) or 'none'}",
    )  # fmt: skip


class ChildFailedError(Exception):
    """A measured process ended with an error."""


def _in_process(code: str, *arguments: str, cache: str | None = None) -> dict:
    """Run `code` in a new interpreter, one thread; its JSON."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if cache is not None:
        environment |= {
            "XDG_CACHE_HOME": cache,
            "NUMBA_CACHE_DIR": f"{cache}/numba",
            "CUSTODIET_CACHE": f"{cache}/custodiet",
        }
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise ChildFailedError(
            f"the measured process failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
        )
    return json.loads(done.stdout.splitlines()[-1])


def _measured(name: str, value: float | None, *, unit, input, bar, reason, better="lower", kind="absolute") -> Row:
    """An absolute row, with `holds` None where there is no value."""
    if value is not None:
        return absolute_row(name, value, unit=unit, input=input, bar=bar, better=better, reason=reason, kind=kind)
    return Row(
        name=name, kind=kind, ours=None, unit=unit, input=input, bar=bar, better=better, holds=None, reason=reason
    )  # fmt: skip
