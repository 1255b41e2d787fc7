"""`custodiet compress` and `decompress` as subprocesses."""

import json
import subprocess
import sys

import numpy as np
import pytest


def _run(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "custodiet", *map(str, arguments)], capture_output=True, text=True, timeout=600, cwd=cwd
    )


def test_there_and_back(tmp_path):
    (tmp_path / "a").write_bytes(b"to be or not to be, " * 30)
    (tmp_path / "b").write_bytes(bytes(range(256)))
    (tmp_path / "other").write_bytes(b"that is the question; to be or not")
    done = _run("compress", "a", "b", "--model", "ngram:4", "--train-on", "other", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)["files"]
    assert [one["path"] for one in files] == ["a", "b"] and all(one["verified"] for one in files)
    assert "bits per byte" in done.stderr
    again = _run("compress", "a", "--model", "ngram:4", cwd=tmp_path)
    assert again.returncode == 1 and "a.cdt exists" in again.stderr and "Traceback" not in again.stderr
    for name in "ab":
        back = _run(
            "decompress",
            f"{name}.cdt",
            "--model",
            "ngram:4",
            "--train-on",
            "other",
            "-o",
            "back",
            "--force",
            cwd=tmp_path,
        )
        assert back.returncode == 0, back.stderr
        assert (tmp_path / "back").read_bytes() == (tmp_path / name).read_bytes()


def test_mistakes_are_one_line_and_leave_nothing(tmp_path):
    (tmp_path / "a").write_bytes(b"text")
    for arguments, code, said in [
        (("compress", "--model", "ngram"), 2, "no file"),
        (("compress", "a", "a", "--model", "ngram", "-o", "x"), 2, "--out names one file"),
        (("compress", "a", "--model", "./nowhere"), 1, "not a model"),
        (("compress", "a", "--model", "ngram", "--history", "1"), 2, "share"),
        (("compress", "a", "--model", "ngram", "--lanes", "0"), 2, "at least 1"),
        (("compress", "a", "--model", "ngram", "--train-on", "none"), 1, "cannot be read"),
        (("decompress", "a", "--model", "ngram", "-o", "x"), 1, "not a file of"),
    ]:
        done = _run(*arguments, cwd=tmp_path)
        assert done.returncode == code and said in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


@pytest.mark.slow
def test_a_hundred_files(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"f{index}" for index in range(100)]
    for index, name in enumerate(names):
        (tmp_path / name).write_bytes(
            rng.bytes(index) if index % 2 else rng.choice(list(b"ab \n"), index).astype("u1").tobytes()
        )
    done = _run("compress", *names, "--model", "ngram", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in names:
        back = _run("decompress", f"{name}.cdt", "--model", "ngram", "-o", f"{name}.back", "--quiet", cwd=tmp_path)
        assert back.returncode == 0 and (tmp_path / f"{name}.back").read_bytes() == (tmp_path / name).read_bytes()
