"""Predictors equal whole passes, and files come back through models, or not at all."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

import custodiet
from custodiet.data.tokenizer import train_bpe
from custodiet.entropy.coder import Layout, encode_tokens
from custodiet.entropy.container import pack, unpack
from custodiet.errors import DecodeError, InputError, ModelLoadError, OutputError, UsageError
from custodiet.nn.code_length import layout_code_bits
from custodiet.nn.compression import Compressor, decode_bytes
from custodiet.nn.ensemble import EnsembleConfig, GPTEnsemble
from custodiet.nn.export import save_hf_directory
from custodiet.nn.gpt import GPT, GPTConfig
from custodiet.nn.loading import load_model
from custodiet.nn.predictors import EnsemblePredictor, GPTPredictor, TransformersPredictor
from custodiet.nn.token_model import ModelSpec, open_model

TEXT = "Quis custodiet ipsos custodes? Who will watch the watchers — naïve, 日本語, \r\n\ttabs.\n" * 3


def make_gpt(vocab_size=301, context_length=16, seed=0):
    model = GPT(GPTConfig(vocab_size=vocab_size, context_length=context_length, width=16, num_layers=2, num_heads=4))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A custodiet model, another with the same name, and a Llama, each with its tokenizer."""
    root = tmp_path_factory.mktemp("models")
    codec = train_bpe([TEXT], vocab_size=300)
    for name, seed in (("ours", 0), ("other/ours", 1)):
        save_hf_directory(make_gpt(codec.vocab_size, seed=seed), root / name, tokenizer=codec)
    torch.manual_seed(0)
    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=codec.vocab_size, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=24, bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip
    llama.save_pretrained(root / "llama")
    codec.save(root / "llama")
    return root


def whole_pass(model, rows_BT):
    with torch.inference_mode():
        return model(torch.from_numpy(rows_BT))


def test_gpt_predictor_is_the_whole_pass():
    model = make_gpt()
    rows = np.random.default_rng(0).integers(0, 301, (3, 16))
    rows[:, 0] = 7
    expected = whole_pass(model, rows).numpy()
    predictor = GPTPredictor(model, bos_id=7)
    for history in (0, 5):
        logits = predictor.begin(rows[:, 1 : 1 + history])
        for place in range(history, 15):
            np.testing.assert_allclose(logits, expected[:, place], atol=2e-5)
            logits = predictor.step(rows[:, place + 1])
    with pytest.raises(InputError, match="context"):
        predictor.step(rows[:, 0])
    assert not GPTPredictor(model, bos_id=None).begin(rows[:, :0]).any()


def test_transformers_predictor_is_the_whole_pass(folders):
    loaded = load_model(folders / "llama")
    predictor = loaded.predictor
    assert isinstance(predictor, TransformersPredictor)
    rows = np.random.default_rng(0).integers(0, predictor.vocab_size, (2, 12))
    expected = whole_pass(predictor.model, rows).logits.numpy()
    assert predictor.bos_id is None
    logits = predictor.begin(rows[:, :4])
    for place in range(4, 12):
        np.testing.assert_allclose(logits, expected[:, place - 1], atol=2e-5)
        logits = predictor.step(rows[:, place])


def test_ensemble_predictor_is_the_whole_pass_of_one_model():
    config = EnsembleConfig(vocab_size=70, sequence_length=6, width=8, num_layers=2, num_heads=2, num_models=3)
    ensemble = GPTEnsemble(config, seed=0)
    with torch.no_grad():
        ensemble.flat.add_(torch.randn(ensemble.flat.shape, generator=torch.Generator().manual_seed(1)) * 0.3)
    tokens = torch.from_numpy(np.random.default_rng(0).integers(0, 70, (3, 40, 6)))
    bits = ensemble.sequence_bits(tokens).sum(1)
    for model in range(3):
        predictor = EnsemblePredictor(ensemble, model)
        layout = Layout(num_tokens=240, num_lanes=40, window_tokens=6, history_tokens=0)
        coded = encode_tokens(predictor, tokens[model].reshape(-1).numpy(), layout)
        assert coded.model_bits == pytest.approx(float(bits[model]), rel=1e-6)
        assert abs(coded.payload_bits - float(bits[model])) <= 0.001 * float(bits[model]) + 64
    with pytest.raises(InputError, match="longer"):
        for _ in range(7):
            predictor.step(np.zeros(40, dtype=np.int64))
    with pytest.raises(InputError, match="no such model"):
        EnsemblePredictor(ensemble, 3)


@pytest.mark.parametrize("name", ["ours", "llama", "ngram", "ngram:3"])
def test_a_file_comes_back(folders, tmp_path, name):
    model = name if name.startswith("ngram") else str(folders / name)
    (tmp_path / "text").write_bytes(TEXT.encode())
    found = custodiet.compress(tmp_path / "text", model=model)
    assert found.verified and found.file_bytes == (tmp_path / "text.cdt").stat().st_size
    assert found.header_bytes <= 512 and found.payload_bits <= 1.001 * found.model_bits + 64
    (tmp_path / "text").unlink()
    assert custodiet.decompress(tmp_path / "text.cdt", model=model).read_bytes() == TEXT.encode()


def test_payload_is_the_scorers_cross_entropy(folders, tmp_path):
    """Against one whole pass per window by another path through the model, `TargetScorer`."""
    loaded = load_model(folders / "ours")
    tokens = loaded.codec.encode([TEXT])[0]
    (tmp_path / "text").write_bytes(TEXT.encode())
    with Compressor(ModelSpec(model=str(folders / "ours")), num_lanes=1, history=0.5) as compressor:
        found = compressor.compress(tmp_path / "text", tmp_path / "out")
    layout = Layout.choose(len(tokens), loaded.predictor, num_lanes=1)
    shorter = replace(layout, window_tokens=15, history_tokens=7)
    coded = encode_tokens(loaded.predictor, tokens, shorter)
    bits_T = layout_code_bits(loaded, tokens, shorter)
    assert coded.model_bits == pytest.approx(bits_T.sum(), rel=1e-5)
    assert abs(coded.payload_bits - bits_T.sum()) <= 0.001 * bits_T.sum() + 64
    with pytest.raises(InputError, match="at most 15"):
        layout_code_bits(loaded, tokens, layout)
    assert found.model_bits < coded.model_bits + 40  # one token more of history and window


def test_empty_and_one_symbol_files(folders, tmp_path):
    for data in (b"", b"a", b"a" * 500):
        (tmp_path / "f").write_bytes(data)
        for model in ("ngram", str(folders / "ours")):
            custodiet.compress(tmp_path / "f", model=model, force=True)
            custodiet.decompress(tmp_path / "f.cdt", model=model, out=tmp_path / "back", force=True)
            assert (tmp_path / "back").read_bytes() == data


def test_the_wrong_model_the_wrong_machine_and_damage(folders, tmp_path):
    spec = ModelSpec(model=str(folders / "ours"))
    (tmp_path / "f").write_bytes(TEXT.encode())
    custodiet.compress(tmp_path / "f", model=spec.model)
    data = (tmp_path / "f.cdt").read_bytes()
    with pytest.raises(DecodeError, match="another model.*a name is not enough"):
        custodiet.decompress(tmp_path / "f.cdt", model=str(folders / "other" / "ours"), out=tmp_path / "x")
    with pytest.raises(DecodeError, match="another model"):
        custodiet.decompress(tmp_path / "f.cdt", model="ngram", out=tmp_path / "x")
    header, payload = unpack(data, name="f")
    elsewhere = pack(replace(header, fingerprint="torch 1, AVX2, cpu 0"), payload)
    model = open_model(spec)
    with pytest.raises(DecodeError, match="--try-anyway"):
        decode_bytes(model, elsewhere, name="f")
    assert decode_bytes(model, elsewhere, name="f", try_anyway=True) == TEXT.encode()
    lying = pack(replace(header, fingerprint="cpu 0", data_sha256="0" * 32), payload)
    with pytest.raises(DecodeError, match="checksum"):
        decode_bytes(model, lying, name="f", try_anyway=True)
    with pytest.raises(DecodeError, match="probabilities"):
        decode_bytes(model, pack(replace(header, probability_digest="0" * 16), payload), name="f")
    (tmp_path / "f.cdt").write_bytes(data[:-1])
    with pytest.raises(DecodeError, match="damaged"):
        custodiet.decompress(tmp_path / "f.cdt", model="not-a-model", out=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_weights_that_moved_by_one_bit_never_give_wrong_bytes(folders, tmp_path):
    """Another model under the first one's hash: what a silent change of a library would look like."""
    (tmp_path / "f").write_bytes(TEXT.encode())
    custodiet.compress(tmp_path / "f", model=str(folders / "ours"))
    model = open_model(ModelSpec(model=str(folders / "ours")))
    weight = model.predictor._stepper.model.token_embedding.weight
    with torch.no_grad():
        weight.copy_(torch.nextafter(weight, torch.full_like(weight, torch.inf)))
    for anyway in (False, True):
        try:
            found = decode_bytes(model, (tmp_path / "f.cdt").read_bytes(), name="f", try_anyway=anyway)
        except DecodeError:
            continue
        assert anyway and found == TEXT.encode()


def test_files_that_a_model_cannot_hold(folders, tmp_path):
    (tmp_path / "f").write_bytes(b"fine \xff\xfe not")
    with pytest.raises(InputError, match="byte 5.*ngram"):
        custodiet.compress(tmp_path / "f", model=str(folders / "ours"))
    custodiet.compress(tmp_path / "f", model="ngram")
    with pytest.raises(OutputError, match="--force"):
        custodiet.compress(tmp_path / "f", model="ngram")
    with pytest.raises(UsageError, match="one file"):
        custodiet.compress(tmp_path / "f", model="ngram", out=tmp_path / "f", force=True)
    with pytest.raises(InputError, match="cannot be read"):
        custodiet.compress(tmp_path / "none", model="ngram")
    with pytest.raises(UsageError, match="--out"):
        custodiet.decompress(tmp_path / "f", model="ngram")
    with pytest.raises(UsageError, match="ngram:ORDER"):
        custodiet.compress(tmp_path / "f", model="ngram:x", force=True)
    with pytest.raises(UsageError, match="--train-on"):
        custodiet.compress(tmp_path / "f", model=str(folders / "ours"), train_on=[tmp_path / "f"], force=True)
    with pytest.raises(ModelLoadError):
        custodiet.compress(tmp_path / "f", model=str(tmp_path), force=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["f", "f.cdt"]


def test_a_tokenizer_that_changes_the_text(folders, tmp_path):
    import json

    folder = tmp_path / "lower"
    save_hf_directory(make_gpt(300), folder, tokenizer=train_bpe([TEXT], vocab_size=300))
    told = json.loads((folder / "tokenizer.json").read_text())
    told["normalizer"] = {"type": "Lowercase"}
    (folder / "tokenizer.json").write_text(json.dumps(told))
    (tmp_path / "f").write_bytes(b"all is Well")
    with pytest.raises(InputError, match=r"character 7; expected 'Well'; got 'well'"):
        custodiet.compress(tmp_path / "f", model=str(folder))


def test_a_verifier_that_dies_keeps_the_old_file(tmp_path):
    (tmp_path / "f").write_bytes(b"new text")
    (tmp_path / "out").write_bytes(b"old and good")
    with Compressor(ModelSpec(model="ngram")) as compressor:
        compressor._verifier._process.kill()
        compressor._verifier._process.wait()
        with pytest.raises(DecodeError, match="verifier ended"):
            compressor.compress(tmp_path / "f", tmp_path / "out", force=True)
    assert (tmp_path / "out").read_bytes() == b"old and good"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["f", "out"]


def test_a_verifier_that_gets_other_bytes_keeps_nothing(tmp_path, monkeypatch):
    (tmp_path / "f").write_bytes(b"new text")
    with Compressor(ModelSpec(model="ngram")) as compressor:
        monkeypatch.setattr("custodiet.nn.compression._data_hash", lambda data: "0" * 32)
        with pytest.raises(DecodeError, match="not kept"):
            compressor.compress(tmp_path / "f", tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


def _round_trips(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trips")
    return Compressor(ModelSpec(model=model)), folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ngram:3", "ours"])
def test_ten_thousand_inputs_come_back(name, folders, tmp_path_factory):
    compressor, folder = _round_trips(name if name.startswith("ngram") else str(folders / name), tmp_path_factory)
    inputs = (
        st.binary(max_size=48) if name.startswith("ngram") else st.text(max_size=24).map(lambda s: s.encode("utf-8"))
    )

    @settings(max_examples=5000, deadline=None, database=None)
    @given(inputs)
    def check(data):
        (folder / "f").write_bytes(data)
        compressor.compress(folder / "f", folder / "f.cdt", force=True)
        assert decode_bytes(compressor.model, (folder / "f.cdt").read_bytes(), name="f") == data

    with compressor:
        check()
