"""The optimizer against torch and a ten-line definition; schedules against their shape."""

import pytest
import torch

from custodiet.errors import CheckpointError, UsageError
from custodiet.optim.adamw import FlatAdamW
from custodiet.optim.schedules import Schedule


def make_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 2))


@pytest.mark.parametrize("clip", [None, 0.3])
def test_equals_torch_with_clipping(clip):
    ours, theirs = make_model(), make_model()
    mine = FlatAdamW(ours.parameters(), betas=(0.8, 0.95), weight_decay=0.1, clip_norm=clip)
    other = torch.optim.AdamW(theirs.parameters(), lr=0.0, betas=(0.8, 0.95), weight_decay=0.1)
    generator = torch.Generator().manual_seed(1)
    for step in range(30):
        x, lr = torch.randn(6, 5, generator=generator), 0.01 * (1 + step % 3)
        mine.zero_grad()
        other.zero_grad()
        (ours(x) ** 2).sum().backward()
        ((theirs(x) ** 2).sum() / 6).backward()
        norm = mine.step(lr, grad_scale=1 / 6)
        want = torch.nn.utils.clip_grad_norm_(theirs.parameters(), clip if clip is not None else 1e9)
        other.param_groups[0]["lr"] = lr
        other.step()
        torch.testing.assert_close(norm, want)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-6, rtol=1e-5)


def test_first_step_by_hand():
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = FlatAdamW([parameter], betas=(0.9, 0.99), eps=1e-8, weight_decay=0.5)
    parameter.grad.copy_(torch.tensor([0.3, -4.0]))
    optimizer.step(0.1)
    # at step 1 the corrected moments are g and g^2: the step is lr * sign(g) after decay
    torch.testing.assert_close(parameter.data, torch.tensor([1.0, -2.0]) * 0.95 - 0.1 * torch.tensor([1.0, -1.0]))


def test_state_survives_bit_for_bit():
    a, b = make_model(), make_model()
    first, second = FlatAdamW(a.parameters()), FlatAdamW(b.parameters())
    x = torch.randn(4, 5)
    for _ in range(3):
        first.zero_grad()
        a(x).sum().backward()
        first.step(0.01)
    second.load_state_dict({name: one.clone() for name, one in first.state_dict().items()})
    second.flat.copy_(first.flat)
    for model, optimizer in ((a, first), (b, second)):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step(0.01)
    assert torch.equal(first.flat, second.flat)
    with pytest.raises(CheckpointError, match="first_moment"):
        second.load_state_dict({})


def test_schedules():
    linear = Schedule(peak=2.0, num_steps=10, warmup_steps=4, final_share=0.5)
    assert [linear.rate_at(step) for step in (0, 3, 4)] == [0.5, 2.0, 2.0]
    assert linear.rate_at(7) == pytest.approx(1.5) and linear.rate_at(10) == pytest.approx(1.0)
    cosine = Schedule(peak=1.0, num_steps=8, kind="cosine")
    assert cosine.rate_at(0) == 1.0 and cosine.rate_at(4) == pytest.approx(0.5)
    assert Schedule(peak=1.0, num_steps=8, kind="constant").rate_at(7) == 1.0
    with pytest.raises(UsageError, match="warmup_steps"):
        Schedule(peak=1.0, num_steps=2, warmup_steps=3)
