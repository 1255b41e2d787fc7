"""Code lengths under a language model: windows, bytes, and texts that a tokenizer loses."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.base.protocols import TargetScores
from custodiet.data.tokenizer import train_bpe
from custodiet.errors import InputError, TokenizerError
from custodiet.nn.code_length import _spans, lm_code_length
from custodiet.nn.export import save_hf_directory
from custodiet.nn.gpt import GPT, GPTConfig
from custodiet.nn.loading import LoadedModel, load_model


class ByteCodec:
    def __init__(self, bos_id=None, lower=False):
        self.bos_id, self.lower, self.vocab_size = bos_id, lower, 257

    def encode(self, texts):
        return [
            np.frombuffer((one.lower() if self.lower else one).encode(), dtype=np.uint8).astype(int) for one in texts
        ]

    def decode(self, ids):
        return bytes(int(one) for one in ids).decode("utf-8", "replace")


class HistoryScorer:
    """A target costs as many bits as tokens stand before it in its row."""

    vocab_size = 257

    def __init__(self, context_length, bos_id):
        self.context_length, self.bos_id, self.rows = context_length, bos_id, []

    def score_targets(self, tokens_BT, *, lengths_B=None, chunk=256):
        assert tokens_BT.shape[1] <= self.context_length and lengths_B.max() == tokens_BT.shape[1]
        assert self.bos_id is None or (tokens_BT[:, 0] == self.bos_id).all()
        self.rows += [row[:length] for row, length in zip(tokens_BT, lengths_B, strict=True)]
        bits = np.tile(np.arange(1, tokens_BT.shape[1]), (len(tokens_BT), 1)).astype(np.float32)
        return TargetScores(
            logprob_BT=-bits * np.float32(math.log(2)),
            argmax_BT=bits.astype(int),
            tied_BT=bits > 1e9,
            mean_BT=bits,
            variance_BT=bits,
        )


def _loaded(context_length, *, bos_id=None, lower=False):
    return LoadedModel(
        scorer=HistoryScorer(context_length, bos_id),
        generator=None,
        predictor=None,
        codec=ByteCodec(bos_id, lower),
        name="fake",
        description="fake",
        num_params=1,
        context_length=context_length,
        sha256="",
        identity_sha256="",
        weight_bytes=1234,
        device="cpu",
        dtype="float32",
    )


@given(st.integers(1, 200), st.integers(2, 40), st.booleans())
@settings(deadline=None)
def test_every_token_is_coded_once_with_half_a_context_before_it(num_tokens, context_length, with_bos):
    head = int(with_bos)
    room, stride = context_length - head, max(1, context_length // 2)
    spans = _spans(num_tokens, room, stride)
    assert [fresh for _, fresh, _ in spans] == [0, *(end for _, _, end in spans[:-1])]
    assert spans[-1][2] == num_tokens
    assert all(end - start <= room and fresh < end for start, fresh, end in spans)
    assert all(fresh - start >= room - stride for start, fresh, _ in spans[1:])


@pytest.mark.parametrize("bos_id", [None, 256])
@pytest.mark.parametrize("batch_tokens", [1, 40])
def test_windows_and_their_history(bos_id, batch_tokens):
    loaded = _loaded(8, bos_id=bos_id)
    text = "abcdefghijklmnopqrstu"  # 21 tokens
    code = lm_code_length(loaded, text, batch_tokens=batch_tokens)
    if bos_id is None:  # 8 first tokens, the first of them without history; then 4 at a time after 4
        want = [math.log2(257), *range(1, 8), *[4, 5, 6, 7] * 3, 4]
    else:  # 7 after the BOS; then 4 at a time after the BOS and 3
        want = [*range(1, 8), *[4, 5, 6, 7] * 3, 4, 5]
    np.testing.assert_allclose(code.bits_T, want, rtol=1e-6)
    assert code.bytes_T.tolist() == [1.0] * 21 and code.decoder_bytes == 1234
    assert "windows of at most 8 that move on by 4" in code.description


def test_short_texts():
    assert lm_code_length(_loaded(8), "a").bits_T.tolist() == [math.log2(257)]
    np.testing.assert_allclose(lm_code_length(_loaded(2, bos_id=256), "abc").bits_T, [1, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(lm_code_length(_loaded(2), "abc").bits_T, [math.log2(257), 1, 1], rtol=1e-6)
    with pytest.raises(InputError):
        lm_code_length(_loaded(8), "")
    with pytest.raises(InputError):
        lm_code_length(_loaded(1), "a")


def test_a_tokenizer_that_loses_something_is_refused():
    with pytest.raises(TokenizerError, match="part at character 4"):
        lm_code_length(_loaded(8, lower=True), "abc Def")


def test_bytes_of_tokens_sum_to_those_of_the_text():
    text = "naïve café, 東京 " * 9
    code = lm_code_length(_loaded(16), text)
    assert code.bytes_T.sum() == pytest.approx(len(text.encode()))


def test_a_real_model_is_coded_as_by_its_own_softmax(tmp_path):
    texts = ["one two three four five six seven eight nine ten " * 8]
    codec = train_bpe(texts, vocab_size=300)
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=codec.vocab_size, context_length=16, width=16, num_layers=1, num_heads=2))
    save_hf_directory(model, tmp_path, tokenizer=codec)
    loaded = load_model(tmp_path, device="cpu")
    assert loaded.weight_bytes == (tmp_path / "model.safetensors").stat().st_size
    code = lm_code_length(loaded, texts[0])
    (tokens,) = codec.encode(texts)
    assert len(tokens) > 40
    want = []
    for start, fresh, end in _spans(len(tokens), 15, 8):
        row = torch.from_numpy(np.concatenate([[codec.bos_id], tokens[start:end]]))
        logs = torch.log_softmax(model(row[None, :-1])[0].double(), dim=1)
        bits = -logs[torch.arange(len(row) - 1), row[1:]] / math.log(2)
        want += bits[fresh - start :].tolist()
    np.testing.assert_allclose(code.bits_T, want, rtol=1e-4, atol=1e-5)
