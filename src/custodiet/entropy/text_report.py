"""How many bits a byte of a text is worth, to whom: every code and Shannon's table of one text, as a record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from custodiet.base.stats import Estimate
from custodiet.entropy.adaptive import AdaptiveNGram
from custodiet.entropy.code_lengths import COMPRESSORS, TokenCode, estimate_bits_per_byte, ngram_code
from custodiet.entropy.english import (
    SHANNON_1951_BITS,
    approximate_english,
    estimate_letter_entropies,
    estimate_word_entropy_bits,
    redundancy,
    to_letters,
)
from custodiet.entropy.guessing import guess_ranks, guessing_bounds, letter_ids
from custodiet.errors import InputError, TooFewSamplesError, UsageError
from custodiet.records.base import Environment, Measurement
from custodiet.records.entropy import Approximation, CodeLength, EntropyRecord, GuessingBounds, LetterEntropy, TextFile
from custodiet.records.run_folder import utc_now

__all__ = ["EntropySettings", "measure_code", "measure_text", "play_machine"]

Progress = Callable[[str, float, float, str], None]
MAX_ORDER = 3
GUESSED_LETTERS = 10_000
NOT_TESTED = [
    "The entropy of the source: a code length is an upper bound on it, and this one is measured on one text.",
    "The size of the programs themselves: a decompressor, an n-gram coder and the code that runs a model count as known.",
    "How the length of the text is told: a coder that is driven by a model also stores it, a few bytes.",
    "Compressors that mix many models (PAQ, cmix, NNCP), and other settings of those above.",
]


@dataclass(frozen=True, kw_only=True)
class EntropySettings:
    """What is measured beside the compressors."""

    order: int = 8
    """longest n-gram, in bytes and in letters"""
    num_approximation_units: int = 0
    """letters or words per approximation to English; 0 draws none"""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.order < 1:
            raise UsageError("--order is too small", expected="at least 1", got=self.order)
        if self.num_approximation_units < 0:
            raise UsageError("--approximations is not a length", expected="0 or more", got=self.num_approximation_units)


def measure_text(
    data: bytes,
    *,
    title: str,
    files: list[TextFile],
    settings: EntropySettings,
    environment: Environment,
    other: bytes | None = None,
    shared_with_other: Measurement | None = None,
    models: Iterable[TokenCode] = (),
    limit_bytes: int | None = None,
    command: str = "",
    started: float | None = None,
    on_progress: Progress | None = None,
) -> EntropyRecord:
    """Measure a text under compressors, n-grams and models that were run already, and its letters.

    Args:
        data: the bytes to be coded.
        title: of the record.
        files: where `data` and `other` come from.
        settings: order of the n-gram, approximations, seed.
        environment: of this process.
        other: text that the primed n-gram and the guesser learn first.
        shared_with_other: what the two texts share.
        models: code lengths of the same bytes under language models.
        limit_bytes: what was asked for, for the record.
        command: as typed.
        started: `time.monotonic()` at the start of the run.
        on_progress: called with a task, done, total and a note.

    Raises:
        InputError: there is no byte, or a model's code length is of other bytes.
    """
    begun = time.monotonic() if started is None else started
    if not data:
        raise InputError("the text is empty", expected="at least one byte", hint="Name another file.")
    tell = on_progress or (lambda *_: None)
    codes: list[CodeLength] = []
    for index, (name, compress) in enumerate(COMPRESSORS.items()):
        codes.append(_measure_compressor(name, len(compress(data)), len(data)))
        tell("compressors", index + 1, len(COMPRESSORS), name)
    for primer in (None,) if other is None else (None, other):
        found = ngram_code(data, order=settings.order, other=primer)
        codes.append(measure_code(found, num_bytes=len(data), seed=settings.seed))
        tell("n-gram", 1 + (primer is not None), 2 - (other is None), found.name)
    ran = [measure_code(one, num_bytes=len(data), seed=settings.seed) for one in models]
    text, not_tested = _as_text(data)
    not_tested += [
        f"Whether {one.name} was trained on this text: a memorized text costs it next to nothing." for one in ran
    ]
    shannon = _Letters.of(text, settings, not_tested, tell)
    return EntropyRecord(
        title=title,
        created_utc=utc_now(),
        seed=settings.seed,
        elapsed_s=time.monotonic() - begun,
        command=command,
        environment=environment,
        files=files,
        num_bytes=len(data),
        limit_bytes=limit_bytes,
        ngram_order=settings.order,
        codes=[*codes, *ran],
        shared_with_other_text=shared_with_other or Measurement.missing("no other text was given"),
        letters=shannon.rows,
        word_entropy_bits=shannon.word_bits,
        redundancy=shannon.redundancy,
        guessing=None if text is None else _machine_game(text, other, settings, not_tested, tell),
        approximations=shannon.approximations,
        not_tested=[*NOT_TESTED, *not_tested],
    )


def _as_text(data: bytes) -> tuple[str | None, list[str]]:
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError as error:
        return None, [f"Letters, words and guessing: the bytes are no UTF-8 text (byte {error.start:,})."]


def _measure_compressor(name: str, size: int, num_bytes: int) -> CodeLength:
    rate = Measurement(value=8 * size / num_bytes, num=1, why="one file, one size")
    return CodeLength(
        name=name,
        description="what the compressor writes, headers and checksums included",
        num_bytes=num_bytes,
        code_bits=8.0 * size,
        bits_per_byte=rate,
        decoder_bytes=0,
        decoder_needs="",
        bits_per_byte_with_decoder=rate,
    )


def measure_code(code: TokenCode, *, num_bytes: int, seed: int = 0) -> CodeLength:
    """A model's code lengths as they stand in a record.

    Raises:
        InputError: the code lengths are of a text of another length.
    """
    if round(float(code.bytes_T.sum())) != num_bytes:
        raise InputError(
            f"the code length of {code.name} is of another text", expected=num_bytes, got=code.bytes_T.sum()
        )
    rate = estimate_bits_per_byte(code.bits_T, code.bytes_T, seed=seed)
    more = 8 * code.decoder_bytes / num_bytes

    def add(value: float | None) -> float | None:
        return None if value is None else value + more

    return CodeLength(
        name=code.name,
        description=code.description,
        num_bytes=num_bytes,
        code_bits=float(code.bits_T.sum()),
        bits_per_byte=Measurement.of(rate),
        decoder_bytes=code.decoder_bytes,
        decoder_needs=code.decoder_needs,
        bits_per_byte_with_decoder=Measurement.of(
            Estimate(add(rate.value), add(rate.low), add(rate.high), rate.num, rate.why)
        ),
    )


@dataclass(kw_only=True)
class _Letters:
    """What Shannon's two papers say of the text."""

    rows: list[LetterEntropy]
    word_bits: Measurement
    redundancy: Measurement
    approximations: list[Approximation]

    @classmethod
    def of(cls, text: str | None, settings: EntropySettings, not_tested: list[str], tell: Progress) -> _Letters:
        none = "the text has no letter from a to z" if text is not None else "the bytes are no UTF-8 text"
        try:
            letters = to_letters(text or "")
        except TooFewSamplesError:
            if text is not None:
                not_tested.append("Letters, words and guessing: the text has no letter from a to z.")
            return cls(
                rows=[], word_bits=Measurement.missing(none), redundancy=Measurement.missing(none), approximations=[]
            )
        num_words = len(letters.split())
        word = estimate_word_entropy_bits(letters, seed=settings.seed)
        rows: list[LetterEntropy] = []
        for num_letters in (26, 27):
            length = len(letters) - (num_words - 1 if num_letters == 26 else 0)
            found = estimate_letter_entropies(
                letters, num_letters=num_letters, max_order=min(MAX_ORDER, length), seed=settings.seed
            )
            rows += [
                LetterEntropy(
                    num_letters=num_letters,
                    order=one.order,
                    bits_per_letter=Measurement.of(one.bits_per_letter),
                    shannon_bits=one.shannon_bits,
                )
                for one in found
            ]
            per_word = (length + (num_letters == 27)) / num_words
            rows.append(
                LetterEntropy(
                    num_letters=num_letters,
                    order=None,
                    bits_per_letter=Measurement.of(_scale(word, 1 / per_word)),
                    shannon_bits=SHANNON_1951_BITS[num_letters]["word"],
                )
            )
            tell("letters", num_letters - 25, 2, f"alphabet of {num_letters}")
        if len(letters) < MAX_ORDER:
            not_tested.append(f"F_N up to {MAX_ORDER}: the text has {len(letters)} letters.")
        last = [row for row in rows if row.num_letters == 27 and row.order is not None][-1].bits_per_letter
        return cls(
            rows=rows,
            word_bits=Measurement.of(word),
            redundancy=_redundancy(last),
            approximations=_approximate(letters, settings),
        )


def _scale(one: Estimate, factor: float) -> Estimate:
    value, low, high = (None if x is None else x * factor for x in (one.value, one.low, one.high))
    return Estimate(value, low, high, one.num, one.why)


def _redundancy(bits: Measurement) -> Measurement:
    value, low, high = (
        None if x is None else min(1.0, redundancy(max(0.0, x))) for x in (bits.value, bits.high, bits.low)
    )
    return Measurement(value=value, low=low, high=high, num=bits.num, why=bits.why)


def _approximate(letters: str, settings: EntropySettings) -> list[Approximation]:
    num = settings.num_approximation_units
    found: list[Approximation] = []
    orders: list[tuple[Literal["letter", "word"], int]] = [
        *(("letter", order) for order in (0, 1, 2, 3)),
        *(("word", order) for order in (1, 2)),
    ]
    for unit, order in orders if num else []:
        text = approximate_english(letters, order=order, num_units=num, seed=settings.seed, unit=unit)
        found.append(Approximation(unit=unit, order=order, text=text))
    return found


def _machine_game(
    text: str, other: bytes | None, settings: EntropySettings, not_tested: list[str], tell: Progress
) -> GuessingBounds | None:
    try:
        ids = letter_ids(text)
    except TooFewSamplesError:
        return None
    model = AdaptiveNGram(order=settings.order, vocab_size=27)
    whose = f"adaptive n-gram of order {settings.order} that has read the letters before"
    if other is not None:
        try:
            model.prime(letter_ids(other.decode("utf-8")))
            whose += " and the other text"
        except (UnicodeDecodeError, TooFewSamplesError):
            not_tested.append("A guesser that has read the other text: that is no text with letters.")
    start = max(0, len(ids) - GUESSED_LETTERS)
    model.log2_probs(ids[:start])
    return play_machine(model, ids[start:], player=whose, seed=settings.seed, on_progress=tell)


def play_machine(
    model: AdaptiveNGram, ids: np.ndarray, *, player: str, seed: int = 0, on_progress: Progress | None = None
) -> GuessingBounds:
    """Let an adaptive model guess letters, going on from what it has read.

    Args:
        model: over the alphabet of 27.
        ids: int64 (T,), at least one.
        player: what the record calls it.
        seed: seed of the intervals.
        on_progress: called with a task, done, total and a note.
    """
    ranks, bits = np.empty(len(ids), dtype=np.int64), np.empty(len(ids))
    for place, token in enumerate(ids.tolist()):
        bits[place] = -np.log2(model.next_probs()[token])
        ranks[place : place + 1] = guess_ranks(model, ids[place : place + 1])
        if on_progress is not None and (place + 1 == len(ids) or place % 1000 == 999):
            on_progress("guessing game", place + 1, len(ids), "letters")
    lower, upper = guessing_bounds(ranks, model.vocab_size, seed=seed)
    return GuessingBounds(
        player=player,
        num_letters=len(ids),
        mean_guesses=float(ranks.mean()),
        share_at_first_guess=float((ranks == 1).mean()),
        lower_bits_per_letter=Measurement.of(lower),
        upper_bits_per_letter=Measurement.of(upper),
        code_bits_per_letter=Measurement.of(estimate_bits_per_byte(bits, np.ones(len(bits)), seed=seed)),
    )
