"""Intervals and tests against definitions, and their calibration."""

import numpy as np
import pytest
from scipy import stats

from custodiet.base.stats import (
    benjamini_hochberg,
    bootstrap,
    clustered_bootstrap,
    difference_of_means,
    estimate_auc,
    estimate_mean,
    estimate_proportion,
    estimate_tpr_at_fpr,
    holm,
    paired_test,
)
from custodiet.errors import TooFewSamplesError


def slow_auc(x, y):
    return np.mean([(a > b) + 0.5 * (a == b) for a in x for b in y])


def slow_delong_variance(x, y):
    """The definition of DeLong et al. with its m x n kernel."""
    kernel = np.array([[(a > b) + 0.5 * (a == b) for b in y] for a in x])
    return kernel.mean(axis=1).var(ddof=1) / len(x) + kernel.mean(axis=0).var(ddof=1) / len(y)


def test_auc_equals_the_definition_with_ties():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, 40).astype(float), rng.integers(0, 7, 31).astype(float)
    found = estimate_auc(x, y)
    assert found.value == pytest.approx(slow_auc(x, y), abs=1e-12)
    half = stats.norm.ppf(0.975) * slow_delong_variance(x, y) ** 0.5
    assert found.high - found.low == pytest.approx(2 * half, abs=1e-12)
    assert found.value == pytest.approx(stats.mannwhitneyu(x, y).statistic / (40 * 31), abs=1e-12)


def test_auc_interval_covers():
    rng = np.random.default_rng(1)
    truth = stats.norm.cdf(1 / 2**0.5)
    hits = 0
    for _ in range(400):
        found = estimate_auc(rng.normal(1, 1, 60), rng.normal(0, 1, 80))
        hits += found.low <= truth <= found.high
    assert 0.92 <= hits / 400 <= 0.98


def test_perfect_auc_keeps_an_open_end():
    found = estimate_auc(np.arange(10, 34.0), np.arange(0, 9.0))
    assert found.value == 1.0 and found.high == 1.0 and 0.5 < found.low < 1.0


@pytest.mark.parametrize("method", ["clopper-pearson", "wilson"])
def test_proportion_against_scipy(method):
    found = estimate_proportion(3, 20, method=method)
    want = stats.binomtest(3, 20).proportion_ci(method="exact" if method == "clopper-pearson" else "wilson")
    assert (found.value, found.low, found.high, found.num) == (0.15, want.low, want.high, 20)


def test_proportion_refuses_nothing():
    with pytest.raises(TooFewSamplesError, match="no trials"):
        estimate_proportion(0, 0)
    with pytest.raises(ValueError, match="hits"):
        estimate_proportion(3, 2)


def test_clopper_pearson_never_undercovers():
    for p in (0.01, 0.2, 0.5):
        covered = sum(
            stats.binom.pmf(k, 24, p) for k in range(25) if (found := estimate_proportion(k, 24)).low <= p <= found.high
        )
        assert covered >= 0.95


def test_mean_and_difference_against_scipy():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=12), rng.normal(1, 3, size=30)
    want = stats.ttest_1samp(a, 0).confidence_interval()
    found = estimate_mean(a)
    assert (found.low, found.high) == (pytest.approx(want.low), pytest.approx(want.high))
    want = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    found = difference_of_means(a, b)
    assert (found.low, found.high) == (pytest.approx(want.low), pytest.approx(want.high))
    assert estimate_mean([2.0]).why is not None


def test_bootstrap_covers_a_mean_and_clusters_widen_it():
    rng = np.random.default_rng(3)
    hits = 0
    for trial in range(200):
        found = bootstrap(rng.normal(size=50), np.mean, seed=trial, num_resamples=300)
        hits += found.low <= 0 <= found.high
    assert 0.89 <= hits / 200 <= 0.985
    centers = rng.normal(size=12)
    x = np.repeat(centers, 20) + rng.normal(0, 0.1, 240)
    labels = np.repeat(np.arange(12), 20)
    naive = bootstrap(x, np.mean, seed=0)
    clustered = clustered_bootstrap(x, labels, np.mean, seed=0)
    assert clustered.num == 12
    assert clustered.high - clustered.low > 2.5 * (naive.high - naive.low)


def test_bootstrap_is_seeded():
    x = np.arange(20.0)
    assert bootstrap(x, np.mean, seed=5) == bootstrap(x, np.mean, seed=5)
    assert bootstrap(x, np.mean, seed=5) != bootstrap(x, np.mean, seed=6)


def test_tpr_uses_a_threshold_that_keeps_the_false_alarms():
    rng = np.random.default_rng(4)
    controls = rng.normal(size=500)
    found = estimate_tpr_at_fpr(rng.normal(size=4000), controls)
    assert found.value == pytest.approx(0.01, abs=0.012)
    assert estimate_tpr_at_fpr([9.0, -9.0], np.arange(100) / 100).value == 0.5
    few = estimate_tpr_at_fpr([1.0], np.arange(99.0))
    assert few.value is None and "100 are needed" in few.why


def test_paired_test_is_uniform_without_an_effect_and_small_with_one():
    rng = np.random.default_rng(5)
    p = [paired_test(rng.normal(size=30), rng.normal(size=30)) for _ in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 0.001
    x = rng.normal(size=30)
    assert paired_test(x + 1, x + rng.normal(0, 0.1, 30)) < 1e-4
    assert paired_test(x, x) == 1.0


def test_adjusted_p_values():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(benjamini_hochberg([0.01, 0.04, 0.03]), [0.03, 0.04, 0.04])
