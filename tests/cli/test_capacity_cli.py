"""`custodiet capacity` as a subprocess."""

import json
import subprocess
import sys


def _run(*arguments):
    return subprocess.run([sys.executable, "-m", "custodiet", *arguments], capture_output=True, text=True, timeout=600)


def test_capacity_end_to_end_and_its_report_rebuilt(tmp_path):
    done = _run("capacity", "--num-steps", "4", "--out", str(tmp_path / "run"), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "custodiet.capacity/2" and found["capacity_bits_per_param"]["num"] == 3
    assert "100%" in done.stderr
    page = (tmp_path / "run" / "report.html").read_bytes()
    (tmp_path / "run" / "report.html").unlink()
    assert _run("report", str(tmp_path / "run")).returncode == 0
    assert (tmp_path / "run" / "report.html").read_bytes() == page
    again = _run("capacity", "--num-steps", "4", "--out", str(tmp_path / "run"))
    assert again.returncode == 2 and "--resume" in again.stderr


def test_a_cell_that_is_none():
    wrong = _run("capacity", "--cell", "wide")
    assert wrong.returncode == 2 and "LAYERSxWIDTH" in wrong.stderr and "Traceback" not in wrong.stderr
