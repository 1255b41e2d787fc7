"""`custodiet capacity-table` as a subprocess, and the benchmark's rows from its record."""

import json
import subprocess
import sys

import pytest
import torch

from benchmarks import bench_capacity_gpu
from custodiet.records.capacity_table import CapacityTableRecord


def _run(*arguments):
    return subprocess.run([sys.executable, "-m", "custodiet", *arguments], capture_output=True, text=True, timeout=600)


def test_a_small_table_end_to_end_its_report_rebuilt_and_its_rows(tmp_path):
    arguments = (
        "capacity-table",
        "--cells",
        "1x8",
        "--num-models",
        "1",
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "run"),
    )
    done = _run(*arguments, "--budget-s", "10", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "custodiet.capacity-table/1" and found["precision"] == "bfloat16"
    assert found["cells"][0]["num_steps"] >= 50 and found["slope_bits_per_param"]["value"] > 0
    assert "100%" in done.stderr and "bits of random tokens per parameter" in done.stderr
    page = (tmp_path / "run/report.html").read_bytes()
    (tmp_path / "run/report.html").unlink()
    assert _run("report", str(tmp_path / "run")).returncode == 0
    assert (tmp_path / "run/report.html").read_bytes() == page
    again = _run(*arguments)
    assert again.returncode == 2 and "--resume" in again.stderr
    record = CapacityTableRecord.load(tmp_path / "run/record.json")
    wall, low, full = bench_capacity_gpu.rows_of([record], why="no table")
    assert wall.ours == record.elapsed_s and wall.holds is (record.elapsed_s <= 600)
    assert low.ours == record.slope_bits_per_param.value and low.holds is (3.3 <= low.ours <= 3.7)
    assert full.ours is None and full.holds is None and "no table" in full.reason


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--cells", "wide"), "LAYERSxWIDTH"),
        (("--cells", "1x8", "--device", "cpu", "--budget-s", "0.1"), "--budget-s is too small"),
        (("--device", "cpu"), "needs a CUDA device"),
        (("--dtype", "float16"), "bfloat16"),
    ],
)
def test_mistakes_are_one_line(tmp_path, arguments, words):
    wrong = _run("capacity-table", *arguments, "--out", str(tmp_path / "run"))
    assert wrong.returncode == 2 and words in wrong.stderr and "Traceback" not in wrong.stderr
    assert (tmp_path / "run").exists() == (words == "--budget-s is too small")  # that one is known after a measurement


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_without_a_gpu_there_is_one_clear_line_and_rows_without_values(tmp_path):
    wrong = _run("capacity-table", "--device", "cuda", "--out", str(tmp_path / "run"))
    assert wrong.returncode == 2 and "--device cpu" in wrong.stderr and not (tmp_path / "run").exists()
    rows = bench_capacity_gpu.run()
    assert [row.name for row in rows] == [
        "capacity_table_wall_s", "capacity_table_slope_bfloat16", "capacity_table_slope_float32",
    ]  # fmt: skip
    assert all(row.ours is None and row.holds is None and "no CUDA device" in row.reason for row in rows)
