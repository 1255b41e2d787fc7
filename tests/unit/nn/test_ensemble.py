"""The batched GPT against a plain head, finite differences and GPT-2's parameter count."""

import pytest
import torch
from torch.nn import functional as F

from custodiet.errors import UsageError
from custodiet.nn.ensemble import EnsembleConfig, GPTEnsemble

CONFIG = EnsembleConfig(vocab_size=50, sequence_length=8, width=16, num_layers=2, num_models=3)


def _plain_nats(ensemble, tokens):
    logits = torch.bmm(ensemble._hidden(tokens), ensemble.weights["tokens"].transpose(1, 2))
    return F.cross_entropy(logits.flatten(0, 1), tokens.reshape(-1), reduction="none").view(len(tokens), -1).mean(1)


@pytest.mark.parametrize("gain", [1.0, 10.0, 3000.0])  # the last makes exponentials overflow without a shift
def test_the_head_is_cross_entropy_values_and_gradients(gain):
    ensemble = GPTEnsemble(CONFIG, seed=0)
    with torch.no_grad():
        ensemble.weights["norm"].mul_(gain)
        ensemble.weights["tokens"].mul_(10)
    tokens = torch.randint(0, 50, (3, 40, 8), generator=torch.Generator().manual_seed(0))
    nats, grad = ensemble.gradients(tokens)
    plain = _plain_nats(ensemble, tokens)
    wanted = torch.autograd.grad(plain.sum(), list(ensemble.weights.values()))
    flat = torch.cat([one.flatten(1) for one in wanted], 1)
    torch.testing.assert_close(nats, plain.detach(), rtol=1e-5, atol=1e-5)
    assert float((grad - flat).abs().max() / flat.abs().max()) < 1e-4


def test_a_bfloat16_head_is_close():
    tokens = torch.randint(0, 50, (3, 40, 8), generator=torch.Generator().manual_seed(0))
    _, exact = GPTEnsemble(CONFIG, seed=0).gradients(tokens)
    _, rough = GPTEnsemble(CONFIG, seed=0, head_dtype=torch.bfloat16).gradients(tokens)
    assert float((exact - rough).norm() / exact.norm()) < 0.02


def test_no_position_sees_its_own_token_or_a_later_one():
    ensemble = GPTEnsemble(EnsembleConfig(vocab_size=20, sequence_length=6, width=8, num_heads=2), seed=1)
    with torch.no_grad():
        ensemble.flat.mul_(20)
    tokens = torch.randint(0, 20, (1, 1, 6), generator=torch.Generator().manual_seed(1))
    before = ensemble._hidden(tokens)
    for place in range(6):
        changed = tokens.clone()
        changed[0, 0, place] = (tokens[0, 0, place] + 1) % 20
        after = ensemble._hidden(changed)
        assert torch.equal(before[0, : place + 1], after[0, : place + 1])


def test_the_count_is_that_of_gpt2_and_a_bos_row():
    assert EnsembleConfig(vocab_size=2048, sequence_length=64, width=32).num_params == 80_352 + 32
    assert GPTEnsemble(CONFIG, seed=0).flat.shape == (3, CONFIG.num_params)
    with pytest.raises(UsageError, match="num_heads"):
        EnsembleConfig(vocab_size=5, sequence_length=4, width=10)


def test_a_bfloat16_body_is_close_and_evaluates_in_float32():
    tokens = torch.randint(0, 50, (3, 40, 8), generator=torch.Generator().manual_seed(0))
    exact, rough = (
        GPTEnsemble(CONFIG, seed=0, head_dtype=dtype, body_dtype=dtype) for dtype in (torch.float32, torch.bfloat16)
    )
    _, wanted = exact.gradients(tokens)
    _, found = rough.gradients(tokens)
    assert found.dtype == torch.float32 and 0 < float((wanted - found).norm() / wanted.norm()) < 0.03
    assert torch.equal(exact.sequence_bits(tokens), rough.sequence_bits(tokens))
