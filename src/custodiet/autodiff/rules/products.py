"""Products: `@`, dot, tensordot, outer, inner, kron, einsum, vdot, cross products by components."""

from __future__ import annotations

from typing import Any

import numpy as np

from custodiet.autodiff.rules.core import ndim_of, register, shape_of, unbroadcast
from custodiet.errors import DifferentiationError

__all__: list[str] = []


def _t(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _col(x: Any) -> Any:
    return np.reshape(x, (*shape_of(x), 1))


def _row(x: Any) -> Any:
    return np.reshape(x, (*shape_of(x)[:-1], 1, shape_of(x)[-1]))


def _matmul_left(g: Any, out: Any, a: Any, b: Any, **kwargs: Any) -> Any:
    if ndim_of(a) == 1 and ndim_of(b) == 1:
        return unbroadcast(g * b, a)
    if ndim_of(b) == 1:
        return unbroadcast(_col(g) * b, a)
    if ndim_of(a) == 1:
        return unbroadcast(np.matmul(b, _col(g))[..., 0], a)
    return unbroadcast(np.matmul(g, _t(b)), a)


def _matmul_right(g: Any, out: Any, a: Any, b: Any, **kwargs: Any) -> Any:
    if ndim_of(a) == 1 and ndim_of(b) == 1:
        return unbroadcast(g * a, b)
    if ndim_of(a) == 1:
        return unbroadcast(_col(a) * _row(g), b)
    if ndim_of(b) == 1:
        return unbroadcast(np.matmul(_t(a), _col(g))[..., 0], b)
    return unbroadcast(np.matmul(_t(a), g), b)


def _dot_axes(a: Any, b: Any) -> tuple[list[int], list[int]]:
    return [ndim_of(a) - 1], [max(ndim_of(b) - 2, 0)]


def _dot_left(g: Any, out: Any, a: Any, b: Any) -> Any:
    if ndim_of(a) == 0 or ndim_of(b) == 0:
        return unbroadcast(g * b, a)
    if ndim_of(a) <= 2 and ndim_of(b) <= 2:
        return _matmul_left(g, out, a, b)
    return _contract_left(g, a, b, *_dot_axes(a, b))


def _dot_right(g: Any, out: Any, a: Any, b: Any) -> Any:
    if ndim_of(a) == 0 or ndim_of(b) == 0:
        return unbroadcast(g * a, b)
    if ndim_of(a) <= 2 and ndim_of(b) <= 2:
        return _matmul_right(g, out, a, b)
    return _contract_right(g, a, b, *_dot_axes(a, b))


def _free(x: Any, axes: list[int]) -> list[int]:
    return [k for k in range(ndim_of(x)) if k not in axes]


def _contract_left(g: Any, a: Any, b: Any, left: list[int], right: list[int]) -> Any:
    """Cotangent of a in tensordot(a, b, (left, right))."""
    free = _free(a, left)
    other = _free(b, right)
    got = np.tensordot(g, b, axes=(list(range(len(free), len(free) + len(other))), other))
    # axes of got: a's free ones, then b's contracted ones in ascending order
    order = free + [left[right.index(k)] for k in sorted(right)]
    return unbroadcast(np.transpose(got, tuple(int(k) for k in np.argsort(order))), a)


def _contract_right(g: Any, a: Any, b: Any, left: list[int], right: list[int]) -> Any:
    """Cotangent of b in tensordot(a, b, (left, right))."""
    free = _free(b, right)
    other = _free(a, left)
    got = np.tensordot(a, g, axes=(other, list(range(len(other)))))
    order = [right[left.index(k)] for k in sorted(left)] + free
    return unbroadcast(np.transpose(got, tuple(int(k) for k in np.argsort(order))), b)


def _pairs(a: Any, b: Any, axes: Any) -> tuple[list[int], list[int]]:
    if isinstance(axes, (int, np.integer)):
        return list(range(ndim_of(a) - int(axes), ndim_of(a))), list(range(int(axes)))
    left, right = axes
    left = [left] if isinstance(left, (int, np.integer)) else list(left)
    right = [right] if isinstance(right, (int, np.integer)) else list(right)
    return [int(k) % ndim_of(a) for k in left], [int(k) % ndim_of(b) for k in right]


def _outer_left(g: Any, out: Any, a: Any, b: Any) -> Any:
    return np.reshape(np.matmul(g, np.reshape(b, (-1,))), shape_of(a))


def _outer_right(g: Any, out: Any, a: Any, b: Any) -> Any:
    return np.reshape(np.matmul(np.reshape(a, (-1,)), g), shape_of(b))


def _inner_left(g: Any, out: Any, a: Any, b: Any) -> Any:
    if ndim_of(a) == 0 or ndim_of(b) == 0:
        return unbroadcast(g * b, a)
    return _contract_left(g, a, b, [ndim_of(a) - 1], [ndim_of(b) - 1])


def _inner_right(g: Any, out: Any, a: Any, b: Any) -> Any:
    if ndim_of(a) == 0 or ndim_of(b) == 0:
        return unbroadcast(g * a, b)
    return _contract_right(g, a, b, [ndim_of(a) - 1], [ndim_of(b) - 1])


def _kron_split(g: Any, a: Any, b: Any) -> tuple[Any, tuple[int, ...], tuple[int, ...]]:
    rank = max(ndim_of(a), ndim_of(b))
    wide = (1,) * (rank - ndim_of(a)) + shape_of(a)
    tall = (1,) * (rank - ndim_of(b)) + shape_of(b)
    return np.reshape(g, tuple(n for pair in zip(wide, tall, strict=True) for n in pair)), wide, tall


def _kron_left(g: Any, out: Any, a: Any, b: Any) -> Any:
    split, wide, tall = _kron_split(g, a, b)
    spread = np.reshape(b, tuple(n for k in tall for n in (1, k)))
    return np.reshape(np.sum(split * spread, axis=tuple(range(1, 2 * len(wide), 2))), shape_of(a))


def _kron_right(g: Any, out: Any, a: Any, b: Any) -> Any:
    split, wide, tall = _kron_split(g, a, b)
    spread = np.reshape(a, tuple(n for k in wide for n in (k, 1)))
    return np.reshape(np.sum(split * spread, axis=tuple(range(0, 2 * len(wide), 2))), shape_of(b))


def _subscripts(subscripts: Any, operands: tuple[Any, ...]) -> tuple[list[str], str]:
    """Explicit input and output letters, ellipses written out."""
    if not isinstance(subscripts, str):
        raise DifferentiationError("np.einsum with lists of axes has no derivative rule", hint="Write the letters.")
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    spare = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in text]
    widths = [ndim_of(x) - len(t.replace("...", "")) for t, x in zip(terms, operands, strict=True) if "..." in t]
    dots = "".join(spare[: max(widths, default=0)])
    full = [
        t.replace("...", dots[len(dots) - (ndim_of(x) - len(t.replace("...", ""))) :] if "..." in t else "")
        for t, x in zip(terms, operands, strict=True)
    ]
    if arrow:
        return full, output.replace("...", dots)
    letters = "".join(terms).replace("...", "")
    return full, dots + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))


def _einsum_vjp(g: Any, out: Any, index: int, subscripts: Any, *operands: Any, **kwargs: Any) -> Any:
    terms, output = _subscripts(subscripts, operands)
    mine, x = terms[index], operands[index]
    others = [(t, o) for k, (t, o) in enumerate(zip(terms, operands, strict=True)) if k != index]
    if len(set(mine)) < len(mine):  # a diagonal was read: go through the array that holds only the diagonal
        letters = "".join(dict.fromkeys(mine))
        sizes = dict(zip(mine, shape_of(x), strict=True))
        small = _einsum_term(g, output, letters, others, sizes)
        grids = np.ix_(*[np.arange(sizes[c]) for c in letters])
        from custodiet.autodiff.rules.indexing import index_add

        return index_add(small, shape_of(x), tuple(grids[letters.index(c)] for c in mine))
    sizes = dict(zip(mine, shape_of(x), strict=True))
    return unbroadcast(_einsum_term(g, output, mine, others, sizes), x)


def _einsum_term(g: Any, output: str, mine: str, others: list[tuple[str, Any]], sizes: dict[str, int]) -> Any:
    """Contract the cotangent with the other operands to the letters `mine`; letters summed alone are spread."""
    have = set(output).union(*(t for t, _ in others))
    present = "".join(c for c in mine if c in have)
    # an axis of length 1 that einsum broadcast against a longer one of the same letter is summed
    long = {c: n for t, o in [(output, g), *others] for c, n in zip(t, shape_of(o), strict=True) if n != 1}
    got = np.einsum(",".join([output, *(t for t, _ in others)]) + "->" + present, g, *(o for _, o in others))
    shape = tuple(long.get(c, sizes[c]) if c in have else 1 for c in mine)
    full = tuple(long.get(c, sizes[c]) if c in have else sizes[c] for c in mine)
    got = np.broadcast_to(np.reshape(got, shape), full)
    crowded = tuple(k for k, c in enumerate(mine) if sizes[c] == 1 and full[k] != 1)
    return np.sum(got, axis=crowded, keepdims=True) if crowded else got


def _einsum_jvp(t: Any, out: Any, index: int, subscripts: Any, *operands: Any, **kwargs: Any) -> Any:
    return np.einsum(subscripts, *(t if k == index else o for k, o in enumerate(operands)), **kwargs)


def _bilinear(name: str, primal: Any, left: Any, right: Any, params: str = "a b") -> None:
    register(
        name,
        primal,
        (left, right),
        (
            lambda t, out, a, b, *args, **kwargs: primal(t, b, *args, **kwargs),
            lambda t, out, a, b, *args, **kwargs: primal(a, t, *args, **kwargs),
        ),
        ("1", "0"),
        params=params,
    )


def _define() -> None:
    _bilinear("np.matmul", np.matmul, _matmul_left, _matmul_right)
    _bilinear("np.dot", np.dot, _dot_left, _dot_right)
    _bilinear(
        "np.tensordot",
        np.tensordot,
        lambda g, out, a, b, axes=2: _contract_left(g, a, b, *_pairs(a, b, axes)),
        lambda g, out, a, b, axes=2: _contract_right(g, a, b, *_pairs(a, b, axes)),
        params="a b axes",
    )
    _bilinear("np.outer", np.outer, _outer_left, _outer_right)
    _bilinear("np.inner", np.inner, _inner_left, _inner_right)
    _bilinear("np.kron", np.kron, _kron_left, _kron_right)
    _bilinear(
        "np.vdot",
        np.vdot,
        lambda g, out, a, b: np.reshape(g * np.reshape(b, (-1,)), shape_of(a)),
        lambda g, out, a, b: np.reshape(g * np.reshape(a, (-1,)), shape_of(b)),
    )
    _bilinear(
        "np.vecdot",
        np.vecdot,
        lambda g, out, a, b: unbroadcast(_col(g) * b, a),
        lambda g, out, a, b: unbroadcast(_col(g) * a, b),
    )
    register("np.einsum", np.einsum, (_einsum_vjp,), (_einsum_jvp,), ("1 2 3",), variadic=True, spread=1)


_define()
