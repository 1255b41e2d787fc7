"""Choices and texts of loaded models, against the definition: softmax over all logits, one token at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers

from custodiet.base.protocols import ChoiceScorer, PositionScorer, TextGenerator
from custodiet.data.tokenizer import train_bpe
from custodiet.nn.answering import LocalChoiceScorer, LocalTextGenerator
from custodiet.nn.export import save_hf_directory
from custodiet.nn.gpt import GPT, GPTConfig
from custodiet.nn.loading import load_model
from custodiet.nn.scorer import TransformersScorer

TEXT = ["the cat is on the mat and the dog is entailed", "contradicted or unknown, yes or no, the answer: entailed"]
WORDS = ["entailed", "contradicted", "unknown"]
PROMPTS = ["the dog is on the mat.\nAnswer:", "no\nAnswer:", "the cat is on the cat is on the mat\nAnswer:"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    codec = train_bpe(TEXT, vocab_size=280)
    config = GPTConfig(vocab_size=codec.vocab_size, context_length=64, width=16, num_layers=2, num_heads=2)
    model = GPT(config, seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4.0)
    save_hf_directory(model, path, tokenizer=codec)
    return path


def slow_choice(loaded, prompt, choice):
    """Sum over the tokens of prompt + choice behind what they share with the prompt's."""
    bos = [] if loaded.codec.bos_id is None else [loaded.codec.bos_id]
    whole = [*bos, *loaded.codec.encode([prompt + choice])[0].tolist()]
    context = [*bos, *loaded.codec.encode([prompt])[0].tolist()]
    start = next((at for at, pair in enumerate(zip(context, whole, strict=False)) if pair[0] != pair[1]), len(context))
    scores = loaded.scorer.score_targets(np.array([whole]))
    return float(scores.logprob_BT[0, start - 1 :].sum()), len(whole) - start


@pytest.mark.parametrize("batch_tokens", [1, 60, 4096])
def test_choices_are_sums_of_their_tokens(folder, batch_tokens):
    loaded = load_model(folder, device="cpu")
    scorer = LocalChoiceScorer.of(loaded, batch_tokens=batch_tokens)
    assert isinstance(scorer, ChoiceScorer) and isinstance(loaded.scorer, PositionScorer)
    found = scorer.score_choices(PROMPTS, [[f" {word}" for word in WORDS]] * 3)
    for prompt, scores in zip(PROMPTS, found, strict=True):
        assert scores is not None
        slow = [slow_choice(loaded, prompt, f" {word}") for word in WORDS]
        assert scores.logprob_C == pytest.approx([one for one, _ in slow], abs=1e-4)
        assert scores.num_tokens_C.tolist() == [num for _, num in slow]


def test_a_choice_that_merges_with_the_prompt_is_scored_from_where_all_choices_part(folder):
    loaded = load_model(folder, device="cpu")
    # "th" + "e" becomes one token "the", so the prompt's own tokens are not those of the whole text
    found = LocalChoiceScorer.of(loaded).score_choices(["on th"], [["e", "x"]])[0]
    assert found is not None
    wholes = [[loaded.codec.bos_id, *loaded.codec.encode([f"on th{end}"])[0].tolist()] for end in "ex"]
    shared = next(at for at, pair in enumerate(zip(*wholes, strict=False)) if pair[0] != pair[1])
    for whole, got in zip(wholes, found.logprob_C, strict=True):
        scores = loaded.scorer.score_targets(np.array([whole]))
        assert got == pytest.approx(float(scores.logprob_BT[0, shared - 1 :].sum()), abs=1e-4)


def test_choices_with_one_token_are_read_once(folder):
    loaded = load_model(folder, device="cpu")
    shapes = []

    class Counting:
        context_length = loaded.scorer.context_length

        def score_positions(self, tokens_BT, rows_Q, positions_Q, targets_Q):
            shapes.append(tokens_BT.shape)
            return loaded.scorer.score_positions(tokens_BT, rows_Q, positions_Q, targets_Q)  # type: ignore[attr-defined]

    found = LocalChoiceScorer(Counting(), loaded.codec).score_choices(["the dog"], [["A", "B", "C", "D"]])[0]
    assert [shape[0] for shape in shapes] == [1]
    assert found is not None and found.num_tokens_C.tolist() == [1, 1, 1, 1]


def test_what_does_not_fit_is_none_and_the_rest_is_scored(folder):
    loaded = load_model(folder, device="cpu")
    found = LocalChoiceScorer.of(loaded).score_choices(["the " * 200, PROMPTS[1]], [[" yes", " no"]] * 2)
    assert found[0] is None and found[1] is not None
    writer = LocalTextGenerator.of(loaded, max_tokens=8)
    assert writer.generate_text(["the " * 200, "no"])[0] is None


def test_positions_of_transformers_models_whatever_their_head():
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    llama = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**sizes, intermediate_size=32, num_key_value_heads=1, initializer_range=0.5)
    )
    gemma = transformers.Gemma2ForCausalLM(
        transformers.Gemma2Config(
            **sizes, intermediate_size=32, num_key_value_heads=1, head_dim=8, initializer_range=0.5
        )
    )
    tokens = np.random.default_rng(0).integers(0, 40, (3, 9))
    for model in (llama.eval(), gemma.eval()):
        scorer = TransformersScorer(model, context_length=9)
        whole = scorer.score_targets(tokens)
        got = scorer.score_positions(
            tokens[:, :-1], np.array([0, 2, 2]), np.array([0, 7, 3]), tokens[[0, 2, 2], [1, 8, 4]]
        )
        assert got == pytest.approx(whole.logprob_BT[[0, 2, 2], [0, 7, 3]], abs=1e-4)


@pytest.mark.parametrize("max_batch", [1, 8])
def test_texts_are_greedy_whatever_the_batch(folder, max_batch):
    loaded = load_model(folder, device="cpu")
    writer = LocalTextGenerator(loaded.predictor, loaded.codec, end_ids=frozenset(), max_tokens=6, max_batch=max_batch)
    assert isinstance(writer, TextGenerator)
    prompts = ["the dog", "the cat", "no", "the mat is on"]
    for prompt, text in zip(prompts, writer.generate_text(prompts), strict=True):
        prefix = np.array([[loaded.codec.bos_id, *loaded.codec.encode([prompt])[0]]])
        assert text == loaded.codec.decode(loaded.generator.generate(prefix, 6)[0])


def test_texts_end_where_they_should(folder):
    loaded = load_model(folder, device="cpu")
    assert loaded.end_ids == {loaded.codec.bos_id}
    free = LocalTextGenerator(loaded.predictor, loaded.codec, end_ids=frozenset(), max_tokens=6)
    prefix = np.array([[loaded.codec.bos_id, *loaded.codec.encode(["the dog"])[0]]])
    written = loaded.generator.generate(prefix, 6)[0]
    first = int(np.flatnonzero(written == written[3])[0])
    ended = LocalTextGenerator(loaded.predictor, loaded.codec, end_ids=frozenset([int(written[3])]), max_tokens=6)
    assert ended.generate_text(["the dog"]) == [loaded.codec.decode(written[:first])]
    text = free.generate_text(["the dog"])[0]
    assert text is not None
    stop = text[2:4]
    cut = LocalTextGenerator(loaded.predictor, loaded.codec, end_ids=frozenset(), max_tokens=6, stop=[stop])
    assert cut.generate_text(["the dog"]) == [text[: text.find(stop)]]


def test_a_chat_template_is_used_without_a_second_bos(folder):
    loaded = load_model(folder, device="cpu")
    assert loaded.chat_prompt is None
