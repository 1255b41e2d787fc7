"""The step on fixed buffers against the plain loop, its guard, its checkpoints, and the recording of a graph."""

from dataclasses import replace

import pytest
import torch

from custodiet.errors import NonFiniteLossError
from custodiet.memorization.capacity import device_fit, graph
from custodiet.memorization.capacity.device_fit import StaticStep, fit_random_tokens_on_device, measure_cost
from custodiet.memorization.capacity.fit import FitConfig, fit_random_tokens, make_ensemble, random_tokens
from custodiet.memorization.capacity.graph import record_step
from custodiet.memorization.capacity.state import DeviceState
from custodiet.nn.ensemble import EnsembleConfig, GPTEnsemble

MODEL = EnsembleConfig(vocab_size=16, sequence_length=8, width=16, num_models=3)
CONFIG = FitConfig(
    model=MODEL, num_sequences=20, num_steps=240, batch_size=8, learning_rate=0.03, bfloat16_head=False, seed=3
)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Pause(Exception):
    pass


def _step(config):
    ensemble = make_ensemble(config, "cpu")
    step = StaticStep(config, ensemble, random_tokens(config), DeviceState(ensemble))
    step.load(step.block(0))
    return step


def _spike(monkeypatch, calls, model):
    """Let the loss and the gradient of one model be NaN at some of the calls."""
    original, made = GPTEnsemble.gradients, []

    def spiking(self, tokens):
        nats, grad = original(self, tokens)
        made.append(0)
        if len(made) in calls:
            nats, grad = nats.clone(), grad.clone()
            nats[model], grad[model] = float("nan"), float("nan")
        return nats, grad

    monkeypatch.setattr(GPTEnsemble, "gradients", spiking)


def _without_key_biases(ensemble):
    """Their gradient is zero but for rounding, which Adam scales up: no two roads agree on them, and nothing depends on it."""
    flat = ensemble.flat.detach().clone()
    width = ensemble.config.width
    for name, place in ensemble.places.items():
        if name.endswith("qkv_bias"):
            flat[:, place.start + width : place.start + 2 * width] = 0
    return flat


@pytest.mark.parametrize("batch_size", [None, 8, 20])
def test_a_few_steps_are_those_of_the_plain_loop(batch_size):
    config = replace(CONFIG, num_steps=12, batch_size=batch_size)
    plain, straight = fit_random_tokens(config)
    found, buffered, how = fit_random_tokens_on_device(config, device="cpu")
    torch.testing.assert_close(_without_key_biases(buffered), _without_key_biases(straight), rtol=1e-3, atol=1e-4)
    assert found.memorized_bits == pytest.approx(plain.memorized_bits, rel=1e-3, abs=0.05)
    assert found.curve[-1][1] == pytest.approx(plain.curve[-1][1], rel=1e-4)
    assert how == "step by step (a graph needs a CUDA device, this is cpu)"


def test_a_whole_fit_remembers_as_much_as_the_plain_loop():
    plain, _ = fit_random_tokens(CONFIG)
    found, _, _ = fit_random_tokens_on_device(CONFIG, device="cpu")
    assert sum(found.memorized_bits) == pytest.approx(sum(plain.memorized_bits), rel=0.02)
    assert found.num_restarts == [0, 0, 0] and [step for step, _ in found.curve] == [100, 200, 240]
    assert found.train_wall_s > 0


def test_a_model_that_diverges_goes_back_and_the_others_go_on(monkeypatch):
    config = replace(CONFIG, num_steps=130)
    _, straight, _ = fit_random_tokens_on_device(config, device="cpu")
    _spike(monkeypatch, {121}, model=1)
    found, spiked, _ = fit_random_tokens_on_device(config, device="cpu")
    assert found.num_restarts == [0, 1, 0]
    assert torch.equal(spiked.flat[[0, 2]], straight.flat[[0, 2]])
    assert not torch.equal(spiked.flat[1], straight.flat[1]) and bool(torch.isfinite(spiked.flat).all())


def test_it_goes_back_to_the_snapshot_before_the_last(monkeypatch):
    step = _step(CONFIG)
    kept = []
    for done in range(100):
        if done % 50 == 0:
            step.state.snapshot()
            kept.append(step.state.weights_MP.clone())
        step.run()
    step.load(step.block(100))
    step.state.snapshot()  # the last one is now at step 100, the one before it at step 50
    kept.append(step.state.weights_MP.clone())
    _spike(monkeypatch, {1, 2}, model=2)
    step.run()
    assert torch.equal(step.state.weights_MP[2], kept[1][2])
    assert step.state.rate_M.tolist() == [1.0, 1.0, 0.5]
    step.run()
    assert torch.equal(step.state.weights_MP[2], kept[1][2]) and step.state.num_restarts_M.tolist() == [0, 0, 2]
    step.state.snapshot()  # what it went back from is not to be gone back to
    assert torch.equal(step.state.good[0][2], kept[1][2]) and torch.equal(step.state.good[0][0], kept[2][0])
    assert not bool(step.state.restored_M.any())


def test_a_leap_counts_after_warmup_only():
    step = _step(CONFIG)
    step.run()
    step.state.running_M.fill_(0.1)
    step.run()
    assert step.state.num_restarts_M.tolist() == [0, 0, 0]
    step.load(step.block(24))
    step.state.running_M[0] = 0.1
    step.state.running_M[1:] = 10.0
    step.run()
    assert step.state.num_restarts_M.tolist() == [1, 0, 0]


def test_a_fit_that_never_holds_says_so():
    with pytest.raises(NonFiniteLossError, match="smaller learning rate"):
        fit_random_tokens_on_device(replace(CONFIG, learning_rate=1e6, num_steps=2000), device="cpu")


def test_a_pause_changes_nothing(tmp_path):
    whole, straight, _ = fit_random_tokens_on_device(CONFIG, device="cpu")
    path = tmp_path / "fit.safetensors"

    def stop(step, num_steps, note):
        if step == 200:
            raise Pause

    with pytest.raises(Pause):
        fit_random_tokens_on_device(CONFIG, device="cpu", checkpoint=path, checkpoint_s=0.0, on_progress=stop)
    resumed, continued, _ = fit_random_tokens_on_device(CONFIG, device="cpu", checkpoint=path)
    assert torch.equal(straight.flat, continued.flat) and resumed.curve == whole.curve


@pytest.mark.parametrize("low", [False, True])
def test_no_step_asks_the_host(low):
    """Meta tensors have shapes and no values, and take the head's road for a GPU: every question about a value raises."""
    config = replace(CONFIG, bfloat16_head=low, bfloat16_body=low)
    ensemble = make_ensemble(config, "meta")
    step = StaticStep(config, ensemble, random_tokens(config).to("meta"), DeviceState(ensemble))
    step.load(step.block(0))
    step.state.snapshot()
    step.run()
    with pytest.raises(RuntimeError):
        step.state.check_restarts()


@pytest.mark.parametrize("works", [True, False])
def test_recording_leaves_the_state_as_it_was(monkeypatch, works):
    step = _step(CONFIG)
    before = [one.clone() for one in step.state.tensors().values()]

    def record(run, device):
        run()
        if not works:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        return run

    monkeypatch.setattr(graph, "_record", record)
    replay, how = record_step(step.run, [*step.state.tensors().values(), step.row_1], "cuda")
    assert all(torch.equal(a, b) or a.isnan().all() for a, b in zip(before, step.state.tensors().values(), strict=True))
    assert how.startswith("CUDA graph" if works else "step by step (the graph could not be recorded: operation not")
    replay()
    assert int(step.row_1) == 1


def test_memory_that_does_not_suffice_is_no_reason_to_go_step_by_step(monkeypatch):
    def record(run, device):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(graph, "_record", record)
    with pytest.raises(torch.OutOfMemoryError):
        record_step(lambda: None, [], "cuda")


def test_the_cost_of_a_fit_is_measured(monkeypatch):
    monkeypatch.setattr(device_fit, "TIMED_S", 0.01)
    cost = measure_cost(CONFIG, device="cpu")
    assert cost.step_s > 0 and cost.fixed_s > 0


@needs_cuda
@pytest.mark.parametrize("low", [False, True])
def test_a_recorded_step_is_the_plain_step(low):
    config = replace(CONFIG, num_steps=12, bfloat16_head=low, bfloat16_body=low)
    plain, straight = fit_random_tokens(config, device="cuda")
    found, recorded, how = fit_random_tokens_on_device(config, device="cuda")
    assert how == "CUDA graph"
    if not low:
        torch.testing.assert_close(_without_key_biases(recorded), _without_key_biases(straight), rtol=1e-2, atol=1e-3)
    assert found.memorized_bits == pytest.approx(plain.memorized_bits, rel=0.02, abs=2.0)


@needs_cuda
def test_a_recorded_fit_remembers_as_much_as_one_on_the_cpu():
    found, _, how = fit_random_tokens_on_device(CONFIG, device="cuda")
    plain, _ = fit_random_tokens(CONFIG)
    assert how == "CUDA graph"
    assert sum(found.memorized_bits) == pytest.approx(sum(plain.memorized_bits), rel=0.03)


@needs_cuda
def test_the_guard_works_inside_a_graph():
    ensemble = make_ensemble(CONFIG, "cuda")
    step = StaticStep(CONFIG, ensemble, random_tokens(CONFIG).to("cuda"), DeviceState(ensemble))
    step.load(step.block(0))
    replay, how = step.record()
    assert how == "CUDA graph"
    step.state.snapshot()
    step.state.snapshot()
    with torch.no_grad():
        ensemble.flat[1] = float("nan")
    replay()
    assert step.state.num_restarts_M.tolist() == [0, 1, 0] and bool(torch.isfinite(ensemble.flat).all())
