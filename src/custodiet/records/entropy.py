"""The record of an entropy run: what a byte of a text costs under codes that know more or less, and Shannon's table of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from custodiet.records.base import Environment, Measurement, Part, Record

__all__ = ["Approximation", "CodeLength", "EntropyRecord", "GuessingBounds", "LetterEntropy", "TextFile"]


class TextFile(Part):
    """One file that was read."""

    role: Literal["coded", "other"]
    """coded, or other text that the primed n-gram learned first"""
    path: str
    sha256: str
    num_bytes: int


class CodeLength(Part):
    """What one code needs for the text."""

    name: str
    description: str
    num_bytes: int
    """bytes of the text, the same for every code of a run"""
    code_bits: float
    bits_per_byte: Measurement
    decoder_bytes: int
    """what the decoder must have beside the program: 0, the other text under xz, or the weights"""
    decoder_needs: str
    bits_per_byte_with_decoder: Measurement


class LetterEntropy(Part):
    """F_N: bits of a letter when the N - 1 before it are known; `order` is null for the row from word frequencies."""

    num_letters: Literal[26, 27]
    order: int | None
    bits_per_letter: Measurement
    shannon_bits: float | None
    """Shannon 1951"""


class GuessingBounds(Part):
    """Shannon's bounds from how many guesses each letter took."""

    player: str
    num_letters: int
    """letters guessed"""
    mean_guesses: float
    share_at_first_guess: float
    lower_bits_per_letter: Measurement
    upper_bits_per_letter: Measurement
    code_bits_per_letter: Measurement
    """what the player's own probabilities need, where it has any"""


class Approximation(Part):
    """Text drawn from the statistics of the text."""

    unit: Literal["letter", "word"]
    order: int
    text: str


class EntropyRecord(Record):
    """A text under every code, and its letters."""

    schema_id: Literal["custodiet.entropy/1"] = Field(default="custodiet.entropy/1", alias="schema")
    title: str
    created_utc: str
    seed: int
    elapsed_s: float
    command: str = ""
    environment: Environment
    files: list[TextFile]
    num_bytes: int
    """bytes coded: all of the files to be coded in a row, or their first `limit_bytes`"""
    limit_bytes: int | None
    ngram_order: int
    codes: list[CodeLength]
    shared_with_other_text: Measurement
    """share of the runs of 50 bytes of the text that stand in the other text as well"""
    letters: list[LetterEntropy]
    word_entropy_bits: Measurement
    """bits per word, from the frequencies of words"""
    redundancy: Measurement
    """of the alphabet of 27, from the highest F_N"""
    guessing: GuessingBounds | None
    """the guessing game, played by the n-gram on the last letters of the text"""
    approximations: list[Approximation]
    not_tested: list[str]
