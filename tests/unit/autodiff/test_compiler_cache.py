"""Compiled = CPython: large loops, threads, the cache on the disk.

Every program is compared in plain CPython, on the tape and compiled (`agreement.agree`).
"""

import math
import threading

import numpy as np
import pytest

from custodiet.autodiff import grad, value_and_grad
from custodiet.autodiff.compiler import native as native_module
from tests.unit.autodiff.agreement import agree
from tests.unit.autodiff.language_programs import nested_exits


def cube(x):
    return x**3


def logistic(x, n):
    for _ in range(n):
        x = 0.5 * x * (1.0 - x) + 0.1
    return x


def test_huge_loop():
    value, slope = value_and_grad(logistic, mode="compile")(0.3, 200_000)
    assert value == pytest.approx(logistic(0.3, 200_000), rel=1e-12)
    assert slope == pytest.approx(0.0, abs=1e-12)


def test_loop_over_an_endless_range_that_ends_early():
    def f(x, n):
        for i in range(n):  # noqa: B007
            x = x * 0.5 + math.sin(x) * 0.1
            if x < 0.1:
                break
        return x * i

    for n in (10**9, 10**12, 2**62):
        agree(f, 3.0, n, argnums=(0,), differences=True)


def test_endless_range_that_raises_early():
    def f(x, n):
        for _ in range(n):
            x = math.sqrt(x - 1.0)
            if x < 0.0:
                raise ValueError("below")
        return x

    assert agree(f, 3.0, 2**61, argnums=(0,), native=False, warm=[(3.0, 1)]) is ValueError


def test_nested_loops_of_changing_lengths():
    def f(x, n):
        total = 0.0
        for i in range(n):
            y = x
            for j in range(i % 4):
                y = y * y + 0.1 * j
                k = 0
                while y > 0.5 and k < i:
                    y = y * 0.7
                    k += 1
            total += y * total * 0.1 + y
        return total

    for n in (0, 1, 2, 9):
        agree(f, 0.8, n, argnums=(0,), differences=True)


@pytest.mark.parametrize("mode", ["compile", "auto"])
def test_threads_compile_and_call_at_once(mode):
    call = value_and_grad(nested_exits, (0, 1), mode=mode)
    points = [(np.array([1.0, 2.0, 0.5, 3.0]) * (1.0 + 0.1 * k), 1.0, 0.1 * k, 9.0) for k in range(8)]
    expected = [value_and_grad(nested_exits, (0, 1), mode="trace")(*point) for point in points]
    found, errors = {}, []
    barrier = threading.Barrier(8)

    def work(k):
        try:
            barrier.wait()
            for _ in range(20):
                found[k] = call(*points[k])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not errors
    for k, (value, gradients) in enumerate(expected):
        assert found[k][0] == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(found[k][1][0], gradients[0], rtol=1e-9)
        assert found[k][1][1] == pytest.approx(gradients[1], rel=1e-9)


def damaged(kind, code):
    if kind == "empty":
        return b""
    if kind == "garbage":
        return b"\x7fELF" + bytes(range(256)) * 8
    if kind == "truncated":
        return code[: len(code) // 2]
    return code[:-40] + bytes(40)


@pytest.mark.parametrize("kind", ["empty", "garbage", "truncated", "zeroed end"])
def test_damaged_file_in_the_cache_is_compiled_again(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("CUSTODIET_CACHE", str(tmp_path))
    assert grad(cube, mode="compile")(2.0) == pytest.approx(12.0)
    (file,) = (tmp_path / "autodiff").glob("*.code")
    code = file.read_bytes()
    file.write_bytes(damaged(kind, code))
    assert grad(cube, mode="compile")(2.0) == pytest.approx(12.0)
    assert file.read_bytes() == code


def test_cache_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("CUSTODIET_CACHE", str(tmp_path))
    assert grad(cube, mode="compile")(2.0) == pytest.approx(12.0)

    def refuse(machine, text):
        raise AssertionError("compiled again")

    monkeypatch.setattr(native_module, "_compile", refuse)
    assert grad(cube, mode="compile")(2.0) == pytest.approx(12.0)


def test_cache_folder_that_cannot_be_written(tmp_path, monkeypatch):
    place = tmp_path / "file"
    place.write_text("no folder")
    monkeypatch.setenv("CUSTODIET_CACHE", str(place))
    assert grad(cube, mode="compile")(2.0) == pytest.approx(12.0)
    assert place.read_text() == "no folder"


def test_cache_that_is_switched_off(tmp_path, monkeypatch):
    monkeypatch.setenv("CUSTODIET_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert native_module.cache_folder() is None
    assert grad(cube, mode="compile")(2.0) == pytest.approx(12.0)
    assert not list(tmp_path.iterdir())
