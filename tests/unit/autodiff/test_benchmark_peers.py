"""The peers of the derivative benchmarks compute the derivative that they are timed for; peers that are not here are listed."""

import importlib.util

import numpy as np
import pytest

from benchmarks import autodiff_c, autodiff_peers, autodiff_torch
from benchmarks.autodiff_costs import array_chain
from benchmarks.autodiff_pairs import Side, agreement_row, max_norm_error, pair_row
from benchmarks.programs import ba, gmm, hand, lorenz, lstm, rosenbrock

GMM = (*gmm.make_inputs(3, 4, 12)[:4], 0.8, 2)
LORENZ = lorenz.make_inputs(30)
CASES = [
    ("torch", "lorenz_gradient", {}, LORENZ, lorenz.reference_gradient),
    ("torch", "rosenbrock_loop", {}, rosenbrock.make_inputs(9), rosenbrock.reference_gradient),
    ("torch", "rosenbrock_array", {}, rosenbrock.make_inputs(9), rosenbrock.reference_gradient),
    *(("torch", "gmm_gradient", {"form": form}, GMM, gmm.reference_gradient) for form in autodiff_torch.GMM_FORMS),
    ("torch", "lstm_gradient", {}, lstm.make_inputs(2, 5, 3), lstm.reference_gradient),
    ("torch", "ba_blocks", {}, ba.make_inputs(2, 3, 5), lambda *inputs: (ba.reference_blocks(*inputs),)),
    *(("jax", "lorenz_gradient", {"checkpointed": flag}, LORENZ, lorenz.reference_gradient) for flag in (False, True)),
    ("jax", "rosenbrock_array", {}, rosenbrock.make_inputs(9), rosenbrock.reference_gradient),
    ("jax", "gmm_gradient", {}, GMM, gmm.reference_gradient),
    ("jax", "lstm_gradient", {}, lstm.make_inputs(2, 5, 3), lstm.reference_gradient),
    ("hips", "lorenz_gradient", {}, LORENZ, lorenz.reference_gradient),
    ("hips", "rosenbrock_loop", {}, rosenbrock.make_inputs(9), rosenbrock.reference_gradient),
    ("hips", "gmm_gradient", {}, GMM, gmm.reference_gradient),
]


# torch warns of itself when its forward mode is first imported.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("name", "function", "options", "inputs", "reference"), CASES)
def test_frameworks_agree_with_the_references(name, function, options, inputs, reference):
    side = autodiff_peers.framework(name, function, inputs, **options)
    if importlib.util.find_spec(autodiff_peers.MODULES[name]) is None:
        assert "make bench-deps" in side.missing
        pytest.skip(side.missing)
    assert max_norm_error(side.prepare()(), reference(*inputs)) < 1e-10


def test_hips_chain_agrees_with_torch():
    side = autodiff_peers.hips_chain(array_chain, (np.linspace(0.1, 1.0, 5), 3))
    if side.missing:
        pytest.skip(side.missing)
    same = autodiff_torch.gradient(
        autodiff_torch.with_namespace(array_chain, autodiff_torch.torch), (np.linspace(0.1, 1.0, 5), 3), (0,)
    )
    assert max_norm_error(side.prepare()(), [np.asarray(leaf) for leaf in same()]) < 1e-14


def test_hand_written_c_agrees_with_complex_step():
    try:
        autodiff_c.version()
    except autodiff_c.NoCompilerError as reason:
        pytest.skip(str(reason))
    assert set(autodiff_c.check()) >= {"ba", "hand_simple", "hand_complicated"}
    inputs = hand.make_inputs(7)
    found = autodiff_peers.hand_c("hand_simple", inputs).prepare()()
    assert max_norm_error(found, hand.reference_simple(*inputs)) < 1e-12


def test_without_a_compiler_the_row_says_so(monkeypatch):
    monkeypatch.setattr(autodiff_c.shutil, "which", lambda name: None)
    autodiff_c.version.cache_clear()
    side = autodiff_peers.hand_c("ba", ba.make_inputs(2, 3, 5))
    assert "no C compiler" in side.missing
    assert "hand-written C" in autodiff_peers.missing()
    row = compare(right(), side)
    assert row.holds is None and row.peer is None and row.ours is not None and "no C compiler" in row.reason
    monkeypatch.undo()
    autodiff_c.version.cache_clear()


def right():
    return Side(lambda: lambda: np.array([1.0, 2.0]), "right")


def compare(ours, peer):
    return pair_row(
        "row", ours, peer, expected=(np.array([1.0, 2.0]),), bar=1e9, better="lower", input="x", reason="y", num_pairs=2
    )


def test_rows_judge_only_what_was_computed():
    row = compare(right(), right())
    assert row.holds is True and row.ratio_min <= row.ratio_median <= row.ratio_max
    wrong = compare(Side(lambda: lambda: np.array([1.0, 2.1]), "off"), right())
    assert wrong.holds is False and "WRONG" in wrong.reason
    failing = compare(Side(lambda: 1 // 0, "bad"), right())
    assert failing.holds is False and failing.ours is None and "ZeroDivisionError" in failing.reason
    nothing = compare(Side(lambda: lambda: np.array([1.0, np.nan]), "nan"), right())
    assert nothing.holds is False
    assert compare(Side(lambda: None, "gone", missing="not here"), right()).holds is None


def test_agreement_rows_print_a_time():
    row = agreement_row("agree", right(), expected=(np.array([1.0, 2.0]),), input="x", reason="y")
    assert row.holds is True and row.ours == 0.0 and "µs" in row.reason
    shape = agreement_row("agree", right(), expected=(np.array([1.0]),), input="x", reason="y")
    assert shape.holds is False and "shape" in shape.reason
