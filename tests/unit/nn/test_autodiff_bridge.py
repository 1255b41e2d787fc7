"""A plain Python function in torch's graph: values, gradients and gradients of gradients."""

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from custodiet.errors import DifferentiationError
from custodiet.nn.autodiff_bridge import as_torch


def double(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def loop(x, scale, num):
    total = 0.0
    for i in range(len(x)):
        y = x[i]
        for _ in range(num):
            y = math.sin(scale * y) + 0.1 * y
        total += y * y
    return total


def floats(a, b):
    while abs(a) > 1.0:
        a = a / 2.0
    return a * b + math.exp(a)


def rows(m, v):
    return np.tanh(m @ v) * v[0]


CASES = {
    "loop": (lambda x, s: as_torch(loop)(x, s, 3), lambda: (double(4), double())),
    "floats": (as_torch(floats), lambda: (torch.tensor(5.3, dtype=torch.float64, requires_grad=True), double(seed=3))),
    "array": (as_torch(rows), lambda: (double(3, 2), double(2, seed=1))),
    "one": (lambda m: as_torch(rows)(m, torch.ones(2, dtype=torch.float64)), lambda: (double(3, 2),)),
}


@pytest.mark.parametrize("case", CASES)
def test_gradients_and_their_gradients(case):
    op, make = CASES[case]
    inputs = make()
    assert gradcheck(op, inputs)
    assert gradgradcheck(op, inputs)


def test_value_and_gradient_are_those_of_torch_itself():
    m, v = double(3, 2), double(2, seed=1)
    theirs = torch.tanh(m @ v) * v[0]
    ours = as_torch(rows)(m, v)
    torch.testing.assert_close(ours, theirs)
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    for mine, other in zip(
        torch.autograd.grad(ours @ weights, (m, v)), torch.autograd.grad(theirs @ weights, (m, v)), strict=True
    ):
        torch.testing.assert_close(mine, other)


def test_inside_a_model_and_an_optimizer():
    op = as_torch(loop)
    x = torch.nn.Parameter(torch.tensor([0.4, -0.3, 0.9]))
    optimizer = torch.optim.SGD([x], lr=0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = op(torch.tanh(x), 0.7, 2)
        assert loss.dtype == torch.float32 and loss.ndim == 0
        loss.backward()
        assert x.grad is not None and x.grad.dtype == torch.float32
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_dtypes_and_floats_are_handed_through():
    op = as_torch(floats)
    single = torch.tensor(0.5, requires_grad=True)
    mixed = op(single, torch.tensor(2.0, dtype=torch.float64))
    assert mixed.dtype == torch.float64
    mixed.backward()
    assert single.grad is not None and single.grad.dtype == torch.float32
    assert op(0.5, 2.0).dtype == torch.float64
    assert not op(torch.tensor(0.5), 2.0).requires_grad
    with torch.no_grad():
        assert not op(single, 2.0).requires_grad


def test_the_tensor_is_not_written():
    def writes(x):
        x[0] = 2.0 * x[1]
        return x[0]

    for wanted in (False, True):
        x = torch.tensor([1.0, 3.0], dtype=torch.float64, requires_grad=wanted)
        assert as_torch(writes)(x).item() == 6.0
        assert x.tolist() == [1.0, 3.0]


def test_one_function_of_numbers_and_of_arrays():
    op = as_torch(lambda x: np.sin(x) * x)
    for shape in ((), (3,), (), (2, 2), (3,)):
        x = double(*shape)
        op(x).sum().backward()
        torch.testing.assert_close(x.grad, (torch.cos(x) * x + torch.sin(x)).detach())


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (torch.zeros(2, device="meta"), "not a dense tensor in the CPU's memory; expected cpu; got meta"),
        (torch.zeros(2, dtype=torch.int64), r"expected torch.float32 or torch.float64; got torch.int64"),
        (torch.zeros(2, dtype=torch.bfloat16), r"got torch.bfloat16"),
        (torch.eye(2).to_sparse(), "torch.sparse_coo"),
        ([torch.zeros(2)], "a nest of tensors"),
    ],
)
def test_tensors_that_cannot_be_handed_over(argument, message):
    with pytest.raises(DifferentiationError, match=message):
        as_torch(loop)(argument, 1.0, 2)


def test_tensors_by_name_and_results_without_floats():
    with pytest.raises(DifferentiationError, match="argument scale is a tensor"):
        as_torch(loop)(torch.zeros(2), scale=torch.tensor(1.0), num=2)

    def text(x):
        return "no number"

    for argument in (torch.zeros(2), torch.zeros(2, requires_grad=True)):
        with pytest.raises(DifferentiationError, match="text returned no floats"):
            as_torch(text)(argument)
