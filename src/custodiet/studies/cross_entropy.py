"""Study `cross-entropy`: what a code length is, and what Shannon measured of English, on text that every Python carries.

A small GPT is trained on most of the embedded English. The rest is coded with it, for real, and set beside compressors,
n-grams and Shannon's own figures.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from custodiet.base.rng import numpy_rng
from custodiet.base.stats import Estimate
from custodiet.data.embedded import load_embedded_text
from custodiet.entropy.coder import Layout, decode_tokens, encode_tokens
from custodiet.entropy.english import estimate_letter_entropies, estimate_word_entropy_bits, redundancy
from custodiet.entropy.text_report import EntropySettings, measure_text
from custodiet.errors import DecodeError
from custodiet.nn.code_length import layout_code_bits, lm_code_length
from custodiet.nn.loading import LoadedModel, load_model
from custodiet.records.base import Environment, Measurement
from custodiet.records.entropy import EntropyRecord, TextFile
from custodiet.records.files import sha256_text, write_text_atomic
from custodiet.records.run_folder import RunFolder, utc_now
from custodiet.records.study import Claim, StudyRecord, claim_of
from custodiet.train.config import TrainConfig
from custodiet.train.run import train

__all__ = ["CrossEntropyConfig", "judge_cross_entropy_claims", "run_cross_entropy_study"]

Progress = Callable[[str, float, float, str], None]
SHANNON_1948 = "Shannon 1948, A mathematical theory of communication, section 7"
SHANNON_1951 = "Shannon 1951, Prediction and entropy of printed English"
DELETANG = "Delétang et al. 2024, Language modeling is compression, arXiv 2309.10668, table 1"


@dataclass(frozen=True, kw_only=True)
class CrossEntropyConfig:
    """The recipe; the model is the one of the default audit."""

    seed: int = 0
    vocab_size: int = 1024
    context_length: int = 128
    width: int = 192
    num_layers: int = 3
    num_heads: int = 6
    num_steps: int = 1000
    batch_size: int = 8
    learning_rate: float = 2e-3
    held_out_share: float = 0.08
    """of the texts, by a seeded coin"""
    max_texts: int | None = None
    """cut of the corpus, for tests; None takes all of it"""
    history: float = 0.5
    """share of a window that repeats the one before, while coding"""


@dataclass(frozen=True, kw_only=True)
class Coding:
    """The held-out text through the coder, and the same windows through one scoring pass each."""

    num_tokens: int
    payload_bits: int
    scored_bits: float
    perplexity: float
    """exp of the mean nats per token, from the scorer"""
    bits_per_token: float
    """from the coder's own count"""


@dataclass(frozen=True, kw_only=True)
class EnglishFigures:
    """Shannon's figures on all of the embedded text."""

    letters: list[Measurement]
    """F_1, F_2, F_3 in the alphabet of 27"""
    word: Measurement


def run_cross_entropy_study(
    *, folder: RunFolder, seed: int, command: str, on_progress: Progress, config: CrossEntropyConfig | None = None
) -> StudyRecord:
    """Train, code, measure below `folder`, and judge the claims."""
    config = config or CrossEntropyConfig(seed=seed)
    folder.begin({"job": "study", "study": "cross-entropy", **asdict(config)})
    started = time.monotonic()
    work = folder.path / "work"
    trained, held = _split(config, work)
    _train(config, work, on_progress)
    loaded = load_model(work / "train", device="cpu", dtype="float32")
    coding = _code(loaded, held, config, on_progress)
    environment = _environment(loaded)
    inner = RunFolder.create(folder.path / "entropy", "entropy")
    inner.begin({"job": "entropy", "of": "held-out text of study cross-entropy", "seed": seed})
    lm = lm_code_length(
        loaded, held, on_progress=lambda done, total: on_progress("score", done, total, "held-out text")
    )
    found = measure_text(
        held.encode(),
        title="Held-out English of the embedded corpus",
        files=[_file("coded", "held-out texts", held), _file("other", "training texts", trained)],
        settings=EntropySettings(seed=seed),
        environment=environment,
        other=trained.encode(),
        models=[lm],
        command=command,
        on_progress=on_progress,
    )
    found.save(inner.record_json)
    inner.finish("done", title=found.title)
    record = StudyRecord(
        study="cross-entropy",
        title="Cross-entropy",
        created_utc=utc_now(),
        seed=seed,
        elapsed_s=time.monotonic() - started,
        environment=environment,
        claims=judge_cross_entropy_claims(found, coding, _measure_english(seed), model_name=lm.name),
    )
    record.save(folder.record_json)
    folder.finish("done", title=record.title, headline="; ".join(f"{c.name}: {c.verdict}" for c in record.claims[:3]))
    return record


def _file(role: Literal["coded", "other"], name: str, text: str) -> TextFile:
    return TextFile(role=role, path=name, sha256=sha256_text(text), num_bytes=len(text.encode()))


def _split(config: CrossEntropyConfig, work: Path) -> tuple[str, str]:
    """Write the training texts; both parts, each as one string."""
    embedded = load_embedded_text()
    texts = [*embedded.topics, *embedded.docstrings]
    order = numpy_rng(config.seed, "cross-entropy texts").permutation(len(texts))[: config.max_texts]
    num_held = max(1, round(config.held_out_share * len(order)))
    held, kept = ([texts[index] for index in sorted(part)] for part in (order[:num_held], order[num_held:]))
    lines = "".join(json.dumps({"text": text}) + "\n" for text in kept)
    write_text_atomic(work / "training.jsonl", lines)
    return "\n\n".join(kept), "\n\n".join(held)


def _train(config: CrossEntropyConfig, work: Path, on_progress: Progress) -> None:
    settings = TrainConfig(
        corpus=(str(work / "training.jsonl"),),
        validation_share=0.0,
        vocab_size=config.vocab_size,
        context_length=config.context_length,
        width=config.width,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        batch_size=config.batch_size,
        num_steps=config.num_steps,
        learning_rate=config.learning_rate,
        schedule="linear",
        warmup_steps=max(1, config.num_steps // 20),
        final_lr_share=0.05,
        beta2=0.98,
        weight_decay=0.05,
        validate_every=config.num_steps,
        checkpoint_every=config.num_steps,
        device="cpu",
        num_threads=1,  # two threads that share a busy core wait for each other: ten times slower
        seed=config.seed,
    )
    train(settings, out=RunFolder.create(work / "train", "train"), on_progress=on_progress)


def _code(loaded: LoadedModel, text: str, config: CrossEntropyConfig, on_progress: Progress) -> Coding:
    """Windows are one token shorter than the model's, so that a scorer's rows hold them whole."""
    tokens: NDArray[np.int64] = loaded.codec.encode([text])[0]
    window = loaded.context_length - 1
    layout = Layout(
        num_tokens=len(tokens),
        num_lanes=Layout.choose(len(tokens), loaded.predictor).num_lanes,
        window_tokens=window,
        history_tokens=int(config.history * window),
    )
    coded = encode_tokens(
        loaded.predictor, tokens, layout, on_progress=lambda done, total: on_progress("encode", done, total, "tokens")
    )
    found, digest = decode_tokens(
        loaded.predictor,
        coded.payload,
        layout,
        on_progress=lambda done, total: on_progress("decode", done, total, "tokens"),
    )
    if digest != coded.probability_digest or not np.array_equal(found, tokens):
        raise DecodeError("the held-out text did not come back from the coder", hint="Run the study again.")
    scored_T = layout_code_bits(loaded, tokens, layout)
    nats = float(scored_T.mean()) * math.log(2.0)
    return Coding(
        num_tokens=len(tokens),
        payload_bits=coded.payload_bits,
        scored_bits=float(scored_T.sum()),
        perplexity=math.exp(nats),
        bits_per_token=coded.model_bits / len(tokens),
    )


def _environment(loaded: LoadedModel) -> Environment:
    import torch

    return Environment.here(
        torch=str(torch.__version__),
        device=loaded.device,
        dtype=loaded.dtype,
        num_threads=torch.get_num_threads(),
        instruction_set=torch.backends.cpu.get_cpu_capability(),
    )


def judge_cross_entropy_claims(
    found: EntropyRecord, coding: Coding, english: EnglishFigures, *, model_name: str
) -> list[Claim]:
    """The claims, each with its tolerance beside it."""
    return [*_coding_claims(coding), *_shannon_claims(found, english), *_model_claims(found, model_name)]


def _coding_claims(coding: Coding) -> list[Claim]:
    ratio = coding.payload_bits / coding.scored_bits
    identity = coding.perplexity / 2.0**coding.bits_per_token
    return [
        claim_of(
            "code_length_over_cross_entropy",
            f"bits of the range coder over those of the model on the same windows, {coding.num_tokens:,} tokens",
            published=1.0,
            source=f"{SHANNON_1948.split(', section')[0]}: the entropy is what a code needs; decoded again here",
            tolerance=(0.999, 1.001),
            measured=Measurement.of(Estimate(ratio, None, None, coding.num_tokens, "one text, one code")),
        ),
        claim_of(
            "perplexity_is_two_to_the_bits",
            "exp of the scorer's nats per token over 2 to the coder's bits per token",
            published=1.0,
            source="the definitions; by two paths through the model",
            tolerance=(0.9999, 1.0001),
            measured=Measurement.of(Estimate(identity, None, None, coding.num_tokens, "an identity")),
        ),
    ]


def _shannon_claims(found: EntropyRecord, english: EnglishFigures) -> list[Claim]:
    claims = [
        claim_of(
            f"F{order}_bits",
            "bits per letter of 27, all of the embedded text",
            published=published,
            source=f"{SHANNON_1951}, table of F_N",
            tolerance=(published - 0.15, published + 0.15),
            measured=english.letters[order - 1],
        )
        for order, published in ((1, 4.03), (2, 3.32), (3, 3.1))
    ]
    game = found.guessing
    lower, bits, upper = (
        (game.lower_bits_per_letter, game.code_bits_per_letter, game.upper_bits_per_letter)
        if game
        else [NOT_PLAYED] * 3
    )
    inside = None
    if lower.value is not None and bits.value is not None and upper.value is not None:
        inside = float(lower.value <= bits.value <= upper.value)
    said = (
        "not played"
        if inside is None
        else f"{lower.value:.2f} <= {bits.value:.2f} <= {upper.value:.2f} bits per letter"
    )
    return [
        *claims,
        claim_of(
            "word_entropy_bits",
            "bits per word, all of the embedded text",
            published=11.82,
            source=f"{SHANNON_1951}, section 2, from Zipf's law for 8,727 words",
            tolerance=(11.3, 12.3),
            measured=english.word,
        ),
        claim_of(
            "redundancy",
            "1 - bits per letter of an n-gram of 8 letters over log2 27, held-out text",
            published=0.5,
            source=f"{SHANNON_1948}: about 50 %, structure over at most about eight letters",
            tolerance=(0.4, 0.6),
            measured=_redundancy(bits),
        ),
        claim_of(
            "guess_bounds_contain_model_entropy",
            f"1 for yes: {said}",
            published=1.0,
            source=f"{SHANNON_1951}, section 5, equation 17; the guesser is the n-gram",
            tolerance=(1.0, 1.0),
            measured=Measurement.missing("not played")
            if inside is None
            else Measurement.of(Estimate(inside, None, None, game.num_letters if game else 0, "yes or no")),
        ),
    ]


def _model_claims(found: EntropyRecord, model_name: str) -> list[Claim]:
    codes = {one.name: one for one in found.codes}
    model, xz = codes[model_name], codes["xz -9e"].bits_per_byte
    return [
        claim_of(
            "lm_beats_xz_on_held_out",
            f"bits of the model over bits of xz, {found.num_bytes:,} bytes that it was not trained on",
            published=None,
            source=f"{DELETANG}: large models code text shorter than general compressors; xz starts from nothing here",
            tolerance=(0.0, 1.0),
            measured=_over(model.bits_per_byte, xz),
        ),
        claim_of(
            "lm_with_weights_beats_xz",
            "the same with the weights counted (expected not: the text is far smaller than the model)",
            published=None,
            source=f"{DELETANG}: with their weights counted, models pay only on data much larger than themselves",
            tolerance=(0.0, 1.0),
            measured=_over(model.bits_per_byte_with_decoder, xz),
        ),
    ]


NOT_PLAYED = Measurement.missing("the guessing game was not played")


def _over(part: Measurement, whole: Measurement) -> Measurement:
    """A measurement over one that has no interval of its own."""
    if part.value is None or not whole.value:
        return Measurement.missing("one of them was not measured")
    low, high = (None if bound is None else bound / whole.value for bound in (part.low, part.high))
    return Measurement(value=part.value / whole.value, low=low, high=high, num=part.num, why=part.why)


def _redundancy(bits: Measurement) -> Measurement:
    if bits.value is None:
        return bits
    low, high = (None if bound is None else redundancy(bound) for bound in (bits.high, bits.low))
    return Measurement(value=redundancy(bits.value), low=low, high=high, num=bits.num, why=bits.why)


def _measure_english(seed: int) -> EnglishFigures:
    embedded = load_embedded_text()
    text = "\n\n".join([*embedded.topics, *embedded.docstrings])
    letters = estimate_letter_entropies(text, seed=seed)[1:]
    return EnglishFigures(
        letters=[Measurement.of(one.bits_per_letter) for one in letters],
        word=Measurement.of(estimate_word_entropy_bits(text, seed=seed)),
    )
