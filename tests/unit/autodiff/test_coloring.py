"""Sparse Jacobians by coloring."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.autodiff import jacobian
from custodiet.autodiff.coloring import color_columns, recover, seeds_of, sparsity_of
from custodiet.errors import DifferentiationError


def bundle(x):
    """Residuals that each see three neighbors."""
    out = np.zeros(2 * (len(x) - 2))
    for k in range(len(x) - 2):
        out[2 * k] = x[k] * x[k + 1] - np.sin(x[k + 2])
        out[2 * k + 1] = x[k + 2] ** 2
    return out


X = np.linspace(0.2, 1.4, 12)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12), st.floats(0, 0.6))
def test_colors_separate_columns_that_share_a_row(seed, rows, columns, density):
    pattern = np.random.Generator(np.random.PCG64(seed)).random((rows, columns)) < density
    colors = color_columns(sparsity_of(pattern, (rows, columns)))
    for row in pattern:
        used = colors[row]
        assert len(set(used)) == len(used)
    matrix = pattern * np.arange(1.0, 1 + rows * columns).reshape(rows, columns)
    got = recover(sparsity_of(pattern, (rows, columns)), colors, seeds_of(colors) @ matrix.T)
    np.testing.assert_array_equal(got.toarray(), matrix)


def test_a_band_takes_three_colors():
    band = scipy.sparse.diags([np.ones(50), np.ones(49), np.ones(49)], [0, 1, -1])
    assert color_columns(sparsity_of(band, (50, 50))).max() + 1 == 3


@pytest.mark.parametrize("how", ["given", "detect"])
def test_sparse_equals_dense(how):
    dense = jacobian(bundle)(X)
    got = jacobian(bundle, sparsity=dense != 0 if how == "given" else "detect")(X)
    assert scipy.sparse.isspmatrix_csr(got) and got.nnz == np.count_nonzero(dense)
    np.testing.assert_allclose(got.toarray(), dense)


def test_a_pattern_that_misses_entries_is_an_error():
    pattern = jacobian(bundle)(X) != 0
    pattern[4, 3] = False
    with pytest.raises(DifferentiationError, match="misses nonzeros in row 4"):
        jacobian(bundle, sparsity=pattern)(X)
    with pytest.raises(DifferentiationError, match="does not fit"):
        jacobian(bundle, sparsity=pattern[:, :5])(X)
    with pytest.raises(DifferentiationError, match="detect"):
        jacobian(bundle, sparsity="guess")(X)
    with pytest.raises(DifferentiationError, match="plain array"):
        jacobian(lambda x: x, sparsity="detect")(1.0)


def test_nothing_depends_on_anything():
    got = jacobian(lambda x: np.ones(3) * x[0] * 0.0, sparsity="detect")(X)
    assert got.shape == (3, 12) and got.nnz == 0
