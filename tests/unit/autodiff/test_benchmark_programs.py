"""The benchmarked programs and their references agree with central differences; the library agrees with the references."""

import numpy as np
import pytest

from benchmarks.programs import small_programs
from custodiet import autodiff
from tests.unit.autodiff.differences import central_differences

PROGRAMS = small_programs()
# Rounding of a central difference with a step near the cube root of the precision.
TOLERANCE = 2e-7


def max_relative_error(found, expected):
    """Largest difference over the largest magnitude of the expected."""
    return np.max(np.abs(found - expected)) / max(np.max(np.abs(expected)), 1e-300)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_references_agree_with_central_differences(program):
    expected = program.reference(*program.inputs)
    for argnum, reference in zip(program.argnums, expected, strict=True):
        found = central_differences(program.function, program.inputs, argnum)
        assert found.shape == np.shape(reference)
        assert max_relative_error(found, reference) < TOLERANCE


def test_programs_leave_their_arguments_alone():
    for program in PROGRAMS:
        before = [np.copy(argument) for argument in program.inputs]
        program.function(*program.inputs)
        for then, now in zip(before, program.inputs, strict=True):
            np.testing.assert_array_equal(then, now)


@pytest.mark.parametrize("mode", ["trace", "auto"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_derivatives_agree_with_references(program, mode):
    expected = program.reference(*program.inputs)
    if np.ndim(program.function(*program.inputs)) == 0:
        derivative = autodiff.grad(program.function, argnums=program.argnums, mode=mode)
    else:
        derivative = autodiff.jacobian(program.function, argnums=program.argnums)
    for _ in range(2 if mode == "auto" else 1):
        found = derivative(*program.inputs)
        for mine, reference in zip(found, expected, strict=True):
            assert max_relative_error(np.asarray(mine), reference) < 1e-8
