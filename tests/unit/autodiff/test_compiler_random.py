"""Random programs: compiled = CPython in the value, = the tape in the gradient, ~ central differences, forward = reverse.

The grammar makes source text: nested loops, branches, early exits, element stores, views, helper functions, on safe domains.
"""

import importlib.util
import itertools
import linecache
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from custodiet.autodiff import explain, jvp, value_and_grad
from custodiet.autodiff.compiler.entry import CompiledGradient
from custodiet.errors import DifferentiationError
from tests.unit.autodiff.agreement import close, copied

NUMBERS = itertools.count()
HEADER = """import math

import numpy as np


def clip(t):
    if t > 2.0:
        return 2.0 + 0.1 * (t - 2.0)
    if t < -2.0:
        return -2.0
    return t


def mix(s, t, k):
    for j in range(k):
        if s > 3.0:
            break
        s = s * 0.7 + t * (j + 1) * 0.2
    return s


def scatter(a, i, t):
    a[i] += 0.3 * t
    a[-1] = a[-1] * 0.9 + t * 0.1
    return a[i]


"""


class Writer:
    """Writes one program from a source of choices."""

    def __init__(self, choose):
        self.choose = choose
        self.lines = []
        self.floats = ["x", "y", "s"]
        self.ints = ["n"]
        self.arrays = ["a", "b"]
        self.count = 0
        self.loops = 0
        self.in_loop = False

    def pick(self, options):
        return options[self.choose(len(options))]

    def line(self, depth, text):
        self.lines.append("    " * depth + text)

    def number(self):
        return self.pick(["0.5", "1.5", "-0.7", "2.0", "0.25", "1", "3"])

    def index(self):
        return self.pick(
            ["0", "1", "-1", "-2", *[f"{one} % 3" for one in self.ints], *[f"-({one} % 3) - 1" for one in self.ints]]
        )

    def integer(self):
        one = self.pick(self.ints)
        return self.pick(
            [
                one,
                f"{one} + 1",
                f"{one} // 2",
                f"{one} % 3",
                f"{one} * {one} % 5",
                f"len({self.pick(self.arrays)})",
                "2",
            ]
        )

    def expression(self, depth=2):
        kind = self.choose(15 if depth else 5)
        if kind == 0:
            return self.number()
        if kind in (1, 2):
            return self.pick(self.floats)
        if kind == 3:
            return f"{self.pick(self.arrays)}[{self.index()}]"
        if kind == 4:
            return self.pick(self.floats)
        a, b = self.expression(depth - 1), self.expression(depth - 1)
        if kind in (5, 6, 7):
            return f"({a} {self.pick(['+', '-', '*'])} {b})"
        if kind == 8:
            return f"({a} / (1.5 + ({b}) ** 2))"
        if kind == 9:
            name = self.pick(["math.sin", "math.tanh", "math.atan", "np.cos", "clip", "abs", "math.cos"])
            return f"{name}({a})"
        if kind == 10:
            return f"math.{self.pick(['sqrt', 'log'])}(1.2 + {self.squared(a)})"
        if kind == 11:
            return f"math.exp(-{self.squared(a)})"
        if kind == 12:
            return f"{self.pick(['max', 'min'])}({a}, {b})"
        if kind == 13:
            return f"({a} if {self.condition(depth - 1)} else {b})"
        return f"mix({a}, {b}, {self.integer()})"

    @staticmethod
    def squared(text):
        return f"({text}) * ({text})"

    def condition(self, depth=1):
        kind = self.choose(6 if depth else 3)
        if kind == 0:
            return f"{self.pick(self.floats)} {self.pick(['<', '>', '<=', '>='])} {self.number()}"
        if kind == 1:
            return f"{self.integer()} {self.pick(['<', '==', '!=', '>'])} {self.pick(['0', '1', '2'])}"
        if kind == 2:
            return f"{self.expression(0)} > {self.expression(0)}"
        if kind == 3:
            return f"not ({self.condition(depth - 1)})"
        if kind == 4:
            return f"-1.0 < {self.pick(self.floats)} < {self.pick(['1.0', '0.3'])}"
        return f"({self.condition(depth - 1)} {self.pick(['and', 'or'])} {self.condition(depth - 1)})"

    def fresh(self, stem):
        self.count += 1
        return f"{stem}{self.count}"

    def block(self, depth, size):
        saved = [list(one) for one in (self.floats, self.ints, self.arrays)]
        for _ in range(1 + self.choose(size)):
            self.statement(depth)
        self.floats, self.ints, self.arrays = saved

    def assign(self, depth):
        known = [one for one in self.floats if one != "x"]
        name = self.pick([*known, *known, self.fresh("v")])
        self.line(depth, f"{name} = {self.damped(self.expression())}")
        if name not in self.floats:
            self.floats.append(name)

    def damped(self, text):
        """Bounded, so that programs with loops neither overflow nor lose their precision."""
        return self.pick([f"math.tanh({text})", f"clip({text})", f"0.5 * math.sin({text}) + 0.25 * x"])

    def statement(self, depth):
        kind = self.choose(18)
        if kind <= 4:
            self.assign(depth)
        elif kind == 5:
            self.line(depth, f"s {self.pick(['+=', '-='])} 0.3 * {self.damped(self.expression())}")
        elif kind in (6, 7):
            self.line(depth, f"{self.pick(self.arrays)}[{self.index()}] = {self.damped(self.expression())}")
        elif kind == 8:
            self.line(
                depth,
                f"{self.pick(self.arrays)}[{self.index()}] {self.pick(['+=', '*=', '-='])} 0.5 * {self.damped(self.expression(1))}",
            )
        elif kind == 9:
            name = self.fresh("w")
            self.line(depth, f"{name} = {self.pick(['b', 'a'])}[{self.pick(['0:', ':', '-3:', ':99'])}]")
            self.arrays.append(name)
        elif kind == 10:
            self.line(depth, f"s, y = {self.damped('y')}, {self.damped('s')}")
        elif kind == 11:
            self.line(
                depth,
                f"s = {self.damped(f's + scatter({self.pick(self.arrays)}, {self.index()}, {self.expression(1)})')}",
            )
        elif kind == 12 and self.in_loop:
            self.line(depth, f"if {self.condition()}:")
            self.line(depth + 1, self.pick(["break", "continue"]))
        elif kind == 13:
            self.line(depth, f"if {self.condition()}:")
            self.line(depth + 1, f"return {self.damped(self.expression())} + 0.1 * s")
        elif kind == 14:
            self.line(depth, f"n = {self.integer()}")
        elif depth < 4 and kind == 15:
            self.line(depth, f"if {self.condition()}:")
            self.block(depth + 1, 3)
            if self.choose(2):
                self.line(depth, "else:")
                self.block(depth + 1, 3)
        elif depth < 4 and self.loops < 4:
            self.loop(depth, kind == 16)
        else:
            self.assign(depth)

    def loop(self, depth, counted):
        self.loops += 1
        outer, self.in_loop = self.in_loop, True
        saved = [list(one) for one in (self.floats, self.ints, self.arrays)]
        name = self.fresh("i")
        if counted:
            what = self.choose(4)
            if what == 0:
                array, item = self.pick(["a", "b"]), self.fresh("v")
                self.line(depth, f"for {name}, {item} in enumerate({array}):")
                self.floats.append(item)
            else:
                ranges = [
                    f"range({self.integer()} % 5)",
                    "range(3)",
                    "range(4, 0, -1)",
                    f"reversed(range({self.integer()} % 4))",
                ]
                self.line(depth, f"for {name} in {self.pick(ranges)}:")
            self.ints.append(name)
            self.block(depth + 1, 4)
        else:
            self.line(depth, f"{name} = 0")
            self.line(depth, f"while {name} < {self.pick(['3', '5', 'n % 4'])} and {self.condition(0)}:")
            self.line(depth + 1, f"{name} = {name} + 1")
            self.ints.append(name)
            self.block(depth + 1, 4)
        self.in_loop = outer
        self.floats, self.ints, self.arrays = saved
        if self.choose(3) == 0:
            self.line(depth, "else:")
            self.line(depth + 1, f"s = {self.damped(self.expression(1))}")

    def program(self):
        self.line(1, "s = x * 0.5")
        self.line(1, "b = np.zeros(3)")
        self.line(1, f"b[1] = {self.expression(1)}")
        for _ in range(3 + self.choose(5)):
            self.statement(1)
        self.line(1, f"return s * y + {self.damped(self.expression())} + a[0] * b[1] + 0.5 * b[0]")
        return "def f(x, y, a, n):\n" + "\n".join(self.lines) + "\n"


@st.composite
def programs(draw):
    """Source text of a random program."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    return Writer(lambda count: int(rng.integers(count))).program()


def load(folder, text):
    """The function `f` of a program, from a file, so that its source is found."""
    file = folder / f"random_program_{next(NUMBERS)}.py"
    file.write_text(HEADER + text)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    linecache.checkcache(str(file))
    spec.loader.exec_module(module)
    return module.f


POINTS = [
    (0.7, -0.4, np.array([0.3, -1.1, 0.8]), 4),
    (-1.3, 0.9, np.array([1.2, 0.1, -0.6]), 7),
    (0.2, 1.7, np.array([-0.5, 0.4, 2.1]), 0),
]


def check(f, text, points=POINTS):
    """Everything that must agree on one program."""
    compiled = value_and_grad(f, (0, 1, 2), mode="compile")
    traced = value_and_grad(f, (0, 1, 2), mode="trace")
    for number, point in enumerate([*points, *points[:1]]):
        left, theirs = copied(point), copied(point)
        expected = f(*left)
        value, gradient = traced(*copied(point))
        try:
            mine, slopes = compiled(*theirs)
        except DifferentiationError as error:
            if "cannot be compiled" in str(error) and "the compiler failed" not in str(error):
                return str(error)
            raise AssertionError(f"point {number}: {error}\n{text}") from error
        assert close(mine, expected, 1e-12), f"value at {number}: {mine!r}, not {expected!r}\n{text}"
        assert close(value, expected, 1e-12), f"the tape's value at {number}\n{text}"
        assert close(theirs[2], left[2], 1e-12), f"arguments at {number}\n{text}"
        for one, other in zip(slopes, gradient, strict=True):
            assert close(one, other, 1e-9), f"gradient at {number}: {one!r}, not {other!r}\n{text}"
        directions = (0.3, -0.8, np.array([0.5, 0.2, -0.9]))
        n = point[3]
        _, along = jvp(lambda x, y, a, n=n: f(x, y, a.copy(), n), copied(point)[:3], directions)
        total = sum(float(np.sum(np.asarray(g) * d)) for g, d in zip(slopes, directions, strict=True))
        assert close(along, total, 1e-9), f"forward {along!r}, reverse {total!r} at {number}\n{text}"
        differences(f, point, directions, total, text)
    entry = next(iter(compiled.state.compiled.values()))
    assert isinstance(entry, CompiledGradient)
    for point in points:
        entry(copied(point))  # raises where native code leaves the call
    return None


def differences(f, point, directions, total, text):
    """Central differences at two steps; where these do not agree with one another the program has a kink or a jump there."""
    found = []
    for step in (2e-6, 1e-6):
        moved = []
        for sign in (1.0, -1.0):
            x, y, a, n = copied(point)
            moved.append(
                float(
                    f(
                        x + sign * step * directions[0],
                        y + sign * step * directions[1],
                        a + sign * step * directions[2],
                        n,
                    )
                )
            )
        found.append((moved[0] - moved[1]) / (2.0 * step))
    if close(found[0], found[1], 1e-6) and math.isfinite(found[0]):
        assert close(total, found[1], 1e-5), f"differences {found!r}, not {total!r}\n{text}"


DECLINED = []


def run(folder, text):
    """One program; what was declined is noted."""
    reason = check(load(folder, text), text)
    DECLINED.append(reason)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("programs")


@settings(
    max_examples=60, deadline=None, phases=[Phase.generate], derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(text=programs())
def test_random_programs(folder, text):
    run(folder, text)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(text=programs())
def test_many_random_programs(folder, text):
    run(folder, text)


def test_most_random_programs_are_compiled(folder):
    rng = np.random.default_rng(5)
    reasons = []
    for _ in range(20):
        f = load(folder, Writer(lambda count: int(rng.integers(count))).program())
        told = explain(f, *copied(POINTS[0]))
        reasons.append(None if told.path == "compile" else told.reason)
    assert not any("the compiler failed" in one for one in reasons if one)
    assert sum(one is None for one in reasons) >= 14, reasons
