"""The goldfish mask against a slow definition, in NumPy and torch, alone and in packs."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.data.goldfish_mask import (
    GOLDEN,
    MASK64,
    SENTINEL,
    effective_drop_rate,
    goldfish_mask_numpy,
    hans2024_table,
    key_collapse_share,
    mix_word,
)
from custodiet.errors import UsageError
from custodiet.nn.goldfish import GoldfishLoss, goldfish_mask

SEED = 2971215073


def slow_keep(document, k, h, seed):
    """The definition in the module's docstring, one target at a time, in Python integers."""
    key = mix_word(seed + GOLDEN)
    keep = []
    for t in range(len(document)):
        n = min(h, t)
        total = sum(mix_word((document[t - j] + 1) * GOLDEN + mix_word(key + j)) for j in range(1, n + 1))
        if n < h:
            total += mix_word((key ^ SENTINEL) + n)
        digest = mix_word((total & MASK64) ^ key)
        keep.append(t == 0 or not digest >> 11 < (1 << 53) // k)
    return np.array(keep, dtype=bool)


documents = st.lists(st.lists(st.integers(0, 200_000), min_size=1, max_size=40), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(documents=documents, k=st.integers(2, 50), h=st.integers(1, 60), seed=st.integers(0, 2**64 - 1))
def test_packed_numpy_and_torch_equal_the_definition_of_each_document_alone(documents, k, h, seed):
    want = np.concatenate([slow_keep(one, k, h, seed) for one in documents])
    tokens = np.concatenate([np.array(one) for one in documents])
    segments = np.repeat(np.arange(len(documents)), [len(one) for one in documents])
    found = goldfish_mask_numpy(tokens, k=k, h=h, seed=seed, segments=segments)
    np.testing.assert_array_equal(found, want)
    by_torch = goldfish_mask(torch.from_numpy(tokens), k=k, h=h, seed=seed, segments=torch.from_numpy(segments)).numpy()
    np.testing.assert_array_equal(by_torch, want)


@pytest.mark.parametrize("strategy", ["static", "random", "hash"])
def test_strategies_agree_between_numpy_and_torch_and_drop_one_in_k(strategy):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 30_000, (8, 4000))
    keep = goldfish_mask_numpy(tokens, k=4, strategy=strategy)
    assert keep.dtype == bool and keep[:, 0].all()
    assert (~keep).mean() == pytest.approx(0.25, abs=0.01)
    np.testing.assert_array_equal(goldfish_mask(torch.from_numpy(tokens), k=4, strategy=strategy).numpy(), keep)


def test_padding_is_never_kept_and_each_seed_has_its_own_mask():
    tokens = np.arange(1000)
    segments = np.where(np.arange(1000) < 900, 0, -1)
    keep = goldfish_mask_numpy(tokens, segments=segments)
    assert not keep[900:].any()
    np.testing.assert_array_equal(keep[:900], goldfish_mask_numpy(tokens[:900]))
    other = goldfish_mask_numpy(tokens, seed=1)
    assert 0.25 < (other[:900] != keep[:900]).mean() < 0.5  # 2 * 1/4 * 3/4 when independent


def test_order_matters_and_the_target_itself_does_not():
    window = np.arange(100, 113)
    verdicts = {
        bytes(goldfish_mask_numpy(np.append(np.random.default_rng(seed).permutation(window), 7), seed=s)[-1:])
        for seed in range(20)
        for s in range(3)
    }
    assert len(verdicts) == 2
    a, b = np.append(window, 7), np.append(window, 8)
    assert all(goldfish_mask_numpy(a, seed=s)[-1] == goldfish_mask_numpy(b, seed=s)[-1] for s in range(50))


def reference_keep(tokens, k, h):
    """Our own wording of the reference code's rule: windows of h targets ending at the target, product in int64."""
    table = torch.rand(1_000_003, generator=torch.Generator().manual_seed(SEED))
    keep = torch.ones(len(tokens), dtype=torch.bool)
    for place in range(h - 1, len(tokens)):
        product = torch.tensor(tokens[place - h + 1 : place + 1]).prod()
        keep[place] = bool(table[product % 1_000_003] >= 1 / k)
    return keep.numpy()


@pytest.mark.parametrize(("k", "h"), [(4, 4), (4, 13), (50, 13)])
def test_compat_reproduces_the_reference(k, h):
    tokens = np.random.default_rng(1).integers(0, 32_000, 600)
    found = goldfish_mask_numpy(tokens, k=k, h=h, compat="hans2024")
    np.testing.assert_array_equal(found, reference_keep(tokens, k, h))
    np.testing.assert_array_equal(goldfish_mask(torch.from_numpy(tokens), k=k, h=h, compat="hans2024").numpy(), found)


def test_compat_table_is_torch_rand():
    want = torch.rand(1_000_003, generator=torch.Generator().manual_seed(SEED)).numpy()
    np.testing.assert_array_equal(hans2024_table(), want)


def test_compat_warns_at_wide_windows_with_the_measured_collapse():
    tokens = np.random.default_rng(2).integers(0, 32_000, 20_000)
    share = key_collapse_share(tokens, h=50, compat="hans2024")
    assert 0.03 < share < 0.12
    assert key_collapse_share(tokens, h=50) == 0.0
    assert key_collapse_share(tokens, h=13, compat="hans2024") < 0.001
    with pytest.warns(UserWarning, match=f"{share:.1%}"):
        goldfish_mask_numpy(tokens, k=50, h=50, compat="hans2024")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        goldfish_mask_numpy(tokens, k=50, h=13, compat="hans2024")


def test_effective_rate_counts_eligible_targets_only():
    keep = np.array([[True, False, True, True], [False, False, False, True]])
    assert effective_drop_rate(keep) == (3, 6)
    assert effective_drop_rate(keep, [[0, 0, 1, 1], [0, 0, -1, -1]]) == (2, 3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"k": 1}, "k is too small"),
        ({"h": 0}, "h is too small"),
        ({"strategy": "x"}, "strategy"),
        ({"compat": "x"}, "compat"),
    ],
)
def test_settings_that_mean_nothing(options, says):
    for function, tokens in ((goldfish_mask_numpy, np.arange(4)), (goldfish_mask, torch.arange(4))):
        with pytest.raises(UsageError, match=says):
            function(tokens, **options)
    with pytest.raises(UsageError, match="ids"):
        goldfish_mask_numpy([-1, 2])
    with pytest.raises(UsageError, match="ids"):
        goldfish_mask(torch.rand(3))


def test_loss_is_the_mean_over_kept_targets():
    torch.manual_seed(0)
    logits = torch.randn(3, 30, 11, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(11, (3, 30))
    targets[2, 20:] = -100
    loss = GoldfishLoss(k=3)(logits, targets)
    keep = np.zeros((3, 30), dtype=bool)
    for row, size in enumerate((30, 30, 20)):
        keep[row, :size] = slow_keep(targets[row, :size].tolist(), 3, 13, SEED)
    nats = -torch.log_softmax(logits, -1).gather(2, targets.clamp(min=0).unsqueeze(2)).squeeze(2)
    assert loss.item() == pytest.approx(nats[torch.from_numpy(keep)].mean().item(), rel=1e-6)
    loss.backward()
    assert (logits.grad[~torch.from_numpy(keep)] == 0).all()


def test_an_all_dropped_batch_gives_zero_loss_and_zero_gradients():
    logits = torch.randn(1, 4, 5, requires_grad=True)
    loss = GoldfishLoss()(logits, torch.full((1, 4), -100))
    loss.backward()
    assert loss.item() == 0.0 and torch.equal(logits.grad, torch.zeros_like(logits))
