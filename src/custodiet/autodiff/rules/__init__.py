"""Primitive rules, by area: one `Rule` per NumPy, scipy or math function.

Conventions where there is no derivative, or more than one answer:

- `abs` has slope 0 at 0; `sign`, `floor`, `ceil`, `round`, `trunc` and `//` have slope 0 everywhere.
- `np.maximum`, `np.minimum`, `np.max`, `np.min` share equally among ties (so `np.maximum(x, 0)` has slope 1/2 at 0).
  Python's own `max(x, 0.0)` returns one of its arguments, and the slope is that of the one it returned.
- `clip` passes the cotangent to x at its bounds, both included.
- `sqrt` and the other roots have an infinite slope at 0; `norm`, `hypot` and `std` have slope 0 where they are 0
  (`std` also where it is below eight roundings of the mean: of three 0.8 NumPy makes 1.1e-16).
- `x ** 0` has slope 0 in x, at x = 0 too; `0 ** y` has slope 0 in y. `x ** y` with x < 0 has slope NaN in y.
- `arctan2(0, 0)` has slope NaN: no value there is a limit or a subgradient.
- In elementwise rules an exact zero times an infinite or NaN slope is zero, in reverse and in forward mode alike, so
  that the branch that `where` did not take never poisons the one it took (and `sqrt(x * x)` has slope 0 at 0). Matrix
  products keep IEEE arithmetic: 0 * inf is NaN in them.
- `sort` and `partition` move by the permutation that was applied (equal elements in their stable order).
- `prod`, `cumprod` and `det` are right where factors are zero, and where the matrix is singular.
- `cholesky`, `eigh`, `eigvalsh`: the triangle that is read gets the cotangent. `eigh` with equal eigenvalues has NaN or
  infinite slopes for the vectors, finite ones for the values. The eigenvectors' sign is held fixed.
- Integers and booleans have no derivative: what is computed from them is constant.
"""

from __future__ import annotations

from custodiet.autodiff.rules import (  # noqa: F401 - each fills RULES on import
    composites,
    elementwise,
    indexing,
    linalg,
    products,
    reductions,
    scalars,
    shapes,
    special,
)
from custodiet.autodiff.rules.core import COMPOSITES, RULES, Rule
from custodiet.autodiff.rules.scalars import SCALARS

__all__ = ["COMPOSITES", "RULES", "SCALARS", "Rule"]
