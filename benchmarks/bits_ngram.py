"""N-gram models on the standard library's sources: how fast they are counted and asked."""

from __future__ import annotations

import sysconfig
import time
from pathlib import Path

import numpy as np

from benchmarks.table import Row, absolute_row

VOCAB_SIZE, ORDER, ROUNDS = 32_000, 5, 5


def stdlib_tokens() -> list[np.ndarray]:
    """The standard library's sources in a byte-level BPE trained on a fourth of them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    library = Path(sysconfig.get_path("stdlib"))
    paths = [path for path in sorted(library.rglob("*.py")) if "site-packages" not in path.parts]
    texts = [path.read_text(encoding="utf-8", errors="ignore") for path in paths]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        texts[::4], trainers.BpeTrainer(vocab_size=VOCAB_SIZE, show_progress=False, initial_alphabet=alphabet)
    )
    return [np.array(one.ids, dtype=np.int32) for one in bpe.encode_batch(texts)]


def ngram_rows() -> list[Row]:
    """Training and scoring speed of both smoothings."""
    from custodiet.entropy.ngram import KneserNeyModel, WittenBellModel

    documents = stdlib_tokens()
    num = sum(map(len, documents))
    rows: list[Row] = []
    for model_class, name in ((WittenBellModel, "witten_bell"), (KneserNeyModel, "kneser_ney")):
        model_class.train(documents[:2], order=ORDER, vocab_size=VOCAB_SIZE).log2_probs_of(documents[:2])  # compiles
        train_s, score_s = [], []
        for _ in range(ROUNDS):
            begin = time.process_time()
            model = model_class.train(documents, order=ORDER, vocab_size=VOCAB_SIZE)
            middle = time.process_time()
            model.log2_probs_of(documents)
            train_s.append(middle - begin)
            score_s.append(time.process_time() - middle)
        text = f"{num / 1e6:.1f} M tokens, BPE-{VOCAB_SIZE // 1000}k, order {ORDER}, best of {ROUNDS}"
        for what, seconds, bar in (("train", train_s, 1e6), ("score", score_s, 2e6)):
            rows.append(
                absolute_row(
                    f"ngram_{what}_{name}", num / min(seconds), unit="tokens/s (process CPU)", input=text, bar=bar,
                    better="higher", reason="bound by cache misses: one lookup per token and order, discounts included",
                )
            )  # fmt: skip
    return rows
