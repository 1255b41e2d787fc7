"""The public functions: pytrees, argnums, has_aux, modes, nesting, threads, errors."""

import dataclasses
import math
import subprocess
import sys
import threading
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import scipy.optimize

import custodiet.autodiff as ad
from custodiet.autodiff import (
    check,
    custom_jvp,
    custom_vjp,
    explain,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
    vmap,
)  # fmt: skip
from custodiet.errors import DifferentiationError

X = np.array([0.3, -0.7, 1.2])
KEPT = []


@dataclasses.dataclass(frozen=True)
class Weights:
    w: np.ndarray
    b: float
    extra: tuple = ()


def test_exports_resolve():
    for name in ad.__all__:
        assert getattr(ad, name) is not None
    assert set(dir(ad)) == set(ad.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = ad.nothing


def test_the_room_imports_neither_torch_nor_anything_of_another_room():
    code = (
        "import sys, custodiet.autodiff as a; [getattr(a, n) for n in a.__all__]; "
        "bad = [m for m in sys.modules if m == 'torch' or m.startswith('custodiet.') and m.split('.')[1] not in "
        "('autodiff', 'base', 'errors', '_version')]; sys.exit(str(bad) if bad else None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.returncode, done.stderr


def test_pytrees_in_and_out():
    point = namedtuple("point", "x y")

    def f(p):
        return np.sum(p["w"].w * X) * p["w"].b + p["pair"][0].x * p["pair"][1][0] + p["w"].extra[0] ** 2

    tree = {"w": Weights(X, 2.0, (3.0,)), "pair": (point(1.5, 2.5), [4.0]), "none": None}
    g = grad(f)(tree)
    assert type(g["w"]) is Weights and type(g["pair"][0]) is point
    np.testing.assert_array_equal(g["w"].w, X * 2.0)
    assert g["w"].b == pytest.approx(X @ X) and g["w"].extra == (6.0,)
    assert g["pair"] == (point(4.0, 0.0), [1.5]) and g["none"] is None
    ordered = grad(lambda d: d["a"] * d["b"])(OrderedDict(a=2.0, b=3.0))
    assert ordered == {"a": 3.0, "b": 2.0} and isinstance(ordered, OrderedDict)


def test_argnums_and_aux():
    def f(x, n, y):
        return x**n * y, {"n": n, "x": x * 2}

    (value, aux), g = value_and_grad(f, (0, -1), has_aux=True)(2.0, 3, 5.0)
    assert value == 40.0 and aux == {"n": 3, "x": 4.0} and g == (60.0, 8.0)
    assert type(aux["x"]) is float
    gradient, aux = grad(f, has_aux=True)(2.0, 3, 5.0)
    assert gradient == 60.0 and aux["n"] == 3
    assert grad(lambda x, *, k: x * k)(2.0, k=4) == 4.0


def test_leaf_types_are_kept():
    assert type(grad(lambda x: x * x)(2.0)) is float
    assert type(grad(lambda x: x * x)(np.float32(2.0))) is np.float32
    assert type(grad(lambda x: x * x)(np.float64(2.0))) is np.float64
    value, g = value_and_grad(lambda x: np.sum(x * 0.5))(np.ones(3, np.float32))
    assert value.dtype == np.float32 and g.dtype == np.float32
    assert grad(lambda x: 3.0)(X).tolist() == [0.0, 0.0, 0.0]


def test_vjp_and_jvp():
    def f(x, s):
        return {"a": x * s, "b": np.sum(x) ** 2, "n": 3}

    value, pull = vjp(f, X, 2.0)
    assert value["n"] == 3
    ct = {"a": np.array([1.0, 0.0, 2.0]), "b": 0.5, "n": 0}
    gx, gs = pull(ct)
    np.testing.assert_allclose(gx, ct["a"] * 2 + X.sum())
    assert gs == pytest.approx(X @ ct["a"])
    again = pull(ct)
    np.testing.assert_array_equal(again[0], gx)
    _, t = jvp(f, (X, 2.0), (np.ones(3), 1.0))
    assert np.sum(t["a"] * ct["a"]) + t["b"] * 0.5 == pytest.approx(gx.sum() + gs)


def test_jacobians_of_both_kinds():
    def f(x):
        return {"s": np.sum(x**2), "v": np.outer(x, x)[:, :2]}

    one, two = jacobian(f, mode="forward")(X), jacobian(f, mode="reverse")(X)
    for key in ("s", "v"):
        np.testing.assert_allclose(one[key], two[key])
    assert one["v"].shape == (3, 2, 3)
    both = jacobian(lambda a, b: a * b, (0, 1))(X, 2.0)
    assert both[0].shape == (3, 3) and both[1].shape == (3,)
    np.testing.assert_allclose(jacobian(lambda p: p["a"] * p["b"][0])({"a": 2.0, "b": [3.0]})["b"], [2.0])
    assert jacobian(lambda x: [x[0], x[1] * x[2]])(X)[1].tolist() == [0.0, 1.2, -0.7]
    wide = np.arange(20.0)
    np.testing.assert_allclose(jacobian(lambda x: np.sum(x**2))(wide), 2 * wide)


def test_hessian_and_hvp():
    def f(x):
        return np.sum(np.exp(x) * np.roll(x, 1)) + np.prod(x)

    h = hessian(f)(X)
    np.testing.assert_allclose(h, h.T, atol=1e-14)
    np.testing.assert_allclose(hvp(f, (X,), (np.ones(3),)), h.sum(1))
    np.testing.assert_allclose(jacobian(jacobian(f, mode="reverse"), mode="reverse")(X), h)
    np.testing.assert_allclose(jacobian(jacobian(f, mode="forward"), mode="forward")(X), h)
    np.testing.assert_allclose(jacobian(jacobian(f, mode="forward"), mode="reverse")(X), h)
    two = hvp(lambda a, b: a * a * b, (2.0, 3.0), (1.0, 0.0))
    assert two == (6.0, 4.0)


def test_any_order():
    f = math.sin
    for order in range(1, 6):
        f = grad(f)
        assert f(0.7) == pytest.approx(math.sin(0.7 + order * math.pi / 2))

    def forward(f):
        return lambda x: jvp(f, (x,), (1.0,))[1]

    g = forward(grad(forward(grad(lambda x: x**5 / 5.0))))
    assert g(1.3) == pytest.approx(4 * 3 * 2 * 1.3)


def test_perturbations_are_not_confused():
    """Siskind and Pearlmutter 2005: d/dx (x d/dy (x + y)) is 1, not 2."""

    def forward(f, x):
        return jvp(f, (x,), (1.0,))[1]

    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert forward(lambda x: x * forward(lambda y: x + y, 1.0), 1.0) == 1.0
    assert forward(lambda x: x * grad(lambda y: x + y)(1.0), 1.0) == 1.0
    assert grad(lambda x: x * forward(lambda y: x + y, 1.0))(1.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y * y)(3.0))(2.0) == 24.0
    # Manzyuk et al. 2019: a derivative of a function that returns functions
    shift = lambda u: lambda f: lambda x: f(x + u)  # noqa: E731
    assert forward(lambda u: shift(u)(lambda x: x * x)(3.0), 0.0) == 6.0
    a = np.array([1.0, 2.0])
    assert grad(lambda x: np.sum(x * grad(lambda y: np.sum(x * y))(x)))(a).tolist() == [2.0, 4.0]


def test_stores_into_arrays_of_an_outer_derivative():
    def f(x):
        buf = np.zeros(2)
        buf[0] = x * x

        def inner(y):
            buf2 = buf.copy()
            buf2[1] = y * x
            buf2 *= y
            return np.sum(buf2)

        return grad(inner)(3.0) + buf[0]

    # inner = x^2 y + x y^2: slope x^2 + 2 x y
    assert f(2.0) == 4.0 + 12.0 + 4.0
    assert grad(f)(2.0) == pytest.approx(2 * 2.0 + 6.0 + 2 * 2.0)
    assert jvp(f, (2.0,), (1.0,))[1] == pytest.approx(14.0)


def test_threads_differentiate_at_once():
    def f(x, n):
        y = x
        for _ in range(200):
            y = y * 0.99 + math.sin(y * n) * 0.01 + np.sum(np.full(2, x)) * 0.0
        return y

    want = [grad(f)(0.5, n) for n in range(8)]
    got = [None] * 8
    threads = [threading.Thread(target=lambda n=n: got.__setitem__(n, grad(f)(0.5, n))) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert got == want


def test_vmap():
    m = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(vmap(np.sum)(m), m.sum(1))
    np.testing.assert_allclose(vmap(lambda r, s: r * s, (1, None), 1)(m, 2.0), m * 2)
    got = vmap(lambda d: {"y": d["x"] ** 2})({"x": m})
    np.testing.assert_allclose(got["y"], m**2)
    np.testing.assert_allclose(vmap(grad(lambda x: math.sin(x)))(X), np.cos(X))
    np.testing.assert_allclose(grad(lambda x: np.sum(vmap(lambda v: v * v if v > 0 else v)(x)))(X), [0.6, 1.0, 2.4])
    np.testing.assert_allclose(jvp(vmap(lambda v: np.exp(v)), (X,), (X,))[1], np.exp(X) * X)
    with pytest.raises(DifferentiationError, match="one length"):
        vmap(lambda a, b: a)(X, m)


def test_stop_gradient():
    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3.0
    assert grad(grad(lambda x: x * x * stop_gradient(x)))(3.0) == 6.0
    g = grad(lambda x: np.sum(x * stop_gradient({"a": x})["a"]))(X)
    np.testing.assert_array_equal(g, X)


def test_custom_vjp():
    @custom_vjp
    def clipped(x, k):
        return x * k

    clipped.defvjp(lambda x, k: (x * k, k), lambda k, g: (np.clip(g * k, -1.0, 1.0), None))
    assert clipped(2.0, 3) == 6.0
    assert grad(lambda x: clipped(x, 3) * 5)(2.0) == 1.0
    np.testing.assert_array_equal(grad(lambda x: np.sum(clipped(x, 0.5)))(X), [0.5] * 3)
    with pytest.raises(DifferentiationError, match="no forward mode"):
        jvp(lambda x: clipped(x, 3), (2.0,), (1.0,))

    @custom_vjp
    def pair(x, y):
        return {"p": x * y, "q": math.sin(x)}

    pair.defvjp(
        lambda x, y: (pair.f(x, y), (x, y)), lambda r, g: (g["p"] * r[1] + g["q"] * math.cos(r[0]), g["p"] * r[0])
    )
    f = lambda x, y: pair(x, y)["p"] ** 2 + pair(x, y)["q"]  # noqa: E731
    assert grad(f, (0, 1))(0.5, 2.0) == pytest.approx((2 * 1.0 * 2.0 + math.cos(0.5), 2 * 1.0 * 0.5))
    assert grad(grad(f))(0.5, 2.0) == pytest.approx(8.0 - math.sin(0.5))
    bad = custom_vjp(lambda x: x)
    bad.defvjp(lambda x: (x, None), lambda r, g: g)
    with pytest.raises(DifferentiationError, match="must return a tuple"):
        grad(bad)(1.0)
    bad.defvjp(lambda x: (np.sum(x), None), lambda r, g: (g,))
    with pytest.raises(DifferentiationError, match="another shape"):
        grad(bad)(X)


def test_custom_jvp():
    @custom_jvp
    def safe(x, y):
        return np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), 0.0) * y

    @safe.defjvp
    def _(primals, tangents):
        x, y = primals
        return safe(x, y), tangents[0] * y / (1.0 + x * x) + tangents[1] * safe.f(x, 1.0)

    want = 2.0 / (1 + X * X)
    np.testing.assert_allclose(jvp(lambda x: safe(x, 2.0), (X,), (np.ones(3),))[1], want)
    np.testing.assert_allclose(grad(lambda x: np.sum(safe(x, 2.0)))(X), want)
    np.testing.assert_allclose(jacobian(lambda x: safe(x, 2.0), mode="forward")(X), np.diag(want))
    assert grad(lambda y: np.sum(safe(X, y)))(2.0) == pytest.approx(math.log(0.3) + math.log(1.2))
    assert hessian(lambda x: np.sum(safe(x, 2.0)))(X)[0, 0] == pytest.approx(-2 * 0.3 * 2 / (1 + 0.09) ** 2)


def test_explain_and_modes():
    said = explain(lambda x: {x}.pop(), 1.0)
    assert said.path == "trace" and said.reason and str(said).startswith("trace: ")
    assert explain(math.sin, 1.0).path == "trace"
    assert explain(lambda x: x * x, 1.0).path == "compile"
    for mode in ("auto", "trace", "compile"):
        assert grad(lambda x: x * x, mode=mode)(3.0) == 6.0
    with pytest.raises(DifferentiationError, match="mode"):
        grad(lambda x: x, mode="fast")


def test_check_notices_a_wrong_derivative():
    @custom_jvp
    def off(x):
        return math.sin(x)

    off.defjvp(lambda p, t: (math.sin(p[0]), math.cos(p[0]) * t[0] * 1.001))
    report = check(lambda x: off(x) * 2, 0.4)
    assert not report.ok and "central differences" in report.failures[0] and "DISAGREE" in str(report)
    assert check(lambda x, n: x**n, 1.3, 3).ok


def test_scipy_minimize_takes_value_and_grad():
    def rosen(x):
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    f = value_and_grad(rosen)
    found = scipy.optimize.minimize(f, np.zeros(3), jac=True)
    np.testing.assert_allclose(found.x, 1.0, atol=1e-4)


# ---- errors


def raises(match):
    return pytest.raises(DifferentiationError, match=match)


def test_errors_about_arguments():
    with raises("expected floats.*got int.*3.0 for 3"):
        grad(lambda x: x * 2.0)(3)
    with raises("array of int64"):
        grad(lambda x: np.sum(x))(np.arange(3))
    with raises(r"argument 'p'\['name'\].*str"):
        grad(lambda p: p["x"])({"x": 1.0, "name": "a"})
    with raises("complex"):
        grad(lambda x: abs(x))(1j)
    with raises("not passed by position"):
        grad(lambda x: x, 1)(1.0)
    with raises("twice"):
        grad(lambda x, y: x, (0, -2))(1.0, 2.0)


def test_errors_about_results():
    with raises("return a number.*shape \\(3,\\).*jacobian"):
        grad(lambda x: x * 2)(X)
    with raises("got int"):
        grad(lambda x: 3)(1.0)
    with raises("has_aux"):
        grad(lambda x: (x, 1))(1.0)
    with raises("has_aux=True"):
        grad(lambda x: x, has_aux=True)(1.0)
    with raises("NoneType"):
        grad(lambda x: None)(1.0)
    with raises("something that has no derivative"):
        jacobian(lambda x: 3)(X)


def test_what_would_lose_a_derivative_raises_with_the_line():
    class Slotted:
        __slots__ = ("x",)

        def area(self):
            return math.sin(self.x)

    class Hidden(type):
        pass

    class Meta(metaclass=Hidden):
        def area(self, x):
            return math.sin(x)

    meta = Meta()
    with raises(r"plain float.*test_api.py:\d+"):
        grad(lambda x: meta.area(x))(1.0)
    box = [np.zeros(3) for _ in range(2000)]

    def store(x):
        box[0][0] = x
        return x

    with raises("plain float"):
        grad(store)(1.0)
    with raises("hashed"):
        grad(lambda x: {x: 1.0}[x] * x)(1.0)
    with raises("np.linalg.svd|svd"):
        grad(lambda x: np.sum(np.linalg.svd(x)[1]))(np.eye(3))
    with raises("complex"):
        grad(lambda x: (x * 1j).real)(1.0)
    with raises("complex"):
        grad(lambda x: (x - 2.0) ** 0.5)(1.0)
    with raises("Use np.where"):
        grad(lambda x: np.sum(np.add(x, 1.0, where=x > 0)))(X)
    with raises("has no derivative rule"):
        grad(lambda x: np.sum(np.fft.fft(x).real))(X)
    for kind in (object, complex):
        with raises("cannot become"):
            grad(lambda x: np.array([x], dtype=kind)[0] * 1.0)(1.2)  # noqa: B023
        with raises("cannot become"):
            grad(lambda x: np.sum(x.astype(kind)))(X)  # noqa: B023
    with raises("histogram"):
        grad(lambda x: np.sum(np.histogram(x, weights=x)[0]))(X)
    with raises("MaskedArray"):
        grad(lambda x: np.sum(x * np.ma.masked_array([1.0, 2.0, 3.0], mask=[0, 1, 0])))(X)
    assert Slotted


def test_traced_values_do_not_outlive_their_derivative():
    def f(x):
        KEPT.append(x)
        return x * x

    grad(f)(2.0)
    assert KEPT == [2.0] and type(KEPT[0]) is float

    class Keeper:
        __slots__ = ("x",)

    keeper = Keeper()

    def g(x):
        keeper.x = x
        return x * x

    grad(g)(2.0)
    for use in (lambda: keeper.x * 2.0, lambda: grad(lambda y: y * keeper.x)(1.0), lambda: np.sin(keeper.x)):
        with raises("was finished"):
            use()


def test_writes_that_numpy_refuses_are_refused():
    def diagonal(x):
        m = np.outer(x, x)
        np.diagonal(m)[0] = 1.0
        return np.sum(m)

    def spread(x):
        np.broadcast_to(x, (2, 3))[0, 0] = 1.0
        return np.sum(x)

    def relabeled(x):
        m = np.outer(x, x)
        np.einsum("ij->ji", m)[0, 0] = 1.0
        return np.sum(m)

    for f in (diagonal, spread):
        with pytest.raises(ValueError, match="read-only"):
            grad(f)(X)
    with raises("write through"):
        grad(relabeled)(X)
    with pytest.raises(ValueError, match="broadcast"):
        grad(lambda x: np.sum(x.__iadd__(np.ones((2, 3)))))(X)


def test_infinite_recursion_is_told():
    def f(x):
        return f(x * 0.5)

    with raises("calls itself too deeply"):
        grad(f)(1.0)


def test_errors_of_the_program_pass():
    with pytest.raises(ZeroDivisionError):
        grad(lambda x: 1.0 / (x - x))(1.0)
    with pytest.raises(ValueError, match="math domain error|expected a positive input|positive"):
        grad(lambda x: math.log(x - 2.0))(1.0)
    with pytest.raises(OverflowError):
        grad(lambda x: math.exp(x * 1000.0))(1.0)
    with pytest.raises(IndexError):
        grad(lambda x: x[5])(X)
