"""Capacity tables: cells, the plan within a budget, resuming, the slope, the record and its report."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from custodiet.base.stats import estimate_mean
from custodiet.errors import NonFiniteLossError, TooFewSamplesError, UsageError
from custodiet.memorization.capacity import plan as plan_module
from custodiet.memorization.capacity import table as table_module
from custodiet.memorization.capacity.device_fit import CellCost
from custodiet.memorization.capacity.fit import FitConfig
from custodiet.memorization.capacity.plan import plan_steps, time_shares
from custodiet.memorization.capacity.published import PUBLISHED_CELLS, PUBLISHED_MEANS, published_bits_per_param
from custodiet.memorization.capacity.slope import estimate_slope
from custodiet.memorization.capacity.sweep import cell_config
from custodiet.memorization.capacity.table import (
    DEFAULT_CELLS,
    TableCell,
    TableConfig,
    capacity_table,
    table_config,
)
from custodiet.nn.ensemble import EnsembleConfig
from custodiet.records.base import load_record
from custodiet.records.capacity_table import CapacityTableRecord
from custodiet.report.capacity_table import (
    capacity_table_sentences,
    render_capacity_table_html,
    render_capacity_table_markdown,
)


def _cell(name: str, width: int, num: int) -> TableCell:
    model = EnsembleConfig(vocab_size=16, sequence_length=8, width=width, num_models=2)
    return TableCell(
        name=name,
        fit=FitConfig(
            model=model, num_sequences=num, num_steps=1, batch_size=10, learning_rate=0.03, bfloat16_head=False
        ),
    )


CONFIG = TableConfig(cells=(_cell("1x32", 8, 60), _cell("small", 16, 90)), precision="float32", device="cpu")
COST = CellCost(step_s=0.01, fixed_s=1.0)


@pytest.fixture
def planned(monkeypatch):
    """No clock: a step costs what the test says, and 120 and 120 steps are paid for."""
    measured = []

    def measure(fit, *, device):
        measured.append(fit.model.width)
        return COST

    monkeypatch.setattr(table_module, "measure_cost", measure)
    monkeypatch.setattr(table_module, "plan_steps", lambda costs, *_, **__: dict.fromkeys(costs, 120))
    return measured


def test_the_default_table_spans_what_the_paper_does():
    config = table_config()
    sizes = [cell.fit.model.num_params - cell.fit.model.width for cell in config.cells]  # without the BOS row
    assert tuple(cell.name for cell in config.cells) == DEFAULT_CELLS and len(sizes) == 6
    assert sizes == sorted(sizes) and (sizes[0], sizes[-1]) == (80_352, 3_700_224)
    assert all(cell.fit.bfloat16_head and cell.fit.bfloat16_body for cell in config.cells)
    assert not any(one.fit.bfloat16_head or one.fit.bfloat16_body for one in table_config(precision="float32").cells)
    assert sum(cell in PUBLISHED_CELLS for cell in DEFAULT_CELLS) == 4
    json.dumps(asdict(config))


def test_published_values_fit_the_bits_printed_beside_them():
    """The paper prints memorized bits too, with three digits: transcription is checked by dividing."""
    bits = {
        "1x32": (3.16e5, 3.39e5), "1x128": (1.69e6, 1.71e6), "2x128": (2.60e6, 2.66e6),
        "4x256": (1.30e7, 1.36e7), "8x256": (2.51e7, 2.71e7),
    }  # fmt: skip
    for cell, pair in bits.items():
        model = cell_config(cell).model
        for precision, printed in zip(("bfloat16", "float32"), pair, strict=True):
            assert published_bits_per_param(cell, precision) == pytest.approx(
                printed / (model.num_params - model.width), abs=0.02
            )
    assert published_bits_per_param("1x64", "bfloat16") is None and published_bits_per_param(None, "float32") is None
    assert PUBLISHED_MEANS == {"bfloat16": 3.51, "float32": 3.83}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"cells": ("1x32", "wide")}, "--cells is not a cell; expected LAYERSxWIDTH"),
        ({"cells": ("0x32",)}, "--cells"),
        ({"cells": ("1x32", "1X32")}, "none twice"),
        ({"cells": ()}, "at least one"),
        ({"cells": ("1x33",)}, "num_heads"),
        ({"num_models": 0}, "--num-models"),
        ({"precision": "float16"}, "--dtype"),
        ({"budget_s": 0.0}, "--budget-s"),
        ({"budget_s": float("nan")}, "--budget-s"),
    ],
)
def test_arguments_that_mean_nothing(change, match):
    with pytest.raises(UsageError, match=match):
        table_config(**change)


def test_the_default_table_is_refused_on_a_cpu_before_any_work(tmp_path):
    with pytest.raises(UsageError, match="4x256 needs a CUDA device"):
        capacity_table(table_config(device="cpu"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="GPU that torch does not see"):
            capacity_table(table_config(device="cuda"), out=tmp_path / "run")


def test_steps_are_what_the_budget_pays_for():
    costs = {"a": CellCost(step_s=0.001, fixed_s=5.0), "b": CellCost(step_s=0.05, fixed_s=20.0)}
    shares = {"a": 0.25, "b": 0.75}
    steps = plan_steps(costs, shares, budget_s=600.0, spent_s=10.0)
    left_s = plan_module.SAFETY * (600 - 10 - 25 - plan_module.CLOSING_S)
    assert steps == {"a": int(0.25 * left_s / 0.001), "b": int(0.75 * left_s / 0.05)}
    whole_s = 10 + sum(cost.fixed_s + steps[cell] * cost.step_s for cell, cost in costs.items())
    assert 0.9 * 600 < whole_s < 600
    with pytest.raises(UsageError, match=r"--budget-s is too small: cell b.*at least 50 steps") as caught:
        plan_steps(costs, shares, budget_s=30.0, spent_s=10.0)
    enough_s = float(str(caught.value).split("--budget-s ")[2].split(";")[0])
    assert min(plan_steps(costs, shares, budget_s=enough_s, spent_s=10.0).values()) >= plan_module.MIN_STEPS


def test_time_goes_by_the_power_three_quarters():
    shares = time_shares({"a": 16, "b": 256})
    assert shares == pytest.approx({"a": 1 / 9, "b": 8 / 9})


def test_the_slope_of_planted_points():
    params = np.repeat([1e5, 2e5, 4e5, 3e6], 3)
    cells = np.repeat(list("abcd"), 3)
    exact = estimate_slope(params, 3.5 * params, cells)
    assert (exact.value, exact.low, exact.high) == pytest.approx((3.5, 3.5, 3.5)) and exact.num == 4
    assert estimate_slope(params, 3.5 * params + 1e6, cells, intercept=True).value == pytest.approx(3.5)
    scattered = params * np.tile([3.4, 3.6, 3.8], 4) + params * np.repeat([0.3, 0.1, -0.2, 0.0], 3)
    for intercept in (False, True):
        found = estimate_slope(params, scattered, cells, intercept=intercept)
        design = np.column_stack([params, np.ones(12)]) if intercept else params[:, None]
        assert found.value == pytest.approx(np.linalg.lstsq(design, scattered, rcond=None)[0][0])
        assert found.low is not None and found.high is not None and found.low < found.value < found.high
    one = estimate_slope([1e5, 1e5], [3e5, 4e5], ["a", "a"])
    assert one.value == pytest.approx(3.5) and one.low is None and one.why
    assert estimate_slope([1e5, 1e5], [3e5, 4e5], ["a", "a"], intercept=True).value is None
    with pytest.raises(TooFewSamplesError):
        estimate_slope([], [], [])


def test_the_interval_of_cells_of_one_size_is_that_of_a_mean():
    alphas = np.array([3.4, 3.5, 3.9, 3.3])
    found, mean = estimate_slope(np.full(4, 1e5), 1e5 * alphas, np.arange(4)), estimate_mean(alphas)
    assert (found.value, found.low, found.high) == pytest.approx((mean.value, mean.low, mean.high))


@pytest.mark.parametrize("intercept", [False, True])
def test_the_interval_of_the_slope_covers(intercept):
    rng = np.random.default_rng(0)
    params = np.array([cell.fit.model.num_params for cell in table_config().cells])
    hits = 0
    for _ in range(1000):
        found = estimate_slope(params, params * rng.normal(3.5, 0.2, 6), np.arange(6), intercept=intercept)
        hits += found.low is not None and found.high is not None and found.low <= 3.5 <= found.high
    assert hits / 1000 >= 0.94


@pytest.fixture
def done(tmp_path, planned):
    told = []
    record = capacity_table(CONFIG, out=tmp_path / "run", on_progress=lambda *one: told.append(one), command="typed")
    return tmp_path / "run", record, told


def test_the_record_holds_every_cell_and_can_be_read_again(done, planned):
    folder, record, told = done
    assert planned == [16, 8]  # the largest is measured first
    assert load_record(folder / "record.json", (CapacityTableRecord,)) == record
    assert [cell.cell for cell in record.cells] == ["1x32", "small"]
    first = record.cells[0]
    assert (first.num_steps, first.num_epochs, first.num_models) == (120, 20.0, 2)
    assert first.published_bits_per_param == 4.23 and record.cells[1].published_bits_per_param is None
    assert first.bits_per_param.num == 2 and len(first.memorized_bits) == 2
    bits = [one for cell in record.cells for one in cell.memorized_bits]
    params = [cell.shape.num_params for cell in record.cells for _ in cell.memorized_bits]
    assert record.slope_bits_per_param.value == pytest.approx(np.dot(params, bits) / np.dot(params, params))
    assert record.slope_bits_per_param.num == 2 and record.mean_bits_per_param.num == 2
    assert record.published_mean_bits_per_param == 3.83 and record.environment.device == "cpu"
    assert told[-1][:3] == ("train", pytest.approx(2.4), pytest.approx(2.4))
    assert [one[1] for one in told if one[0] == "train"] == sorted(one[1] for one in told if one[0] == "train")
    assert not list((folder / "work").glob("*.safetensors"))


def test_resume_keeps_the_plan_and_the_finished_cells(done, planned, monkeypatch):
    folder, record, _ = done
    (folder / "work/small.done.json").unlink()
    fitted = []
    original = table_module.fit_random_tokens_on_device
    monkeypatch.setattr(
        table_module,
        "fit_random_tokens_on_device",
        lambda fit, **options: (fitted.append(fit.model.width), original(fit, **options))[1],
    )
    planned.clear()
    again = capacity_table(CONFIG, out=folder, resume=True)
    assert fitted == [16] and not planned
    assert [cell.memorized_bits for cell in again.cells] == [cell.memorized_bits for cell in record.cells]
    assert again.elapsed_s > record.elapsed_s
    with pytest.raises(UsageError, match="other options"):
        capacity_table(replace(CONFIG, budget_s=10.0), out=folder, resume=True)


def test_a_cell_that_fails_is_named(tmp_path, planned, monkeypatch):
    def diverges(fit, **_):
        raise NonFiniteLossError("the loss left its course 9 times", hint="Take a smaller learning rate.")

    def too_large(fit, **_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(table_module, "fit_random_tokens_on_device", diverges)
    with pytest.raises(NonFiniteLossError, match="cell 1x32 failed: the loss left"):
        capacity_table(CONFIG, out=tmp_path / "a")
    monkeypatch.setattr(table_module, "fit_random_tokens_on_device", too_large)
    with pytest.raises(UsageError, match=r"cell 1x32 does not fit into the memory of cpu.*2 models.*--num-models"):
        capacity_table(CONFIG, out=tmp_path / "b")


def test_a_budget_that_is_too_small_stops_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(table_module, "measure_cost", lambda fit, **_: CellCost(step_s=9.0, fixed_s=1.0))
    with pytest.raises(UsageError, match="--budget-s is too small: cell small"):
        capacity_table(CONFIG, out=tmp_path / "run")
    assert not list((tmp_path / "run/work").glob("*.json"))


def test_the_report_says_what_was_found(done):
    _, record, _ = done
    page = render_capacity_table_html(record)
    assert page == render_capacity_table_html(record)
    assert "<script" not in page and page.count("<svg") == 1
    text = " ".join(capacity_table_sentences(record))
    assert f"{record.slope_bits_per_param.value:.2f} bits" in text and "3.83" in text and "within the budget" in text
    markdown = render_capacity_table_markdown(record)
    for line in record.not_tested:
        assert line in markdown
    assert "| 1x32 |" in markdown and "4.23" in markdown and "step by step" in page
    late = record.model_copy(update={"elapsed_s": 700.0, "budget_s": 600.0})
    assert "past the budget" in " ".join(capacity_table_sentences(late))


def test_a_table_needs_no_reader_of_text():
    code = "import sys, custodiet.memorization.capacity.table; sys.exit('polars' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
