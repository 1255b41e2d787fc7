"""Options of NumPy functions on the tape: value, gradient and tangent are those of the program, or an error says that they are not.

A rule that overlooks `order=` or `axis=` has the right value and a wrong derivative.
"""

import itertools

import numpy as np
import pytest
from scipy import special as sp

from custodiet.autodiff import jvp, value_and_grad
from custodiet.errors import DifferentiationError

RNG = np.random.Generator(np.random.PCG64(3))
M = RNG.uniform(-1.5, 1.5, (3, 4))
INPUTS = {"m": M, "f": np.asfortranarray(M), "s": RNG.uniform(-1.0, 1.0, (3, 3)) + 3.0 * np.eye(3)}
CASES: list[tuple[str, str]] = []


def cases(texts: str, on: str = "m", **values: tuple) -> None:
    """Expressions of x, one a line, for all combinations of the values of the names in them."""
    for text in filter(None, map(str.strip, texts.splitlines())):
        names = [name for name in values if f"${name}" in text]
        for chosen in itertools.product(*(values[name] for name in names)):
            made = text
            for name, value in zip(names, chosen, strict=True):
                made = made.replace(f"${name}", repr(value))
            CASES.append((made, on))


for _layout in "mf":
    cases(
        """np.ravel(x, order=$o)
        x.ravel($o)
        x.flatten($o)
        np.ravel(x.T, order=$o)
        x[:, 1:].ravel($o)
        np.copy(x, order=$o)
        x.copy($o) * 1.0
        np.array(x, order=$o)
        x.astype(float, order=$o)""",
        _layout,
        o=("C", "F", "A", "K"),
    )
    cases(
        """np.reshape(x, (2, 6), order=$o)
        np.reshape(x, (2, 6), $o)
        x.reshape(6, 2, order=$o)
        x.reshape((6, -1), order=$o)
        np.reshape(x.T, (2, -1), order=$o)""",
        _layout,
        o=("C", "F", "A"),
    )

_REDUCTIONS = ("sum", "mean", "prod", "max", "min", "var", "std", "median", "average", "ptp", "nansum", "amax")
for _name in _REDUCTIONS:
    cases(f"np.{_name}(x, axis=$axis, keepdims=$k)", axis=(None, 0, 1, -1, (0, 1), (1,)), k=(False, True))
for _name in _REDUCTIONS[:7]:
    cases(f"x.{_name}($axis)\nx.{_name}(axis=$axis, keepdims=True)", axis=(None, 0, 1, -1, (0, 1)))
    cases(f"np.{_name}(x, where=x > 0, initial=9.0)\nnp.{_name}(x, axis=0, out=np.zeros(4))\nx.{_name}(0, None)")
    cases(f"np.{_name}(x, dtype=np.float64)\nnp.{_name}(x, 0, None, None, True)")
cases("np.var(x, ddof=$d)\nnp.std(x, axis=1, ddof=$d)\nx.var(0, ddof=$d)\nnp.var(x, correction=$d)", d=(0, 1, 2))

for _text in """cumsum(x, axis=$axis) | cumprod(x, axis=$axis) | cumsum(x, $axis) | sort(x, axis=$axis) | repeat(x, 2, axis=$axis)
    roll(x, 1, axis=$axis) | flip(x, axis=$axis) | take(x, [0, 2], axis=$axis) | compress([True, False, True], x, axis=$axis)
    concatenate([x, 2.0 * x], axis=$axis) | append(x, x, axis=$axis) | trapezoid(x, axis=$axis) | linalg.norm(x, axis=$axis)
    linalg.norm(x, ord=1, axis=$axis) | linalg.norm(x, 3, $axis, True) | diff(x, axis=$axis) | diff(x, n=2, axis=$axis)
    partition(x, 1, axis=$axis) | expand_dims(x, $axis) | stack([x, x * x], axis=$axis) | gradient(x, axis=$axis)
    take_along_axis(x, np.argsort(x, axis=$axis), axis=$axis) | cross(x[:, :3], x[:, 1:], axis=$axis) | squeeze(x[None], axis=$axis)
    cumulative_sum(x, axis=$axis) | quantile(x, 0.3, axis=$axis) | nanmax(x, axis=$axis) | delete(x, 1, axis=$axis)""".replace(
    "\n", "|"
).split("|"):
    cases(f"np.{_text.strip()}", axis=(None, 0, 1, -1))
cases(
    """x.cumsum($axis)
    x.cumprod(axis=$axis)
    x.repeat(2, $axis)
    x.take([0, 1], $axis)
    sp.logsumexp(x, axis=$axis)
    sp.logsumexp(x, axis=$axis, keepdims=True)
    sp.softmax(x, axis=$axis)
    sp.log_softmax(x, axis=$axis)""",
    axis=(None, 0, 1, -1),
)
for _text in """diff(x, prepend=1.0) | diff(x, append=x[:, :1]) | roll(x, (1, 2), (0, 1)) | roll(x, (1, 2)) | roll(x, -1) | rot90(x, 2)
    rot90(x, -1, (1, 0)) | flip(x, (0, 1)) | tile(x, (2, 3)) | tile(x, 2) | pad(x, 1) | pad(x, ((1, 2), (0, 1))) | pad(x, (1, 2))
    pad(x, 1, mode='edge') | pad(x, 1, 'reflect') | pad(x, 1, constant_values=3.0) | pad(x, 1, constant_values=x.sum())
    tril(x, -1) | triu(x, k=1) | trace(x, 1) | trace(x, offset=-1) | diagonal(x, 1) | diag(x, -1) | diagflat(x, 1)
    moveaxis(x, 0, 1) | moveaxis(x, (0, 1), (1, 0)) | swapaxes(x, 0, 1) | transpose(x, axes=(1, 0)) | broadcast_to(x, (2, 3, 4))
    take(x, [5, -1], mode='wrap') | take(x, [50, -1], mode='clip') | take(x, [[0, 2], [2, 1]], 1) | where(x > 0, x, x * x)
    clip(x, -0.5, 0.5) | clip(x, None, 0.5) | clip(x, -0.5, None) | clip(x, min=-0.5) | clip(x, a_min=-0.2, a_max=x[0])
    clip(x, -1, 1, out=np.zeros((3, 4))) | round(x, 1) + x | vsplit(x, 3)[1] | hsplit(x, 2)[1] | split(x, [1, 3], axis=1)[1]
    array_split(x, 3, 1)[2] | vstack([x, x * x]) | hstack([x, x * x]) | dstack([x, x]) | column_stack([x, x]) | stack([x, x], -1)
    concatenate([x, x], axis=1, dtype=np.float64) | concatenate([x, np.ones((3, 1))], 1, None) | block([[x, x], [2 * x, x]])
    interp(x, [-2.0, 0.0, 2.0], [1.0, 3.0, 2.0]) | interp(x, [-1.0, 0.0, 1.0], [1.0, 3.0, 2.0], left=7.0, right=9.0)
    interp(x, [-1.0, 0.0, 0.5], [1.0, 3.0, 2.0], period=1.7) | interp([0.1, 0.7], np.sort(x[0]), x[1]) | kron(x, x) | outer(x, x)
    inner(x, x) | vdot(x, x) | dot(x, x.T) | tensordot(x, x, axes=2) | tensordot(x, x, axes=([0], [0])) | einsum('ij,kj->ik', x, x)
    tensordot(x, x, ([0, 1], [0, 1])) | einsum('ij->j', x) | einsum('ij,ij', x, x) | einsum('ij,ij->', x, x, optimize=True)
    einsum(x, [0, 1], x, [2, 1], [0, 2]) | einsum('ij->ji', x) | einsum('ij,kj', x, x) | vecdot(x, x, axis=0) | cov(x, ddof=0)
    average(x, weights=np.abs(x)) | average(x, 0, [1.0, 2.0, 3.0]) | average(x, axis=0, weights=x[:, 0] + 2.0, returned=True)[0]
    cov(x) | cov(x, rowvar=False) | cov(x, bias=True) | cov(x, aweights=[1, 2, 3, 4]) | convolve(x[0], x[1], 'valid')
    convolve(x[0], x[1], 'same') | polyval(x[0], x[1]) | nan_to_num(x, nan=3.0) | divmod(x, 0.37)[1] | modf(x)[0] | ldexp(x, 2)
    median(x, overwrite_input=True) | linalg.multi_dot([x, x.T, x]) | linspace(x[0, 0], x[0, 1], 4, endpoint=False)
    linspace(x[0], x[1], 4, axis=1) | linspace(x[0, 0], x[1, 1], 4, retstep=True)[1] | full((2, 2), x[0, 0]) | full_like(x, x[0, 1])
    add.reduce(x) | add.reduce(x, axis=1) | add.reduce(x, axis=None) | add.reduce(x, keepdims=True) | multiply.reduce(x)
    multiply.reduce(x, 1) | maximum.reduce(x) | maximum.reduce(x, axis=1) | add.accumulate(x) | add.accumulate(x, 1)
    multiply.accumulate(x, axis=1) | maximum.accumulate(x) | subtract.reduce(x) | add.outer(x, x[0]) | multiply.outer(x[0], x[1])
    add.reduceat(x, [0, 2]) | logaddexp.reduce(x) | add(x, x, dtype=np.float64) | add(x, x[0], order='F')
    exp(x, where=x > 0, out=np.ones((3, 4)))
    multiply(x, 2.0, where=x > 0, out=np.ones((3, 4)))
    add(x, 1.0, out=np.zeros((3, 4))) | sqrt(np.abs(x), out=None) | cumsum(x, out=np.zeros(12))
    matmul(x, x.T, out=np.zeros((3, 3))) | dot(x, x.T, out=np.zeros((3, 3))) | linalg.norm(x, 'fro') | linalg.norm(x, 'nuc')
    linalg.norm(x, 2) | linalg.norm(x, 1) | linalg.norm(x, axis=(0, 1)) | linalg.norm(x, axis=(0,)) | linalg.norm(x, -np.inf, axis=0)
    linalg.norm(x, -1, axis=0) | linalg.norm(x, 0, axis=1) | linalg.norm(x, axis=1, ord=3, keepdims=True) | asfortranarray(x)
    ascontiguousarray(x) | asarray(x, order='F') | array(x, ndmin=3) | array([x, x], dtype=np.float64)""".replace(
    "\n", "|"
).split("|"):
    cases(f"np.{_text.strip()}")
cases(
    """x.squeeze()
    x.swapaxes(0, 1)
    x.transpose((1, 0))
    x.transpose(1, 0)
    x.transpose(0, 1)
    x.diagonal(1)
    x.trace(1)
    x.clip(max=0.3)
    x.item(1, 2) * x
    x.item(5) * x
    x.dot(x.T)
    x.max(1, initial=9.0)
    x.mean(1, keepdims=True)
    x.ptp()
    x.mT
    x.astype(np.float64, copy=False)
    x.repeat([1, 2, 0], axis=0)"""
)
cases(
    """np.linalg.solve(x, x[0])
    np.linalg.solve(x[None], x[None])
    np.linalg.cholesky(x @ x.T, upper=True)
    np.linalg.eigh(x, 'U')[0]
    np.linalg.eigh(x, UPLO='U')[0]
    np.linalg.eigvalsh(x, UPLO='U')
    np.linalg.matrix_power(x, -2)
    np.linalg.matrix_power(x, 0) * x""",
    "s",
)


@pytest.mark.parametrize(("text", "on"), CASES, ids=[f"{text}-{on}" for text, on in CASES])
def test_an_option_is_followed_or_refused(text, on):
    f = eval(f"lambda x: {text}", {"np": np, "sp": sp})  # the texts above
    x = INPUTS[on]
    try:
        out = np.asarray(f(x.copy(order="K")))
    except (TypeError, ValueError, AttributeError):
        return  # NumPy has no such option
    weights = np.cos(np.arange(out.size)).reshape(out.shape) + 1.3

    def g(x):
        return np.sum(f(x) * weights)

    direction = np.sin(np.arange(x.size)).reshape(x.shape)
    try:
        value, slope = value_and_grad(g, mode="trace")(x.copy(order="K"))
        _, along = jvp(g, (x.copy(order="K"),), (direction,), mode="trace")
    except DifferentiationError:
        return
    numeric = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        ends = []
        for step in (1e-6, -1e-6):
            moved = x.copy(order="K")
            moved[index] += step
            ends.append(g(moved))
        numeric[index] = (ends[0] - ends[1]) / 2e-6
    scale = max(1.0, float(np.abs(numeric).max()))
    assert value == pytest.approx(g(x.copy(order="K")), rel=1e-12)
    np.testing.assert_allclose(slope, numeric, rtol=0.0, atol=2e-6 * scale)
    assert along == pytest.approx(float(np.sum(direction * numeric)), abs=2e-5 * scale)


def test_most_options_are_followed():
    """The test above would pass if everything were refused."""
    for text in (
        "np.ravel(x, order='F')",
        "np.reshape(x, (2, 6), order='F')",
        "np.var(x, ddof=1)",
        "x.transpose(0, 1)",
    ):
        f = eval(f"lambda x: np.sum({text} ** 2)", {"np": np})
        value_and_grad(f, mode="trace")(M.copy())
