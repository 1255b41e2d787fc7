"""The GPT: its layout, packed rows, cached decoding, export and scoring."""

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma2ForCausalLM, LlamaConfig, LlamaForCausalLM

from custodiet.data.tokenizer import train_bpe
from custodiet.errors import InputError, ModelLoadError, TokenizerError, UsageError
from custodiet.nn.decode import GPTStepper, TransformersGenerator
from custodiet.nn.export import load_gpt, save_hf_directory
from custodiet.nn.gpt import GPT, GPTConfig, resolve_dtype
from custodiet.nn.loading import load_model
from custodiet.nn.losses import linear_cross_entropy, token_losses
from custodiet.nn.scorer import GPTScorer, TransformersScorer


def make_gpt(seed=0, **changes):
    config = {"vocab_size": 301, "context_length": 24, "width": 16, "num_layers": 2, "num_heads": 4} | changes
    model = GPT(GPTConfig(**config), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model


@pytest.mark.parametrize(
    ("vocab_size", "context", "width", "layers"), [(2048, 64, 32, 1), (2048, 64, 128, 2), (50, 8, 8, 3)]
)
def test_parameter_count(vocab_size, context, width, layers):
    config = GPTConfig(vocab_size=vocab_size, context_length=context, width=width, num_layers=layers, num_heads=2)
    assert sum(one.numel() for one in GPT(config).parameters()) == config.num_params
    if (vocab_size, width, layers) == (2048, 32, 1):
        assert config.num_params == 80_352  # as published for this shape, arXiv 2505.24832


def test_same_seed_same_weights():
    a, b, c = (
        GPT(GPTConfig(vocab_size=9, context_length=4, width=8, num_layers=1, num_heads=2), seed=s) for s in (1, 1, 2)
    )
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(a.head_VD, c.head_VD)


@pytest.mark.parametrize("attention", ["explicit", "sdpa"])
def test_packed_documents_do_not_see_each_other(attention):
    model = make_gpt(attention=attention)
    a, b = torch.arange(9), torch.arange(40, 51)
    packed = model.forward_hidden(
        torch.cat([a, b])[None],
        segment_BT=torch.tensor([[0] * 9 + [1] * 11]),
        position_BT=torch.cat([torch.arange(9), torch.arange(11)])[None],
    )[0]
    torch.testing.assert_close(packed[:9], model.forward_hidden(a[None])[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(packed[9:], model.forward_hidden(b[None])[0], atol=1e-6, rtol=1e-5)


def test_the_future_does_not_leak():
    model = make_gpt()
    tokens = torch.randint(301, (2, 20))
    changed = tokens.clone()
    changed[:, 12:] = 5
    torch.testing.assert_close(model(tokens)[:, :12], model(changed)[:, :12])


def test_cached_decoding_is_the_teacher_forced_argmax():
    model = make_gpt()
    prefix = np.random.default_rng(0).integers(0, 301, (3, 6))
    made = GPTStepper(model).generate(prefix, 12)
    whole = torch.from_numpy(np.concatenate([prefix, made], axis=1))
    np.testing.assert_array_equal(model(whole)[:, 5:-1].argmax(-1).numpy(), made)
    with pytest.raises(InputError, match="context"):
        GPTStepper(model).generate(prefix, 30)


def test_export_equals_transformers(tmp_path):
    model = make_gpt()
    codec = train_bpe(["some text to train on"], vocab_size=301)
    save_hf_directory(model, tmp_path, tokenizer=codec)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
    tokens = torch.randint(301, (2, 24))
    torch.testing.assert_close(theirs(tokens).logits, model(tokens), atol=1e-5, rtol=1e-5)
    assert sum(one.numel() for one in theirs.parameters()) == model.config.num_params
    again = load_gpt(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def slow_scores(logits, tokens):
    logprob = torch.log_softmax(logits.double(), -1)[:, :-1]
    prob = logprob.exp()
    mean = (prob * logprob).sum(-1)
    variance = (prob * (logprob - mean[..., None]) ** 2).sum(-1)
    return logprob.gather(2, tokens[:, 1:, None])[..., 0], logprob.argmax(-1), mean, variance


def llama():
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=97, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                    num_key_value_heads=1, max_position_embeddings=64)
    ).eval()  # fmt: skip


def gemma2():
    config = Gemma2Config(
        vocab_size=97, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, max_position_embeddings=64, final_logit_softcapping=2.0,
    )  # fmt: skip
    return Gemma2ForCausalLM(config).eval()


@pytest.mark.parametrize("make", [make_gpt, llama, gemma2])
def test_scores_equal_a_full_softmax(make):
    torch.manual_seed(0)
    model = make()
    if make is make_gpt:
        scorer = GPTScorer(model)
    else:
        scorer = TransformersScorer(model, context_length=24)
        assert scorer.splits_head == (make is llama)
        with torch.no_grad():
            model.get_output_embeddings().weight.mul_(20)
    tokens = torch.randint(90, (3, 17))
    with torch.no_grad():
        logits = model(tokens) if make is make_gpt else model(input_ids=tokens).logits
    found = scorer.score_targets(tokens.numpy(), chunk=5)
    for mine, slow in zip(
        (found.logprob_BT, found.argmax_BT, found.mean_BT, found.variance_BT), slow_scores(logits, tokens), strict=True
    ):
        np.testing.assert_allclose(mine, slow.numpy(), atol=2e-4, rtol=1e-4)
    assert not found.tied_BT.any()


def test_ties_and_bad_tokens_are_seen():
    model = make_gpt()
    with torch.no_grad():
        model.token_embedding.weight.zero_()
    scorer = GPTScorer(model)
    assert scorer.score_targets(np.zeros((1, 4), dtype=np.int64)).tied_BT.all()
    with pytest.raises(InputError, match="vocabulary"):
        scorer.score_targets(np.array([[1, 301]]))
    with pytest.raises(InputError, match="context"):
        scorer.score_targets(np.zeros((1, 25), dtype=np.int64))
    with pytest.raises(InputError, match="target"):
        scorer.score_targets(np.zeros((1, 1), dtype=np.int64))


def test_generation_with_transformers_equals_their_generate():
    torch.manual_seed(1)
    model = llama()
    prefix = torch.randint(97, (2, 7))
    theirs = model.generate(prefix, max_new_tokens=9, do_sample=False, eos_token_id=None, pad_token_id=0)[:, 7:]
    np.testing.assert_array_equal(TransformersGenerator(model).generate(prefix.numpy(), 9), theirs.numpy())


@pytest.mark.parametrize("chunk", [None, 7])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_linear_cross_entropy_equals_torch(chunk, reduction):
    torch.manual_seed(2)
    hidden = torch.randn(30, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(40, 6, dtype=torch.float64, requires_grad=True)
    targets, keep = torch.randint(40, (30,)), torch.rand(30) < 0.7
    ours = linear_cross_entropy(hidden, weight, targets, keep, reduction=reduction, chunk_rows=chunk)
    theirs = F.cross_entropy((hidden @ weight.T)[keep], targets[keep], reduction=reduction)
    torch.testing.assert_close(ours, theirs)
    for mine, want in zip(
        torch.autograd.grad(ours, (hidden, weight)), torch.autograd.grad(theirs, (hidden, weight)), strict=True
    ):
        torch.testing.assert_close(mine, want)
    torch.testing.assert_close(
        token_losses(hidden, weight, targets, chunk_rows=chunk),
        F.cross_entropy(hidden @ weight.T, targets, reduction="none").float(),
    )


def test_linear_cross_entropy_gradcheck():
    torch.manual_seed(3)
    hidden = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0, 3, 1, 1, 2])
    assert torch.autograd.gradcheck(lambda h, w: linear_cross_entropy(h, w, targets, chunk_rows=2), (hidden, weight))


def test_linear_cross_entropy_of_nothing_has_zero_gradients():
    hidden, weight = torch.randn(4, 3, requires_grad=True), torch.randn(5, 3, requires_grad=True)
    loss = linear_cross_entropy(hidden, weight, torch.zeros(4, dtype=torch.int64), torch.zeros(4, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(hidden.grad, torch.zeros(4, 3)) and torch.equal(weight.grad, torch.zeros(5, 3))


def test_linear_cross_entropy_survives_large_logits():
    hidden = torch.full((2, 1), 1000.0)
    loss = linear_cross_entropy(hidden, torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 0]))
    assert loss.item() == 0.0


@pytest.fixture
def directory(tmp_path):
    folder = tmp_path / "m"
    save_hf_directory(make_gpt(), folder, tokenizer=train_bpe(["words and words"], vocab_size=301))
    return folder


def as_transformers(folder):
    """The same directory without our mark, so that it goes through `transformers`."""
    config = json.loads((folder / "config.json").read_text())
    del config["custodiet_version"]
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_both_ways_of_loading_give_the_same_scores(directory):
    ours = load_model(directory, device="cpu")
    theirs = load_model(as_transformers(directory), device="cpu")
    assert type(ours.scorer) is not type(theirs.scorer)
    tokens = np.random.default_rng(0).integers(0, 250, (2, 20))
    a, b = ours.scorer.score_targets(tokens), theirs.scorer.score_targets(tokens)
    np.testing.assert_allclose(a.logprob_BT, b.logprob_BT, atol=1e-5)
    np.testing.assert_array_equal(ours.generator.generate(tokens, 4), theirs.generator.generate(tokens, 4))
    assert ours.num_params == theirs.num_params and ours.sha256 == theirs.sha256
    np.testing.assert_array_equal(ours.codec.encode(["words"])[0], theirs.codec.encode(["words"])[0])


@pytest.mark.parametrize("mark", [True, False])
def test_bad_models_are_refused_in_one_line(directory, mark):
    folder = directory if mark else as_transformers(directory)
    (folder / "tokenizer.json").rename(folder / "t.json")
    (folder / "tokenizer_config.json").rename(folder / "tc.json")
    with pytest.raises(TokenizerError, match="tokenizer") as caught:
        load_model(folder, device="cpu")
    assert "\n" not in str(caught.value)
    train_bpe([bytes(range(32, 127)).decode() * 3 + "abcabc" * 50 + "xyzxyz" * 60], vocab_size=400).save(folder)
    if len(load_vocab(folder)) > 301:
        with pytest.raises(TokenizerError, match="ids that the model lacks"):
            load_model(folder, device="cpu")
    weights = folder / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelLoadError, match="damaged"):
        load_model(folder, device="cpu")
    weights.unlink()
    torch.save({"a": torch.zeros(1)}, folder / "pytorch_model.bin")
    with pytest.raises(ModelLoadError, match="pickled"):
        load_model(folder, device="cpu")
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(ModelLoadError, match="no weights"):
        load_model(folder, device="cpu")
    (folder / "config.json").unlink()
    with pytest.raises(ModelLoadError, match=r"no config\.json"):
        load_model(folder, device="cpu")


def load_vocab(folder):
    return json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]


def test_device_and_dtype_names():
    with pytest.raises(UsageError, match="--device"):
        load_model("x", device="tpu9")
    with pytest.raises(InputError, match="dtype"):
        resolve_dtype("float12")
    with pytest.raises(ModelLoadError, match="not a model directory"):
        load_model("./nothing/here")
    with pytest.raises(InputError, match="multiple of num_heads"):
        GPTConfig(vocab_size=4, context_length=4, width=9, num_layers=1, num_heads=2)
