"""Shannon's measures and estimators against closed forms, SciPy and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy as scipy_entropy

from custodiet.entropy import estimators, measures
from custodiet.errors import InputError, TooFewSamplesError

WEIGHTS = arrays(np.float64, st.integers(1, 12), elements=st.floats(0.01, 1))


@settings(deadline=None, max_examples=60)
@given(WEIGHTS, st.integers(0, 1000))
def test_against_scipy(weights, seed):
    p = weights / weights.sum()
    q = np.random.default_rng(seed).dirichlet(np.ones(len(p)))
    assert measures.entropy_bits(p) == pytest.approx(scipy_entropy(p, base=2), abs=1e-12)
    assert measures.entropy_nats(p) == pytest.approx(scipy_entropy(p), abs=1e-12)
    assert measures.kl_bits(p, q) == pytest.approx(scipy_entropy(p, q, base=2), abs=1e-9)
    assert measures.kl_nats(p, q) == pytest.approx(scipy_entropy(p, q), abs=1e-9)
    assert measures.js_bits(p, q) == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=1e-9)
    assert measures.js_nats(p, q) <= math.log(2) + 1e-12
    assert measures.cross_entropy_bits(p, q) == pytest.approx(
        measures.entropy_bits(p) + measures.kl_bits(p, q), abs=1e-9
    )
    assert measures.cross_entropy_nats(p, p) == pytest.approx(measures.entropy_nats(p), abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.floats(0.01, 1)))
def test_chain_rule(weights):
    joint = weights / weights.sum()
    information = measures.mutual_information_bits(joint)
    assert information == pytest.approx(measures.mutual_information_bits(joint.T), abs=1e-9)
    of_y = measures.entropy_bits(joint.sum(0))
    assert measures.conditional_entropy_bits(joint) == pytest.approx(of_y - information, abs=1e-9)


def test_infinite_where_q_forbids_what_happens():
    assert measures.kl_bits([0.5, 0.5], [1.0, 0.0]) == math.inf
    assert measures.cross_entropy_bits([0.5, 0.5], [1.0, 0.0]) == math.inf
    assert measures.js_bits([1.0, 0.0], [0.0, 1.0]) == 1.0
    assert measures.uniform_bits(8, 3) == 9.0


def test_blocks_of_a_stream():
    stream = np.array([0, 1, 0, 1, 0, 1, 0])
    assert sorted(measures.block_counts(stream, 2)) == [3, 3]
    assert measures.block_entropy_bits(stream, 2) == 1.0
    assert measures.conditional_block_entropy_bits(np.tile([0, 1, 2], 1001)[:-1], 2) == pytest.approx(0, abs=1e-3)
    fair = np.random.default_rng(0).integers(0, 2, 200_000)
    for block in (1, 2, 5):
        assert measures.conditional_block_entropy_bits(fair, block) == pytest.approx(1, abs=1e-3)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=60), st.integers(1, 8))
def test_block_counts_are_those_of_tuples(tokens, block):
    if len(tokens) < block:
        with pytest.raises(TooFewSamplesError):
            measures.block_counts(tokens, block)
        return
    slow: dict = {}
    for start in range(len(tokens) - block + 1):
        key = tuple(tokens[start : start + block])
        slow[key] = slow.get(key, 0) + 1
    assert sorted(measures.block_counts(tokens, block)) == sorted(slow.values())


def test_joint_counts_of_a_copy_carry_all_information():
    x = np.random.default_rng(0).integers(0, 4, 1000)
    table = measures.joint_counts(x, x)
    assert table.sum() == 1000
    assert measures.mutual_information_bits(table / 1000) == pytest.approx(measures.block_entropy_bits(x, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: measures.entropy_bits([0.5, 0.6]), "sum to 1"),
        (lambda: measures.entropy_bits([np.nan]), "not a distribution"),
        (lambda: measures.kl_bits([1.0], [0.5, 0.5]), "differ in length"),
        (lambda: measures.mutual_information_bits([0.5, 0.5]), "a matrix"),
        (lambda: measures.block_counts([1, 2], 0), "block"),
        (lambda: measures.block_counts([1.5], 1), "vector of integers"),
        (lambda: measures.joint_counts([1], [1, 2]), "differ in length"),
        (lambda: estimators.estimate_entropy_bits([1, -1]), "not counts"),
        (lambda: estimators.estimate_entropy_bits([1], method="best"), "unknown"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
    with pytest.raises(TooFewSamplesError):
        estimators.estimate_entropy_bits([0, 0])
    with pytest.raises(TooFewSamplesError):
        measures.joint_counts(np.zeros(0, int), np.zeros(0, int))


def _bias(method: str, p: np.ndarray, num: int) -> float:
    rng = np.random.default_rng(0)
    found = [
        estimators.estimate_entropy_bits(rng.multinomial(num, p), method=method, num_resamples=0).value
        for _ in range(400)
    ]
    return float(np.mean(found)) - measures.entropy_bits(p)


@pytest.mark.parametrize("p", [np.full(64, 1 / 64), 1 / np.arange(1, 65) / (1 / np.arange(1, 65)).sum()])
def test_corrections_remove_bias(p):
    plug_in = _bias("plug-in", p, 128)
    assert plug_in < -0.25  # theory, to first order: -(64 - 1) / (2 * 128 ln 2) = -0.36
    assert abs(_bias("miller-madow", p, 128)) < 0.45 * abs(plug_in)  # knows nothing of the symbols it has not seen
    assert abs(_bias("grassberger", p, 128)) < 0.2 * abs(plug_in)
    assert abs(_bias("chao-shen", p, 128)) < 0.4 * abs(plug_in)
    for method in ("plug-in", "miller-madow", "grassberger", "chao-shen"):
        assert abs(_bias(method, p, 100_000)) < 0.002


def test_grassberger_is_its_defining_sum():
    # G(n) = psi(n) + (-1)^n / 2 * (psi((n + 1) / 2) - psi(n / 2)); G(1) = -gamma - ln 2, G(n + 2) by steps of 2 / (n odd)
    gamma = 0.5772156649015329
    g1 = -gamma - math.log(2)
    g2 = 2 - gamma - math.log(2)
    table = {1: g1, 2: g2, 3: g2, 4: g2 + 2 / 3}
    counts = [1, 2, 3, 4]
    want = math.log(10) - sum(n * table[n] for n in counts) / 10
    assert estimators.estimate_entropy_nats(counts, num_resamples=0).value == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("method", ["miller-madow", "grassberger", "chao-shen"])
def test_interval_covers(method):
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(20))
    truth = measures.entropy_bits(p)
    hits = 0
    for trial in range(200):
        found = estimators.estimate_entropy_bits(rng.multinomial(500, p), method=method, seed=trial)
        hits += found.low <= truth <= found.high
    assert hits >= 178  # 95 % of 200 less four standard deviations


def test_one_symbol_has_no_entropy():
    for method in ("plug-in", "miller-madow", "chao-shen"):
        assert estimators.estimate_entropy_bits([1000], method=method).value == pytest.approx(0, abs=1e-9)
