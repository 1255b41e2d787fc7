"""The claims of study `autodiff`: what is measured, the bar, and where the numbers come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from custodiet.records.base import Measurement
from custodiet.records.study import Claim, claim_of
from custodiet.studies.dated import last_dated_rows

__all__ = ["BARS", "Bar", "Outcome", "dated_outcomes", "judge_autodiff_claims"]

RATIO = "time, ours over theirs"
ADBENCH = "Srajer, Kukelova & Fitzgibbon 2018, arXiv 1807.10129"
WITH_BENCHMARKS = "no dated result of python -m benchmarks autodiff"


@dataclass(frozen=True)
class Outcome:
    """What came out for a claim."""

    measured: Measurement
    peer: str = ""
    failed: bool = False
    """ours raised or gave a wrong derivative: the claim does not hold"""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One claim before it is measured."""

    name: str
    what: str
    unit: str = RATIO
    tolerance: tuple[float, float] | None
    published: float | None = None
    source: str
    rows: tuple[str, ...] = ()
    """rows of the benchmark, where the study does not measure it itself; the worst one counts"""


BARS = (
    Bar(name="lorenz_gradient_over_objective", what="RK4 Lorenz, 1,000 steps of Python floats; theirs is the objective in Numba",
        tolerance=(0.0, 3.0), source="bar: a gradient for three objectives (Griewank & Walther 2008 bound the flops by four)"),
    Bar(name="lorenz_vs_torch", what="the same against eager torch", tolerance=(0.0, 1e-3), source="bar: a thousand times"),
    Bar(name="lorenz_vs_autograd", what="the same against HIPS autograd", tolerance=(0.0, 1e-3), source="bar: a thousand times"),
    Bar(name="lorenz_vs_jax_scan", what="the same, rewritten for JAX as a scan", tolerance=(0.0, 0.1), source="bar: ten times"),
    Bar(name="lorenz_vs_jax_checkpointed", what="the same scan with its body checkpointed", tolerance=(0.0, 1.05),
        source="bar: a tie is the physical limit"),
    Bar(name="lorenz_vs_cpython_objective", what="the gradient against the objective in CPython", tolerance=(0.0, 0.1),
        source="bar: a gradient for a tenth of the objective"),
    Bar(name="rosenbrock_vs_torch_loop", what="Rosenbrock loop, 1,000 variables", tolerance=(0.0, 1e-3), source="bar: a thousand times"),
    Bar(name="rosenbrock_vs_autograd_loop", what="the same against HIPS autograd", tolerance=(0.0, 1e-3), source="bar: a thousand times"),
    Bar(name="rosenbrock_vs_jax_vectorized", what="the loop against vectorized JAX", tolerance=(0.0, 1 / 1.3), source="bar: 1.3 times"),
    Bar(name="gmm_40_vs_jax", what="Gaussian mixture, 40 parameters, scalar loops", tolerance=(0.0, 1.2),
        source=f"program: {ADBENCH}, with GradBench's corrections"),
    Bar(name="gmm_28k_vs_hand_numpy", what="Gaussian mixture, 28,050 parameters, array source", tolerance=(0.0, 1.2),
        source=f"program: {ADBENCH}; the gradient by hand is ours"),
    Bar(name="published_gmm_manual_ratio", what="the same gradient over its own objective", tolerance=None, published=6.0,
        source=f"{ADBENCH}: by hand in C++ with Eigen, 21,500 parameters and 10,000 points; context, another program text"),
    Bar(name="ba_vs_c", what="bundle adjustment, values of the sparse Jacobian", tolerance=(0.0, 3.0),
        source=f"program: {ADBENCH}; the C is ours", rows=("ba_vs_c",)),
    Bar(name="hand_vs_c", what="hand tracking, simple and complicated, the slower of both", tolerance=(0.0, 3.0),
        source=f"program: {ADBENCH}; the C is ours", rows=("hand_simple_vs_c", "hand_complicated_vs_c")),
    Bar(name="lstm_vs_torch", what="LSTM, l 2, c 1,024, d 14", tolerance=(0.0, 1.2), source=f"program: {ADBENCH}", rows=("lstm_vs_torch",)),
    Bar(name="small_programs_agree", what="ODE, k-means, log-sum-exp, least squares, determinant, unmodified",
        unit="max-norm relative error, the largest", tolerance=(0.0, 1e-8), source="programs: GradBench",
        rows=("ode_agreement", "kmeans_agreement", "lse_agreement", "llsq_agreement", "det_agreement")),
    Bar(name="compile_latency_cold_s", what="a function of 100 lines, source to machine code", unit="s", tolerance=(0.0, 0.5),
        source="bar: half a second"),
    Bar(name="compile_latency_cached_s", what="the same with the cache on disk", unit="s", tolerance=(0.0, 0.02),
        source="bar: twenty milliseconds"),
    Bar(name="tape_vs_autograd_floats", what="Lorenz, 100 steps, both on a tape", tolerance=(0.0, 1 / 30), source="bar: thirty times"),
    Bar(name="tape_vs_autograd_arrays", what="200 operations on 100 elements, both on a tape", tolerance=(0.0, 1 / 3),
        source="bar: three times", rows=("tape_vs_autograd_arrays",)),
    Bar(name="heat_memory_growth_mib", what="heat equation, 1,000 cells, a million steps, 1,000 snapshots", unit="MiB",
        tolerance=(0.0, 50.0), source="Griewank & Walther 2000 (revolve): the schedule", rows=("heat_memory_growth_mib",)),
    Bar(name="heat_extra_forward_sweeps", what="forward sweeps beyond the first", unit="sweeps", tolerance=(0.0, 4.0),
        source="Griewank & Walther 2000 (revolve): the schedule", rows=("heat_extra_forward_sweeps",)),
    Bar(name="coverage_compiled_share", what="committed programs that take the compiled path", unit="share", tolerance=(0.9, 1.0),
        source="bar: nine of ten", rows=("coverage_compiled_share",)),
)  # fmt: skip


def dated_outcomes() -> dict[str, Outcome]:
    """Outcomes of the bars that the study reads from the last dated benchmark."""
    date, rows = last_dated_rows("autodiff")
    found = {}
    for bar in BARS:
        if bar.rows:
            given = [_measurement(rows[name]) for name in bar.rows if name in rows]
            gone = [one for one in given if one.value is None]
            if len(given) < len(bar.rows) or gone:
                why = gone[0].why if gone else WITH_BENCHMARKS
                found[bar.name] = Outcome(Measurement.missing(why or "not measured"))
                continue
            worst = (min if bar.name == "coverage_compiled_share" else max)(given, key=lambda one: one.value or 0.0)
            found[bar.name] = Outcome(
                worst, peer=f"measured on {date}: {rows[bar.rows[0]]['peer_version'] or 'no peer'}"
            )
    return found


def _measurement(row: Mapping[str, Any]) -> Measurement:
    """A row as a measurement; ratios of speed become ratios of time."""
    if row["kind"] != "ratio":
        if row["ours"] is None:
            return Measurement.missing(row["reason"])
        return Measurement(value=row["ours"], num=1, why="one run")
    if row["ratio_median"] is None:
        return Measurement.missing(row["reason"])
    value, low, high = row["ratio_median"], row["ratio_min"], row["ratio_max"]
    if row["better"] == "higher":
        value, low, high = 1.0 / value, 1.0 / high, 1.0 / low
    return Measurement(value=value, low=low, high=high, num=1)


def judge_autodiff_claims(outcomes: Mapping[str, Outcome]) -> list[Claim]:
    """The claims, each with its tolerance beside it; what could not be compared says why."""
    claims = []
    for bar in BARS:
        outcome = outcomes.get(bar.name, Outcome(Measurement.missing("not run")))
        peer = f"; {outcome.peer}" if outcome.peer else ""
        claim = claim_of(
            bar.name, f"{bar.unit}: {bar.what}", published=bar.published, source=f"{bar.source}{peer}",
            tolerance=bar.tolerance, measured=outcome.measured,
        )  # fmt: skip
        claims.append(claim.model_copy(update={"verdict": "not reproduced"}) if outcome.failed else claim)
    return claims
