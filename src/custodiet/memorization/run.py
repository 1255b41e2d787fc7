"""The audit of a model that somebody has: documents in, rows and a record out, resumable at every chunk of rows."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from custodiet.base.gates import parse_gate
from custodiet.base.protocols import TokenCodec
from custodiet.base.stats import estimate_proportion
from custodiet.data.embedded import load_embedded_text
from custodiet.data.overlap import GramSet
from custodiet.data.readers import CorpusFile, Document, iter_documents
from custodiet.entropy.ngram import WittenBellModel
from custodiet.memorization.blind import estimate_blind_auc
from custodiet.memorization.documents import AuditDocument, AuditSettings
from custodiet.memorization.score import ROW_SCHEMA, score_documents
from custodiet.memorization.summary import pick_examples, summarize_arm
from custodiet.records.audit import AuditRecord, CorpusSummary, ExampleRecord, InputFile
from custodiet.records.base import Environment, Measurement
from custodiet.records.files import atomic_path
from custodiet.records.gates import judge_gates
from custodiet.records.run_folder import RunFolder, utc_now

if TYPE_CHECKING:
    from custodiet.nn.loading import LoadedModel

__all__ = ["audit", "estimate_audit_cost"]

Progress = Callable[[str, float, float, str], None]
ENCODE_BATCH = 256
BLIND_DOCUMENTS = 2000
OVERLAP_CONTROLS = 2000
REFERENCE_TOKENS = 1_000_000
NOT_TESTED = [
    "Sampled, beam-search or adversarially prompted extraction: only greedy decoding from the true prefix.",
    "Prefixes that start inside a document or at other lengths than 50 tokens; documents are read from their beginning, and "
    "what does not fit the model's context is left out.",
    "Paraphrased or translated memory: only exact and near-exact text is looked for.",
    "Membership attacks with reference models (LiRA, RMIA) and white-box attacks.",
    "Whether members and controls were assigned at random: that is up to whoever chose them; the blind baseline above "
    "shows only coarse differences.",
    "Near-duplicates of the documents elsewhere in the training text.",
    "Chat templates, system prompts and tools: the model is given bare text.",
]


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Where documents come from; each pass reads them anew."""

    paths: tuple[str, ...]
    split: Literal["member", "control"]
    text_column: str
    repeats_column: str | None
    limit: int | None
    strict: bool

    def stream(self) -> Any:
        return iter_documents(
            self.paths,
            text_column=self.text_column,
            repeats_column=self.repeats_column if self.split == "member" else None,
            limit=self.limit,
            strict=self.strict,
        )


@dataclass(kw_only=True)
class _Survey:
    """What a first pass over the documents found."""

    files: list[InputFile]
    num_documents: int
    num_tokens: int
    num_too_short: int
    sample: list[NDArray[np.int64]]


def audit(
    model: str | Path | LoadedModel,
    *,
    documents: Sequence[str | Path],
    controls: Sequence[str | Path] = (),
    reference: Sequence[str | Path] = (),
    text_column: str = "text",
    repeats_column: str | None = None,
    limit: int | None = None,
    strict: bool = False,
    revision: str | None = None,
    trust_remote_code: bool = False,
    device: str = "auto",
    dtype: str = "auto",
    batch_tokens: int = 16384,
    generate: bool = True,
    redact: bool = True,
    fail_if: Sequence[str] = (),
    out: Path | str | RunFolder | None = None,
    resume: bool = False,
    seed: int = 0,
    command: str = "",
    on_progress: Progress | None = None,
) -> AuditRecord:
    """Measure what a model memorized of documents, beside controls that it never saw.

    Args:
        model: a loaded model, a directory or a hub id.
        documents: files or folders that the model was trained on.
        controls: files or folders of the same kind that it never saw; without them rates stand alone and membership
            cannot be measured.
        reference: text that the n-gram of the memorized bits is trained on; default: English that Python carries.
        text_column: column or key that holds the text.
        repeats_column: column or key that says how often training showed a document.
        limit: read at most so many documents, and as many controls.
        strict: refuse what would be skipped.
        revision: branch, tag or commit of a hub model.
        trust_remote_code: run the code that comes with the model.
        device: "auto", "cpu", "cuda" or "cuda:N".
        dtype: "auto", "float32", "bfloat16" or "float16".
        batch_tokens: tokens per forward pass.
        generate: also continue documents freely (up to 1,024 members and as many controls).
        redact: keep document text out of the rows and the record.
        fail_if: gates, such as ``"arms.model.control_extraction_50 > 0.01"``.
        out: run folder; None keeps nothing but the record returned.
        resume: continue the run in `out`.
        seed: seed of the bootstrap and of the blind baseline's folds.
        command: the command line, for the record.
        on_progress: called with (task, done, total, note).

    Returns:
        The record; its one arm is called "model".

    Raises:
        CorpusError, ModelLoadError, TokenizerError, UsageError, OutputError: each names what is wrong.
    """
    gates = [parse_gate(text) for text in fail_if]
    progress: Progress = on_progress or (lambda task, done, total, note: None)
    settings = AuditSettings(batch_tokens=batch_tokens, generate=generate, redact=redact)

    def source(paths: Sequence[str | Path], split: Literal["member", "control"]) -> _Source:
        return _Source(
            paths=tuple(map(str, paths)),
            split=split,
            text_column=text_column,
            repeats_column=repeats_column,
            limit=limit,
            strict=strict,
        )

    sources = [source(documents, "member"), *([source(controls, "control")] if controls else [])]
    with tempfile.TemporaryDirectory(prefix="custodiet-") as scratch:
        if out is None:
            folder = RunFolder.create(Path(scratch) / "run", "audit")
        else:
            folder = out if isinstance(out, RunFolder) else RunFolder.create(Path(out), "audit", resume=resume)
        try:
            started = time.monotonic()
            from custodiet.nn.loading import load_model

            loaded = (
                load_model(model, revision=revision, device=device, dtype=dtype, trust_remote_code=trust_remote_code)
                if isinstance(model, str | Path)
                else model
            )
            surveys = [_survey(one, loaded, settings, progress) for one in sources]
            files = [file for survey in surveys for file in survey.files]
            folder.begin(_config(loaded, sources, files, settings, seed, reference))
            ngram, note = _train_reference(loaded.codec, reference, text_column)
            overlap = _overlap(sources, surveys, loaded.codec, progress)
            rows = _score(folder, sources, surveys, loaded, settings, ngram, progress)
            record = _record(
                rows,
                loaded,
                surveys,
                files,
                folder=folder,
                sources=sources,
                settings=settings,
                overlap=overlap,
                note=note,
                seed=seed,
                command=command,
                elapsed_s=time.monotonic() - started,
            )
            record = judge_gates(record, gates)
            record.save(folder.record_json)
        except KeyboardInterrupt:
            folder.finish("interrupted")
            raise
        except BaseException:
            folder.finish("failed")
            raise
        rate = record.arms["model"].extraction_50_pooled
        headline = "" if rate.value is None else f"extraction {rate.value:.1%}"
        folder.finish("done", title=record.title, headline=headline)
        return record


def _config(
    loaded: LoadedModel,
    sources: Sequence[_Source],
    files: Sequence[InputFile],
    settings: AuditSettings,
    seed: int,
    reference: Sequence[str | Path],
) -> dict[str, Any]:
    return {
        "job": "model",
        "model": loaded.name,
        "model_sha256": loaded.sha256,
        "dtype": loaded.dtype,
        "inputs": [[one.path, one.sha256] for one in files],
        "text_column": sources[0].text_column,
        "repeats_column": sources[0].repeats_column,
        "limit": sources[0].limit,
        "reference": [str(one) for one in reference],
        "generate": settings.generate,
        "redact": settings.redact,
        "seed": seed,
    }


def _tokenized(stream: Iterable[Document], codec: TokenCodec) -> Iterator[tuple[Document, NDArray[np.int64]]]:
    waiting: list[Document] = []
    for document in stream:
        waiting.append(document)
        if len(waiting) == ENCODE_BATCH:
            yield from zip(waiting, codec.encode([one.text for one in waiting]), strict=True)
            waiting = []
    if waiting:
        yield from zip(waiting, codec.encode([one.text for one in waiting]), strict=True)


def _survey(source: _Source, loaded: LoadedModel, settings: AuditSettings, progress: Progress) -> _Survey:
    stream = source.stream()
    survey = _Survey(files=[], num_documents=0, num_tokens=0, num_too_short=0, sample=[])
    wanted = settings.prefix_tokens + settings.suffix_tokens
    head = 0 if loaded.codec.bos_id is None else 1
    for _, tokens in _tokenized(stream, loaded.codec):
        survey.num_documents += 1
        survey.num_tokens += min(len(tokens) + head, loaded.context_length)
        survey.num_too_short += len(tokens) < wanted or loaded.context_length < wanted + head
        if len(survey.sample) < BLIND_DOCUMENTS:
            survey.sample.append(tokens[: loaded.context_length])
        if survey.num_documents % 5000 == 0:
            progress(f"read {source.split}s", survey.num_documents, 0, "documents")
    survey.files = [_input_file(one, source.split) for one in stream.files]
    return survey


def _input_file(file: CorpusFile, split: str) -> InputFile:
    return InputFile(
        role="documents" if split == "member" else "controls",
        path=file.path,
        sha256=file.sha256,
        num_documents=file.num_documents,
        num_skipped=file.num_skipped,
        why_skipped=dict(file.why_skipped),
    )


def _train_reference(
    codec: TokenCodec, reference: Sequence[str | Path], text_column: str
) -> tuple[WittenBellModel, str]:
    if reference:
        texts: Iterable[str] = (one.text for one in iter_documents(reference, text_column=text_column))
        note = "memorized bits are measured against a Witten-Bell 5-gram trained on the text given as reference"
    else:
        embedded = load_embedded_text()
        texts = [*embedded.topics, *embedded.docstrings]
        note = "memorized bits are measured against a Witten-Bell 5-gram trained on English that Python carries"
    tokens: list[NDArray[np.int64]] = []
    num = 0
    for text in texts:
        tokens += codec.encode([text])
        num += len(tokens[-1])
        if num >= REFERENCE_TOKENS:
            break
    return WittenBellModel.train(tokens, order=5, vocab_size=codec.vocab_size), note


def _overlap(
    sources: Sequence[_Source], surveys: Sequence[_Survey], codec: TokenCodec, progress: Progress
) -> Measurement | None:
    if len(sources) < 2:
        return None
    controls = surveys[1].sample[:OVERLAP_CONTROLS]
    grams, shared = GramSet(controls), np.zeros(len(controls), dtype=bool)
    for done, (_, tokens) in enumerate(_tokenized(sources[0].stream(), codec), start=1):
        grams.mark_shared(tokens, shared)
        if done % 1000 == 0:
            progress("overlap of controls", done, surveys[0].num_documents, "documents")
    return Measurement.of(estimate_proportion(int(shared.sum()), len(shared)))


def _audit_documents(
    sources: Sequence[_Source], codec: TokenCodec, done: frozenset[tuple[str, str]]
) -> Iterator[AuditDocument]:
    for source in sources:
        for document, tokens in _tokenized(source.stream(), codec):
            if (source.split, document.id) not in done:
                yield AuditDocument(
                    id=document.id, text=document.text, tokens=tokens, split=source.split, repeats=document.repeats
                )


def _score(
    folder: RunFolder,
    sources: Sequence[_Source],
    surveys: Sequence[_Survey],
    loaded: LoadedModel,
    settings: AuditSettings,
    ngram: WittenBellModel,
    progress: Progress,
) -> pl.DataFrame:
    parts = folder.path / "rows"
    parts.mkdir(exist_ok=True)
    there = sorted(parts.glob("part-*.parquet"))
    done: set[tuple[str, str]] = set()
    for part in there:
        done |= set(pl.read_parquet(part, columns=["split", "document_id"]).iter_rows())
    total, before = sum(one.num_documents for one in surveys), len(done)
    started = time.monotonic()

    def tell(num: int, tokens: int) -> None:
        rate = tokens / max(1e-9, time.monotonic() - started)
        progress("audit model", before + num, total, f"{rate:,.0f} tokens/s")

    frames = score_documents(
        _audit_documents(sources, loaded.codec, frozenset(done)),
        arm="model",
        scorer=loaded.scorer,
        settings=settings,
        bos_id=loaded.codec.bos_id,
        generator=loaded.generator,
        decode=loaded.codec.decode,
        reference=ngram,
        on_progress=tell,
    )
    for number, frame in enumerate(frames, start=len(there)):
        with atomic_path(parts / f"part-{number:06d}.parquet") as temporary:
            frame.write_parquet(temporary)
    with atomic_path(folder.rows_parquet) as temporary:
        pl.scan_parquet(parts / "part-*.parquet").sink_parquet(temporary)
    heavy = {"text", "generated_text", "text_sha256"}
    return pl.scan_parquet(folder.rows_parquet).select([name for name in ROW_SCHEMA if name not in heavy]).collect()


def _record(
    rows: pl.DataFrame,
    loaded: LoadedModel,
    surveys: Sequence[_Survey],
    files: list[InputFile],
    *,
    folder: RunFolder,
    sources: Sequence[_Source],
    settings: AuditSettings,
    overlap: Measurement | None,
    note: str,
    seed: int,
    command: str,
    elapsed_s: float,
) -> AuditRecord:
    member, control = surveys[0], surveys[1] if len(surveys) > 1 else None
    blind = estimate_blind_auc(member.sample, control.sample, seed=seed) if control else None
    arm = summarize_arm(
        rows,
        description=loaded.description,
        num_params=loaded.num_params,
        blind=blind,
        scoring_elapsed_s=elapsed_s,
        seed=seed,
    )
    not_tested = list(NOT_TESTED)
    if control is None:
        not_tested.insert(
            0, "Controls: none were given, so no rate has a floor beside it and membership is not measured."
        )
    not_tested.insert(0, "Planted canaries: this model's training text is not ours to plant them in.")
    return AuditRecord(
        title=f"What {loaded.name} memorized",
        created_utc=utc_now(),
        seed=seed,
        elapsed_s=round(elapsed_s, 3),
        environment=_environment(loaded),
        inputs=[InputFile(role="model", path=loaded.name, sha256=loaded.sha256), *files],
        corpus=CorpusSummary(
            num_members=member.num_documents,
            num_controls=control.num_documents if control else 0,
            num_member_tokens=member.num_tokens,
            num_control_tokens=control.num_tokens if control else 0,
            num_documents_too_short=sum(one.num_too_short for one in surveys),
            control_overlap_13gram=overlap,
            notes=[note],
        ),
        arms={"model": arm},
        examples=_examples(rows, folder, loaded.codec, settings),
        redacted=settings.redact,
        command=command,
        not_tested=not_tested,
    )


def _examples(rows: pl.DataFrame, folder: RunFolder, codec: TokenCodec, settings: AuditSettings) -> list[ExampleRecord]:
    if settings.redact:
        return pick_examples(rows, "model", suffix_tokens=settings.suffix_tokens, truth=None)
    texts = pl.scan_parquet(folder.rows_parquet).filter(pl.col("generated_text").is_not_null())
    texts = texts.select("document_id", "split", "text", "generated_text")
    joined = rows.join(texts.filter(pl.col("split") == "member").drop("split").collect(), on="document_id", how="left")

    def truth(name: str) -> tuple[str, str]:
        text = joined.filter((pl.col("document_id") == name) & (pl.col("split") == "member"))["text"][0]
        (tokens,) = codec.encode([text])
        end = settings.prefix_tokens + settings.suffix_tokens
        return codec.decode(tokens[: settings.prefix_tokens]), codec.decode(tokens[settings.prefix_tokens : end])

    return pick_examples(joined, "model", suffix_tokens=settings.suffix_tokens, truth=truth)


def _environment(loaded: LoadedModel) -> Environment:
    import torch

    return Environment.here(
        torch=torch.__version__,
        device=loaded.device,
        dtype=loaded.dtype,
        num_threads=torch.get_num_threads(),
        instruction_set=torch.backends.cpu.get_cpu_capability(),
    )


def estimate_audit_cost(
    model: str | Path,
    *,
    documents: Sequence[str | Path],
    controls: Sequence[str | Path] = (),
    text_column: str = "text",
    repeats_column: str | None = None,
    limit: int | None = None,
    strict: bool = False,
    revision: str | None = None,
    trust_remote_code: bool = False,
    device: str = "auto",
    dtype: str = "auto",
    batch_tokens: int = 16384,
) -> dict[str, Any]:
    """What an audit would cost: reads every document, scores one small batch, and extrapolates.

    Returns:
        JSON object with tokens, memory and seconds.
    """
    from custodiet.nn.loading import load_model

    loaded = load_model(model, revision=revision, device=device, dtype=dtype, trust_remote_code=trust_remote_code)
    settings = AuditSettings(batch_tokens=batch_tokens)
    surveys: list[_Survey] = []
    for paths, split in ((documents, "member"), (controls, "control")):
        if not paths:
            continue
        one = _Source(
            paths=tuple(map(str, paths)),
            split="member" if split == "member" else "control",
            text_column=text_column,
            repeats_column=repeats_column,
            limit=limit,
            strict=strict,
        )
        surveys.append(_survey(one, loaded, settings, lambda task, done, total, note: None))
    length = min(loaded.context_length, 128)
    tokens_BT = np.ones((max(1, min(batch_tokens, 2048) // length), length), dtype=np.int64)
    loaded.scorer.score_targets(tokens_BT)
    started = time.perf_counter()
    loaded.scorer.score_targets(tokens_BT)
    rate = tokens_BT.size / (time.perf_counter() - started)
    total = sum(one.num_tokens for one in surveys)
    generated = sum(min(settings.max_generated_documents, one.num_documents - one.num_too_short) for one in surveys)
    return {
        "schema": "custodiet.dry-run/1",
        "num_params": loaded.num_params,
        "num_documents": surveys[0].num_documents,
        "num_controls": surveys[1].num_documents if len(surveys) > 1 else 0,
        "num_documents_too_short": sum(one.num_too_short for one in surveys),
        "num_tokens": total,
        "tokens_per_s": round(rate),
        "estimated_s": round(total / rate + generated * 100 / rate + 10),
        "estimated_memory_bytes": 4 * loaded.num_params + 400_000_000 + 4 * 256 * loaded.scorer.vocab_size,
    }
