"""Unintended memorization of real text: what a model knows of its own sequences beyond what a model of other text knows.

Shape suffixes: N sequences, T characters of each.
"""

from __future__ import annotations

import sysconfig
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from custodiet.base.rng import numpy_rng
from custodiet.data.readers import iter_documents
from custodiet.entropy.ngram import WittenBellModel
from custodiet.errors import CorpusError
from custodiet.memorization.capacity.fit import FitConfig, fit_tokens
from custodiet.records.files import atomic_path

__all__ = ["TextSplit", "fit_text", "make_text_split", "stdlib_sources"]

SKIPPED_FOLDERS = frozenset(
    {"test", "tests", "site-packages", "idlelib", "lib2to3", "ensurepip", "turtledemo", "pydoc_data"}
)


def stdlib_sources() -> list[str]:
    """The Python sources of the standard library, without its tests; some five million characters everywhere."""
    library = Path(sysconfig.get_path("stdlib"))
    paths = [p for p in sorted(library.rglob("*.py")) if not SKIPPED_FOLDERS & set(p.relative_to(library).parts)]
    return [path.read_text(encoding="utf-8", errors="replace") for path in paths]


@dataclass(frozen=True, kw_only=True)
class TextSplit:
    """Distinct pieces of a text, assigned by a seeded shuffle."""

    pool_NT: NDArray[np.int64]
    """what models are trained on: the first N of these"""
    test_NT: NDArray[np.int64]
    pool_reference_bits_N: NDArray[np.float64]
    """code length of each piece under the reference, which saw neither pool nor test"""
    test_reference_bits_N: NDArray[np.float64]
    num_reference_pieces: int
    alphabet: str

    def save(self, path: Path) -> None:
        """Write an .npz, atomically."""
        with atomic_path(path) as part, Path(part).open("wb") as file:
            np.savez(
                file,
                pool_NT=self.pool_NT,
                test_NT=self.test_NT,
                pool_reference_bits_N=self.pool_reference_bits_N,
                test_reference_bits_N=self.test_reference_bits_N,
                num_reference_pieces=self.num_reference_pieces,
                alphabet=self.alphabet,
            )


def make_text_split(
    corpus: Sequence[str | Path] = (),
    *,
    alphabet_size: int,
    length: int,
    num_pool: int,
    num_test: int,
    order: int = 6,
    seed: int = 0,
) -> TextSplit:
    """Cut a text into pieces, assign them, and code them with a Witten-Bell n-gram of the others.

    Args:
        corpus: files or folders; none takes the standard library's sources.
        alphabet_size: symbols: the most frequent characters, and one for all others.
        length: characters of a piece.
        num_pool: pieces to train on at most.
        num_test: pieces to test on.
        order: order of the n-gram.
        seed: seed of the shuffle.

    Raises:
        CorpusError: fewer distinct pieces than pool, test and as many for the reference again.
    """
    texts = [one.text for one in iter_documents(tuple(map(str, corpus)))] if corpus else stdlib_sources()
    text = "\n".join(texts)
    alphabet = "".join(char for char, _ in Counter(text).most_common(alphabet_size - 1))
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    known = np.array([ord(char) for char in alphabet], dtype=np.uint32)
    by_point = np.argsort(known)
    place = np.minimum(np.searchsorted(known[by_point], points), len(known) - 1)
    ids = np.where(known[by_point][place] == points, by_point[place], alphabet_size - 1).astype(np.int64)
    pieces = np.unique(ids[: len(ids) // length * length].reshape(-1, length), axis=0)
    if len(pieces) < 2 * (num_pool + num_test):
        raise CorpusError(
            "the corpus is too small", expected=f"{2 * (num_pool + num_test):,} distinct pieces of {length} characters",
            got=f"{len(pieces):,}", hint="Give more text with --corpus.",
        )  # fmt: skip
    pieces = pieces[numpy_rng(seed, "capacity text").permutation(len(pieces))]
    pool, test, other = np.split(pieces, [num_pool, num_pool + num_test])
    reference = WittenBellModel.train(list(other), order=order, vocab_size=alphabet_size)
    return TextSplit(
        pool_NT=pool,
        test_NT=test,
        pool_reference_bits_N=np.array([-one.sum() for one in reference.log2_probs_of(list(pool))]),
        test_reference_bits_N=np.array([-one.sum() for one in reference.log2_probs_of(list(test))]),
        num_reference_pieces=len(other),
        alphabet=alphabet,
    )


def fit_text(
    config: FitConfig,
    path: Path,
    *,
    checkpoint: Path | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """Train on the first N pieces of a saved split and set the code lengths beside the reference's.

    Returns:
        The fields of `Fit`; `signed_bits`, the sum of reference less model over the pieces; `clamped_bits`, the same with every
        negative piece set to zero; `reference_bits`, the set's code length under the reference; `train_bits_per_token`;
        and `membership_f1` of a loss threshold that calls half of a balanced pool members.

    Reference:
        Morris et al. 2025, arXiv 2505.24832, section 4: unintended memorization. There the reference is a large model; here it
        is an n-gram of other text, which codes such text better than a small network does.
    """
    with np.load(path) as file:
        pool = torch.from_numpy(file["pool_NT"][: config.num_sequences]).unsqueeze(0)
        test = torch.from_numpy(file["test_NT"]).unsqueeze(0)
        reference = file["pool_reference_bits_N"][: config.num_sequences]
    fit, ensemble = fit_tokens(config, pool, test, checkpoint=checkpoint, on_progress=on_progress)
    model = ensemble.sequence_bits(pool)[0].numpy()
    gain = reference - model
    return {
        **asdict(fit),
        "signed_bits": float(gain.sum()),
        "clamped_bits": float(np.maximum(gain, 0).sum()),
        "reference_bits": float(reference.sum()),
        "train_bits_per_token": float(model.mean() / config.model.sequence_length),
        "membership_f1": _half_positive_f1(model, ensemble.sequence_bits(test)[0].numpy()),
    }


def _half_positive_f1(member_bits: NDArray[np.float64], other_bits: NDArray[np.float64]) -> float:
    """F1 of the loss threshold that calls half of a balanced pool members; with it precision, recall and F1 are one number."""
    num = min(len(member_bits), len(other_bits))
    members, others = member_bits[:num], other_bits[:num]
    threshold = np.median(np.concatenate([members, others]))
    return float(((members < threshold).mean() + (others >= threshold).mean()) / 2)
