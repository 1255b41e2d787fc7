"""Random tokens: what is counted, the guard, resuming, many models at once."""

from dataclasses import replace

import pytest
import torch

from custodiet.errors import CheckpointError, NonFiniteLossError, UsageError
from custodiet.memorization.capacity import fit as fit_module
from custodiet.memorization.capacity.fit import FitConfig, fit_random_tokens, random_tokens
from custodiet.memorization.capacity.rounding import round_weights
from custodiet.nn.ensemble import EnsembleConfig

MODEL = EnsembleConfig(vocab_size=16, sequence_length=8, width=16)
CONFIG = FitConfig(model=MODEL, num_sequences=20, num_steps=250, learning_rate=0.05, bfloat16_head=False)


@pytest.fixture(scope="module")
def small():
    return fit_random_tokens(CONFIG)


def test_a_small_set_is_remembered_to_its_ceiling_and_no_further(small):
    found, _ = small
    assert CONFIG.dataset_bits == 20 * 8 * 4
    assert 0.95 * CONFIG.ceiling_bits < found.memorized_bits[0] <= CONFIG.ceiling_bits + 1e-6
    assert found.bits_per_param[0] == found.memorized_bits[0] / MODEL.num_params
    assert found.num_restarts == [0]
    assert found.curve[-1][0] == 250


def test_the_code_length_is_the_plain_log_likelihood(small):
    found, ensemble = small
    tokens = random_tokens(CONFIG)
    total = 0.0
    for row in tokens[0]:  # one sequence at a time, one position at a time, nothing batched
        hidden = ensemble._hidden(row.view(1, 1, -1)).detach()[0]
        probs = torch.softmax(hidden.double() @ ensemble.weights["tokens"][0].detach().double().T, -1)
        total -= sum(float(torch.log2(probs[place, token])) for place, token in enumerate(row))
    assert found.memorized_bits[0] == pytest.approx(CONFIG.dataset_bits - total, abs=0.01)


def test_an_untrained_model_has_stored_nothing():
    found, _ = fit_random_tokens(replace(CONFIG, num_steps=1, learning_rate=1e-9))
    assert abs(found.memorized_bits[0]) < 0.05 * CONFIG.dataset_bits


def test_models_of_an_ensemble_do_not_touch_each_other():
    pair = replace(CONFIG, model=replace(MODEL, num_models=2), num_steps=30, batch_size=8)
    found, both = fit_random_tokens(pair)
    assert found.memorized_bits[0] != found.memorized_bits[1]
    tokens = random_tokens(pair)
    nats, grad = both.gradients(tokens)
    tokens[1] = 0
    other_nats, other_grad = both.gradients(tokens)
    assert torch.allclose(nats[0], other_nats[0], rtol=1e-6)
    assert torch.allclose(grad[0], other_grad[0], rtol=1e-4, atol=1e-7)
    assert not torch.allclose(grad[1], other_grad[1], rtol=1e-2)


def test_a_pause_changes_nothing(tmp_path, monkeypatch):
    config = replace(CONFIG, num_steps=120, batch_size=6)
    whole, straight = fit_random_tokens(config)
    path = tmp_path / "fit.safetensors"

    class Pause(Exception):
        pass

    def stop(step, num_steps, note):
        if step == 80:
            raise Pause

    with pytest.raises(Pause):
        fit_random_tokens(config, checkpoint=path, checkpoint_s=0.0, on_progress=stop)
    resumed, continued = fit_random_tokens(config, checkpoint=path)
    assert torch.equal(straight.flat, continued.flat)
    assert resumed.memorized_bits == whole.memorized_bits
    assert resumed.curve == whole.curve
    with pytest.raises(CheckpointError, match="another fit"):
        fit_random_tokens(replace(config, seed=1), checkpoint=path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cannot be read"):
        fit_random_tokens(config, checkpoint=path)


def test_divergence_goes_back_at_half_the_rate_and_recovers(monkeypatch):
    original = fit_module.GPTEnsemble.gradients
    calls = []

    def spiking(self, tokens):
        nats, grad = original(self, tokens)
        calls.append(0)
        return (nats * float("nan"), grad) if len(calls) == 150 else (nats, grad)

    monkeypatch.setattr(fit_module.GPTEnsemble, "gradients", spiking)
    found, _ = fit_random_tokens(CONFIG)
    assert found.num_restarts == [1]
    assert found.memorized_bits[0] > 0.8 * CONFIG.ceiling_bits


def test_a_fit_that_never_holds_says_so():
    with pytest.raises(NonFiniteLossError, match="smaller learning rate"):
        fit_random_tokens(replace(CONFIG, learning_rate=1e6, num_steps=2000))


def test_rounding_loses_little_at_eight_bits_and_much_at_six(small):
    found, ensemble = small
    kept = {}
    before = ensemble.flat.detach().clone()
    for how in ("bfloat16", "int8", "int6"):
        rounded = round_weights(ensemble, how)
        ensemble.flat.detach().copy_(rounded)
        kept[how] = CONFIG.dataset_bits - float(ensemble.sequence_bits(random_tokens(CONFIG)).sum())
        ensemble.flat.detach().copy_(before)
    assert kept["int6"] <= kept["int8"] <= found.memorized_bits[0] + 1
    assert kept["bfloat16"] > 0.8 * found.memorized_bits[0]
    with pytest.raises(UsageError, match="rounding"):
        round_weights(ensemble, "int2")


@pytest.mark.parametrize("change", [{"num_sequences": 0}, {"num_steps": 0}, {"batch_size": 21}])
def test_settings_that_mean_nothing(change):
    with pytest.raises(UsageError):
        replace(CONFIG, **change)
