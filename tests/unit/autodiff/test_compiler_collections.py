"""Compiled = CPython: lists that grow, dicts gone through, sorted, generators, membership."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.autodiff import explain, value_and_grad
from tests.unit.autodiff.agreement import agree


def smoothed(x, n):
    history = [x]
    for _ in range(n):
        history.append(0.9 * history[-1] + 0.1 * math.cos(history[0]))
    return sum(history) + history[n // 2] * len(history)


@pytest.mark.parametrize("n", [0, 1, 6, 7, 8, 15, 16, 40])
def test_list_that_grows_beyond_its_room(n):
    agree(smoothed, 0.7, n, argnums=(0,), differences=True)


def stack_machine(x, n):
    stack = []
    for i in range(n):
        if i % 3 == 2:
            stack.append(stack.pop() * stack.pop())
        else:
            stack.append(math.sin(x * i) + 1.5)
    total = 1.0
    while len(stack) > 0:
        total *= stack.pop()
    return total


@pytest.mark.parametrize("n", [1, 2, 3, 9, 30])
def test_list_that_grows_and_shrinks(n):
    agree(stack_machine, 0.7, n, argnums=(0,), differences=True)


def test_list_that_is_popped_when_it_is_empty():
    def f(x, n):
        xs = [x]
        for _ in range(n):
            xs.pop()
        return x * x

    agree(f, 1.3, 1, argnums=(0,))
    assert agree(f, 1.3, 2, argnums=(0,), native=False, warm=[(1.3, 1)]) is IndexError


def test_index_beyond_a_list_that_has_room():
    def f(x, n):
        xs = [x]
        for _ in range(3):
            xs.append(x * x)
        return xs[n] * 2.0

    agree(f, 1.3, 3, argnums=(0,), differences=True)
    agree(f, 1.3, -4, argnums=(0,), differences=True)
    for n in (4, 7, -5):
        assert agree(f, 1.3, n, argnums=(0,), native=False, warm=[(1.3, 3)]) is IndexError


def test_list_made_anew_in_every_round_and_written():
    def f(x, n):
        total = 0.0
        for k in range(n):
            xs = [x * k]
            for j in range(k):
                xs.append(xs[j] * x + 1.0)
                xs[j] = xs[j] * 0.5
            total += sum(xs) + max(xs)
        return total

    agree(f, 0.7, 12, argnums=(0,), differences=True)


def test_list_that_grows_in_branches():
    def f(x, y):
        xs = [x]
        if x > 1.0:
            xs.append(y * x)
        if y > 1.0:
            xs.append(y * y)
            xs.append(x)
        return sum(v * (i + 1) for i, v in enumerate(xs)) + len(xs)

    for x, y in itertools.product((0.7, 1.7), repeat=2):
        agree(f, x, y, differences=True)


def test_list_that_grows_is_handed_on():
    def ends(xs):
        return xs[0] * xs[len(xs) - 1] + sum(xs)

    def f(x, n):
        xs = []
        for i in range(n):
            xs.append(x**i)
        return ends(xs) + np.sum(np.array(xs) ** 2) + np.linalg.norm(xs)

    for n in (1, 5, 12):
        agree(f, 0.7, n, argnums=(0,), differences=True)


def test_list_of_known_length_of_anything():
    def f(x, code):
        stack = []
        for symbol in code:
            if symbol == "x":
                stack.append((x, 1))
            elif symbol == "+":
                (a, n), (b, m) = stack.pop(), stack.pop()
                stack.append((a + b, n + m))
            else:
                stack.append((float(symbol), 1))
        value, count = stack.pop()
        return value * value * count

    agree(f, 1.3, "x2+x+", argnums=(0,), differences=True)


def test_entries_of_a_list_of_known_length():
    def f(x):
        xs = [x, 2.0, x * x]
        xs[1] = xs[0] * x
        xs.append(3.0)
        xs[-1] = x
        return xs[1] * xs[2] + xs[3]

    agree(f, 1.3, differences=True)


GROWN = {
    "second name": "gets a second name",
    "held": "is held elsewhere too",
    "argument": "not this function's own",
    "ints": "holds something else than floats",
    "while gone through": "is changed while it is gone through",
    "extend": r"`.extend\(\)` of a list",
}


def second_name(x, n):
    xs = [x]
    for _ in range(n):
        xs.append(x)
    ys = xs
    ys.append(2.0)
    return sum(xs)


def held(x, n):
    xs = [x]
    pair = (xs, x)
    for _ in range(n):
        xs.append(x)
    return sum(pair[0])


def adds(xs, x):
    xs.append(x)
    return x


def argument(x, n):
    xs = [x]
    return adds(xs, x) * n + sum(xs)


def ints(x, n):
    xs = [1]
    for _ in range(n):
        xs.append(2)
    return x * sum(xs)


def while_gone_through(x, n):
    xs = [x, x]
    for one in xs:
        if len(xs) < n:
            xs.append(one)
    return sum(xs)


def extend(x, n):
    xs = [x]
    xs.extend([x] * n)
    return sum(xs)


@pytest.mark.parametrize("f", [second_name, held, argument, ints, while_gone_through, extend])
def test_lists_that_others_see_change_are_left_to_the_tape(f):
    told = explain(f, 1.3, 4)
    assert told.path == "trace"
    (reason,) = [reason for name, reason in GROWN.items() if name.replace(" ", "_") == f.__name__]
    with pytest.raises(Exception, match=reason):
        value_and_grad(f, mode="compile")(1.3, 4)
    agree(f, 1.3, 4, argnums=(0,), native=None, differences=True)


def itself(items):
    return items


def beside_a_number(items):
    return 1.0, items


def given_back(x, n):
    items = [x]
    for k in range(n):
        items.append(x * k)
    other = itself(items)
    items.append(x)
    return other[0] * len(other)


def given_back_in_a_pair(x, n):
    items = [x]
    for k in range(n):
        items.append(x * k)
    _, other = beside_a_number(items)
    items.append(x)
    return other[0] * len(other)


def given_back_by_a_closure(x, n):
    items = [x]
    for k in range(n):
        items.append(x * k)
    get = lambda: items  # noqa: E731
    other = get()
    items.append(x)
    return other[0] * len(other)


def chosen(x, n):
    items = [x]
    for k in range(n):
        items.append(x * k)
    other = items if x > 0.0 else [x]
    items.append(x)
    return other[0] * len(other)


def two_names_at_once(x, n):
    items = other = [x]
    items.append(x * n)
    return other[-1] * len(other)


def read_only(x, n):
    items = [x]
    for k in range(n):
        items.append(x * k)
    return sum(itself(items)) * itself(items)[n // 2]


SHARED = [given_back, given_back_in_a_pair, given_back_by_a_closure, chosen, two_names_at_once]


@pytest.mark.parametrize("f", SHARED, ids=lambda f: f.__name__)
def test_a_list_that_grows_under_two_names_is_left_to_the_tape(f):
    assert explain(f, 1.5, 3).path == "trace"
    agree(f, 1.5, 3, argnums=(0,), native=None, warm=[(1.5, 1)], differences=True)


def test_a_list_that_grows_and_is_given_back_without_another_name():
    agree(read_only, 1.5, 3, argnums=(0,), differences=True)


def test_an_array_of_a_list_that_grows_is_a_copy():
    def f(x, n, v):
        items = [x]
        for k in range(n):
            items.append(x * k)
        a = np.atleast_1d(items)
        a[0] = v
        b = np.atleast_1d([x, v])
        b[0] = v
        return items[0] * np.sum(a * a) * np.sum(b)

    agree(f, 1.5, 3, 2.0, argnums=(0, 2), warm=[(1.5, 3, 1.5)], differences=True)


def test_nested_function_sees_the_list_grow():
    def f(x, n):
        xs = [x]

        def last():
            return xs[-1]

        total = 0.0
        for _ in range(n):
            xs.append(last() * x)
            total += last()
        return total

    agree(f, 0.9, 11, argnums=(0,), differences=True)


def grown_among_exits(x, n):
    xs = [x]
    for i in range(n):
        if i == 3:
            continue
        if i > 16:
            break
        if xs[-1] > 2.0:
            xs.append(xs.pop() * 0.5)
        else:
            xs.append(xs[-1] * 1.7)
            xs.append(x * i)
        xs[0] = xs[0] + xs[-1]
        if xs[0] > 1e4:
            return xs[0] * len(xs)
    return sum(xs) * xs[len(xs) // 2]


@pytest.mark.parametrize("n", [0, 2, 5, 12, 30])
def test_list_that_grows_among_exits(n):
    agree(grown_among_exits, 0.7, n, argnums=(0,), differences=True)


def lists_of_lists(a, n):
    rows = []
    k = 0
    while k < n and len(rows) < 9:
        inner = []
        for v in a:
            if v > 0.5:
                inner.append(v * k)
        rows.append(sum(inner) + len(inner))
        k += 1
    return math.prod(rows) if n > 0 else np.sum(a)


@pytest.mark.parametrize("n", [0, 1, 3, 20])
def test_list_that_grows_in_rounds_that_make_another(n):
    agree(lists_of_lists, np.array([0.7, 0.2, 0.9]), n, argnums=(0,), native=None, differences=True)


def test_list_that_grows_in_a_loop_with_else():
    def f(a):
        xs = [a[0]]
        for i in range(5):
            for j in range(i):
                xs.append(xs[j] * a[1] + xs[-1])
                if xs[-1] > 3.0:
                    break
            else:
                xs.append(a[2])
        return np.sum(np.sort(xs) * np.arange(len(xs)))

    agree(f, np.array([0.7, 0.2, 0.9]), differences=True)


# -- dicts ------------------------------------------------------------------------------------------------------------------


def test_dicts_gone_through():
    def f(table, x):
        total = sum(value * value for value in table.values())
        for name, value in table.items():
            total += value * (2.0 if name == "a" else x)
        for name in table.keys():  # noqa: SIM118 - a method of dicts
            total += table[name] * len(table)
        values = list(table.values())
        return total * values[0] + max(table.values()) + table.get("c", x) + table.get("a", 0.0)

    agree(f, {"a": 1.5, "b": 0.7}, 1.1, differences=True)


def test_dict_keyed_by_tuples():
    def f(x):
        table = {}
        for i, j in itertools.product(range(3), repeat=2):
            table[i, j] = math.sin(i * x) * math.cos(j * x)
        return sum(value * key[0] for key, value in table.items()) + table[1, 2]

    agree(f, 0.7, differences=True)


def live_view(x):
    table = {"a": x}
    values = table.values()
    table["b"] = x * x
    return sum(values)


def changed_meanwhile(x):
    table = {"a": x, "b": 2.0}
    total = 0.0
    for value in table.values():
        table["b"] = x * x
        total += value
    return total


@pytest.mark.parametrize(
    ("f", "reason"), [(live_view, "gets a name"), (changed_meanwhile, "table is changed while it is gone through")]
)
def test_views_of_dicts_that_change_later_are_left_to_the_tape(f, reason):
    assert reason in str(explain(f, 1.3))
    agree(f, 1.3, native=None, differences=True)


def test_method_of_a_dict_that_is_not_compiled():
    def f(x):
        table = {"a": x}
        return table.pop("a") * x

    told = str(explain(f, 1.3))
    assert "`.pop()` of a dict: keys, values, items, get and copy are compiled" in told
    assert f":{f.__code__.co_firstlineno + 2}:" in told


# -- builtins -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda v, w: divmod(w[0], v[0])[1] * v[1] + divmod(w[0], v[0])[0] * v[0],
        lambda v, w: sorted([v[0], w[0], v[1]])[1] * v[0] + sorted(v)[0],
        lambda v, w: sorted([v[0], w[0], v[1]], reverse=True)[0] + sorted(v, key=lambda one: -one)[0] * 2.0,
        lambda v, w: sum(a * b for a, b in zip(sorted(v), w)),  # noqa: B905
        lambda v, w: math.prod(v) + math.prod([v[0], w[0]]) + math.prod(x for x in v) + math.prod(x + 1.0 for x in w if x > 1.5),
        lambda v, w: math.prod(v, start=w[0]) + sum(v, start=w[0]) + sum(v, w[1]),
        lambda v, w: v[0] * any(x > 0.8 for x in v) + v[1] * all(x > 0.8 for x in v) + v[2] * any([v[0] > 5.0, v[1] > 0.0]),
        lambda v, w: v[0] * all(i < 3 for i in range(4)) + v[1] * any(i > 2 for i in range(4)) + v[2] * all([]),
        lambda v, w: max(list(v)) + min(v) * 2.0 + max([v[0], w[0]]) + max(x * x for x in w) + min(x for x in v),
        lambda v, w: round(w[0]) * v[0] + bool(v[0] > 0.1) * v[1],
        lambda v, w: sum(i * x for i, x in enumerate(v, 1)) + sum(x * y for x in v for y in w if y > 1.5),
        lambda v, w: math.isfinite(v[0]) * v[0] + math.isinf(v[0]) * v[1] + math.isnan(v[0]) * v[2],
        lambda v, w: sum(x if i in {0, 2} else x * x for i, x in enumerate(v)) + (2 in (1, 2)) * v[0] + ("a" not in "abc") * v[1],
        lambda v, w: sum(x for x in list(v)) + sum(tuple(x * 2.0 for x in range(3))) * v[0] + len(list(w)),
    ],
)  # fmt: skip
def test_builtins(f):
    agree(f, np.array([0.7, 0.35, 0.85, 0.5]), np.array([1.2, 2.3, 1.9, 1.4]), differences=True)


@settings(max_examples=40, deadline=None)
@given(numbers=st.lists(st.floats(-2.0, 2.0).map(lambda one: round(one, 1) + 0.0), min_size=1, max_size=9))
def test_sorted_with_ties_is_stable_both_ways(numbers):
    def f(xs):
        up, down = sorted(xs), sorted(xs, reverse=True)
        far = sorted(xs, key=lambda one: abs(one))
        return sum(x * (i + 1) for i, x in enumerate(up)) + sum(x * i * i for i, x in enumerate(down)) + far[0] * 3.0

    if "sorted" not in CALLS:
        CALLS["sorted"] = value_and_grad(f, mode="compile")
    value, slopes = CALLS["sorted"](list(numbers))
    expected, theirs = value_and_grad(f, mode="trace")(list(numbers))
    assert value == pytest.approx(expected)
    assert slopes == pytest.approx(theirs)


CALLS = {}


def test_nothing_is_computed_after_the_item_that_decides():
    def f(x, n):
        return x if any(1.0 / (i - 3.0) > 0.0 or i == 2 for i in range(n)) else -x

    agree(f, 1.3, 3, argnums=(0,))
    agree(f, 1.3, 9, argnums=(0,))
