"""Every primitive against differences, forward against reverse, second order; and the checker against broken rules."""

import dataclasses
import math
import operator
import warnings

import numpy as np
import pytest

from custodiet.autodiff import check, grad, jvp, vjp
from custodiet.autodiff.rules import RULES
from custodiet.autodiff.rules.core import shape_of
from tests.unit.autodiff.rule_cases import CASES


def _name(one):
    return RULES[one[0]].name


def _weighted(f, args):
    """f as a number: a fixed combination of its results."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shape = np.shape(f(*args))
    weights = np.cos(np.arange(1.0, 1.0 + math.prod(shape))).reshape(shape)
    return lambda *xs: np.sum(weights * f(*xs)) if shape else f(*xs) * 1.0


def test_every_rule_has_a_case():
    covered = {id(RULES[rule]) for rule, _, _ in CASES}
    assert not [rule.name for rule in RULES.values() if id(rule) not in covered and rule.name != "math.fma"]


@pytest.mark.parametrize("one", CASES, ids=_name)
def test_first_derivatives(one):
    _, f, args = one
    report = check(f, *args, num_directions=2)
    assert report.ok, str(report)
    for d in report.directions:
        assert d.forward == pytest.approx(d.reverse, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("one", CASES, ids=_name)
def test_second_derivatives(one):
    _, f, args = one
    g = _weighted(f, args)
    places = tuple(range(len(args)))
    with np.errstate(all="ignore"):
        report = check(grad(g, places), *args, num_directions=1, tolerance=1e-5)
    assert report.ok, str(report)


@pytest.mark.parametrize("one", CASES, ids=_name)
def test_shapes_and_dtypes_of_cotangents(one):
    _, f, args = one
    value, pull = vjp(f, *args)
    seed = np.ones(shape_of(value)) if shape_of(value) else 1.0
    for g, x in zip(pull(seed), args, strict=True):
        assert np.shape(g) == np.shape(x)
        assert np.asarray(g).dtype == np.asarray(x).dtype


SINGLE = [one for one in CASES if all(isinstance(x, np.ndarray) for x in one[2]) and _name(one) != "astype"]


@pytest.mark.parametrize("one", SINGLE, ids=_name)
def test_float32_stays(one):
    _, f, args = one
    small = tuple(x.astype(np.float32) for x in args)
    value, pull = vjp(f, *small)
    assert value.dtype == np.asarray(f(*small)).dtype
    for g, x in zip(
        pull(np.ones(value.shape, value.dtype) if value.shape else value.dtype.type(1)), small, strict=True
    ):
        assert g.dtype == np.float32 and g.shape == x.shape
    exact = vjp(f, *args)
    for g, full in zip(pull(np.ones_like(value)), exact[1](np.ones_like(exact[0])), strict=True):
        np.testing.assert_allclose(g, full, rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("one", CASES, ids=_name)
def test_strided_arguments_give_the_same(one):
    _, f, args = one
    strided = tuple(np.repeat(x, 2, axis=-1)[..., ::2] if np.ndim(x) else x for x in args)
    value, pull = vjp(f, *args)
    other, pull_other = vjp(f, *strided)
    seed = np.ones_like(value) if shape_of(value) else 1.0
    for a, b in zip(pull(seed), pull_other(seed), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


FLAT = ["sign", "floor", "ceil", "rint", "trunc", "imag", "round", "fix", "floor_divide", "heaviside"]


def _zero_slope(rule):
    return rule.name.split(".")[-1] in FLAT


BREAKABLE = [
    (key, k) for key, rule in {id(r): (q, r) for q, r in RULES.items()}.values() for k, v in enumerate(rule.vjps)
    if v is not None and not _zero_slope(rule) and rule.name not in ("math.fma", "operator.getitem")
    and (rule.name, k) not in (("np.copysign", 1), ("np.nextafter", 1))
]  # fmt: skip


def _scaled(move, by):
    def wrong(*args, **kwargs):
        got = move(*args, **kwargs)
        return tuple(one * by for one in got) if isinstance(got, tuple) else got * by

    return wrong


@pytest.mark.parametrize(("key", "k"), BREAKABLE, ids=lambda v: RULES[v].name if callable(v) else str(v))
def test_a_broken_rule_is_noticed(key, k, monkeypatch):
    """Scale one vjp by 1.01: some case of the rule must fail."""
    rule = RULES[key]
    mine = [(f, args) for q, f, args in CASES if RULES[q] is rule]
    if rule.name.startswith("math."):  # numbers go through the partials of SCALARS, from which the rule is made
        pulled = _math_vjp(rule, k, mine)
        assert not pulled
        return
    vjps = tuple(_scaled(v, 1.01) if j == k else v for j, v in enumerate(rule.vjps))
    broken = dataclasses.replace(rule, vjps=vjps)
    for other, known in list(RULES.items()):
        if known is rule:
            monkeypatch.setitem(RULES, other, broken)
    with np.errstate(all="ignore"):
        assert any(not check(f, *args, num_directions=2).ok for f, args in mine)


TANGENTS = [(key, k) for key, k in BREAKABLE if not RULES[key].name.startswith("math.")]
"""numbers take one table of partials in both directions"""


@pytest.mark.parametrize(("key", "k"), TANGENTS, ids=lambda v: RULES[v].name if callable(v) else str(v))
def test_a_broken_tangent_is_noticed(key, k, monkeypatch):
    """The same for forward mode."""
    rule = RULES[key]
    mine = [(f, args) for q, f, args in CASES if RULES[q] is rule]
    jvps = tuple(_scaled(v, 1.01) if j == k and v is not None else v for j, v in enumerate(rule.jvps))
    broken = dataclasses.replace(rule, jvps=jvps)
    for other, known in list(RULES.items()):
        if known is rule:
            monkeypatch.setitem(RULES, other, broken)
    with np.errstate(all="ignore"):
        assert any(not check(f, *args, num_directions=2).ok for f, args in mine)


def _math_vjp(rule, k, mine):
    """Does the rule, scaled by 1.01, still agree with differences?"""
    agree = []
    for f, args in mine:
        if k >= len(args) or (rule.name == "math.copysign" and k > 0):
            continue
        given = (*args, 3) if rule.name == "math.ldexp" else args
        out = f(*args)
        slope = rule.vjps[k](1.0, out, *given) * 1.01
        h = 1e-6
        up, down = (f(*(x + s * h if j == k else x for j, x in enumerate(args))) for s in (1, -1))
        numeric = (up - down) / (2 * h)
        right = abs(slope / 1.01 - numeric) <= 1e-6 * max(1.0, abs(numeric))
        assert right, rule.name
        agree.append(abs(slope - numeric) <= 1e-3 * abs(numeric))
    return any(agree)


@pytest.mark.parametrize("key", [1, (slice(None), -1), np.array([0, 2, 2]), (slice(None, None, -2), np.array([1, 1]))])
def test_the_rule_of_indexing_says_what_the_tape_says(key):
    x, rule = np.arange(12.0).reshape(3, 4), RULES[operator.getitem]
    value, pull = vjp(lambda x: x[key], x)
    g = np.cos(np.arange(value.size)).reshape(value.shape)
    np.testing.assert_array_equal(rule.vjps[0](g, value, x, key), pull(g)[0])
    np.testing.assert_array_equal(rule.jvps[0](x, value, x, key), value)


def test_empty_and_zero_dimensional_arrays():
    empty = np.zeros((0, 3))
    assert grad(lambda x: np.sum(np.sin(x) * x))(empty).shape == (0, 3)
    assert grad(lambda x: np.sum(x @ np.ones(3)) + np.prod(x))(empty).shape == (0, 3)
    assert grad(lambda x: np.sum(np.concatenate([x, np.ones((2, 3))])))(empty).shape == (0, 3)
    assert grad(lambda x: np.sum(np.cumsum(x, axis=0)) + np.sum(np.cumprod(x, 0)))(empty).shape == (0, 3)
    point = np.array(0.7)
    g = grad(lambda x: np.sin(x) * x + np.sum(x) + np.reshape(x, (1,))[0] + np.prod(x) + np.var(x))(point)
    assert g.shape == () and g == pytest.approx(math.cos(0.7) * 0.7 + math.sin(0.7) + 3)


ELEMENTWISE = [
    one for one in CASES if isinstance(one[0], np.ufunc) and one[0].signature is None and one[0] is not np.ldexp
]
"""ldexp's cases hold an array of their own beside the argument"""


@pytest.mark.parametrize("one", ELEMENTWISE, ids=_name)
def test_elementwise_rules_take_empty_and_zero_dimensional_arrays(one):
    _, f, args = one
    full = np.broadcast_arrays(*args)
    place = (0,) * full[0].ndim
    for shape in ((0,), (0, 3)):
        value, pull = (
            vjp(f, *(np.zeros(shape) for _ in args)) if one[0] is not np.ldexp else vjp(lambda x: x, args[0][:0])
        )
        assert all(np.shape(g) == np.shape(value) for g in pull(np.zeros(np.shape(value))))
    if one[0] is np.ldexp:
        return
    value, pull = vjp(f, *(np.array(x[place]) for x in full))
    whole, pull_whole = vjp(f, *(x.copy() for x in full))
    assert np.shape(value) == () and value == pytest.approx(whole[place], rel=1e-12, nan_ok=True)
    for g, all_g in zip(pull(np.array(1.0)), pull_whole(np.ones_like(whole)), strict=True):
        assert np.shape(g) == () and g == pytest.approx(all_g[place], rel=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("one", ELEMENTWISE, ids=_name)
def test_nan_and_infinity_stay_where_they_are(one, bad):
    """In one element they change nothing in the others."""
    _, f, args = one
    full = [np.array(x, dtype=float) for x in np.broadcast_arrays(*args)]
    spoiled = [x.copy() for x in full]
    place = (0,) * full[0].ndim
    spoiled[0][place] = bad
    with np.errstate(all="ignore"):
        value, pull = vjp(f, *full)
        other, pull_other = vjp(f, *spoiled)
        slopes, others = pull(np.ones_like(value)), pull_other(np.ones_like(other))
    keep = np.ones(full[0].shape, bool)
    keep[place] = False
    assert np.array_equal(value[keep], other[keep])
    for g, mine in zip(slopes, others, strict=True):
        assert np.array_equal(g[keep], mine[keep])


@pytest.mark.parametrize("name", ["exp", "sin", "tanh", "sqrt", "log", "absolute"])
def test_nan_and_infinity_go_through(name):
    u = getattr(np, name)
    x = np.array([np.nan, np.inf, 1.5])
    with np.errstate(all="ignore"):
        g = grad(lambda x: np.sum(u(x)))(x)
    assert np.isnan(g[0]) and np.isfinite(g[2]) and g[2] != 0


def test_second_forward_equals_second_reverse():
    x = np.array([0.3, 0.8, 1.1])

    def f(x):
        return np.sum(np.exp(np.sin(x)) * np.cumsum(x)) / np.linalg.norm(x)

    t = np.array([1.0, -2.0, 0.5])
    twice = jvp(lambda y: jvp(f, (y,), (t,))[1], (x,), (t,))[1]
    mixed = jvp(grad(f), (x,), (t,))[1] @ t
    assert twice == pytest.approx(mixed, rel=1e-12)
