"""The embedded default corpus: English that every Python carries, and its split by a logged coin.

Members, controls and validation are passages of `pydoc_data.topics`; the background is the rest of it and the
docstrings of the standard library. A passage may be drawn only if it shares no 13-gram of tokens with any other passage
of the corpus; that is decided before the coin is thrown.
"""

from __future__ import annotations

import ast
import json
import re
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from custodiet.base.rng import numpy_rng
from custodiet.data.canaries import Canary, plant_canaries
from custodiet.data.overlap import ngram_overlap, unique_ngram_filter
from custodiet.data.tokenizer import Tokenizer, load_tokenizer, train_bpe
from custodiet.errors import CorpusError, TooFewSamplesError
from custodiet.records.files import atomic_path, sha256_text, write_text_atomic

__all__ = [
    "REPEATS",
    "DefaultSplit",
    "EmbeddedText",
    "SplitDocument",
    "build_default_split",
    "load_embedded_text",
]

REPEATS = (1, 2, 4, 8, 16, 32, 64, 128)
MIN_TOKENS = 100
SKIPPED_PARTS = {"test", "tests", "idlelib", "site-packages", "dist-packages", "lib2to3", "ensurepip", "pydoc_data"}
MIN_DOCSTRING_CHARS = 80
Split = Literal["member", "control", "validation", "background"]


@dataclass(frozen=True, kw_only=True)
class EmbeddedText:
    """The text before it is tokenized."""

    topics: list[str]
    """one text per topic of pydoc, repeated paragraphs dropped"""
    docstrings: list[str]
    """one text per module of the standard library, repeated docstrings dropped"""
    sha256: str


@dataclass(frozen=True, kw_only=True)
class SplitDocument:
    """One passage and what the coin made of it."""

    id: str
    text: str
    tokens: NDArray[np.int64]
    split: Split
    repeats: int | None


@dataclass(frozen=True, kw_only=True)
class DefaultSplit:
    """The default corpus, ready to be trained on and audited."""

    documents: list[SplitDocument]
    canaries: list[Canary]
    tokenizer: Tokenizer
    control_overlap: NDArray[np.bool_]
    """per control: whether it shares a 13-gram with any trained passage, as measured after the coin"""
    validation_overlap: NDArray[np.bool_]
    notes: list[str]
    sha256: str

    def save(self, folder: Path) -> None:
        """Write the split into a folder."""
        frame = pl.DataFrame(
            {
                "id": [doc.id for doc in self.documents],
                "text": [doc.text for doc in self.documents],
                "tokens": [doc.tokens.tolist() for doc in self.documents],
                "split": [doc.split for doc in self.documents],
                "repeats": [doc.repeats for doc in self.documents],
            },
            schema_overrides={"tokens": pl.List(pl.Int64), "repeats": pl.Int64},
        )
        with atomic_path(folder / "split.parquet") as temporary:
            frame.write_parquet(temporary)
        self.tokenizer.save(folder / "tokenizer")
        coin = {
            "sha256": self.sha256,
            "notes": self.notes,
            "control_overlap": self.control_overlap.tolist(),
            "validation_overlap": self.validation_overlap.tolist(),
            "canaries": [asdict(canary) for canary in self.canaries],
        }
        write_text_atomic(folder / "coin.json", json.dumps(coin, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> DefaultSplit:
        """Read what `save` wrote."""
        coin = json.loads((folder / "coin.json").read_text(encoding="utf-8"))
        documents = [
            SplitDocument(**{**row, "tokens": np.array(row["tokens"], dtype=np.int64)})
            for row in pl.read_parquet(folder / "split.parquet").iter_rows(named=True)
        ]
        canaries = [Canary(**{**one, "candidates": tuple(one["candidates"])}) for one in coin["canaries"]]
        return cls(
            documents=documents,
            canaries=canaries,
            tokenizer=load_tokenizer(folder / "tokenizer"),
            control_overlap=np.array(coin["control_overlap"], dtype=bool),
            validation_overlap=np.array(coin["validation_overlap"], dtype=bool),
            notes=coin["notes"],
            sha256=coin["sha256"],
        )


def load_embedded_text() -> EmbeddedText:
    """Collect the text out of the running Python.

    Raises:
        CorpusError: this Python was built without `pydoc_data` or without the sources of its standard library.
    """
    try:
        from pydoc_data.topics import topics as raw
    except ImportError:
        raise CorpusError("this Python has no pydoc_data.topics", hint="Install a complete Python.") from None
    seen: set[str] = set()
    topics = [text for name in sorted(raw) if (text := "\n\n".join(_new_paragraphs(raw[name], seen)))]
    docstrings = [text for path in _library_sources() if (text := "\n\n".join(_new_docstrings(path, seen)))]
    if not docstrings:
        raise CorpusError("this Python has no standard-library sources", hint="Install a complete Python.")
    return EmbeddedText(topics=topics, docstrings=docstrings, sha256=sha256_text("\0".join(topics + docstrings)))


def _new_paragraphs(text: str, seen: set[str]) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", text):
        paragraph = _clean(block)
        letters = sum(char.isalpha() or char.isspace() for char in paragraph)
        if len(paragraph) < 40 or letters < 0.75 * len(paragraph) or paragraph in seen:
            continue
        seen.add(paragraph)
        yield paragraph


def _clean(block: str) -> str:
    lines = [line.strip() for line in block.splitlines()]
    lines = [line for line in lines if line and not re.fullmatch(r"[=\-*~^+|.\s]+", line)]
    text = " ".join(lines)
    text = re.sub(r"\.\. [\w-]+::\s*|:\w+:(?=`)", "", text)
    text = re.sub(r"``?|\*\*", "", text)
    text = re.sub(r"(?<!\w)[*_](\w[^*_]*?)[*_](?!\w)", r"\1", text)
    return re.sub(r"\s+", " ", text).strip()


def _library_sources() -> list[Path]:
    root = Path(sysconfig.get_paths()["stdlib"])
    return [path for path in sorted(root.rglob("*.py")) if not SKIPPED_PARTS & set(path.relative_to(root).parts[:-1])]


def _new_docstrings(path: Path, seen: set[str]) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, OSError, ValueError):
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        text = ast.get_docstring(node) or ""
        if len(text) < MIN_DOCSTRING_CHARS or text in seen:
            continue
        seen.add(text)
        yield text


def build_default_split(
    *,
    seed: int,
    vocab_size: int = 1024,
    max_tokens: int = 127,
    passages_per_bucket: int = 24,
    num_controls: int = 120,
    num_validation: int = 96,
    num_canaries: int = 24,
    max_background: int | None = None,
) -> DefaultSplit:
    """Tokenize the embedded text, cut it into disjoint passages and throw the coin.

    Args:
        seed: seed of the coin and of the canaries.
        vocab_size: size of the byte-level BPE, trained on all of the text before the coin.
        max_tokens: longest passage in tokens.
        passages_per_bucket: members per repeat bucket (1, 2, 4, ... 128); fewer, but at least 12, where the text does
            not allow them.
        num_controls: passages that are never trained on.
        num_validation: passages for the validation loss.
        num_canaries: canaries, inserted and left out together.
        max_background: keep only so many background passages; None keeps all.

    Raises:
        TooFewSamplesError: the text does not hold enough unique passages.
    """
    text = load_embedded_text()
    tokenizer = train_bpe([*text.topics, *text.docstrings], vocab_size=vocab_size)
    topic_pieces = _cut(tokenizer.encode(text.topics), max_tokens)
    other_pieces = _cut(tokenizer.encode(text.docstrings), max_tokens)
    pieces = topic_pieces + other_pieces
    eligible = unique_ngram_filter(pieces)
    eligible &= np.array([MIN_TOKENS <= len(piece) <= max_tokens for piece in pieces])
    eligible[len(topic_pieces) :] = False
    candidates = np.flatnonzero(eligible)
    per_bucket = min(passages_per_bucket, (len(candidates) - num_controls - num_validation) // len(REPEATS))
    if per_bucket < min(12, passages_per_bucket):
        raise TooFewSamplesError(
            "the embedded text has too few unique passages",
            expected=12 * len(REPEATS) + num_controls + num_validation,
            got=len(candidates),
        )
    drawn = numpy_rng(seed, "coin").permutation(candidates)
    assigned: dict[int, tuple[Split, int | None]] = {}
    ends = np.cumsum([per_bucket * len(REPEATS), num_controls, num_validation])
    for place, index in enumerate(drawn[: ends[0]]):
        assigned[int(index)] = ("member", REPEATS[place // per_bucket])
    assigned |= {int(index): ("control", None) for index in drawn[ends[0] : ends[1]]}
    assigned |= {int(index): ("validation", None) for index in drawn[ends[1] : ends[2]]}
    documents: list[SplitDocument] = []
    num_background = 0
    for index, piece in enumerate(pieces):
        split, repeats = assigned.get(index, ("background", None))
        if split == "background":
            num_background += 1
            if max_background is not None and num_background > max_background:
                continue
        name = f"topic-{index:05d}" if index < len(topic_pieces) else f"docstring-{index - len(topic_pieces):05d}"
        documents.append(
            SplitDocument(id=name, text=tokenizer.decode(piece), tokens=piece, split=split, repeats=repeats)
        )
    trained = [doc.tokens for doc in documents if doc.split in ("member", "background")]
    controls = [doc.tokens for doc in documents if doc.split == "control"]
    validation = [doc.tokens for doc in documents if doc.split == "validation"]
    notes = [
        f"{len(text.topics)} topics and the docstrings of {len(text.docstrings)} modules, "
        f"{sum(map(len, text.topics)):,} and {sum(map(len, text.docstrings)):,} characters",
        f"{len(candidates)} of {len(topic_pieces)} topic passages share no 13-gram with any other passage; the coin drew "
        f"from these only ({per_bucket} per repeat bucket)",
    ]
    return DefaultSplit(
        documents=documents,
        canaries=plant_canaries(seed=seed, num=num_canaries),
        tokenizer=tokenizer,
        control_overlap=ngram_overlap(controls, trained),
        validation_overlap=ngram_overlap(validation, trained),
        notes=notes,
        sha256=text.sha256,
    )


def _cut(texts: list[NDArray[np.int64]], max_tokens: int) -> list[NDArray[np.int64]]:
    return [tokens[start : start + max_tokens] for tokens in texts for start in range(0, len(tokens), max_tokens)]
