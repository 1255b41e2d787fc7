"""What Python allows beyond loops and arrays: generators, user classes, operators, random generators, third-party calls."""

from __future__ import annotations

import contextlib
import itertools
import math
import operator

import numpy as np
import scipy.special

from benchmarks.programs.coverage import Example


def random_noise(x, rng):
    """A NumPy generator as an argument, scalar draws."""
    total = 0.0
    for _ in range(8):
        total += math.sin(x + rng.standard_normal())
    return total


def random_vector(x, rng):
    """A NumPy generator as an argument, one vector draw: the reparameterized normal."""
    return np.mean(np.exp(x[0] + x[1] * rng.standard_normal(16)))


def geometric_terms(x):
    """A generator function defined inside."""

    def terms():
        term = 1.0
        while abs(term) > 1e-12:
            yield term
            term *= x

    total = 0.0
    for term in terms():
        total += term
    return total


class Complex:
    """A user's own number class."""

    def __init__(self, re, im):
        self.re = re
        self.im = im

    def __add__(self, other):
        return Complex(self.re + other.re, self.im + other.im)

    def __mul__(self, other):
        return Complex(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)

    def norm(self):
        """The absolute value."""
        return math.hypot(self.re, self.im)


def own_numbers(x, y):
    """Arithmetic on a user's class."""
    z = Complex(0.0, 0.0)
    for _ in range(4):
        z = z * z + Complex(x, y)
    return z.norm()


class Account:
    """Mutable state behind methods."""

    def __init__(self, balance):
        self.balance = balance
        self.history = []

    def grow(self, rate):
        """A year passes."""
        self.history.append(self.balance)
        self.balance *= 1.0 + rate


def stateful_object(balance, rate):
    """Attributes that are changed by methods."""
    account = Account(balance)
    for year in range(5):
        account.grow(rate / (1.0 + year))
    return account.balance + 0.1 * sum(account.history)


def product_table(x):
    """itertools.product and a dict keyed by tuples."""
    table = {}
    for i, j in itertools.product(range(3), repeat=2):
        table[i, j] = math.sin(i * x) * math.cos(j * x)
    return sum(value * key[0] for key, value in table.items())


def operator_functions(x, y):
    """Functions of the operator module chosen by a dict of strings."""
    actions = {"add": operator.add, "mul": operator.mul, "sub": operator.sub}
    value = x
    for name in ("mul", "add", "mul", "sub"):
        value = actions[name](value, y)
    return value


def guarded(x):
    """Try and except around a domain error."""
    try:
        y = math.log(x - 2.0)
    except ValueError:
        y = -x * x
    return y + x


def with_context(x):
    """A context manager around the arithmetic."""
    with contextlib.suppress(ZeroDivisionError):
        x = x * x + 1.0
    return math.sqrt(x)


def scipy_special(x):
    """Special functions of SciPy."""
    return scipy.special.gammaln(x) + scipy.special.erf(x) * scipy.special.expit(x)


def scipy_logsumexp(x):
    """SciPy's logsumexp."""
    return scipy.special.logsumexp(x) ** 2


def match_statement(kind, x):
    """Match on strings and on a tuple's shape."""
    match kind:
        case "linear":
            value = 2.0 * x
        case "power":
            value = x**3
        case _:
            value = math.exp(x)
    return value + x


def string_program(code, x):
    """A tiny stack machine that reads a string: x, digits, + and *."""
    stack = []
    for symbol in code:
        if symbol == "x":
            stack.append(x)
        elif symbol == "+":
            stack.append(stack.pop() + stack.pop())
        elif symbol == "*":
            stack.append(stack.pop() * stack.pop())
        else:
            stack.append(float(symbol))
    return stack.pop()


def set_and_sort(values):
    """Sorted with a key, and a set of integers."""
    ordered = sorted(values, key=lambda v: -v)
    picked = {0, 2}
    return sum(v * v if i in picked else v for i, v in enumerate(ordered))


EXAMPLES = [
    Example(random_noise, (0.4, np.random.default_rng(0)), "a random generator as an argument, scalars"),
    Example(
        random_vector, (np.array([0.1, 0.5]), np.random.default_rng(0)), "a random generator as an argument, a vector"
    ),
    Example(geometric_terms, (0.4,), "a generator function", (0,), "generators run on the tape"),
    Example(own_numbers, (0.3, 0.2), "operators of a user class", (0, 1), "user classes run on the tape"),
    Example(stateful_object, (100.0, 0.05), "methods that mutate an object", (0, 1), "user classes run on the tape"),
    Example(product_table, (0.6,), "itertools, dict keyed by tuples", (0,), "a dict whose keys are computed"),
    Example(operator_functions, (1.2, 0.7), "functions looked up by string", (0, 1), "a dict of functions"),
    Example(guarded, (1.3,), "try/except", (0,), "exceptions as control flow"),
    Example(with_context, (1.3,), "with", (0,), "a context manager"),
    Example(scipy_special, (1.7,), "SciPy special functions"),
    Example(scipy_logsumexp, (np.array([0.4, 1.2, -0.3]),), "SciPy logsumexp"),
    Example(match_statement, ("power", 1.2), "match", (1,)),
    Example(
        string_program,
        ("xx*3+x*", 1.4),
        "a stack machine over a string",
        (1,),
        "a list used as a stack, symbols as data",
    ),
    Example(set_and_sort, ([0.3, 1.7, 0.9],), "sorted with a key, a set", (0,), "a sort with a key function"),
]
