"""What could be memorized, before any training: capacity against the corpus, and the membership law."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from custodiet.errors import TooFewSamplesError, UsageError
from custodiet.records.audit import ForecastRecord

__all__ = ["BITS_PER_PARAM", "LAW_SAMPLE_TOKENS", "estimate_forecast", "forecast", "membership_f1_law"]

BITS_PER_PARAM = 3.64
BITS_PER_PARAM_SOURCE = "Morris et al. 2025, arXiv 2505.24832: fitted on random tokens, GPT-2 layouts of 0.1 to 20 M"
LAW_SAMPLE_TOKENS = 64
LAW_SOURCE = "Morris et al. 2025, arXiv 2505.24832, corrected; average case of a loss threshold, half the pool positive"


def membership_f1_law(*, num_samples: float, num_params: int) -> float:
    """F1 of a loss threshold that calls half of a balanced pool members.

    Args:
        num_samples: training samples of 64 tokens.
        num_params: trainable parameters, the tied embedding once.

    Reference:
        Morris et al. 2025, arXiv 2505.24832: F1 = (1 + 1.34 sigmoid(-33.14 (D / P - 0.034))) / 2. The printed formula
        has the ratio inverted and two constants swapped; in this form it gives the six rows of the paper's table to
        0.002, and 1.006 instead of 1 as D / P goes to 0, which is cut to 1 here.
    """
    ratio = num_samples / num_params
    return min(1.0, 0.5 * (1 + 1.34 / (1 + math.exp(min(700.0, 33.14 * (ratio - 0.034))))))


def estimate_forecast(
    *,
    num_params: int,
    corpus_bits: float,
    num_tokens: int,
    corpus_bits_source: str,
    bits_per_param: float = BITS_PER_PARAM,
) -> ForecastRecord:
    """Set a model's capacity beside what a corpus holds.

    Args:
        num_params: trainable parameters.
        corpus_bits: information in the corpus, in bits.
        num_tokens: tokens of the corpus, each counted once.
        corpus_bits_source: where `corpus_bits` comes from.
        bits_per_param: bits that a parameter holds.

    Raises:
        UsageError: a size is not positive.
    """
    if num_params < 1 or num_tokens < 1 or corpus_bits <= 0:
        raise UsageError("a forecast of nothing", expected="a model and a corpus", got=(num_params, num_tokens))
    capacity = num_params * bits_per_param
    ratio = corpus_bits / capacity
    if ratio < 1:
        reading = (
            f"The model could hold the whole corpus {1 / ratio:.1f} times over: expect verbatim memory of what is "
            "shown often enough."
        )
    else:
        reading = (
            f"The corpus holds {ratio:.1f} times what the model can: it cannot keep all of it, but what repeats is kept "
            "first."
        )
    return ForecastRecord(
        num_params=num_params,
        bits_per_param=bits_per_param,
        bits_per_param_source=BITS_PER_PARAM_SOURCE,
        capacity_bits=capacity,
        corpus_bits=corpus_bits,
        corpus_bits_source=corpus_bits_source,
        num_corpus_tokens=num_tokens,
        corpus_over_capacity=ratio,
        tokens_per_param=num_tokens / num_params,
        membership_f1=membership_f1_law(num_samples=num_tokens / LAW_SAMPLE_TOKENS, num_params=num_params),
        membership_f1_source=LAW_SOURCE,
        reading=reading,
    )


def forecast(
    *,
    documents: Sequence[Path | str],
    num_params: int,
    tokenizer: Path | str | None = None,
    text_column: str = "text",
    limit: int | None = None,
    strict: bool = False,
) -> ForecastRecord:
    """How much of a corpus a model of this size could hold.

    The corpus's bits are the held-out code length of a Witten-Bell 5-gram, two-fold: each half is coded by the model of
    the other half.

    Args:
        documents: files or folders of txt, md, JSONL or Parquet.
        num_params: trainable parameters.
        tokenizer: folder with tokenizer.json; None trains a byte-level BPE of 4,096 ids on the documents.
        text_column: column or key that holds the text.
        limit: read at most so many documents.
        strict: refuse broken lines.

    Raises:
        CorpusError: the documents cannot be read.
        TooFewSamplesError: fewer than two documents.
    """
    from custodiet.data.readers import iter_documents
    from custodiet.data.tokenizer import load_tokenizer, train_bpe
    from custodiet.entropy.ngram import WittenBellModel

    texts = [one.text for one in iter_documents(documents, text_column=text_column, limit=limit, strict=strict)]
    if len(texts) < 2:
        raise TooFewSamplesError("a forecast needs documents to hold out", expected="at least 2", got=len(texts))
    codec = train_bpe(texts, vocab_size=4096) if tokenizer is None else load_tokenizer(Path(tokenizer))
    tokens = codec.encode(texts)
    bits = 0.0
    for side in (0, 1):
        model = WittenBellModel.train(tokens[1 - side :: 2], vocab_size=codec.vocab_size)
        bits -= sum(float(one.sum()) for one in model.log2_probs_of(tokens[side::2]))
    return estimate_forecast(
        num_params=num_params,
        corpus_bits=bits,
        num_tokens=sum(map(len, tokens)),
        corpus_bits_source="Witten-Bell 5-gram, each half of the documents coded by the model of the other half",
    )
