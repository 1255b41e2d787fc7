"""`custodiet verify-mask`: what a goldfish mask really does on a corpus, or on the dump of a loader."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from custodiet.base.rng import numpy_rng
from custodiet.base.stats import bootstrap, estimate_proportion
from custodiet.data.goldfish_mask import effective_drop_rate, goldfish_mask_numpy, key_collapse_share
from custodiet.data.packing import pack_documents
from custodiet.data.readers import iter_documents
from custodiet.data.tokenizer import load_tokenizer, train_bpe
from custodiet.errors import CorpusError, UsageError
from custodiet.nn.goldfish import goldfish_mask
from custodiet.records.base import Measurement

__all__ = ["verify_mask_on"]

Tokens = NDArray[np.int64]
PACK_TOKENS = 1024
NEAR_DOCUMENTS = 500


def verify_mask_on(
    paths: Sequence[Path | str],
    *,
    k: int = 4,
    h: int = 13,
    seed: int,
    strategy: Literal["hash", "static", "random"] = "hash",
    compat: Literal["hans2024"] | None = None,
    tokenizer: Path | str | None = None,
    text_column: str = "text",
    limit: int | None = None,
    strict: bool = False,
) -> dict[str, Any]:
    """Measure a mask.

    Args:
        paths: documents, or one ``.npz`` dump of a loader with `tokens`, `keep` and optionally `segments`.
        k: one eligible target in k is dropped.
        h: number of hashed tokens.
        seed: key of the hash.
        strategy: "hash", "static" or "random".
        compat: "hans2024" for the masks of the reference code.
        tokenizer: folder with tokenizer.json; None trains a byte-level BPE on the documents.
        text_column: column or key that holds the text.
        limit: read at most so many documents.
        strict: refuse what would be skipped.

    Returns:
        JSON object; rates are measurements over eligible targets (a document's first target is not eligible), bootstrapped
        over documents.
    """
    if not paths:
        raise UsageError("verify-mask needs documents or a dump", expected="files, folders or one .npz")
    settings: Any = {"k": k, "h": h, "seed": seed, "strategy": strategy, "compat": compat}
    with warnings.catch_warnings():
        if compat is not None:  # the warning about wide windows says what is measured here
            warnings.simplefilter("ignore", UserWarning)
        if len(paths) == 1 and str(paths[0]).endswith(".npz"):
            return _verify_dump(Path(paths[0]), settings)
        return _verify_documents(paths, settings, tokenizer, text_column, limit, strict)


def _verify_documents(
    paths: Sequence[Path | str],
    settings: Any,
    tokenizer: Path | str | None,
    text_column: str,
    limit: int | None,
    strict: bool,
) -> dict[str, Any]:
    texts = [one.text for one in iter_documents(paths, text_column=text_column, limit=limit, strict=strict)]
    codec = train_bpe(texts, vocab_size=4096) if tokenizer is None else load_tokenizer(Path(tokenizer))
    documents = [one for one in codec.encode(texts) if len(one)]
    if not documents:
        raise CorpusError("the documents hold no token")
    keeps = [goldfish_mask_numpy(one, **settings) for one in documents]
    return {
        "schema": "custodiet.verify-mask/1",
        **settings,
        "num_documents": len(documents),
        "num_tokens": sum(map(len, documents)),
        "nominal_drop_rate": 1 / settings["k"],
        "effective_drop_rate": _drop_rate(keeps),
        "key_collapse_share": _collapse(documents, settings),
        "pack_invariance": _pack_invariance(documents, keeps, settings),
        "torch_equals_numpy": _torch_equals_numpy(documents, keeps, settings),
        "agreement_on_near_duplicates": _near_duplicates(documents, settings, codec.vocab_size),
    }


def _dump(measurement: Measurement) -> dict[str, Any]:
    return measurement.model_dump(mode="json")


def _drop_rate(keeps: Sequence[NDArray[np.bool_]]) -> dict[str, Any]:
    counts = np.array([effective_drop_rate(one) for one in keeps], dtype=np.float64)
    if counts[:, 1].sum() == 0:
        return _dump(Measurement.missing("no target is eligible"))
    if len(counts) < 2:
        return _dump(Measurement.of(estimate_proportion(int(counts[0, 0]), int(counts[0, 1]))))
    estimate = bootstrap(counts, lambda sample: sample[:, 0].sum() / max(1.0, sample[:, 1].sum()), seed=0)
    return _dump(Measurement.of(estimate))


def _collapse(documents: Sequence[Tokens], settings: dict[str, Any]) -> dict[str, Any]:
    if settings["strategy"] != "hash" and settings["compat"] is None:
        return _dump(Measurement.missing(f"strategy {settings['strategy']} hashes no window"))
    joined = np.concatenate(documents)
    segments = np.repeat(np.arange(len(documents)), [len(one) for one in documents])
    share = key_collapse_share(
        joined, h=settings["h"], seed=settings["seed"], segments=segments, compat=settings["compat"]
    )
    return _dump(Measurement(value=share, num=len(joined), why="counted over every window, no sampling"))


def _pack_invariance(
    documents: Sequence[Tokens], keeps: Sequence[NDArray[np.bool_]], settings: dict[str, Any]
) -> dict[str, Any]:
    """Share of targets with the same verdict alone and inside a pack."""
    whole = [index for index, one in enumerate(documents) if len(one) <= PACK_TOKENS]
    if not whole:
        return _dump(Measurement.missing(f"no document fits a pack of {PACK_TOKENS} tokens"))
    rows = pack_documents([documents[index] for index in whole], row_tokens=PACK_TOKENS, bos_id=None)
    packed = goldfish_mask_numpy(rows.tokens_NT, **settings, segments=rows.segment_NT)
    same = num = 0
    for place, index in enumerate(whole):
        inside = packed[rows.document_NT == place]
        same += int((inside == keeps[index]).sum())
        num += len(inside)
    return _dump(Measurement.of(estimate_proportion(same, num)))


def _torch_equals_numpy(
    documents: Sequence[Tokens], keeps: Sequence[NDArray[np.bool_]], settings: dict[str, Any]
) -> dict[str, bool]:
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    return {
        device: all(
            np.array_equal(goldfish_mask(torch.from_numpy(one).to(device), **settings).cpu().numpy(), keep)
            for one, keep in zip(documents, keeps, strict=True)
        )
        for device in devices
    }


def _near_duplicates(documents: Sequence[Tokens], settings: dict[str, Any], vocab_size: int) -> dict[str, Any]:
    """Agreement on dropped targets between a document and itself with one token replaced in the middle."""
    if settings["strategy"] == "random":
        return _dump(Measurement.missing("strategy random does not depend on the text"))
    rng = numpy_rng(0, "near-duplicates")
    pairs: list[tuple[int, int]] = []
    for tokens in documents[:NEAR_DOCUMENTS]:
        if len(tokens) < 2 * settings["h"]:
            continue
        changed = tokens.copy()
        changed[len(tokens) // 2] = rng.integers(0, vocab_size)
        dropped, other = (~goldfish_mask_numpy(one, **settings) for one in (tokens, changed))
        pairs.append((int((dropped & other).sum()), int((dropped | other).sum())))
    counts = np.array(pairs, dtype=np.float64)
    if not pairs or counts[:, 1].sum() == 0:
        return _dump(Measurement.missing("no document is long enough"))
    return _dump(Measurement.of(bootstrap(counts, lambda one: one[:, 0].sum() / max(1.0, one[:, 1].sum()), seed=0)))


def _verify_dump(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path} cannot be read ({error})", expected="an .npz without pickled objects") from None
    if not {"tokens", "keep"} <= found.keys():
        raise CorpusError(f"{path} lacks arrays", expected="tokens and keep, optionally segments", got=", ".join(found))
    tokens, keep = found["tokens"], found["keep"].astype(bool)
    if tokens.shape != keep.shape:
        raise CorpusError(f"{path}: tokens and keep differ in shape", expected=tokens.shape, got=keep.shape)
    segments = found.get("segments")
    expected = goldfish_mask_numpy(tokens, **settings, segments=segments)
    dropped, eligible = effective_drop_rate(keep, segments)
    return {
        "schema": "custodiet.verify-mask/1",
        **settings,
        "num_tokens": int(tokens.size),
        "nominal_drop_rate": 1 / settings["k"],
        "effective_drop_rate": _dump(
            Measurement.of(estimate_proportion(dropped, eligible))
            if eligible
            else Measurement.missing("no eligible target")
        ),
        "agreement_with_settings": _dump(Measurement.of(estimate_proportion(int((keep == expected).sum()), keep.size))),
    }
