"""Bootstrap over clusters for many statistics at once: one matrix product per block of resamples.

A statistic is a function of sums over samples (a share is one sum over another), and the sums of a resample are the sums
of its clusters, as often as each was drawn. So columns are added up per cluster first, and never again.

Shape suffixes: N samples, C columns, K clusters, R resamples, G groups.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from custodiet.base.rng import numpy_rng
from custodiet.base.stats import Estimate, estimate_proportion
from custodiet.errors import TooFewSamplesError

__all__ = ["ClusterBootstrap", "join_clusters"]

Floats = NDArray[np.float64]
_BLOCK = 100


class ClusterBootstrap:
    """Percentile intervals from resamples of whole clusters (Field & Welsh 2007).

    Args:
        clusters: label of the cluster of each sample.
        seed: of the resampling; all statistics of one object see the same resamples.
        num_resamples: number of resamples.
        confidence: two-sided coverage, in (0, 1).

    Raises:
        TooFewSamplesError: there is no sample.
    """

    def __init__(self, clusters: ArrayLike, *, seed: int, num_resamples: int = 2000, confidence: float = 0.95) -> None:
        labels = np.asarray(clusters)
        if len(labels) == 0:
            raise TooFewSamplesError("a bootstrap of no samples", expected="at least 1", got=0)
        names, inverse = np.unique(labels, return_inverse=True)
        self.cluster_N: NDArray[np.int64] = inverse.astype(np.int64)
        self.num_clusters = len(names)
        self.seed, self.num_resamples, self.confidence = seed, num_resamples, confidence

    def resample_sums(self, columns_NC: ArrayLike) -> Floats:
        """Sums of each column over the samples of each resample, float64 (R, C)."""
        columns = np.asarray(columns_NC, dtype=np.float64)
        sums_KC = np.zeros((self.num_clusters, columns.shape[1]))
        np.add.at(sums_KC, self.cluster_N, columns)
        rng = numpy_rng(self.seed, "cluster bootstrap")
        out = np.empty((self.num_resamples, columns.shape[1]))
        for start in range(0, self.num_resamples, _BLOCK):
            num = min(_BLOCK, self.num_resamples - start)
            drawn = rng.integers(0, self.num_clusters, (num, self.num_clusters))
            drawn += np.arange(num)[:, None] * self.num_clusters
            times = np.bincount(drawn.ravel(), minlength=num * self.num_clusters).reshape(num, self.num_clusters)
            out[start : start + num] = times.astype(np.float64) @ sums_KC
        return out

    def estimate(self, columns_NC: ArrayLike, statistic: Callable[[Floats], Floats]) -> Estimate:
        """A statistic of the sums of columns.

        Args:
            columns_NC: float (N, C).
            statistic: sums (R, C) -> values (R,), NaN where a value is not defined.

        Returns:
            Estimate whose `num` is the number of clusters; without an interval where fewer than half of the resamples
            have a value, or where there is one cluster.
        """
        columns = np.asarray(columns_NC, dtype=np.float64)
        value = float(statistic(columns.sum(axis=0, keepdims=True))[0])
        return self._interval(value, statistic(self.resample_sums(columns)), self.num_clusters)

    def estimate_shares(self, hits_N: ArrayLike, members_NG: ArrayLike) -> list[Estimate]:
        """For each group, the share of its samples that are hits.

        Args:
            hits_N: bool (or the weight of a hit, in [0, 1]), one per sample.
            members_NG: bool (N, G), the samples of each group; a sample may be in several.

        Returns:
            An estimate per group; `num` is the number of clusters that it has samples of. Where no resample differs, as all
            are hits or none is, the open end is the exact (Clopper-Pearson) one of as many trials as there are clusters.
        """
        members = np.asarray(members_NG, dtype=np.float64)
        hits = np.asarray(hits_N, dtype=np.float64)[:, None] * members
        num_groups = members.shape[1]
        sums = self.resample_sums(np.concatenate([hits, members], axis=1))
        found = []
        for group in range(num_groups):
            size = float(members[:, group].sum())
            num_clusters = len(np.unique(self.cluster_N[members[:, group] > 0]))
            if size == 0:
                found.append(Estimate(None, None, None, 0, "no samples"))
                continue
            value = float(hits[:, group].sum()) / size
            with np.errstate(invalid="ignore"):
                draws = sums[:, group] / sums[:, num_groups + group]
            if value in (0.0, 1.0) and num_clusters > 1:
                found.append(estimate_proportion(round(value * num_clusters), num_clusters, confidence=self.confidence))
            else:
                found.append(self._interval(value, draws, num_clusters))
        return found

    def _interval(self, value: float, draws_R: Floats, num: int) -> Estimate:
        if not np.isfinite(value):
            return Estimate(None, None, None, num, "the statistic is not defined here")
        if num < 2:
            return Estimate(value, None, None, num, "one cluster has no interval")
        finite = draws_R[np.isfinite(draws_R)]
        if len(finite) < len(draws_R) / 2:
            return Estimate(value, None, None, num, "the statistic is not defined in most resamples")
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(finite, [tail, 1 - tail]).tolist()
        return Estimate(value, low, high, num)


def join_clusters(*labels: ArrayLike) -> NDArray[np.int64]:
    """The finest clusters that keep together what shares a label in any of several labelings.

    Args:
        labels: one label per sample in each; None where a sample has none.

    Returns:
        int64, the number of the cluster of each sample.
    """
    columns = [list(np.asarray(one, dtype=object)) for one in labels]
    parent = list(range(len(columns[0])))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for column in columns:
        first: dict[object, int] = {}
        for place, label in enumerate(column):
            if label is not None:
                parent[root(place)] = root(first.setdefault(label, place))
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(root(place), len(numbers)) for place in range(len(parent))], dtype=np.int64)
