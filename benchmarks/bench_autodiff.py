"""Derivatives of plain Python programs against torch, JAX, HIPS autograd, hand-written NumPy and hand-written C.

One row for each bar: the same seeded inputs, one core, float64; compile time excluded except where it is the row. `grad(f)(x)`
includes our dispatch from Python; a peer's inputs are converted beforehand. Each derivative is compared with a reference before it is
timed. Peers that are not installed are listed in the first row and their rows show our side alone.
"""

from __future__ import annotations

import numpy as np

from benchmarks import autodiff_ours as ours
from benchmarks import autodiff_peers as peers
from benchmarks.autodiff_costs import coverage_row, heat_rows, latency_rows, tape_rows
from benchmarks.autodiff_pairs import agreement_row, one_core, pair_row
from benchmarks.programs import ba, det, gmm, hand, kmeans, llsq, lorenz, lse, lstm, ode, rosenbrock
from benchmarks.table import Row, absolute_row


def run() -> list[Row]:
    """The rows of this benchmark."""
    with one_core():
        return [
            peers_row(),
            *lorenz_rows(),
            *rosenbrock_rows(),
            *gmm_rows(),
            *jacobian_rows(),
            *lstm_rows(),
            *agreement_rows(),
            *latency_rows(),
            *tape_rows(),
            *heat_rows(),
            coverage_row(),
        ]


def peers_row() -> Row:
    """How many peers are missing, by name."""
    absent = peers.missing()
    return absolute_row(
        "peers_missing", len(absent), unit="peers", kind="count", bar=None, better="lower", input="JAX, HIPS autograd, a C compiler",
        reason="; ".join(absent.values()) or "all peers are here",
    )  # fmt: skip


def lorenz_rows(num_steps: int = 1000) -> list[Row]:
    """Runge-Kutta 4 on unmodified Python floats."""
    inputs = lorenz.make_inputs(num_steps)
    mine = ours.gradient(lorenz.lorenz, inputs, lorenz.ARGNUMS)
    what = f"RK4 Lorenz, {num_steps:,} steps, 6 inputs"
    expected = lorenz.reference_gradient(*inputs)

    def row(name, peer, bar, better, reason, num_pairs=15, **options):
        return pair_row(
            f"lorenz_{name}", mine, peer, expected=expected, bar=bar, better=better, input=what, reason=reason,
            num_pairs=num_pairs, **options,
        )  # fmt: skip

    return [
        row("gradient_over_objective", peers.numba_objective(lorenz.lorenz, inputs), 3.0, "lower",
            "a reverse sweep recomputes each step and then runs its adjoint: about 2.5 objectives", peer_expected=None),
        row("vs_torch", peers.framework("torch", "lorenz_gradient", inputs), 1000.0, "higher",
            "torch records 75,000 nodes on 0-d tensors, about 8 µs each", num_pairs=3),
        row("vs_autograd", peers.framework("hips", "lorenz_gradient", inputs), 1000.0, "higher",
            "about 50 µs a recorded operation; few repetitions, since one takes seconds", num_pairs=2),
        row("vs_jax_scan", peers.framework("jax", "lorenz_gradient", inputs, checkpointed=False), 10.0, "higher",
            "the default scan stacks every intermediate of every step; needs a rewrite of the program"),
        row("vs_jax_checkpointed", peers.framework("jax", "lorenz_gradient", inputs, checkpointed=True), 1.05, "lower",
            "both recompute a step in registers from three saved floats: a tie is the physical limit"),
        row("vs_cpython_objective", peers.python_objective(lorenz.lorenz, inputs), 0.1, "lower",
            "a gradient against the interpreter's objective", peer_expected=None),
    ]  # fmt: skip


def rosenbrock_rows(num: int = 1000) -> list[Row]:
    """An indexed loop."""
    inputs = rosenbrock.make_inputs(num)
    mine = ours.gradient(rosenbrock.rosenbrock, inputs, (0,))
    expected = rosenbrock.reference_gradient(*inputs)
    what = f"Rosenbrock loop, n = {num:,}"
    return [
        pair_row("rosenbrock_vs_torch_loop", mine, peers.framework("torch", "rosenbrock_loop", inputs), expected=expected,
                 bar=1000.0, better="higher", input=what, num_pairs=5, reason="the same loop on tensor elements"),
        pair_row("rosenbrock_vs_autograd_loop", mine, peers.framework("hips", "rosenbrock_loop", inputs), expected=expected,
                 bar=1000.0, better="higher", input=what, num_pairs=3, reason="the same loop on boxes; few repetitions"),
        pair_row("rosenbrock_vs_jax_vectorized", mine, peers.framework("jax", "rosenbrock_array", inputs), expected=expected,
                 bar=1.3, better="higher", input=what, num_pairs=25,
                 reason="against vectorized code: 16 kB of traffic is under a microsecond, the rest is dispatch on both sides"),
        pair_row("rosenbrock_vs_torch_vectorized", mine, peers.framework("torch", "rosenbrock_array", inputs),
                 expected=expected, bar=None, better="higher", input=what, num_pairs=15, reason="printed"),
    ]  # fmt: skip


def gmm_rows() -> list[Row]:
    """Gaussian mixtures at three sizes: scalar loops against JAX and torch, the array source against hand-written NumPy."""
    rows = []
    for num_params, (dim, num_components, num_points) in gmm.SIZES.items():
        inputs = gmm.make_inputs(dim, num_components, num_points)
        expected = gmm.reference_gradient(*inputs)
        what = f"GMM, {num_params:,} parameters (d {dim}, k {num_components}), {num_points:,} points"
        loops = ours.gradient(gmm.gmm_loops, inputs, gmm.ARGNUMS)
        array = ours.gradient(gmm.gmm_array, inputs, gmm.ARGNUMS)
        small, large = num_params == min(gmm.SIZES), num_params == max(gmm.SIZES)
        short = "28k" if large else f"{num_params}"
        rows += [
            pair_row(
                f"gmm_{short}_vs_jax", loops, peers.framework("jax", "gmm_gradient", inputs), expected=expected,
                bar=1.2 if small else None, better="lower", input=f"{what}, scalar loops", num_pairs=7,
                reason="50,000 flops and 250 exponentials; goal 1.0" if small else "printed: loops against matrix products",
            ),
            pair_row(
                f"gmm_{short}_vs_hand_numpy", array, peers.hand_numpy_gmm(inputs), expected=expected,
                bar=1.2 if large else None, better="lower", input=f"{what}, array source", num_pairs=9,
                reason="a pair of matrix products per component on both sides, two thirds of the hand gradient" if large else "printed",
            ),
            pair_row(
                f"gmm_{short}_vs_torch", array if large else loops, peers.framework("torch", "gmm_gradient", inputs),
                expected=expected, bar=None, better="higher", num_pairs=5, reason="printed",
                input=f"{what}, {'array source' if large else 'scalar loops'} against the centered einsum",
            ),
        ]  # fmt: skip
        if large:
            rows += hand_numpy_rows(inputs, expected, what)
    return rows


def hand_numpy_rows(inputs: tuple, expected: tuple, what: str) -> list[Row]:
    """That the hand-written NumPy is no straw man: against torch and JAX in their own forms, and torch in ours."""
    hand_written = peers.hand_numpy_gmm(inputs)

    def row(name, peer, bar, reason):
        return pair_row(f"hand_numpy_vs_{name}", hand_written, peer, expected=expected, bar=bar, better="higher",
                        input=f"{what}; ours is the hand-written NumPy", num_pairs=7, reason=reason)  # fmt: skip

    torch_form = "gmm_gradient"
    return [
        row("torch", peers.framework("torch", torch_form, inputs), 2.5, "ADBench's form: centered points (n, k, d) and one einsum"),
        row("torch_best_form", peers.framework("torch", torch_form, inputs, form="product per component"), None,
            "printed: torch restated with the hand-written gradient's own products"),
        row("jax", peers.framework("jax", torch_form, inputs), None, "printed: the faster of two forms"),
        row("autograd", peers.framework("hips", torch_form, inputs), None, "printed: one product per component"),
    ]  # fmt: skip


def jacobian_rows(num_correspondences: int = 100) -> list[Row]:
    """Bundle adjustment's sparse Jacobian, and hand tracking's tall ones, against hand-written C."""
    inputs = ba.make_inputs()
    blocks = ba.reference_blocks(*inputs)
    values = np.empty(31 * len(inputs[2]))
    ba.fill_values(values, blocks, inputs[2])
    simple = hand.make_inputs(num_correspondences)
    full = hand.make_complicated_inputs(num_correspondences)
    params = np.append(full[0], [0.0, 0.0])
    in_shape = f"{num_correspondences} correspondences, {hand.NUM_VERTICES} vertices, {hand.NUM_BONES} bones"
    what = f"BA, {len(inputs[0])} cameras, {len(inputs[1]):,} points, {len(inputs[2]):,} observations"
    return [
        pair_row("ba_vs_c", ours.ba_values(inputs), peers.hand_c("ba", inputs), expected=(values,), bar=3.0, better="lower",
                 input=f"{what}; values of the sparse Jacobian, its layout made beforehand on both sides", num_pairs=7,
                 reason="15 colors forward at once against derived formulas that share their factors"),
        pair_row("ba_vs_torch_func", ours.jacobian(ba.ba_shifted, (np.zeros(ba.NUM_PARAMS), *inputs)),
                 peers.framework("torch", "ba_blocks", inputs), expected=(blocks,), bar=None, better="higher", num_pairs=3,
                 input=f"{what}; blocks", reason="printed: vmap of jacfwd on a vectorized residual"),
        pair_row("hand_simple_vs_c", ours.jacobian(hand.hand_simple, simple), peers.hand_c("hand_simple", simple),
                 expected=hand.reference_simple(*simple), bar=3.0, better="lower", input=f"HAND simple, {in_shape}, 26 parameters",
                 num_pairs=9, reason="26 columns forward at once; the C knows that a bone moves with four angles only"),
        pair_row("hand_complicated_vs_c", ours.jacobian(hand.hand_shifted, (params, *full[1:])),
                 peers.hand_c("hand_complicated", full), expected=hand.reference_shifted(params, *full[1:]), bar=3.0,
                 better="lower", input=f"HAND complicated, {in_shape}, 26 parameters and 2 per correspondence in two colors", num_pairs=9,
                 reason="28 columns forward at once; three skinned vertices per correspondence"),
    ]  # fmt: skip


def lstm_rows() -> list[Row]:
    """ADBench's LSTM at its largest size."""
    inputs = lstm.make_inputs()
    expected = lstm.reference_gradient(*inputs)
    what = "LSTM, l 2, c 1,024, d 14"
    mine = ours.gradient(lstm.lstm_loops, inputs, lstm.ARGNUMS)
    return [
        pair_row("lstm_vs_torch", mine, peers.framework("torch", "lstm_gradient", inputs), expected=expected, bar=1.2, better="lower",
                 input=f"{what}, element loops", num_pairs=3,
                 reason="100,000 exponentials and 57,000 tanh bound the forward sweep; torch pays dispatch"),
        pair_row("lstm_vs_jax", mine, peers.framework("jax", "lstm_gradient", inputs), expected=expected, bar=None, better="lower",
                 input=f"{what}, element loops", num_pairs=7, reason="printed: a checkpointed scan"),
        pair_row("lstm_array_vs_torch", ours.gradient(lstm.lstm_array, inputs, lstm.ARGNUMS),
                 peers.framework("torch", "lstm_gradient", inputs), expected=expected, bar=None, better="lower",
                 input=f"{what}, array source", num_pairs=3, reason="printed: vectors of 14 are dispatch on both sides"),
    ]  # fmt: skip


def agreement_rows() -> list[Row]:
    """GradBench's smaller programs: they run unmodified and agree."""
    cases = [
        ("ode", ode, ode.ode, ode.make_inputs(), (0,), "4 components, 1,000 steps"),
        ("kmeans", kmeans, kmeans.kmeans, kmeans.make_inputs(), (1,), "1,000 points, 8 clusters, d 4"),
        ("lse", lse, lse.lse, lse.make_inputs(), (0,), "1,000 values"),
        ("llsq", llsq, llsq.llsq, llsq.make_inputs(), (0,), "8 coefficients, 1,000 points"),
        ("det", det, det.det, det.make_inputs(), (0,), "7 x 7 by minors"),
    ]
    return [
        agreement_row(
            f"{name}_agreement", ours.gradient(function, inputs, argnums), expected=module.reference_gradient(*inputs),
            input=f"{name}, {what}, unmodified", reason="against a reference derived by hand in float64",
        )
        for name, module, function, inputs, argnums, what in cases
    ]  # fmt: skip
