"""The published table on one GPU: six shapes, several models each, within a budget of time."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from custodiet.base.stats import estimate_mean
from custodiet.errors import NonFiniteLossError, UsageError
from custodiet.memorization.capacity.cells import cell_fit, cell_name, describe_shape
from custodiet.memorization.capacity.device_fit import (
    BLOCK_STEPS,
    CellCost,
    fit_random_tokens_on_device,
    measure_cost,
)
from custodiet.memorization.capacity.fit import FitConfig
from custodiet.memorization.capacity.plan import plan_steps, time_shares
from custodiet.memorization.capacity.published import (
    PUBLISHED_MEANS,
    PUBLISHED_SOURCE,
    Precision,
    published_bits_per_param,
)
from custodiet.memorization.capacity.slope import estimate_slope
from custodiet.nn.loading import resolve_device
from custodiet.records.base import Environment, Measurement
from custodiet.records.capacity_table import CapacityTableCell, CapacityTableRecord
from custodiet.records.files import write_text_atomic
from custodiet.records.run_folder import RunFolder, utc_now

__all__ = ["DEFAULT_CELLS", "PRECISIONS", "TableCell", "TableConfig", "capacity_table", "table_config"]

Progress = Callable[[str, float, float, str], None]
DEFAULT_CELLS = ("1x32", "1x64", "1x128", "2x128", "4x128", "4x256")
"""layers 1, 2 and 4, widths 32 to 256, 80 thousand to 3.7 million parameters; four of them have a published value here"""
MAX_BATCH = 512
PRECISIONS: dict[Precision, str] = {
    "bfloat16": "products, attention weights, GELU and the head's exponentials in bfloat16; master weights, moments, updates, "
    "embeddings, residual stream, norms and sums of the softmax in float32; evaluated in float32",
    "float32": "float32 throughout",
}


@dataclass(frozen=True, kw_only=True)
class TableCell:
    """One shape; the number of steps of `fit` is replaced by what the budget pays for."""

    name: str
    fit: FitConfig


@dataclass(frozen=True, kw_only=True)
class TableConfig:
    """Which cells, in which precision, where, and for how long."""

    cells: tuple[TableCell, ...]
    precision: Precision = "bfloat16"
    device: str = "auto"
    budget_s: float = 600.0
    seed: int = 0

    def __post_init__(self) -> None:
        names = [cell.name for cell in self.cells]
        if not names or len(set(names)) < len(names):
            raise UsageError("--cells must name at least one cell, none twice", got=" ".join(names) or "none")
        if self.precision not in PRECISIONS:
            raise UsageError("--dtype is unknown", expected=" or ".join(PRECISIONS), got=repr(self.precision))
        if not (math.isfinite(self.budget_s) and self.budget_s > 0):
            raise UsageError("--budget-s is no time", expected="seconds above 0", got=self.budget_s)
        if self.device == "cpu" and DEFAULT_CELLS[-1] in names:
            raise UsageError(
                f"cell {DEFAULT_CELLS[-1]} needs a CUDA device, and this run is on the CPU",
                hint="Name smaller shapes, for example --cells 1x8 1x16 1x32.",
            )


def table_config(
    cells: Sequence[str] = DEFAULT_CELLS,
    *,
    num_models: int = 3,
    precision: Precision = "bfloat16",
    device: str = "auto",
    budget_s: float = 600.0,
    seed: int = 0,
) -> TableConfig:
    """Cells of the published table, V = 2048 and S = 64, with the recipe of `cells.cell_fit` and larger batches.

    Args:
        cells: LAYERSxWIDTH each.
        num_models: models per cell, trained side by side.
        precision: of training; `PRECISIONS` says what it means.
        device: "auto", "cpu", "cuda" or "cuda:N".
        budget_s: wall time of the whole table.
        seed: seed of data, first weights and batches.

    Raises:
        UsageError: an argument means nothing.
    """
    if num_models < 1:
        raise UsageError("--num-models is too small", expected="at least 1", got=num_models)
    found = []
    for name in cells:
        base = cell_fit(name, seed=seed, argument="--cells")
        fit = replace(
            base,
            model=replace(base.model, num_models=num_models),
            num_steps=BLOCK_STEPS,
            batch_size=min(MAX_BATCH, math.ceil(base.num_sequences / 6)),
            bfloat16_head=precision == "bfloat16",
            bfloat16_body=precision == "bfloat16",
        )
        found.append(TableCell(name=cell_name(fit.model), fit=fit))
    return TableConfig(cells=tuple(found), precision=precision, device=device, budget_s=budget_s, seed=seed)


class _Clock:
    """Wall time of a run over all its sessions."""

    def __init__(self, path: Path) -> None:
        self.path, self.begun, self.saved = path, time.monotonic(), 0.0
        self.earlier_s = json.loads(path.read_text(encoding="utf-8"))["spent_s"] if path.exists() else 0.0

    @property
    def spent_s(self) -> float:
        return self.earlier_s + time.monotonic() - self.begun

    def save(self, *, at_most_every_s: float = 0.0) -> None:
        """Write it down, unless that was just done: a session that is killed counts up to its last note."""
        if time.monotonic() - self.saved >= at_most_every_s:
            self.saved = time.monotonic()
            write_text_atomic(self.path, json.dumps({"spent_s": self.spent_s}) + "\n")


def capacity_table(
    config: TableConfig | None = None,
    *,
    out: Path | str | RunFolder | None = None,
    resume: bool = False,
    command: str = "",
    on_progress: Progress | None = None,
) -> CapacityTableRecord:
    """Measure what a step of each cell takes, fix the steps that the budget pays for, train cell after cell, and fit the line.

    Args:
        config: what to train; None is `table_config()`.
        out: run folder.
        resume: continue the run in `out`: its plan and its finished cells are kept, the cell at work goes on from its checkpoint.
        command: the command line, for the record.
        on_progress: called with (task, done, total, note).

    Raises:
        UsageError: there is no such device, a cell does not fit into its memory, or the budget is too small.
        NonFiniteLossError: a cell diverged again and again.

    Reference:
        Morris et al. 2025, arXiv 2505.24832, section 3: there a million steps per cell, here what the budget pays for.
    """
    config = config or table_config()
    config = replace(config, device=resolve_device(config.device))
    folder = (
        out
        if isinstance(out, RunFolder)
        else RunFolder.create(None if out is None else Path(out), "capacity-table", resume=resume)
    )
    folder.begin({"job": "capacity-table", **asdict(config)})
    work = folder.path / "work"
    work.mkdir(parents=True, exist_ok=True)
    clock, say = _Clock(work / "clock.json"), on_progress or (lambda *_: None)
    plan = _plan(config, work / "plan.json", clock, say)
    total_s = sum(one["num_steps"] * one["step_s"] for one in plan.values())
    before_s = 0.0
    for cell in config.cells:
        planned = plan[cell.name]

        def listen(step: int, num_steps: int, note: str, *, name: str = cell.name, done_s: float = before_s) -> None:
            clock.save(at_most_every_s=10.0)
            say(
                "train",
                done_s + step * plan[name]["step_s"],
                total_s,
                f"{name}: step {step:,} of {num_steps:,}, {note}",
            )

        _fit_cell(cell, planned["num_steps"], config.device, work, listen)
        before_s += planned["num_steps"] * planned["step_s"]
    clock.save()
    found = {cell.name: json.loads((work / f"{cell.name}.done.json").read_text("utf-8")) for cell in config.cells}
    record = _record(config, plan, found, elapsed_s=clock.spent_s, command=command)
    record.save(folder.record_json)
    value = record.slope_bits_per_param.value
    folder.finish("done", title=record.title, headline=f"{value:.2f} bits per parameter")
    return record


def _plan(config: TableConfig, path: Path, clock: _Clock, say: Progress) -> dict[str, dict[str, Any]]:
    """Cell -> its number of steps and what they were planned from; measured once, the largest cell first."""
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    costs: dict[str, CellCost] = {}
    shares = time_shares({cell.name: cell.fit.model.num_params for cell in config.cells})
    for cell in sorted(config.cells, key=lambda one: -one.fit.model.num_params):
        say("measure", len(costs), len(config.cells), f"{cell.name}: time of a step")
        with _explained(cell, config.device):
            costs[cell.name] = measure_cost(replace(cell.fit, num_steps=BLOCK_STEPS), device=config.device)
        plan_steps(
            costs, shares, budget_s=config.budget_s, spent_s=clock.spent_s
        )  # fail before the next one is measured
    steps = plan_steps(costs, shares, budget_s=config.budget_s, spent_s=clock.spent_s)
    say("measure", len(costs), len(config.cells), "steps are fixed")
    plan = {
        name: {"num_steps": steps[name], "time_share": shares[name], **asdict(cost)} for name, cost in costs.items()
    }
    write_text_atomic(path, json.dumps(plan, indent=1) + "\n")
    return plan


@contextmanager
def _explained(cell: TableCell, device: str) -> Iterator[None]:
    """Say which cell failed, and what to do where its size is the reason."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise UsageError(
            f"cell {cell.name} does not fit into the memory of {device}",
            got=f"{cell.fit.model.num_models} models of {cell.fit.step_sequences} sequences a step",
            hint="Take fewer with --num-models, or leave the cell out of --cells.",
        ) from None
    except NonFiniteLossError as error:
        raise NonFiniteLossError(f"cell {cell.name} failed: {error}") from None


def _fit_cell(
    cell: TableCell, num_steps: int, device: str, work: Path, on_progress: Callable[[int, int, str], None]
) -> None:
    """Train a cell unless that is done; what came out goes to ``<cell>.done.json``."""
    done, checkpoint = work / f"{cell.name}.done.json", work / f"{cell.name}.safetensors"
    if done.exists():
        return
    with _explained(cell, device):
        fit, _, how = fit_random_tokens_on_device(
            replace(cell.fit, num_steps=num_steps), device=device, checkpoint=checkpoint, on_progress=on_progress
        )
    write_text_atomic(done, json.dumps({**asdict(fit), "step_mode": how}) + "\n")
    checkpoint.unlink(missing_ok=True)


def _cell(cell: TableCell, precision: Precision, planned: dict[str, Any], found: dict[str, Any]) -> CapacityTableCell:
    fit, model = cell.fit, cell.fit.model
    return CapacityTableCell(
        cell=cell.name,
        shape=describe_shape(model),
        num_models=model.num_models,
        num_sequences=fit.num_sequences,
        batch_size=fit.step_sequences,
        learning_rate=fit.learning_rate,
        dataset_bits=fit.dataset_bits,
        ceiling_bits=fit.ceiling_bits,
        step_s=planned["step_s"],
        time_share=planned["time_share"],
        num_steps=planned["num_steps"],
        num_epochs=planned["num_steps"] * fit.step_sequences / fit.num_sequences,
        step_mode=found["step_mode"],
        memorized_bits=found["memorized_bits"],
        bits_per_param=Measurement.of(estimate_mean(found["bits_per_param"])),
        rounded_bits_per_param={
            how: Measurement.of(estimate_mean([one / model.num_params for one in bits]))
            for how, bits in found["rounded_memorized_bits"].items()
        },
        test_bits_per_token=Measurement.of(estimate_mean(found["test_bits_per_token"])),
        num_restarts=found["num_restarts"],
        train_wall_s=found["train_wall_s"],
        published_bits_per_param=published_bits_per_param(cell.name, precision),
    )


def _record(
    config: TableConfig, plan: dict[str, Any], found: dict[str, Any], *, elapsed_s: float, command: str
) -> CapacityTableRecord:
    cells = [_cell(cell, config.precision, plan[cell.name], found[cell.name]) for cell in config.cells]
    points = [(cell.shape.num_params, bits, cell.cell) for cell in cells for bits in cell.memorized_bits]
    params, bits, names = zip(*points, strict=True)
    is_cuda = torch.device(config.device).type == "cuda"
    exact = torch.get_float32_matmul_precision() == "highest"
    return CapacityTableRecord(
        title=f"Bits per parameter: {len(cells)} cells of the published table, {config.precision}",
        created_utc=utc_now(),
        seed=config.seed,
        elapsed_s=elapsed_s,
        budget_s=config.budget_s,
        command=command,
        environment=Environment.here(
            torch=str(torch.__version__),
            device=f"{config.device}: {torch.cuda.get_device_name(config.device)}" if is_cuda else config.device,
            dtype=config.precision,
            num_threads=torch.get_num_threads(),
            instruction_set=torch.backends.cpu.get_cpu_capability(),
        ),
        precision=config.precision,
        precision_means=PRECISIONS[config.precision] + ("" if exact else "; float32 products may use TF32"),
        cells=cells,
        slope_bits_per_param=Measurement.of(estimate_slope(params, bits, names)),
        slope_with_intercept_bits_per_param=Measurement.of(estimate_slope(params, bits, names, intercept=True)),
        mean_bits_per_param=Measurement.of(estimate_mean([cell.bits_per_param.value or 0.0 for cell in cells])),
        published_mean_bits_per_param=PUBLISHED_MEANS[config.precision],
        published_source=f"{PUBLISHED_SOURCE}, mean over the cells of its table, {config.precision}",
        not_tested=_not_tested(config, cells),
    )


def _not_tested(config: TableConfig, cells: list[CapacityTableCell]) -> list[str]:
    epochs = sorted(cell.num_epochs for cell in cells)
    return [
        f"Training until nothing more is gained: the budget of {config.budget_s:g} s paid for {epochs[0]:,.0f} to "
        f"{epochs[-1]:,.0f} epochs, so that every value is a lower bound.",
        "Other numbers of sequences: one size per cell stands for the plateau.",
        "Learning rates: searched for 1x32 only, elsewhere scaled by width and layers; batch sizes were not searched.",
        "Orders of the batches: the models of a cell have their own data and first weights and share this order.",
        *(
            ["Weights kept in bfloat16: the master weights are float32. How the paper kept them is not known here."]
            if config.precision == "bfloat16"
            else []
        ),
        "Optimizers other than Adam.",
    ]
