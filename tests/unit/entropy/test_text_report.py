"""Codes and letters of texts whose entropy is known."""

import gzip
import math
from pydoc_data.topics import topics

import numpy as np
import pytest

from custodiet.entropy.code_lengths import COMPRESSORS, TokenCode, estimate_bits_per_byte, ngram_code, xz_size
from custodiet.entropy.game import GuessingGame
from custodiet.entropy.text_report import EntropySettings, measure_code, measure_text
from custodiet.errors import InputError, TooFewSamplesError, UsageError
from custodiet.records.base import Environment, Measurement
from custodiet.records.entropy import EntropyRecord, TextFile

ENGLISH = "\n".join(topics[name] for name in sorted(topics))[:60_000]
HERE = Environment.here(torch=None, device="cpu", dtype="float64", num_threads=1, instruction_set="baseline")


def measure(data, **more):
    settings = EntropySettings(**{key: more.pop(key) for key in ("order", "num_approximation_units") if key in more})
    data = data.encode() if isinstance(data, str) else data
    files = [TextFile(role="coded", path="a.txt", sha256="0" * 64, num_bytes=len(data))]
    record = measure_text(data, title="t", files=files, settings=settings, environment=HERE, **more)
    assert EntropyRecord.parse(record.model_dump(mode="json", by_alias=True)) == record
    record.to_json()
    return record, {one.name: one for one in record.codes}


def test_independent_letters_cost_their_entropy_everywhere():
    share = np.array([0.5, 0.2, 0.2, 0.1])
    entropy = float(-(share * np.log2(share)).sum())
    text = "".join(np.random.default_rng(0).choice(list("etao"), 40_000, p=share))
    record, codes = measure(text, order=3)
    assert codes["n-gram"].bits_per_byte.value == pytest.approx(entropy, abs=0.05)
    assert codes["n-gram"].bits_per_byte.low < entropy + 0.05 and codes["n-gram"].bits_per_byte.high > entropy
    for name in COMPRESSORS:
        assert entropy - 0.02 < codes[name].bits_per_byte.value < entropy + 0.8
        assert codes[name].bits_per_byte.why == "one file, one size"
    for order in (1, 2, 3):
        row = next(one for one in record.letters if one.num_letters == 26 and one.order == order)
        assert row.bits_per_letter.value == pytest.approx(entropy, abs=0.02)
    game = record.guessing
    assert game.num_letters == 10_000
    assert game.lower_bits_per_letter.value - 0.05 < entropy < game.upper_bits_per_letter.value + 0.05
    assert game.code_bits_per_letter.value == pytest.approx(entropy, abs=0.05)


def test_the_size_of_a_compressor_is_what_it_writes():
    data = ENGLISH.encode()
    _, codes = measure(data)
    assert codes["gzip -9"].code_bits == 8 * len(gzip.compress(data, 9, mtime=0))
    assert codes["xz -9e"].code_bits == 8 * xz_size(data)
    assert all(one.num_bytes == len(data) and one.decoder_bytes == 0 for one in codes.values())


def test_other_text_helps_when_it_is_the_same_language_and_its_size_is_counted():
    half = len(ENGLISH) // 2
    mine, other = ENGLISH[:half].encode(), ENGLISH[half:].encode()
    record, codes = measure(mine, other=other, shared_with_other=Measurement(value=0.5, num=9, why="a count"))
    plain, primed = codes["n-gram"], codes["n-gram, primed"]
    assert primed.bits_per_byte.value < 0.95 * plain.bits_per_byte.value
    assert primed.decoder_bytes == xz_size(other)
    with_decoder = primed.bits_per_byte_with_decoder
    assert with_decoder.value == pytest.approx(primed.bits_per_byte.value + 8 * xz_size(other) / len(mine))
    assert with_decoder.value > plain.bits_per_byte.value
    assert "the other text" in record.guessing.player


def test_a_text_is_nearly_free_after_itself():
    data = ENGLISH[:20_000].encode()
    again, once = ngram_code(data, order=8, other=data).bits_T, ngram_code(data, order=8).bits_T
    assert again.mean() < 0.2 * once.mean()


def test_a_model_that_ran_elsewhere_is_counted_with_its_weights():
    code = TokenCode(
        name="m",
        description="d",
        bits_T=np.full(50, 3.0),
        bytes_T=np.full(50, 2.0),
        decoder_bytes=1000,
        decoder_needs="weights",
    )
    record, codes = measure("ab" * 50, models=[code])
    assert codes["m"].bits_per_byte.value == codes["m"].bits_per_byte.low == 1.5
    assert codes["m"].bits_per_byte_with_decoder.value == 1.5 + 80
    with pytest.raises(InputError, match="another text"):
        measure_code(code, num_bytes=99)


def test_bytes_that_are_no_text_are_coded_and_the_record_says_so():
    data = np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8).tobytes()
    record, codes = measure(data)
    assert codes["n-gram"].bits_per_byte.value > 7.9 and codes["gzip -9"].bits_per_byte.value > 8
    assert record.letters == [] and record.guessing is None and record.redundancy.value is None
    assert any("no UTF-8" in one for one in record.not_tested)
    record, _ = measure("42 + 17! " * 30)
    assert record.letters == [] and any("no letter" in one for one in record.not_tested)


def test_the_smallest_texts():
    for text in ("a", "b!", "ab", "aaaa" * 200):
        record, codes = measure(text)
        assert codes["n-gram"].bits_per_byte.value > 0
        assert record.letters[0].bits_per_letter.value == math.log2(26)
    assert record.redundancy.value == 1 and record.letters[-1].bits_per_letter.value == 0  # one letter only
    assert any("has 2 letters" in one for one in measure("ab")[0].not_tested)
    with pytest.raises(InputError, match="empty"):
        measure(b"")


def test_approximations_are_drawn_when_asked_for():
    assert measure(ENGLISH[:5000])[0].approximations == []
    found = measure(ENGLISH[:5000], num_approximation_units=12)[0].approximations
    assert [(one.unit, one.order) for one in found] == [*(("letter", n) for n in range(4)), ("word", 1), ("word", 2)]
    assert len(found[0].text) == 12 and len(found[-1].text.split()) == 12


def test_interval_of_bits_per_byte_covers():
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(100):
        bits = rng.exponential(2.0, 2000)
        found = estimate_bits_per_byte(bits, np.ones(2000), num_blocks=40, seed=seed)
        hits += found.low <= 2.0 <= found.high
    assert hits >= 85
    assert estimate_bits_per_byte([1.0], [4.0]).value == 0.25 and estimate_bits_per_byte([1.0], [4.0]).low is None
    with pytest.raises(TooFewSamplesError):
        estimate_bits_per_byte([], [])
    with pytest.raises(InputError):
        estimate_bits_per_byte([1.0], [1.0, 2.0])


def test_settings_that_mean_nothing():
    with pytest.raises(UsageError, match="--order"):
        EntropySettings(order=0)
    with pytest.raises(UsageError, match="--approximations"):
        EntropySettings(num_approximation_units=-1)


def test_the_game():
    game = GuessingGame("the then them " * 30, num_letters=5, seed=3)
    assert game.start >= 100 and game.shown(4) == GuessingGame("the then them " * 30, num_letters=5, seed=3).shown(4)
    letter = game.next_letter
    wrong = "z" if letter != "z" else "q"
    assert not game.guess(wrong) and not game.guess(wrong)
    assert game.guess(letter) and game.ranks.tolist() == [2]
    assert game.give_up() and 1 <= game.ranks[1] <= 6  # never behind a letter that the text does not have
    with pytest.raises(UsageError):
        game.guess("ab")
    while not game.over:
        game.guess(game.next_letter)
    assert game.ranks[2:].tolist() == [1, 1, 1]
    assert GuessingGame("ab", num_letters=50, seed=0).num_letters == 1
    with pytest.raises(TooFewSamplesError):
        GuessingGame("a", num_letters=5, seed=0)
    with pytest.raises(UsageError):
        GuessingGame("abc", num_letters=0, seed=0)
