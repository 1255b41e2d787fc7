"""What is not compiled is told with the construct, the line and, where there is one, the nearest form that is; the tape then runs it."""

import linecache
import math
import re
from pathlib import Path

import numpy as np
import pytest

from custodiet.autodiff import explain, value_and_grad
from custodiet.autodiff.compiler.entry import compile_gradient
from custodiet.autodiff.compiler.frontend import Declined
from tests.unit.autodiff.agreement import agree

A = np.array([0.7, 1.2, 0.4, 1.9])
M = np.array([[0.7, 1.2], [0.4, 1.9]])
REASONS = []


def declines(reason, *args):
    """A program that is declined at the line that ends with `# here`."""

    def add(f):
        REASONS.append(pytest.param(f, args, reason, id=f.__name__))
        return f

    return add


@declines("`.pop()` of a dict: keys, values, items, get and copy are compiled", 1.5)
def dict_method(x):
    table = {"a": x}
    return table.pop("a") * x  # here


@declines("`.values()` of a dict gets a name: list() of it is compiled", 1.5)
def dict_view(x):
    table = {"a": x}
    values = table.values()  # here
    return sum(values)


@declines("a dict is read with a key that is not known from the source", 1.5, 2)
def dict_key(x, n):
    table = {1: x, 2: x * x}
    return table[n]  # here


@declines("a dict that has another name, or that the caller sees, is changed: a copy of it may be", {"a": 1.5})
def callers_dict(table):
    table["a"] = table["a"] * 2.0  # here
    return table["a"]


@declines("a dict that has another name, or that the caller sees, is changed: a copy of it may be", 1.5)
def dict_with_two_names(x):
    table = {"a": x}
    other = table
    table["a"] = x * x  # here
    return other["a"]


@declines("a dict comprehension is not compiled", 1.5)
def dict_comprehension(x):
    return sum({k: x * k for k in range(3)}.values())  # here


@declines("`.append()` of a list that is not this function's own, or is held elsewhere too", [1.5, (2.0, 3.0)])
def callers_list(xs):
    xs.append(2.0)  # here
    return xs[0] * xs[2]


@declines("`.append()` of a list", [1.5, 2.0])
def callers_floats(xs):
    xs.append(2.0)  # here
    return xs[0] * xs[2]


@declines("`.items()` of a list", 1.5)
def items_of_a_list(x):
    return sum(v for _, v in [x, x].items()) if x < 0.0 else x  # here


@declines("`.imag` of an array: shape, size, ndim, T and methods are compiled", A)
def imaginary_part(a):
    return np.sum(a.imag) + a[0]  # here


@declines("`.tobytes()` of an array is not compiled", A)
def method_of_an_array(a):
    return a[0] * len(a.tobytes())  # here


@declines("`.sort()`, which sorts in place: np.sort gives a sorted copy", A.copy())
def sorts_in_place(a):
    b = a * 1.0
    b.sort()  # here
    return b[0]


@declines("`np.gradient` is not compiled", A)
def numpy_function(a):
    return np.sum(np.gradient(a) ** 2)  # here


@declines("argument dtype= of `np.sum`", A)
def numpy_argument(a):
    return np.sum(a, dtype=float)  # here


@declines('a norm of a matrix other than "fro"', M)
def nuclear_norm(m):
    return np.linalg.norm(m, 1) * 1.0 if m[0, 0] < 0.0 else np.linalg.norm(m, 1)  # here


@declines("an axis that is no int known from the source", M, 1)
def computed_axis(m, k):
    return np.sum(np.cumsum(m, axis=k) ** 2)  # here


@declines("axis 2 of an array of 2 dimensions", M)
def missing_axis(m):
    return np.sum(np.sum(m, axis=2)) if m[0, 0] < 0.0 else m[0, 0]  # here


@declines(
    "two index arrays together with ints or slices: index arrays alone are compiled",
    np.ones((2, 2, 2)),
    np.array([0, 1]),
)
def index_arrays(t, i):
    return np.sum(t[i, :, i] ** 2)  # here


@declines("an array of floats is an index", A)
def floats_as_an_index(a):
    return a[0] if a[0] > 0.0 else a[a][0]  # here


@declines("a number is needed, and this is a 1-dimensional array", A)
def array_as_a_number(a):
    if a[0] < 0.0:
        return math.sin(a)  # here
    return a[0]


@declines("what is returned is of two kinds here", A)
def returns_two_kinds(a):  # here
    if a[0] < 0.0:
        return np.sin(a)
    return a[0]


@declines("a slice of a list, which is a copy", [1.5, 2.0, 3.0])
def slice_of_a_list(xs):
    return sum(xs[1:]) * xs[0]  # here


@declines("an operation on lists: np.array() of them is compiled", [1.5, 2.0])
def joined_lists(xs):
    return sum(xs + xs)  # here


@declines("`yield` is not compiled", 1.5)
def calls_a_generator(x):
    def values():
        yield x  # here
        yield x * x

    return sum(values())


@declines("an f-string is not compiled", 1.5)
def text(x):
    return x * float(f"{2.5}")  # here


@declines("`del` is not compiled", 1.5)
def deletes(x):
    y = x * x
    z = y * 2.0
    del y  # here
    return z


@declines("`class` is not compiled", 1.5)
def makes_a_class(x):
    class Thing:  # here
        factor = 2.0

    return x * Thing.factor


@declines("`import` is not compiled", 1.5)
def imports(x):
    import math as other  # here

    return other.sin(x)


class Account:
    """A user's class."""

    def __init__(self, balance):
        self.balance = balance


@declines("`Account()` makes an object: dataclasses are compiled as arguments", 1.5)
def makes_an_object(x):
    return Account(x).balance * x  # here


@declines("a call with * or **: spelled out arguments are compiled", 1.5)
def starred_call(x):
    pair = (x, 2.0)
    return math.hypot(*pair)  # here


def takes_many(*values):
    return values[0] * 2.0


@declines("`takes_many`, which has * or ** parameters", 1.5)
def calls_with_many(x):
    return takes_many(x, x)  # here


@declines("a 1-dimensional array is unpacked: tuples, and lists of known length, are compiled", A[:2])
def unpacks_an_array(a):
    x, y = a  # here
    return x * y


@declines("`with` of something else than contextlib.suppress or np.errstate", 1.5)
def context_manager(x):
    with np.printoptions(precision=3):  # here
        return x * x


@declines("`match` with a guard or a pattern that is no literal", (1.5, 2.0))
def match_pattern(pair):
    match pair:  # here
        case (x, y):
            return x * y
    return 0.0


@declines("a comprehension whose `if` depends on numbers: a loop with append is compiled", 1.5)
def filtered(x):
    return max([y for y in (x, 2.0 * x) if y > 2.0])  # here


@declines("a list comprehension with two loops: loops with append are compiled", 1.5)
def two_loops(x):
    return max([y * z for y in (x, 2.0) for z in (x, 3.0)])  # here


@declines("`and` or `or` of things that are no comparisons: an `if` is compiled", 1.5, 0.0)
def default_value(x, y):
    return x * (y or 2.0)  # here


@declines("`~` of a bool, which NumPy's and Python's understand differently: use `not`", 1.5)
def inverted_bool(x):
    return x * (~(x > 1.0) + 3)  # here


@declines("`Add` on two bools, which NumPy's and Python's understand differently: use int()", A)
def added_bools(a):
    return a[0] * ((a[0] > 0.5) + (a[1] > 0.5))  # here


@declines("an array of another dtype than float64", 1.5)
def array_of_floats32(x):
    return x * np.zeros(3, dtype=np.float32)[0] + x  # here


@declines("an attribute is assigned", 1.5)
def assigns_an_attribute(x):
    takes_many.factor = 2.0  # here
    return x


@declines("a loop over a float: ranges, arrays, tuples, lists and dicts are compiled", 1.5)
def loop_over_a_number(x):
    total = x
    if x < 0.0:
        for one in x:  # here
            total += one
    return total


@declines("x is an array that only a loop assigns", A, 2)
def array_after_a_loop(a, n):
    for k in range(n):
        x = a * k
    return np.sum(x**2)  # here


@declines("there is no `np.no_such_function`", 1.5)
def unknown_name(x):
    return x if x > 0.0 else np.no_such_function(x)  # here


@declines("an int to the power of an int that is not from 0 to 8 in the source", 1.5, 3)
def int_power(x, n):
    return x * n**n  # here


@declines("`divmod` of arrays: `//` and `%` are compiled", A)
def divmod_of_arrays(a):
    return a[0] if a[0] > 0.0 else divmod(a, 2.0)[0][0]  # here


@declines("`in` with other values than ints, or what is known", 1.5)
def float_membership(x):
    return x * 2.0 if x in (1.5, 2.5) else x  # here


@pytest.mark.parametrize(("f", "args", "reason"), REASONS)
def test_reason_names_construct_and_line(f, args, reason):
    file, first = f.__code__.co_filename, f.__code__.co_firstlineno
    line = next(
        number for number in range(first, first + 12) if linecache.getline(file, number).rstrip().endswith("# here")
    )
    places = tuple(range(len(args)))[:1]
    with pytest.raises(Declined) as told:
        compile_gradient(f, args, places)
    assert str(told.value) == f"{file}:{line}: {reason}"
    assert explain(f, *args).path == "trace"


HELPER = """import numpy as np


def third(a):
    b = a * 2.0

    return np.sum(np.gradient(b))
"""


def test_reason_in_a_helper_names_its_file(tmp_path, monkeypatch):
    (tmp_path / "reasons_helper.py").write_text(HELPER)
    monkeypatch.syspath_prepend(str(tmp_path))
    import reasons_helper

    def f(a):
        return reasons_helper.third(a) * a[0]

    told = str(explain(f, A))
    assert re.search(r"reasons_helper.py:7: `np.gradient` is not compiled", told), told
    agree(f, A, native=None, differences=True)


def test_reason_in_a_library_function_names_the_call():
    def f(a):
        b = a * 2.0

        return np.linalg.inv(b)[0] * b[0]

    with pytest.raises(Declined) as told:
        compile_gradient(f, (A,), (0,))
    line = f.__code__.co_firstlineno + 3
    assert str(told.value).startswith(f"{Path(__file__)}:{line}: `inv` of these arguments: ")


def returns_an_array(a):
    return a * 2.0


def returns_a_pair(a):
    return a[0], 1.0


def returns_nothing(a):
    a.sum()


@pytest.mark.parametrize(
    ("f", "what"), [(returns_an_array, "a 1-dimensional array"), (returns_a_pair, "a tuple"), (returns_nothing, "None")]
)
def test_reason_of_what_is_returned(f, what):
    with pytest.raises(Declined, match=f"what is returned is {what}, not one float"):
        compile_gradient(f, (A,), (0,))


def test_view_that_is_written_later_is_told_where_it_was_taken():
    def f(m):
        columns = m[:, ::-1]
        m[0, 0] = 2.0
        return np.sum(columns**2)

    with pytest.raises(Declined, match=f":{f.__code__.co_firstlineno + 1}: a view other than a row or range"):
        compile_gradient(f, (M.copy(),), (0,))
    call = value_and_grad(f)
    for _ in range(3):
        assert call(M.copy())[0] == f(M.copy())
