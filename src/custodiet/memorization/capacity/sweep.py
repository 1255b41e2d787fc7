"""`custodiet.capacity`: many fits, one process per core, and the capacity that they show."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from custodiet.base.stats import Estimate, estimate_mean
from custodiet.base.workers import num_usable_cores, run_workers
from custodiet.memorization.capacity.cells import cell_fit, cell_name, describe_shape
from custodiet.memorization.capacity.fit import FitConfig
from custodiet.memorization.capacity.published import (
    PUBLISHED_BITS_PER_PARAM,
    PUBLISHED_SOURCE,
    published_bits_per_param,
)
from custodiet.memorization.capacity.text import make_text_split
from custodiet.memorization.forecast import LAW_SAMPLE_TOKENS, membership_f1_law
from custodiet.nn.ensemble import EnsembleConfig
from custodiet.records.base import Environment, Measurement
from custodiet.records.capacity import (
    CapacityPoint,
    CapacityRecord,
    LadderStep,
    TextCapacity,
    TextPoint,
)
from custodiet.records.files import write_text_atomic
from custodiet.records.run_folder import RunFolder, utc_now

__all__ = ["CapacityConfig", "TextConfig", "capacity", "cell_config", "default_config"]

Progress = Callable[[str, float, float, str], None]


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """The part on real text: characters in short pieces, one model per size."""

    model: EnsembleConfig = EnsembleConfig(vocab_size=64, sequence_length=32, width=16)
    corpus: tuple[str, ...] = ()
    """files or folders; none takes the standard library's sources"""
    sizes: tuple[int, ...] = (25, 50, 75, 100, 150, 200, 400, 800, 1600)
    num_test: int = 1000
    num_steps: int = 400
    batch_size: int = 100
    learning_rate: float = 0.06
    ngram_order: int = 6

    def fits(self, seed: int) -> dict[str, FitConfig]:
        """Name -> fit, the longest first."""
        return {
            f"text-n{size}": FitConfig(
                model=self.model,
                num_sequences=size,
                num_steps=self.num_steps,
                batch_size=min(self.batch_size, size),
                learning_rate=self.learning_rate,
                token_table_rate=1.0,
                position_rate=0.5,
                bfloat16_head=False,
                seed=seed,
            )
            for size in sorted(self.sizes, reverse=True)
        }


@dataclass(frozen=True, kw_only=True)
class CapacityConfig:
    """What a capacity run is asked to do: one shape, a list of sizes, and how long."""

    model: EnsembleConfig
    sizes: tuple[int, ...]
    """numbers of sequences, one model each"""
    plateau_size: int
    """the size that carries the seeds and the ladder"""
    num_steps: int
    num_seeds: int = 3
    ladder: tuple[float, ...] = (0.5, 2.0)
    """further runs at the plateau size, their steps over `num_steps`"""
    batch_size: int | None = None
    learning_rate: float = 0.1
    token_table_rate: float = 1.5
    position_rate: float = 0.5
    bfloat16_head: bool = False
    text: TextConfig | None = None
    seed: int = 0
    cell: str | None = None

    def fits(self) -> dict[str, FitConfig]:
        """Name -> fit, the longest first, so that no core idles at the end."""
        found: dict[str, FitConfig] = {}
        base = FitConfig(
            model=self.model,
            num_sequences=self.plateau_size,
            num_steps=self.num_steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            token_table_rate=self.token_table_rate,
            position_rate=self.position_rate,
            bfloat16_head=self.bfloat16_head,
            seed=self.seed,
        )
        wanted = [replace(base, num_steps=max(1, round(share * self.num_steps))) for share in self.ladder]
        wanted += [
            replace(base, num_sequences=size, batch_size=_fit_batch(self.batch_size, size)) for size in self.sizes
        ]
        wanted += [replace(base, seed=self.seed + place) for place in range(self.num_seeds)]
        wanted.sort(key=lambda one: -one.num_steps * (one.batch_size or one.num_sequences))
        for one in wanted:
            found[f"n{one.num_sequences}-t{one.num_steps}-s{one.seed}"] = one
        return found


def _fit_batch(batch_size: int | None, num_sequences: int) -> int | None:
    return None if batch_size is None else min(batch_size, num_sequences)


def default_config(*, seed: int = 0) -> CapacityConfig:
    """Eight thousand parameters and sets from a fifth of their capacity to four times it: two minutes on two cores."""
    return CapacityConfig(
        model=EnsembleConfig(vocab_size=256, sequence_length=16, width=16, num_heads=8),
        sizes=(30, 60, 90, 120, 150, 180, 210, 300, 450, 600),
        plateau_size=300,
        num_steps=600,
        text=TextConfig(),
        seed=seed,
    )


def cell_config(cell: str, *, seed: int = 0, num_steps: int | None = None) -> CapacityConfig:
    """A cell of the published table as "LxD": layers and width, three seeds (`cells.cell_fit`).

    Raises:
        UsageError: the cell cannot be read.
    """
    fit = cell_fit(cell, seed=seed)
    return CapacityConfig(
        model=fit.model,
        sizes=(),
        plateau_size=fit.num_sequences,
        num_steps=num_steps or fit.num_steps,
        ladder=(),
        batch_size=fit.batch_size,
        learning_rate=fit.learning_rate,
        token_table_rate=fit.token_table_rate,
        position_rate=fit.position_rate,
        bfloat16_head=fit.bfloat16_head,
        seed=seed,
        cell=cell_name(fit.model),
    )


def capacity(
    config: CapacityConfig | None = None,
    *,
    out: Path | str | RunFolder | None = None,
    resume: bool = False,
    workers: int | None = None,
    command: str = "",
    on_progress: Progress | None = None,
) -> CapacityRecord:
    """Train models of one shape on growing sets of random tokens and say how much they hold.

    Args:
        config: what to train; None is `default_config`.
        out: run folder.
        resume: continue the run in `out`: finished fits are kept, the others go on from their checkpoints.
        workers: processes at once, one thread each; None takes one per core.
        command: the command line, for the record.
        on_progress: called with (task, done, total, note).

    Raises:
        CustodietError: a fit failed.

    Reference:
        Morris et al. 2025, arXiv 2505.24832, section 3.
    """
    config = config or default_config()
    folder = (
        out
        if isinstance(out, RunFolder)
        else RunFolder.create(None if out is None else Path(out), "capacity", resume=resume)
    )
    folder.begin({"job": "capacity", **asdict(config)})
    begun = time.monotonic()
    work = folder.path / "work"
    work.mkdir(parents=True, exist_ok=True)
    say = on_progress or (lambda *_: None)
    fits, text_fits = config.fits(), {} if config.text is None else config.text.fits(config.seed)
    split = None if config.text is None else _split(config.text, config.seed, work / "text.npz", say)
    _run(fits | text_fits, work, text_fits=set(text_fits), workers=workers, on_progress=say)
    points = [_point(fit, work / f"{name}.done.json") for name, fit in fits.items()]
    text = None
    if config.text is not None and split is not None:
        text = _text_part(
            config.text, split, {fit.num_sequences: work / f"{name}.done.json" for name, fit in text_fits.items()}
        )
    record = _record(config, points, text, elapsed_s=time.monotonic() - begun, command=command)
    record.save(folder.record_json)
    found = record.capacity_bits_per_param
    folder.finish("done", title=record.title, headline=f"{found.value:.2f} bits per parameter")
    return record


def _split(config: TextConfig, seed: int, path: Path, say: Progress) -> dict[str, float]:
    """Write the split once; what the record says of it."""
    told = path.with_suffix(".json")
    if not told.exists():
        say("text", 0, 1, "pieces and their reference")
        split = make_text_split(
            config.corpus,
            alphabet_size=config.model.vocab_size,
            length=config.model.sequence_length,
            num_pool=max(config.sizes),
            num_test=config.num_test,
            order=config.ngram_order,
            seed=seed,
        )
        split.save(path)
        per_token = float(split.test_reference_bits_N.mean()) / config.model.sequence_length
        found = {"num_reference_pieces": split.num_reference_pieces, "reference_bits_per_token": per_token}
        write_text_atomic(told, json.dumps(found) + "\n")
        say("text", 1, 1, "pieces and their reference")
    return json.loads(told.read_text(encoding="utf-8"))


def _run(
    fits: dict[str, FitConfig], work: Path, *, text_fits: set[str], workers: int | None, on_progress: Progress
) -> None:
    jobs: dict[str, list[str]] = {}
    costs = {name: fit.num_steps * (fit.batch_size or fit.num_sequences) for name, fit in fits.items()}
    done = dict.fromkeys(fits, 0.0)
    for name, fit in fits.items():
        if (work / f"{name}.done.json").exists():
            done[name] = costs[name]
            continue
        write_text_atomic(work / f"{name}.json", json.dumps(asdict(fit)) + "\n")
        jobs[name] = ["custodiet.memorization.capacity.worker", str(work / f"{name}.json")]
        if name in text_fits:
            jobs[name].append(str(work / "text.npz"))
    if not jobs:
        return

    def listen(name: str, message: dict[str, Any]) -> None:
        done[name] = costs[name] * message["done"] / message["total"]
        on_progress("fit", sum(done.values()), sum(costs.values()), f"{name}: {message['note']}")

    run_workers(jobs, on_message=listen, workers=workers or num_usable_cores(), noun="fit")


def _point(fit: FitConfig, path: Path) -> CapacityPoint:
    found = json.loads(path.read_text(encoding="utf-8"))
    num_params = found["num_params"]
    return CapacityPoint(
        num_sequences=fit.num_sequences,
        num_steps=fit.num_steps,
        seed=fit.seed,
        dataset_bits=fit.dataset_bits,
        ceiling_bits=fit.ceiling_bits,
        memorized_bits=found["memorized_bits"][0],
        bits_per_param=found["bits_per_param"][0],
        test_bits_per_token=found["test_bits_per_token"][0],
        rounded_bits_per_param={name: bits[0] / num_params for name, bits in found["rounded_memorized_bits"].items()},
        coded_bits=found["coded_bits"],
        num_restarts=found["num_restarts"][0],
        train_cpu_s=found["train_cpu_s"],
    )


def _text_part(config: TextConfig, split: dict[str, float], paths: dict[int, Path]) -> TextCapacity:
    """The points of the text part; its peaks wait for the capacity (`_record`)."""
    points: list[TextPoint] = []
    for size in sorted(paths):
        found = json.loads(paths[size].read_text(encoding="utf-8"))
        samples = size * config.model.sequence_length / LAW_SAMPLE_TOKENS
        points.append(
            TextPoint(
                num_sequences=size,
                num_steps=config.num_steps,
                membership_f1_law=membership_f1_law(num_samples=samples, num_params=found["num_params"]),
                test_bits_per_token=found["test_bits_per_token"][0],
                num_restarts=found["num_restarts"][0],
                **{
                    key: found[key]
                    for key in (
                        "reference_bits", "clamped_bits", "signed_bits", "train_bits_per_token", "membership_f1", "train_cpu_s"
                    )
                },
            )
        )  # fmt: skip
    waiting = Measurement.missing("no capacity yet")
    return TextCapacity(
        shape=describe_shape(config.model),
        source=", ".join(config.corpus) or "the standard library's Python sources, without tests",
        reference=f"Witten-Bell {config.ngram_order}-gram of {int(split['num_reference_pieces']):,} other pieces",
        reference_bits_per_token=split["reference_bits_per_token"],
        points=points,
        unintended_memorization_peak_ratio=waiting,
        test_loss_peak_ratio=waiting,
    )


def _with_peaks(text: TextCapacity, capacity_bits: float) -> TextCapacity:
    ratios = [one.reference_bits / capacity_bits for one in text.points]
    return text.model_copy(
        update={
            "unintended_memorization_peak_ratio": _peak([one.clamped_bits for one in text.points], ratios),
            "test_loss_peak_ratio": _peak([one.test_bits_per_token for one in text.points], ratios),
        }
    )


def _record(
    config: CapacityConfig, points: list[CapacityPoint], text: TextCapacity | None, *, elapsed_s: float, command: str
) -> CapacityRecord:
    model = config.model
    seeds = [p for p in points if p.num_sequences == config.plateau_size and p.num_steps == config.num_steps]
    seeds.sort(key=lambda one: one.seed)
    held = Measurement.of(estimate_mean([one.bits_per_param for one in seeds]))
    ladder = sorted(
        (p for p in points if p.num_sequences == config.plateau_size and p.seed == config.seed),
        key=lambda p: p.num_steps,
    )
    grid = sorted(
        (p for p in points if p.seed == config.seed and p.num_steps == config.num_steps), key=lambda p: p.num_sequences
    )
    published = published_bits_per_param(config.cell, "bfloat16") if config.cell else PUBLISHED_BITS_PER_PARAM
    return CapacityRecord(
        title=f"How many bits a parameter holds: {model.num_layers} x {model.width}, {model.num_params:,} parameters",
        created_utc=utc_now(),
        seed=config.seed,
        elapsed_s=elapsed_s,
        command=command,
        environment=Environment.here(
            torch=str(torch.__version__),
            device="cpu",
            dtype="bfloat16 head, float32 weights" if config.bfloat16_head else "float32",
            num_threads=1,
            instruction_set=torch.backends.cpu.get_cpu_capability(),
        ),
        shape=describe_shape(model),
        points=sorted(points, key=lambda p: (p.num_sequences, p.num_steps, p.seed)),
        plateau_num_sequences=config.plateau_size,
        capacity_bits_per_param=held,
        linear_regime_share_of_ceiling=_linear_share(grid, (held.value or 0.0) * model.num_params),
        test_loss_peak_ratio=_test_peak(grid, (held.value or 0.0) * model.num_params),
        rounded_bits_per_param={
            name: Measurement.of(estimate_mean([one.rounded_bits_per_param[name] for one in seeds]))
            for name in seeds[0].rounded_bits_per_param
        },
        coder_bits_over_estimate=_coder_ratio(seeds),
        ladder=[
            LadderStep(num_steps=p.num_steps, bits_per_param=p.bits_per_param, train_cpu_s=p.train_cpu_s)
            for p in ladder
        ],
        text=None if text is None else _with_peaks(text, (held.value or 0.0) * text.shape.num_params),
        published_bits_per_param=published,
        published_source=f"{PUBLISHED_SOURCE}, bfloat16"
        if published is not None
        else f"{PUBLISHED_SOURCE} has no such cell",
        not_tested=_not_tested(config),
    )


def _coder_ratio(points: list[CapacityPoint]) -> Measurement:
    ratios = [p.coded_bits / (p.dataset_bits - p.memorized_bits) for p in points if p.coded_bits is not None]
    return Measurement.of(estimate_mean(ratios)) if ratios else Measurement.missing("nothing was coded")


def _linear_share(grid: list[CapacityPoint], capacity_bits: float) -> Measurement:
    shares = [p.memorized_bits / p.ceiling_bits for p in grid if p.dataset_bits <= 0.5 * capacity_bits]
    if not shares:
        return Measurement.missing("no set is as small as half of the capacity")
    return Measurement.of(estimate_mean(shares, bounds=(-np.inf, 1.0)))


def _test_peak(grid: list[CapacityPoint], capacity_bits: float) -> Measurement:
    if len(grid) < 3:
        return Measurement.missing("fewer than three sizes")
    return _peak([p.test_bits_per_token for p in grid], [p.dataset_bits / capacity_bits for p in grid])


def _peak(heights: list[float], ratios: list[float]) -> Measurement:
    """Ratio at the largest height; its neighbors on the grid are the bounds."""
    peak = int(np.argmax(heights))
    if peak in (0, len(heights) - 1):
        return Measurement.of(Estimate(ratios[peak], None, None, len(heights), "the peak is at the end of the grid"))
    return Measurement.of(Estimate(ratios[peak], ratios[peak - 1], ratios[peak + 1], len(heights)))


def _not_tested(config: CapacityConfig) -> list[str]:
    found = [
        f"Training until nothing more is gained: {config.num_steps:,} steps; the ladder shows what twice as many bring."
        if config.ladder
        else f"Training until nothing more is gained: {config.num_steps:,} steps, no ladder in this run.",
        *(
            []
            if config.text
            else ["Text: random tokens cannot be generalized, so that every bit gained is memory; text can."]
        ),
        "Weights trained in a low precision throughout: they are trained in float32 and rounded afterwards.",
        "Optimizers other than Adam, and learning rates other than those of the recipe.",
    ]
    if config.cell:
        found.append("Other numbers of sequences: one size stands for the plateau, so the value is a lower bound.")
    return found
