"""Dicts under several names: what is changed under one is seen under the others, or the program is for the tape."""

import pytest

from tests.unit.autodiff.agreement import agree


def same(d):
    return d


def paired(d):
    return (d, 1.0)


def in_a_tuple(x, n):
    d = {"u": x}
    t = (d, 1.0)
    d["u"] = x * 3.0
    return t[0]["u"] * x


def in_a_dict(x, n):
    d = {"u": x}
    e = {"d": d}
    d["u"] = x * 3.0
    return e["d"]["u"] * x


def in_a_comprehension(x, n):
    d = {"u": x}
    e = [d for _ in range(2)]
    d["u"] = x * 3.0
    return e[0]["u"] * x


def through_a_function(x, n):
    d = {"u": x}
    e = same(d)
    d["u"] = x * 3.0
    return e["u"] * x


def through_a_function_that_pairs(x, n):
    d = {"u": x}
    e = paired(d=d)
    d["u"] = x * 3.0
    return e[0]["u"] * x


def two_names_at_once(x, n):
    d = e = {"u": x}
    d["u"] = x * 3.0
    return e["u"] * x


def a_name_and_an_item_at_once(x, n):
    t = {"d": x}
    t["d"] = d = {"u": x}
    d["u"] = x * 3.0
    return t["d"]["u"] * x


def through_a_function_that_gets_a_choice(x, n):
    d = {"u": x}
    e = same(d if len(d) else None)
    d["u"] = x * 3.0
    return e["u"] * x


def two_names_in_a_loop(x, n):
    d = {"u": x}
    e = d
    for _ in range(n):
        d["u"] = d["u"] * x
    return e["u"] * x


def a_second_name_from_a_loop(x, n):
    d = {"u": x}
    e = {"u": 1.0}
    for _ in range(n):
        e = d
    d["u"] = x * 3.0
    return e["u"] * x


def exchanged(x, n):
    d = {"u": x}
    e = {"u": 1.0}
    for _ in range(n):
        d, e = e, d
        d["u"] = d["u"] * x + 1.0
    return d["u"] * x + e["u"]


def chosen(x, n):
    d = {"u": x}
    e = {"u": 2.0 * x}
    f = d if n else e
    f["u"] = x * 7.0
    return d["u"] * e["u"]


def replaced_on_one_path(x, n):
    d = {"u": x}
    e = {"u": 2.0 * x}
    if n:
        e = d
    e["u"] = x * 7.0
    return d["u"] * e["u"]


def named_on_one_path(x, n):
    d = {"u": x}
    e = {"u": 2.0 * x}
    if n == 0:
        e = {"u": 3.0 * x}
    else:
        e = d
    d["u"] = x * 7.0
    return d["u"] * e["u"]


def in_a_default(x, n):
    d = {"u": x}

    def g(e=d):
        return e["u"]

    d["u"] = x * 3.0
    return g() * x


def in_a_closure(x, n):
    d = {"u": x}

    def g():
        return d["u"]

    before = g()
    d["u"] = x * 3.0
    return before * g()


def made_by_a_function(x, n):
    def make(v):
        d = {"u": v}
        d["w"] = v * 2.0
        return d

    e = make(x)
    f = make(x * x)
    e["u"] = f["w"] * 3.0
    return e["u"] * e["w"] + f["u"]


def read_by_a_function(x, n):
    def weight(d, k):
        return d["u"] * k

    d = {"u": x}
    for k in range(n):
        d["u"] = weight(d, k + 1) + x
    return d["u"] * x


PROGRAMS = [
    in_a_tuple, in_a_dict, in_a_comprehension, through_a_function, through_a_function_that_pairs, two_names_in_a_loop,
    a_second_name_from_a_loop, exchanged, chosen, replaced_on_one_path, named_on_one_path, in_a_default, in_a_closure,
    made_by_a_function, read_by_a_function, two_names_at_once, a_name_and_an_item_at_once, through_a_function_that_gets_a_choice,
]  # fmt: skip


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_dicts_with_several_names(f):
    for n in (0, 1, 3):
        agree(f, 0.7, n, argnums=(0,), native=None, differences=True, warm=[(0.7, 0)])


def test_dicts_with_one_name_are_compiled():
    for f in (in_a_closure, made_by_a_function, read_by_a_function):
        agree(f, 0.7, 3, argnums=(0,), native=True)
