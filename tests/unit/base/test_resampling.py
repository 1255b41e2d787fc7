"""Bootstraps over clusters: the slow definition, coverage, and the clusters themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.base.resampling import ClusterBootstrap, join_clusters
from custodiet.base.stats import clustered_bootstrap, estimate_proportion
from custodiet.errors import TooFewSamplesError


def test_sums_are_those_of_whole_clusters():
    clusters = ["a", "b", "a", "c"]
    boot = ClusterBootstrap(clusters, seed=1, num_resamples=250)
    sums = boot.resample_sums(np.array([[1.0, 1], [10, 1], [2, 1], [100, 1]]))
    values = {
        (3 * a + 10 * b + 100 * c, 2 * a + b + c)
        for a in range(4)
        for b in range(4)
        for c in range(4)
        if a + b + c == 3
    }
    assert sums.shape == (250, 2)
    assert {tuple(one) for one in sums.tolist()} <= values
    assert np.array_equal(
        sums, ClusterBootstrap(clusters, seed=1, num_resamples=250).resample_sums([[1, 1], [10, 1], [2, 1], [100, 1]])
    )


def test_shares_agree_with_the_slow_bootstrap():
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 60, 400)
    hits = rng.random(400) < 0.3 + 0.4 * (clusters % 2)
    fast = ClusterBootstrap(clusters, seed=3, num_resamples=4000).estimate_shares(hits, np.ones((400, 1)))[0]
    slow = clustered_bootstrap(hits, clusters, lambda x: float(x.mean()), seed=4, num_resamples=4000)
    assert fast.value == pytest.approx(slow.value)
    assert fast.num == slow.num == 60
    assert fast.low == pytest.approx(slow.low, abs=0.012)
    assert fast.high == pytest.approx(slow.high, abs=0.012)


def test_the_interval_covers_where_clusters_hang_together():
    rng = np.random.default_rng(5)
    clusters = np.repeat(np.arange(40), 6)
    covered = alone = 0
    for trial in range(200):
        hits = np.repeat(rng.random(40) < 0.5, 6)  # all of a cluster is right, or none of it
        one = ClusterBootstrap(clusters, seed=trial, num_resamples=400).estimate_shares(hits, np.ones((240, 1)))[0]
        covered += one.low <= 0.5 <= one.high
        naive = estimate_proportion(int(hits.sum()), 240)
        alone += naive.low <= 0.5 <= naive.high
    assert covered >= 180
    assert alone < 150  # what an interval says that takes items for independent


def test_groups_overlap_and_are_empty():
    members = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]])
    found = ClusterBootstrap([0, 1, 2], seed=0).estimate_shares([True, True, True], members)
    assert [one.value for one in found] == [1.0, 1.0, None]
    assert found[0].high == 1.0
    assert (
        found[0].low == estimate_proportion(2, 2).low
    )  # nothing varies, so the exact end of as many trials as clusters
    assert found[2].why == "no samples"
    single = ClusterBootstrap([7, 7], seed=0).estimate_shares([True, False], np.ones((2, 1)))[0]
    assert (single.value, single.low, single.why) == (0.5, None, "one cluster has no interval")


def test_a_statistic_that_is_not_defined():
    boot = ClusterBootstrap([0, 1], seed=0)
    assert boot.estimate(np.zeros((2, 1)), lambda sums: np.full(len(sums), np.nan)).value is None
    with pytest.raises(TooFewSamplesError):
        ClusterBootstrap([], seed=0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from([None, "x", "y", "z"])), min_size=1, max_size=12))
def test_joined_clusters_are_the_connected_components(pairs):
    joined = join_clusters([one for one, _ in pairs], [one for _, one in pairs])
    linked = [{index} for index in range(len(pairs))]
    for _ in pairs:  # closure by brute force
        for i, a in enumerate(pairs):
            for j, b in enumerate(pairs):
                if a[0] == b[0] or (a[1] is not None and a[1] == b[1]):
                    linked[i] |= linked[j]
    for i in range(len(pairs)):
        assert set(np.flatnonzero(joined == joined[i]).tolist()) == linked[i]
