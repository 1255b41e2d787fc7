"""Compiled = CPython: arguments of every kind, and what is left to the tape.

Every program is compared in plain CPython, on the tape and compiled (`agreement.agree`).
"""

import dataclasses
import functools
import math
import typing

import numpy as np
import pytest

from custodiet.autodiff import explain, grad, value_and_grad
from custodiet.errors import DifferentiationError
from tests.unit.autodiff.agreement import agree
from tests.unit.autodiff.language_programs import scaled_by_int, weighted

# -- arguments -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Body:
    mass: float
    place: np.ndarray
    name: str = "body"
    steps: int = 2


class Point(typing.NamedTuple):
    x: float
    y: float


def energy(body, point, table):
    total = 0.0
    for i in range(body.steps):
        total += body.mass * body.place[i] * point.x
    return total * table["w"] + point.y * table["b"][1]


def test_dataclasses_named_tuples_and_dicts():
    place = np.array([1.0, 2.0])
    table = {"w": 1.5, "b": (2.0, 3.0)}
    point = Point(1.1, 1.2)
    gradient = agree(energy, Body(2.0, place), point, table, argnums=(1, 2))
    assert type(gradient[0]) is Point
    call = grad(energy, 2, mode="compile")
    for steps, mass in [(2, 2.0), (1, 2.0), (0, 3.0)]:
        body = Body(mass, place, steps=steps)
        assert call(body, point, table) == grad(energy, 2, mode="trace")(body, point, table)


def test_gradient_in_a_dataclass():
    @dataclasses.dataclass(frozen=True)
    class Line:
        slope: float
        offset: float

    def f(line, x):
        return line.slope * line.slope * x + line.offset

    gradient, slope = agree(f, Line(2.0, 3.0), 1.5)
    assert gradient == Line(6.0, 1.0)
    assert slope == 4.0


def test_gradient_in_a_dataclass_with_a_derived_field():
    @dataclasses.dataclass
    class Circle:
        radius: float
        area: float = dataclasses.field(init=False)

        def __post_init__(self):
            self.area = 3.0 * self.radius

    agree(lambda c, x: c.radius * c.radius * x + c.area, Circle(2.0), 1.5, native=None)


def test_lists_of_ints_and_mixed_lists():
    agree(lambda x, n: x * n[0] + x * x * n[1], 1.5, [1, 2], argnums=(0,))
    agree(lambda x, n: x * n[0] + x * x * n[1], 1.5, [1, 2.5], argnums=(0,))
    agree(lambda x, n: x * n[0][1] + x * x * n[1][0], 1.5, [[1.0, 2.0], [3.0]], argnums=(0,))
    agree(lambda x, n: x * len(n), 1.5, [], argnums=(0,))


def test_numpy_scalars():
    def f(x, n, b):
        return x * x * n + (x if b else 2.0 * x)

    agree(f, np.float64(1.5), np.int64(3), np.bool_(True), argnums=(0,))
    agree(f, np.float32(1.5), np.int32(3), np.bool_(False), argnums=(0,), native=None)
    gradient = grad(f, mode="compile")(np.float64(1.5), np.int64(3), True)
    assert isinstance(gradient, float)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_numpy_scalars_divide_by_zero_without_an_error():
    agree(lambda x, y: x / y, np.float64(1.5), np.float64(0.0), argnums=(0,), native=False)
    agree(lambda a: a[0] / a[1], np.array([1.5, 0.0]), native=False)


def test_argument_that_is_a_module_or_a_function():
    found = []
    for mode in ("trace", "auto", "compile"):
        call = value_and_grad(lambda x, m, g: m.sin(x) * g(x), mode=mode)
        found.append([call(1.5, math, math.cos) for _ in range(2)][-1])
    assert found[0] == pytest.approx(found[1])
    assert found[0] == pytest.approx(found[2])


def test_derivative_in_an_int_is_refused_alike():
    for mode in ("trace", "auto", "compile"):
        call = grad(scaled_by_int, 1, mode=mode)
        for _ in range(2):
            with pytest.raises(DifferentiationError, match="'n' has no derivative"):
                call(1.0, 3)


def test_derivative_in_a_list_of_ints_is_refused_alike():
    for mode in ("trace", "auto", "compile"):
        call = grad(lambda x, n: x * n[0], 1, mode=mode)
        for _ in range(2):
            with pytest.raises(DifferentiationError, match="has no derivative"):
                call(1.0, [3, 4])


def test_aux_is_handed_through():
    def f(x, n, a):
        return x * x, (x * 2.0, n, [x, 3.0], {"k": n}, None)

    expected = value_and_grad(f, has_aux=True, mode="trace")(1.5, 2, 1.0)
    for mode in ("compile", "auto"):
        call = value_and_grad(f, has_aux=True, mode=mode)
        for _ in range(3):
            assert call(1.5, 2, 1.0) == expected


def test_aux_of_every_kind():
    def f(x, p):
        return x * x, (p, lambda t: t, "text")

    point = Point(1.0, 2.0)
    call = value_and_grad(f, has_aux=True, mode="auto")
    for _ in range(3):
        (_value, aux), slope = call(1.5, point)
        assert slope == 3.0
        assert type(aux[0]) is Point and callable(aux[1]) and aux[2] == "text"


def test_wrong_return_type_is_a_clear_error():
    def nothing(x):
        x * 2.0

    def whole(x, n):
        return n

    def pair(x):
        return x, x

    def many(a):
        return a

    for f, args in [(nothing, (1.0,)), (whole, (1.0, 3)), (pair, (1.0,)), (many, (np.ones(2),))]:
        call = grad(f, mode="auto")
        for _ in range(3):
            with pytest.raises(DifferentiationError, match="did not return a number"):
                call(*args)
        with pytest.raises(
            DifferentiationError, match=f"{f.__name__}.*(not one float|an array|returned|return a number)"
        ):
            grad(f, mode="compile")(*args)


def test_int_on_one_path_of_the_function_itself_is_an_error_in_every_call():
    def f(x):
        if x < 0.0:
            return 0
        return x * x

    call = grad(f, mode="auto")
    for x in (1.5, 1.5, -1.5, -1.5, 1.5):
        if x > 0.0:
            assert call(x) == 3.0
        else:
            with pytest.raises(DifferentiationError, match="got int"):
                call(x)
    with pytest.raises(DifferentiationError, match="an int or a bool is returned"):
        grad(f, mode="compile")(1.5)


def test_shapes_and_types_that_change_between_calls():
    for mode in ("compile", "auto"):
        call = grad(weighted, mode=mode)
        for size in (3, 3, 5, 1, 0, 3):
            assert np.asarray(call(np.ones(size))).tolist() == [2.0 * (i + 1) for i in range(size)]
        assert call([1.0, 1.0]) == [2.0, 4.0]
        assert call([1.0, 1.0]) == [2.0, 4.0]
    call = grad(weighted, mode="auto")
    for _ in range(2):
        assert call(np.ones(2, dtype=np.float32)).dtype == np.float32
        assert call(np.ones(2)).dtype == np.float64
        assert call((1.0, 1.0)) == (2.0, 4.0)


def test_more_dimensions_than_before():
    def f(a):
        return a[0] * 2.0 if np.ndim(a) == 1 else a[0][1] * 3.0

    call = grad(f, mode="auto")
    for _ in range(3):
        assert call(np.ones(2)).tolist() == [2.0, 0.0]
        assert call(np.ones((1, 2))).tolist() == [[0.0, 3.0]]


# -- what is left to the tape ----------------------------------------------------------------------------------------------


def test_function_without_source_goes_to_the_tape_with_the_reason():
    namespace = {"math": math}
    exec("def f(x):\n    return math.sin(x) * x\n", namespace)
    told = explain(namespace["f"], 1.0)
    assert told.path == "trace" and "no source" in told.reason
    assert grad(namespace["f"])(1.5) == pytest.approx(math.cos(1.5) * 1.5 + math.sin(1.5))
    with pytest.raises(DifferentiationError, match=r"no source.*mode=\"auto\""):
        grad(namespace["f"], mode="compile")(1.5)


def test_generators_and_classes_go_to_the_tape():
    def parts(x, n):
        for i in range(n):
            yield x * i

    def f(x):
        return sum(parts(x, 4)) * x

    class Account:
        def __init__(self, balance):
            self.balance = balance

        def pay(self, rate):
            self.balance = self.balance * (1.0 + rate)

    def g(x):
        account = Account(x)
        account.pay(0.5)
        return account.balance * x

    for function, slope in [(f, 2.0 * 6.0 * 1.5), (g, 2.0 * 1.5 * 1.5)]:
        told = explain(function, 1.5)
        assert told.path == "trace" and ".py:" in told.reason
        call = grad(function)
        for _ in range(2):
            assert call(1.5) == pytest.approx(slope)


def test_unreachable_yield_still_makes_a_generator():
    def f(x):
        return x * 2.0
        yield

    assert explain(f, 1.0).path == "trace"
    with pytest.raises(DifferentiationError):
        grad(f)(1.0)


def test_bound_methods_and_partials():
    class Model:
        def __init__(self, w):
            self.w = w

        def loss(self, x):
            return x * x * self.w

    model = Model(2.0)
    call = grad(model.loss)
    assert [call(1.5) for _ in range(3)] == [6.0] * 3
    model.w = 3.0
    assert call(1.5) == 9.0
    assert [grad(functools.partial(scaled_by_int, n=4))(1.5) for _ in range(2)] == [4.0, 4.0]


def test_infinite_recursion_is_a_clear_error():
    def f(x):
        return f(x * 0.5) + 1.0

    for mode in ("auto", "trace"):
        with pytest.raises((DifferentiationError, RecursionError), match="calls itself too deeply|recursion"):
            grad(f, mode=mode)(1.5)
    with pytest.raises((DifferentiationError, RecursionError)):
        grad(f, mode="compile")(1.5)


def test_two_lambdas_on_one_line():
    f, g = (lambda x: x * 2.0), (lambda x: x * 3.0)
    for call in (grad(f), grad(g)):
        call(1.0)
    assert [grad(f)(1.0), grad(g)(1.0)] == [2.0, 3.0]
    one, two = grad(f), grad(g)
    assert [one(1.0), two(1.0), one(1.0), two(1.0)] == [2.0, 3.0, 2.0, 3.0]


def test_decorated_function():
    def doubled(f):
        @functools.wraps(f)
        def run(*args):
            return 2.0 * f(*args)

        return run

    @doubled
    def f(x):
        return x * x

    def g(x):
        return f(x) + x

    for function, slope in [(f, 6.0), (g, 7.0)]:
        call = grad(function)
        assert [call(1.5) for _ in range(3)] == [slope] * 3
