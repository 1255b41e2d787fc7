"""What the README shows is what comes out."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    every = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [text for kind, text in every if kind == language]


@pytest.mark.slow
def test_the_sample_and_the_gate(tmp_path: Path) -> None:
    sample = subprocess.run(
        [sys.executable, "-c", _blocks("python")[0]], cwd=tmp_path, capture_output=True, text=True, timeout=900
    )
    assert sample.returncode == 0, sample.stderr
    shown, gate_shown = (block.strip() for block in _blocks("")[:2])
    assert sample.stdout.strip() == shown
    command = next(line for block in _blocks("sh") for line in block.splitlines() if line.startswith("custodiet audit"))
    arguments = [one.strip('"') for one in re.findall(r'"[^"]*"|\S+', command)[1:]]
    gate = subprocess.run(
        [sys.executable, "-m", "custodiet", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert gate.returncode == 3
    assert gate_shown.splitlines()[-1] in gate.stderr
