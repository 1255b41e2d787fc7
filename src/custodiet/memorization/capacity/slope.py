"""The line through the cells of a table: memorized bits over parameters."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from custodiet.base.stats import Estimate
from custodiet.errors import TooFewSamplesError

__all__ = ["estimate_slope"]


def estimate_slope(
    num_params: ArrayLike,
    memorized_bits: ArrayLike,
    cells: ArrayLike,
    *,
    intercept: bool = False,
    confidence: float = 0.95,
) -> Estimate:
    """Bits per parameter by least squares through the means of the cells.

    The models of a cell hang together, and cells differ by as much per parameter whether they are small or large. So the
    interval takes the spread s of bits per parameter over cells: the slope is a sum of c_i times bits_i, and its standard error is
    s times the root of the sum of (c_i P_i)^2, with Student's t for the number of cells less one. Where one cell carries most of
    the slope it also widens s: in simulation the interval then covers 98 % where it promises 95. A percentile bootstrap over
    six cells covered 81 %: the largest cell is absent from a third of the draws.

    Args:
        num_params: one number per model.
        memorized_bits: one number per model.
        cells: label of the cell of each model; the models of a cell have one size.
        intercept: fit one; without it the line goes through the origin, as no parameters hold no bits.
        confidence: two-sided coverage, in (0, 1).

    Returns:
        Estimate whose `num` is the number of cells. It has no value where a line with an intercept meets one size only.

    Raises:
        TooFewSamplesError: there is no model.
    """
    params, bits, labels = np.asarray(num_params, np.float64), np.asarray(memorized_bits, np.float64), np.asarray(cells)
    names = np.unique(labels)
    if len(names) == 0:
        raise TooFewSamplesError("a slope through no cells", expected="at least 1", got=0)
    params_C, bits_C = (np.array([one[labels == name].mean() for name in names]) for one in (params, bits))
    centered_C = params_C - params_C.mean() if intercept else params_C
    spread = float(centered_C @ centered_C)
    if spread == 0:
        return Estimate(None, None, None, len(names), "a line with an intercept needs two sizes")
    weights_C = centered_C / spread
    slope = float(weights_C @ bits_C)
    if len(names) < 2:
        return Estimate(slope, None, None, 1, "one cell has no interval")
    error = float(np.std(bits_C / params_C, ddof=1)) * math.sqrt(float(((weights_C * params_C) ** 2).sum()))
    half = float(stats.t.ppf(0.5 + confidence / 2, len(names) - 1)) * error
    return Estimate(slope, slope - half, slope + half, len(names))
