"""Sparse Jacobians by coloring: columns that share no row are found in one forward direction.

Greedy distance-2 coloring of the columns, largest first (Curtis, Powell and Reid 1974; Gebremedhin, Manne and Pothen
2005, section 4): two columns get different colors where some row holds a nonzero of both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from custodiet.errors import DifferentiationError

__all__ = ["color_columns", "recover", "seeds_of", "sparsity_of"]


def sparsity_of(sparsity: Any, shape: tuple[int, int]) -> Any:
    """A pattern as a csr matrix of ones.

    Args:
        sparsity: array, nested lists or scipy.sparse matrix; what is nonzero may be nonzero in the Jacobian.
        shape: (results, inputs).
    """
    pattern: Any = scipy.sparse.csr_matrix(sparsity, dtype=bool)
    if pattern.shape != shape:
        raise DifferentiationError("sparsity does not fit the Jacobian", expected=shape, got=pattern.shape)
    pattern.eliminate_zeros()
    pattern.sort_indices()
    return pattern


def color_columns(pattern: Any) -> NDArray[np.int64]:
    """A color per column, int64 of shape (columns,); columns of one color share no row."""
    rows, columns = pattern.tocsr(), pattern.tocsc()
    count = columns.shape[1]
    colors = np.full(count, -1, dtype=np.int64)
    sizes = np.diff(columns.indptr)
    forbidden = np.full(count + 1, -1, dtype=np.int64)
    for column in np.argsort(-sizes, kind="stable"):
        for row in columns.indices[columns.indptr[column] : columns.indptr[column + 1]]:
            taken = colors[rows.indices[rows.indptr[row] : rows.indptr[row + 1]]]
            forbidden[taken[taken >= 0]] = column
        free = np.flatnonzero(forbidden[: colors.max(initial=-1) + 2] != column)
        colors[column] = free[0]
    return colors


def seeds_of(colors: NDArray[np.int64]) -> NDArray[np.float64]:
    """One direction per color, float64 of shape (colors, columns): ones at the color's columns."""
    seeds = np.zeros((int(colors.max(initial=-1)) + 1, len(colors)))
    seeds[colors, np.arange(len(colors))] = 1.0
    return seeds


def recover(pattern: Any, colors: NDArray[np.int64], compressed: NDArray[Any]) -> Any:
    """The Jacobian from its compressed columns.

    Args:
        compressed: (colors, rows), the derivative of every result along every seed.
    """
    rows = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
    data = compressed[colors[pattern.indices], rows]
    return scipy.sparse.csr_matrix((data, pattern.indices.copy(), pattern.indptr.copy()), shape=pattern.shape)
