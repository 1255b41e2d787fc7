"""`custodiet entropy` as a subprocess."""

import json
import math
import os
import shutil
import subprocess
import sys
from pydoc_data.topics import topics

import pytest
import torch

from custodiet.data.tokenizer import train_bpe
from custodiet.nn.export import save_hf_directory
from custodiet.nn.gpt import GPT, GPTConfig

NAMES = sorted(topics)
TEXT = "\n".join(topics[name] for name in NAMES[:6])[:30_000]
OTHER = "\n".join(topics[name] for name in NAMES[40:46])[:30_000]


def run(*arguments, cwd=None, stdin="", **environment):
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **environment}
    return subprocess.run(
        [sys.executable, "-m", "custodiet", "entropy", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env=env, input=stdin, timeout=600,
    )  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two texts, and a model that finds every token alike."""
    folder = tmp_path_factory.mktemp("entropy")
    (folder / "text.txt").write_text(TEXT)
    (folder / "other.txt").write_text(OTHER)
    codec = train_bpe([TEXT], vocab_size=400)
    model = GPT(GPTConfig(vocab_size=codec.vocab_size, context_length=64, width=16, num_layers=1, num_heads=2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    save_hf_directory(model, folder / "model", tokenizer=codec)
    snapshot = folder / "hub" / "models--me--tiny" / "snapshots" / ("a" * 40)
    shutil.copytree(folder / "model", snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("a" * 40)
    (folder / "num_tokens").write_text(str(len(codec.encode([TEXT])[0])))
    return folder


def test_everything_in_one_run_and_its_report_rebuilt(place):
    done = run(
        "text.txt", "--train-on", "other.txt", "--model", "model", "--approximations", "30", "--out", "run", "--json",
        cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "custodiet.entropy/1" and found["num_bytes"] == len(TEXT.encode())
    codes = {one["name"]: one for one in found["codes"]}
    assert list(codes) == ["gzip -9", "bzip2 -9", "xz -9e", "zstd -19", "n-gram", "n-gram, primed", "model"]
    uniform = int((place / "num_tokens").read_text()) * math.log2(400)
    assert codes["model"]["code_bits"] == pytest.approx(uniform, rel=1e-5)
    assert codes["model"]["decoder_bytes"] == (place / "model" / "model.safetensors").stat().st_size
    assert codes["n-gram, primed"]["code_bits"] < codes["n-gram"]["code_bits"]
    assert [one["role"] for one in found["files"]] == ["coded", "other"] and len(found["approximations"]) == 6
    assert 0 <= found["shared_with_other_text"]["value"] < 0.2
    page = (place / "run" / "report.html").read_bytes()
    assert b"<svg" in page and b"<script" not in page
    (place / "run" / "report.html").unlink()
    again = subprocess.run([sys.executable, "-m", "custodiet", "report", str(place / "run")], capture_output=True)
    assert again.returncode == 0 and (place / "run" / "report.html").read_bytes() == page
    twice = run("text.txt", "--out", "run", cwd=place)
    assert twice.returncode == 2 and "Traceback" not in twice.stderr


def test_a_table_on_stdout_the_same_each_time_and_a_run_folder_by_itself(place):
    first, second = (run("text.txt", "--quiet", "--limit-bytes", "9000", cwd=place) for _ in range(2))
    assert first.returncode == 0 and first.stderr == "" and first.stdout == second.stdout
    assert "9,000 bytes" in first.stdout and "n-gram" in first.stdout and "Shannon" in first.stdout
    assert len(list((place / "runs").glob("entropy-*/record.json"))) == 2


def test_a_model_from_the_hub_cache_counts_the_same_weights(place):
    done = run(
        "text.txt", "--model", "me/tiny", "--json", "--out", "hub-run", cwd=place, HF_HUB_CACHE=str(place / "hub")
    )
    assert done.returncode == 0, done.stderr
    code = json.loads(done.stdout)["codes"][-1]
    assert code["name"] == "me/tiny" and code["decoder_bytes"] == (place / "model" / "model.safetensors").stat().st_size
    assert code["code_bits"] == pytest.approx(int((place / "num_tokens").read_text()) * math.log2(400), rel=1e-5)


def test_the_text_that_is_coded_is_never_trained_on(place):
    (place / "copy.txt").write_text(TEXT)
    wrong = run("text.txt", "--train-on", "other.txt", "copy.txt", cwd=place)
    assert (
        wrong.returncode == 2
        and "copy.txt is the text that is coded" in wrong.stderr
        and "Traceback" not in wrong.stderr
    )
    (place / "begin.txt").write_text(TEXT[:2000])
    assert run("text.txt", "--limit-bytes", "2000", "--train-on", "begin.txt", cwd=place).returncode == 2
    (place / "most.txt").write_text("x" + TEXT[5000:])
    warned = run("text.txt", "--train-on", "most.txt", "--out", "warned", cwd=place)
    assert warned.returncode == 0 and "also stand in --train-on" in warned.stderr
    assert "copied in part" in warned.stdout


def test_bytes_that_are_no_text(place):
    (place / "bytes.bin").write_bytes(bytes(range(256)) * 20)
    done = run("bytes.bin", "--json", "--out", "binary", cwd=place)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["letters"] == []
    for more in (["--model", "model"], ["--guess"]):
        wrong = run("bytes.bin", *more, cwd=place)
        assert wrong.returncode == 1 and "no UTF-8" in wrong.stderr and "Traceback" not in wrong.stderr


def test_a_cut_keeps_whole_characters(place):
    (place / "greek.txt").write_text("αβγ" * 100)
    done = run("greek.txt", "--limit-bytes", "99", "--json", "--quiet", cwd=place)
    found = json.loads(done.stdout)
    assert (
        found["num_bytes"] == 98 and found["limit_bytes"] == 99 and not any("UTF-8" in x for x in found["not_tested"])
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "no text"),
        (["absent.txt"], 1, "does not exist"),
        (["empty.txt"], 1, "is empty"),
        (["."], 1, "is a folder"),
        (["text.txt", "--order", "0"], 2, "--order"),
        (["text.txt", "--limit-bytes", "0"], 2, "--limit-bytes"),
        (["text.txt", "--model", "./absent"], 1, "not a model"),
        (["text.txt", "--guess", "--num-letters", "0"], 2, "--num-letters"),
        (["text.txt", "--guess", "--model", "model"], 2, "--model"),
    ],
)
def test_mistakes_are_one_line(place, arguments, code, words):
    (place / "empty.txt").write_text("")
    wrong = run(*arguments, cwd=place)
    assert wrong.returncode == code and words in wrong.stderr and wrong.stdout == ""
    assert "Traceback" not in wrong.stderr and len(wrong.stderr.strip().splitlines()) == 1


def test_the_game_by_a_script(place):
    guesses = "\n".join(letter for _ in range(4) for letter in "_etaoinshrdlcumwfgypbvkjxqz") + "\n"
    done = run("text.txt", "--guess", "--num-letters", "3", "--seed", "5", "--json", stdin=guesses, cwd=place)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "custodiet.guess/1" and len(found["ranks"]) == found["you"]["num_letters"] == 3
    assert found["ngram"]["num_letters"] == 3 and "Shannon 1951" in done.stderr
    again = run("text.txt", "--guess", "--num-letters", "3", "--seed", "5", "--json", stdin=guesses, cwd=place)
    assert again.stdout == done.stdout


def test_the_game_ends_when_the_player_does(place):
    done = run("text.txt", "--guess", "--train-on", "other.txt", stdin="??\n?\nE\n4\n\nquit\n", cwd=place)
    assert done.returncode == 0 and "it was" in done.stdout and "one letter" in done.stdout and "you" in done.stdout
    nothing = run("text.txt", "--guess", stdin="", cwd=place)
    assert nothing.returncode == 0 and "No letter was guessed." in nothing.stdout
