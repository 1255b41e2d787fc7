"""Study `autodiff`: derivatives of plain Python programs at native speed, against the frameworks, Numba and derivatives by hand.

Ratios are of process CPU time, ours over theirs, alternating on one core; each side's derivative is compared with a reference
before it is timed. Bars whose peers are written in C, or that run long, are read from the last dated result that is shipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from custodiet.base.stats import Estimate
from custodiet.records.base import Environment, Measurement
from custodiet.records.run_folder import RunFolder, utc_now
from custodiet.records.study import StudyRecord
from custodiet.studies import autodiff_peers as peers
from custodiet.studies.autodiff_claims import Outcome, dated_outcomes, judge_autodiff_claims
from custodiet.studies.autodiff_listings import make_listings
from custodiet.studies.autodiff_programs import gmm, lorenz, rosenbrock
from custodiet.studies.autodiff_timing import Side, alternate, one_core, prepare_side

__all__ = ["AutodiffConfig", "run_autodiff_study"]

Progress = Callable[[str, float, float, str], None]
LATENCY = """
import json, time
from custodiet.studies.autodiff_programs import hundred_lines
from custodiet.autodiff.compiler.entry import compile_gradient
inputs = hundred_lines.make_inputs()
begin = time.perf_counter()
compile_gradient(hundred_lines.reactor, inputs, hundred_lines.ARGNUMS)
print(json.dumps(time.perf_counter() - begin))
"""


@dataclass(frozen=True, kw_only=True)
class AutodiffConfig:
    """Sizes of the programs."""

    seed: int = 0
    num_steps: int = 1000
    """of Runge-Kutta 4"""
    num_variables: int = 1000
    """of Rosenbrock's valley"""
    small_gmm: tuple[int, int, int] = (3, 4, 50)
    """dimensions, components, points"""
    large_gmm: tuple[int, int, int] = (32, 50, 1000)
    num_pairs: int = 15
    """of alternating samples; a fifth where one side takes seconds"""
    num_latency_runs: int = 3


@dataclass(frozen=True)
class _Pair:
    """Two sides, and the derivative that both must give; `checked` False where the peer computes the objective alone."""

    ours: Side
    peer: Side
    expected: Sequence[Any]
    checked: bool = True
    slow: bool = False


def run_autodiff_study(
    *, folder: RunFolder, seed: int, command: str, on_progress: Progress, config: AutodiffConfig | None = None
) -> StudyRecord:
    """Time every pair, read what is dated, judge, and show one program with its derivative.

    Args:
        folder: run folder.
        seed: of the inputs.
        command: what was typed.
        on_progress: told of every comparison.
        config: sizes, for tests.
    """
    import torch

    started, num_threads = time.monotonic(), torch.get_num_threads()
    config = config or AutodiffConfig(seed=seed)
    folder.begin({"job": "study", "study": "autodiff", "seed": seed})
    outcomes: dict[str, Outcome] = {}
    try:
        with one_core():
            makers = _pairs(config)
            for place, (name, make) in enumerate(makers.items()):
                on_progress("compare", place, len(makers) + 1, name)
                pair = make()
                num_pairs = max(2, config.num_pairs // 5) if pair.slow else config.num_pairs
                outcomes[name] = _compare(pair, num_pairs)
            on_progress("compare", len(makers), len(makers) + 1, "compile_latency")
            outcomes |= _latencies(config.num_latency_runs)
    finally:
        torch.set_num_threads(num_threads)
    record = StudyRecord(
        study="autodiff",
        title="Automatic differentiation",
        created_utc=utc_now(),
        seed=seed,
        elapsed_s=time.monotonic() - started,
        environment=Environment.here(
            torch=str(torch.__version__), device="cpu", dtype="float64", num_threads=1,
            instruction_set=torch.backends.cpu.get_cpu_capability(),
        ),
        claims=judge_autodiff_claims(outcomes | dated_outcomes()),
        listings=make_listings(),
    )  # fmt: skip
    record.save(folder.record_json)
    folder.finish("done", title=record.title, headline="; ".join(f"{c.name}: {c.verdict}" for c in record.claims[:3]))
    return record


def _pairs(config: AutodiffConfig) -> dict[str, Callable[[], _Pair]]:
    """Claim -> its two sides, made when their turn comes."""
    run, short = lorenz.make_inputs(config.num_steps), lorenz.make_inputs(max(1, config.num_steps // 10))
    valley = rosenbrock.make_inputs(config.num_variables, config.seed)
    small, large = (gmm.make_inputs(*size, seed=config.seed) for size in (config.small_gmm, config.large_gmm))

    def lorenz_pair(peer: Side, **options: Any) -> _Pair:
        ours = peers.gradient(lorenz.lorenz, run, lorenz.ARGNUMS)
        return _Pair(ours, peer, lorenz.reference_gradient(*run), **options)

    def valley_pair(peer: Side, **options: Any) -> _Pair:
        return _Pair(
            peers.gradient(rosenbrock.rosenbrock, valley, (0,)), peer, rosenbrock.reference_gradient(*valley), **options
        )

    def gmm_pair(function: Callable[..., Any], inputs: tuple[Any, ...], peer: Side, **options: Any) -> _Pair:
        return _Pair(peers.gradient(function, inputs, gmm.ARGNUMS), peer, gmm.reference_gradient(*inputs), **options)

    def jax_lorenz(checkpointed: bool) -> Side:
        return peers.framework("jax", "lorenz_gradient", run, checkpointed=checkpointed)

    return {
        "lorenz_gradient_over_objective": lambda: lorenz_pair(peers.numba_objective(lorenz.lorenz, run), checked=False),
        "lorenz_vs_torch": lambda: lorenz_pair(peers.framework("torch", "lorenz_gradient", run), slow=True),
        "lorenz_vs_autograd": lambda: lorenz_pair(peers.framework("hips", "lorenz_gradient", run), slow=True),
        "lorenz_vs_jax_scan": lambda: lorenz_pair(jax_lorenz(False)),
        "lorenz_vs_jax_checkpointed": lambda: lorenz_pair(jax_lorenz(True)),
        "lorenz_vs_cpython_objective": lambda: lorenz_pair(peers.python_objective(lorenz.lorenz, run), checked=False),
        "rosenbrock_vs_torch_loop": lambda: valley_pair(peers.framework("torch", "rosenbrock_loop", valley), slow=True),
        "rosenbrock_vs_autograd_loop": lambda: valley_pair(
            peers.framework("hips", "rosenbrock_loop", valley), slow=True
        ),
        "rosenbrock_vs_jax_vectorized": lambda: valley_pair(peers.framework("jax", "rosenbrock_array", valley)),
        "gmm_40_vs_jax": lambda: gmm_pair(gmm.gmm_loops, small, peers.framework("jax", "gmm_gradient", small)),
        "gmm_28k_vs_hand_numpy": lambda: gmm_pair(gmm.gmm_array, large, peers.hand_numpy_gmm(large)),
        "published_gmm_manual_ratio": lambda: gmm_pair(
            gmm.gmm_array, large, peers.python_objective(gmm.gmm_array, large), checked=False
        ),
        "tape_vs_autograd_floats": lambda: _Pair(
            peers.gradient(lorenz.lorenz, short, lorenz.ARGNUMS, mode="trace"),
            peers.framework("hips", "lorenz_gradient", short),
            lorenz.reference_gradient(*short),
            slow=True,
        ),
    }


def _compare(pair: _Pair, num_pairs: int) -> Outcome:
    """The ratio of times, with the interval of its median; or why there is none."""
    mine, remark, fault = prepare_side(pair.ours, pair.expected)
    if mine is None or fault:
        return Outcome(Measurement.missing(remark), failed=True)
    theirs, remark, wrong = prepare_side(pair.peer, pair.expected if pair.checked else None)
    if theirs is None or wrong:
        return Outcome(Measurement.missing(remark), peer=pair.peer.version)
    first, second = alternate([mine, theirs], num_pairs)
    return Outcome(_median([a / b for a, b in zip(first, second, strict=True)]), peer=pair.peer.version)


def _median(values: Sequence[float]) -> Measurement:
    """The median with its interval from order statistics (95 %, the whole range of fewer than six values)."""
    ordered = np.sort(values)
    rank = int(stats.binom.ppf(0.025, len(ordered), 0.5))
    low, high = ordered[max(rank - 1, 0)], ordered[min(len(ordered) - rank, len(ordered) - 1)]
    return Measurement.of(Estimate(float(np.median(ordered)), float(low), float(high), len(ordered)))


def _latencies(num_runs: int) -> dict[str, Outcome]:
    """Seconds from source to machine code in a new process, with an empty cache and with what that left."""
    found: dict[str, list[float]] = {"compile_latency_cold_s": [], "compile_latency_cached_s": []}
    for _ in range(num_runs):
        with tempfile.TemporaryDirectory() as cache:
            environment = {**os.environ, "CUSTODIET_CACHE": cache, "OMP_NUM_THREADS": "1"}
            for times in found.values():
                done = subprocess.run([sys.executable, "-c", LATENCY], capture_output=True, text=True, env=environment)
                if done.returncode:
                    said = (done.stderr.strip().splitlines() or ["the measured process failed"])[-1]
                    return {name: Outcome(Measurement.missing(said), failed=True) for name in found}
                times.append(json.loads(done.stdout.splitlines()[-1]))
    return {name: Outcome(_median(times)) for name, times in found.items()}
