"""Recursive programs of many kinds, as a user may write them, with arguments and the places that are differentiated."""

import math

import numpy as np

FACTOR = 0.7


def chain(n, x):
    if n == 0:
        return x
    return math.sin(chain(n - 1, x)) + 0.1 * x


def loops_within(n, x):
    if n == 0:
        return x
    s = 0.0
    for i in range(n):
        s = math.sin(s + x * i) + s * 0.5
    t = s
    while t > 0.5:
        t = t * 0.7
    return s * loops_within(n - 1, x * 0.9) + t


def within_loops(x, k):
    total = 1.0
    for i in range(k):
        inner = 0.0
        for j in range(i):
            inner += chain(j, x * total) * j
        total = total * 0.5 + chain(i, x * total) + 0.01 * inner
    return total


def loop_of_self(n, x):
    """The recursive call stands in a loop of its own function, whose frames outlive the call."""
    total = x
    for i in range(n):
        before = total * total
        total = math.cos(total) + loop_of_self(n - 1 - i, total * 0.5) * before
    return total


def fill(a, i):
    if i >= len(a):
        return
    a[i] = a[i] * a[i - 1] + math.sin(a[i])
    fill(a, i + 1)


def local_array_changed(x):
    a = np.zeros(5)
    for i in range(5):
        a[i] = x * (i + 1)
    fill(a, 1)
    return a[4] + a[2]


def argument_changed(a):
    fill(a, 1)
    return a[len(a) - 1] * a[1]


def changed_after_use(a, n):
    """What the inner calls read is overwritten before the reverse sweep comes back to it."""
    if n == 0:
        s = 0.0
        for i in range(len(a)):
            s = s + a[i] * a[i]
        return s
    r = changed_after_use(a, n - 1)
    a[n] = r * 0.5
    return r * a[0] + changed_after_use(a, n - 1)


def two_names(a, b, n):
    if n == 0:
        return a[0] * b[1]
    b[n] = a[n] * b[0]
    return a[n] * two_names(b, a, n - 1)


def same_array_twice(x):
    a = np.zeros(4)
    for i in range(4):
        a[i] = x + i * x * x
    return two_names(a, a, 3)


def sort(a, low, high):
    if low >= high:
        return
    pivot = a[high]
    i = low
    for j in range(low, high):
        if a[j] < pivot:
            t = a[i]
            a[i] = a[j]
            a[j] = t
            i = i + 1
    t = a[i]
    a[i] = a[high]
    a[high] = t
    sort(a, low, i - 1)
    sort(a, i + 1, high)


def sorted_weight(a):
    sort(a, 0, len(a) - 1)
    s = 0.0
    for i in range(len(a)):
        s += a[i] * (i + 1) ** 2
    return s


def sine_cosine(n, x):
    if n == 0:
        return math.sin(x), (math.cos(x), n)
    s, (c, k) = sine_cosine(n - 1, x * 0.5)
    return 2 * s * c, (c * c - s * s, k + 1)


def tuple_result(x):
    s, (c, k) = sine_cosine(4, x)
    return s * c * k


def nested_closures(x, y):
    """Captured names are read at each call, and one of them has another value at the second."""
    w = x * y

    def inner(k, t):
        def leaf(z):
            return z * w + y

        if k == 0:
            return leaf(t)
        return inner(k - 1, t * t) + leaf(t) * x

    first = inner(3, 0.9)
    w = w * 2.0
    return first * inner(2, x)


def capture_in_loop(x):
    total = 0
    for i in range(4):

        def inner(k, i=i):
            return x * total + i if k == 0 else inner(k - 1, i) * 0.5 + total  # noqa: B023

        total += inner(3)
    return total


def captured_array(x):
    w = np.ones(4)

    def go(i, total):
        if i == 4:
            return total
        return go(i + 1, total * w[i] + x)

    first = go(0, x)
    w[2] = x
    return first + go(0, 1.0)


def nested_pair(x, n):
    """Two nested functions that call each other, one of them through a third."""
    scale = x * 0.5

    def up(k, t):
        return t * scale if k <= 0 else down(k - 1, math.sin(t)) + helper(k - 2, t)

    def helper(k, t):
        return up(k, t * x)

    def down(k, t):
        return t if k <= 0 else up(k - 1, t * t) * scale

    return up(n, x) + down(n, scale)


def integrate(f, a, b, depth):
    m = 0.5 * (a + b)
    if depth == 0:
        return (b - a) * f(m)
    return integrate(f, a, m, depth - 1) + integrate(f, m, b, depth - 1)


def function_as_argument(a, b):
    return integrate(lambda t: math.exp(-a * t * t) * b, 0.0, b, 5) * integrate(math.sin, a, b, 3)


def count(n):
    return 1 if n < 2 else count(n - 1) + count(n - 2)


def int_result(x, n):
    return x ** count(n) + count(n) // 2 * x


def is_odd(n):
    return False if n == 0 else not is_odd(n - 1)


def bool_result(x, n):
    return x * x if is_odd(n) else x


def bool_argument(n, flag, x):
    return x if n == 0 else bool_argument(n - 1, not flag, x * 1.5 if flag else x + 0.3)


def returns_in_loop(n, x):
    for i in range(10):
        if i * x > n:
            return x * i
        if i == 7 and n > 0:
            return returns_in_loop(n - 1, x * 1.1) * x
    return x


def three_a(n, x):
    return x if n <= 0 else three_b(n - 1, x * 1.1)


def three_b(n, x):
    return x if n <= 0 else three_c(n - 1, math.cos(x)) + three_a(n - 2, x)


def three_c(n, x):
    return x if n <= 0 else three_a(n - 1, x * x) * three_b(n - 3, x)


def ackermann_like(m, n, x):
    if m == 0:
        return x * (n + 1)
    if n == 0:
        return ackermann_like(m - 1, 1, x)
    return math.sin(ackermann_like(m, n - 1, x)) + ackermann_like(m - 1, n, x)


def rows(m, i):
    if i == m.shape[0]:
        return 0.0
    row = m[i]
    s = 0.0
    for j in range(len(row)):
        s += row[j] * row[j]
    return s * math.sin(m[i, 0]) + rows(m, i + 1)


def halves(a):
    if len(a) == 1:
        return a[0]
    middle = len(a) // 2
    return halves(a[:middle]) * math.cos(halves(a[middle:]))


def horner(coefficients, order, i, x):
    """Arrays that are not differentiated, one of them of ints."""
    if i == len(order):
        return 0.0
    return coefficients[order[i]] + x * horner(coefficients, order, i + 1, x)


def global_read(n, x):
    return FACTOR * x if n == 0 else global_read(n - 1, x * FACTOR) + FACTOR


def newton(x, target, left):
    """The recursion ends by a float."""
    step = (x * x - target) / (2.0 * x)
    if abs(step) < 1e-10 or left == 0:
        return x - step
    return newton(x - step, target, left - 1)


def dead_ends(n, x, y):
    """One result and one parameter that the derivative never meets."""
    if n == 0:
        return x, 1.0
    value, unused = dead_ends(n - 1, x * math.exp(-x), y + 1.0)
    return value * x, unused + y


def inactive_parts(x):
    value, unused = dead_ends(3, x, 2.0)
    return value + 0.0 * unused


def merged(a):
    """Merge sort: new arrays are returned."""
    if len(a) < 2:
        return a
    middle = len(a) // 2
    left, right = merged(a[:middle]), merged(a[middle:])
    found = np.empty(len(a))
    i = 0
    j = 0
    for k in range(len(a)):
        if j == len(right) or (i < len(left) and left[i] <= right[j]):
            found[k] = left[i]
            i += 1
        else:
            found[k] = right[j]
            j += 1
    return found


def merge_sorted(a):
    b = merged(a)
    total = 0.0
    for i in range(len(b)):
        total += (i + 1) ** 2 * math.sin(b[i])
    return total


def transformed(real, imaginary):
    """A fast Fourier transform: two arrays are returned."""
    n = len(real)
    if n == 1:
        return real, imaginary
    half = n // 2
    even_real, even_imaginary = np.zeros(half), np.zeros(half)
    odd_real, odd_imaginary = np.zeros(half), np.zeros(half)
    for k in range(half):
        even_real[k], even_imaginary[k] = real[2 * k], imaginary[2 * k]
        odd_real[k], odd_imaginary[k] = real[2 * k + 1], imaginary[2 * k + 1]
    even_real, even_imaginary = transformed(even_real, even_imaginary)
    odd_real, odd_imaginary = transformed(odd_real, odd_imaginary)
    out_real, out_imaginary = np.zeros(n), np.zeros(n)
    for k in range(half):
        c, s = math.cos(2.0 * math.pi * k / n), -math.sin(2.0 * math.pi * k / n)
        x = c * odd_real[k] - s * odd_imaginary[k]
        y = c * odd_imaginary[k] + s * odd_real[k]
        out_real[k], out_imaginary[k] = even_real[k] + x, even_imaginary[k] + y
        out_real[k + half], out_imaginary[k + half] = even_real[k] - x, even_imaginary[k] - y
    return out_real, out_imaginary


def spectrum(signal):
    real, imaginary = transformed(signal, np.zeros(len(signal)))
    total = 0.0
    for k in range(len(signal)):
        total += (k + 1) * math.sqrt(real[k] ** 2 + imaginary[k] ** 2 + 1.0)
    return total


def same_back(a, n):
    return a if n == 0 else same_back(a, n - 1)


def alias_returned(a, n):
    """What comes back is what went in: writing to one changes the other."""
    b = same_back(a, n)
    before = a[0] * a[0]
    b[0] = before * a[1]
    return a[0] * b[1] + before


def fresh(n, x):
    if n == 0:
        found = np.ones(3)
        found[1] = x
        return found
    inner = fresh(n - 1, x * x)
    inner[n - 1] = inner[1] * math.sin(x)
    return inner


def array_back(x):
    total = 0.0
    for i in range(3):
        a = fresh(3, x + i)
        a[0] = a[0] * x
        total += a[0] * a[1] * a[2] + a[0]
    return total


def call_of(f, x):
    return f(x)


def within_its_own_argument(x):
    """No recursion: a function runs again inside what it calls."""
    return call_of(lambda t: call_of(math.sin, t) * t, x)


def product_of_leaves(tree):
    """Recursion over nested tuples: a program per shape."""
    if len(tree) == 1:
        return tree[0]
    return product_of_leaves(tree[0]) * product_of_leaves(tree[1])


def nested_tuples(a, b, c):
    return product_of_leaves(((a,), ((b,), (c,))))


def with_keywords(n, x, *, scale=2.0):
    if n == 0:
        return x
    return with_keywords(n - 1, x * x, scale=scale * 0.5) * scale


def keywords(x):
    return with_keywords(3, x) + with_keywords(2, x, scale=x)


def nested_in_recursive(x):
    """A nested function calls itself and the recursive function that makes it."""

    def outer(n, y):
        def inner(k):
            if k == 0:
                return y
            return inner(k - 1) * x + outer(n - 1, y * 0.5)

        if n <= 0:
            return y
        return inner(2) + y

    return outer(2, x)


def knapsack(weights, values, i, room):
    if i == len(weights) or room == 0:
        return 0.0
    skipped = knapsack(weights, values, i + 1, room)
    if weights[i] > room:
        return skipped
    return max(skipped, values[i] + knapsack(weights, values, i + 1, room - weights[i]))


def within_while(n, x):
    k = n
    s = x
    while k > 0:
        k = k - 1
        if k % 2 == 0:
            continue
        s = s * 0.9 + within_while(k - 1, s) * x
        if s > 3.0:
            break
    return s


PROGRAMS = [
    (within_its_own_argument, (0.4,), (0,)),
    (nested_tuples, (0.3, 0.4, 0.5), (0, 1, 2)),
    (keywords, (0.7,), (0,)),
    (nested_in_recursive, (0.4,), (0,)),
    (knapsack, (np.array([2, 3, 4]), np.array([0.3, 0.5, 0.6]), 0, 6), (1,)),
    (within_while, (5, 0.4), (1,)),
    (merge_sorted, (np.array([0.5, 0.2, 0.9, 0.1, 0.4]),), (0,)),
    (spectrum, (np.linspace(0.2, 1.1, 8) ** 2,), (0,)),
    (alias_returned, (np.array([0.5, 0.2, 0.9]), 2), (0,)),
    (array_back, (0.6,), (0,)),
    (chain, (20, 0.3), (1,)),
    (loops_within, (5, 0.4), (1,)),
    (within_loops, (0.3, 6), (0,)),
    (loop_of_self, (4, 0.6), (1,)),
    (local_array_changed, (0.3,), (0,)),
    (argument_changed, (np.array([0.3, 0.2, 0.5, 0.7]),), (0,)),
    (changed_after_use, (np.array([0.3, 0.2, 0.5, 0.1]), 3), (0,)),
    (two_names, (np.array([0.3, 0.2, 0.5, 0.1]), np.array([0.7, 0.4, 0.6, 0.9]), 3), (0, 1)),
    (same_array_twice, (0.3,), (0,)),
    (sorted_weight, (np.array([0.5, 0.2, 0.9, 0.1, 0.4]),), (0,)),
    (tuple_result, (0.7,), (0,)),
    (nested_closures, (0.5, 0.8), (0, 1)),
    (capture_in_loop, (0.4,), (0,)),
    (captured_array, (0.6,), (0,)),
    (nested_pair, (0.6, 6), (0,)),
    (function_as_argument, (0.7, 0.9), (0, 1)),
    (int_result, (1.1, 6), (0,)),
    (bool_result, (0.4, 5), (0,)),
    (bool_argument, (5, True, 0.3), (2,)),
    (returns_in_loop, (3, 0.9), (1,)),
    (three_a, (9, 0.6), (1,)),
    (ackermann_like, (2, 3, 0.4), (2,)),
    (rows, (np.linspace(0.1, 1, 12).reshape(4, 3), 0), (0,)),
    (halves, (np.linspace(0.3, 1, 9),), (0,)),
    (horner, (np.array([0.5, 0.2, 0.9]), np.array([2, 0, 1]), 0, 0.3), (3,)),
    (global_read, (4, 0.5), (1,)),
    (newton, (1.0, 2.0, 30), (1,)),
    (inactive_parts, (0.4,), (0,)),
]
