"""Greedy matches without decoding are the matches of decoding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.errors import InputError
from custodiet.memorization.extraction import find_extracted
from custodiet.nn.decode import GPTStepper, TransformersGenerator
from custodiet.nn.gpt import GPT, GPTConfig
from custodiet.nn.scorer import GPTScorer, TransformersScorer

VOCAB, CONTEXT = 40, 48


def ours() -> tuple[GPTScorer, GPTStepper]:
    model = GPT(GPTConfig(vocab_size=VOCAB, context_length=CONTEXT, width=16, num_layers=2, num_heads=2), seed=3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4.0)
    return GPTScorer(model), GPTStepper(model)


def theirs(*, capped: bool = False) -> tuple[TransformersScorer, TransformersGenerator]:
    torch.manual_seed(0)
    sizes = {"vocab_size": VOCAB, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    model: transformers.PreTrainedModel
    if capped:
        config = transformers.Gemma2Config(
            **sizes, intermediate_size=32, num_key_value_heads=1, head_dim=8, initializer_range=0.5
        )
        model = transformers.Gemma2ForCausalLM(config)
    else:
        config = transformers.LlamaConfig(**sizes, intermediate_size=32, num_key_value_heads=1, initializer_range=0.5)
        model = transformers.LlamaForCausalLM(config)
    model.eval()
    return TransformersScorer(model, context_length=CONTEXT), TransformersGenerator(model)


@pytest.mark.parametrize("kind", ["ours", "llama", "gemma2"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), prefix=st.integers(1, 20), suffix=st.integers(1, 20), num=st.integers(1, 6))
def test_matches_are_those_of_generation(kind: str, seed: int, prefix: int, suffix: int, num: int) -> None:
    scorer, generator = ours() if kind == "ours" else theirs(capped=kind == "gemma2")
    rng = np.random.default_rng(seed)
    windows = rng.integers(0, VOCAB, (num, prefix + suffix))
    greedy = generator.generate(windows[:, :prefix], suffix)
    windows[:, prefix:] = greedy
    for row in range(num):  # plant a first error anywhere, or none
        at = int(rng.integers(0, suffix + 1))
        if at < suffix:
            windows[row, prefix + at] = (greedy[row, at] + 1) % VOCAB
    expected = (windows[:, prefix:] == greedy).cumprod(axis=1).sum(axis=1)
    got = scorer.count_greedy_matches(windows, prefix_tokens=prefix, chunk=7)
    assert got.tolist() == expected.tolist()
    assert find_extracted(scorer, windows, prefix_tokens=prefix, batch=2).tolist() == (expected == suffix).tolist()


def test_the_full_pass_agrees() -> None:
    scorer, _ = ours()
    windows = np.random.default_rng(0).integers(0, VOCAB, (8, 30))
    argmax = scorer.score_targets(windows).argmax_BT[:, 9:]
    expected = (argmax == windows[:, 10:]).cumprod(axis=1).sum(axis=1)
    assert scorer.count_greedy_matches(windows, prefix_tokens=10).tolist() == expected.tolist()


def test_no_windows_is_no_verdict_and_no_suffix_is_an_error() -> None:
    scorer, _ = ours()
    assert find_extracted(scorer, np.zeros((0, 20), dtype=np.int64), prefix_tokens=10).shape == (0,)
    with pytest.raises(InputError, match="prefix_tokens leaves no suffix"):
        scorer.count_greedy_matches(np.zeros((2, 10), dtype=np.int64), prefix_tokens=10)
    with pytest.raises(InputError, match="batch"):
        find_extracted(scorer, np.zeros((2, 10), dtype=np.int64), prefix_tokens=5, batch=0)
