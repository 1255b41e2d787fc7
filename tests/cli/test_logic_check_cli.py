"""`custodiet logic check` as it is typed: proofs, data sets, exit codes, messages."""

import io
import json
import tracemalloc

import pytest

from custodiet.cli.main import main
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.rows import problem_rows

PROOF = "1. p -> q [premise]\n2. p [premise]\n3. q [modus ponens: 1, 2]\n"
ITEM = {
    "id": "0-1",
    "task": "entailment",
    "logic": "propositional",
    "choices": ["it follows", "its negation follows", "neither"],
    "label": "entailed",
    "premises": [{"formula": "p -> q"}, {"formula": "p"}],
    "goal": {"formula": "q"},
    "proof": [
        {"number": 1, "formula": "p -> q", "rule": "premise", "cites": []},
        {"number": 2, "formula": "p", "rule": "premise", "cites": []},
        {"number": 3, "formula": "q", "rule": "modus ponens", "cites": [1, 2]},
    ],
}
UNKNOWN = {
    **ITEM,
    "id": "0-2",
    "label": "unknown",
    "goal": {"formula": "r"},
    "proof": [],
    "counter_models": [{"true": ["p", "q", "r"]}, {"true": ["p", "q"]}],
}


def run(argv, capsys):
    with pytest.raises(SystemExit) as left:
        main(["logic", "check", *map(str, argv)])
    return left.value.code, *capsys.readouterr()


def items_file(tmp_path, *items):
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in items))
    return path


def test_a_proof(tmp_path, capsys, monkeypatch):
    path = tmp_path / "proof.txt"
    path.write_text(PROOF)
    options = ["--premises", "p -> q; p", "--goal", "q"]
    assert run([path, *options], capsys) == (0, "valid: the goal is entailed\n", "")
    monkeypatch.setattr("sys.stdin", io.StringIO(PROOF))
    code, out, _ = run(["-", *options[:3], "~q", "--logic", "propositional", "--json"], capsys)
    assert code == 0
    assert json.loads(out) == {"schema": "custodiet.logic-proof/1", "valid": True, "well_named": True,
                               "conclusion": "contradicted", "problems": []}  # fmt: skip
    (tmp_path / "premises.txt").write_text("p -> q\n\np\n")
    assert run([path, "--premises", tmp_path / "premises.txt", "--goal", "q"], capsys)[0] == 0


def test_a_proof_that_is_none(tmp_path, capsys):
    path = tmp_path / "proof.txt"
    path.write_text(PROOF.replace("2. p [", "2. r ["))
    code, out, err = run([path, "--premises", "p -> q; p", "--goal", "q"], capsys)
    assert code == 3
    assert out.splitlines() == [
        "step 2: invented premise: r is not one of the premises",
        "step 3: not valid: the line does not follow from the lines it cites",
    ]
    assert err == "custodiet: the proof is not valid: step 2\n"
    path.write_text("")
    code, out, err = run([path, "--premises", "p", "--goal", "p", "--json"], capsys)
    assert code == 3 and json.loads(out)["problems"][0]["kind"] == "empty"
    path.write_text(PROOF.replace("2. p", "2. p &"))
    code, out, err = run([path, "--premises", "p -> q; p", "--goal", "q"], capsys)
    assert code == 1 and err.startswith("custodiet: line 2 of the proof: cannot read the formula 'p &'")


def test_answers_to_items(tmp_path, capsys):
    answers = [
        PROOF + "Answer: it follows",
        "Answer: neither",
        PROOF.replace("p -> q", "q -> p") + "Answer: it follows",
    ]
    path = items_file(tmp_path, *({**ITEM, "response": one} for one in answers))
    code, out, _ = run([path, "--json"], capsys)
    found = json.loads(out)
    assert code == 0 and found["schema"] == "custodiet.logic-check/1"
    summary = found["summary"]
    assert summary["num_items"] == 3
    assert summary["label_accuracy"]["value"] == pytest.approx(2 / 3)
    assert summary["label_accuracy"]["low"] < 2 / 3 < summary["label_accuracy"]["high"]
    assert summary["right_answer_wrong_chain"]["value"] == pytest.approx(1 / 3)
    assert summary["hallucinated_premise_rate"] == pytest.approx(1 / 4)
    assert summary["first_bad_kinds"] == {"invented premise": 1}
    assert [one["chain"] for one in found["items"]] == ["valid", "none", "wrong"]
    assert found["items"][0]["steps_over_reference"] == 0
    code, out, err = run([path, "--strict"], capsys)
    assert code == 3 and err == "custodiet: 2 of 3 answers are not valid\n"
    assert "0-1: step 1: invented premise: q -> p is not one of the premises" in out


def test_the_proofs_and_counter_models_of_the_items_themselves(tmp_path, capsys):
    path = items_file(tmp_path, ITEM, UNKNOWN)
    assert run([path, "--gold", "--strict"], capsys)[0] == 0
    spoiled = {**UNKNOWN, "counter_models": UNKNOWN["counter_models"][:1]}
    assert run([items_file(tmp_path, ITEM, spoiled), "--gold", "--strict"], capsys)[0] == 3


def test_english_items(tmp_path, capsys):
    vocabulary = {"kind": "neutral", "sorts": {"": "thing"}, "symbols": {
        symbol: {"category": "proposition", "words": [f"the {noun} is red", f"the {noun} is not red"], "sorts": []}
        for symbol, noun in (("p", "cup"), ("q", "box"))}}  # fmt: skip
    answer = ("1. If the cup is red, then the box is red. [premise]\n2. The cup is red. [premise]\n"
              "3. The box is red. [modus ponens: 1, 2]\n4. The lid is red. [3]\nAnswer: it follows")  # fmt: skip
    path = items_file(tmp_path, {**ITEM, "vocabulary": vocabulary, "response": answer},
                      {**ITEM, "vocabulary": vocabulary, "response": answer.replace("4. The lid is red. [3]\n", "")})  # fmt: skip
    found = json.loads(run([path, "--json"], capsys)[1])["items"]
    assert [one["chain"] for one in found] == ["unreadable", "valid"]


@pytest.mark.parametrize(("text", "message"), [
    ("", "holds no items that can be judged"),
    ("{", "line 1 is not JSON"),
    ("[]", "line 1: not an item"),
    ("\n" + json.dumps(ITEM), "line 2: no answer under 'response'"),
    (json.dumps({"response": "p"}), "line 1: not an item of a data set"),
    (json.dumps({**ITEM, "response": "p", "label": "yes"}), "line 1: no such label"),
    (json.dumps({**ITEM, "response": "p", "logic": "modal"}), "line 1: no such logic"),
    (json.dumps({**ITEM, "response": "p", "goal": {"formula": "p &"}}), "line 1: cannot read the formula"),
])  # fmt: skip
def test_files_that_cannot_be_used(tmp_path, capsys, text, message):
    path = tmp_path / "items.jsonl"
    path.write_text(text)
    code, out, err = run([path], capsys)
    assert (code, out) == (1, "") and message in err and "Traceback" not in err


def test_options_that_do_not_fit(tmp_path, capsys):
    assert run([tmp_path / "none.txt"], capsys)[0] == 1
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in run([tmp_path / "bytes"], capsys)[2]
    path = items_file(tmp_path, ITEM)
    assert run([path, "--goal", "q"], capsys)[0] == 2
    assert run([path, "--logic", "modal"], capsys)[0] == 2


def test_items_are_judged_one_by_one(tmp_path, capsys):
    """Memory does not grow with the file: ten times as many items take no more than a little more."""
    one = json.dumps({**ITEM, "response": PROOF + "Answer: it follows", "note": "x" * 10_000}) + "\n"
    path = tmp_path / "items.jsonl"
    path.write_text(one)
    run([path, "--quiet"], capsys)  # what is loaded once
    peaks = []
    for num in (100, 1000):
        path.write_text(one * num)
        tracemalloc.start()
        code, out, _ = run([path, "--json", "--quiet"], capsys)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        found = json.loads(out)
        assert code == 0 and found["summary"]["num_items"] == num == len(found["items"])
        assert found["summary"]["chain_step_by_step"]["value"] == 1.0
    assert peaks[1] < peaks[0] + 3_000_000  # of 10 MB; what is printed is captured here


def test_a_separator_inside_an_answer_ends_no_line_of_the_file(tmp_path, capsys):
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps({**ITEM, "response": "p\u2028q\x85" + PROOF}, ensure_ascii=False) + "\n")
    assert run([path, "--strict", "--quiet"], capsys)[0] == 0


@pytest.mark.parametrize(("options", "told"), [
    (["--premises", "p"], "--goal is missing"),
    (["--goal", "p"], "--premises is missing"),
    (["--premises", "p", "--goal", "p", "--gold"], "--gold is for items"),
    (["--premises", "p", "--goal", "p", "--strict"], "--strict is for items"),
    (["--premises", "p", "--goal", "p", "--response", "x"], "--response is for items"),
    (["--logic", "monadic"], "--logic goes with --premises"),
    (["--gold", "--response", "x"], "exclude each other"),
])  # fmt: skip
def test_options_that_contradict(tmp_path, capsys, options, told):
    path = items_file(tmp_path, ITEM)
    code, out, err = run([path, *options], capsys)
    assert (code, out) == (2, "") and told in err


def test_answers_that_are_no_chains_are_left_out(tmp_path, capsys):
    other = {**ITEM, "task": "bad-step", "choices": None, "response": "3"}
    path = items_file(tmp_path, other, {**ITEM, "response": PROOF + "Answer: it follows"}, other)
    code, out, _ = run([path, "--quiet", "--strict"], capsys)
    assert code == 0 and "left out                     2 of the task bad-step" in out
    found = json.loads(run([path, "--quiet", "--json"], capsys)[1])
    assert found["left_out"] == {"bad-step": 2} and found["summary"]["num_items"] == 1
    code, out, err = run([items_file(tmp_path, other)], capsys)
    assert (code, out) == (1, "") and "got 1 of the task bad-step" in err


def test_proofs_about_knights_and_knaves(tmp_path, capsys):
    config = GenerateConfig(num=6, seed=1, tasks=("knights-knaves-three-way",), depth=(1, 3))
    path = tmp_path / "items.jsonl"
    path.write_text("".join(row.text + "\n" for row in problem_rows(config, 0)), encoding="utf-8")
    code, out, err = run([path, "--gold", "--strict", "--quiet"], capsys)
    assert (code, err) == (0, "") and "num_items                    6" in out


def test_stored_proofs_of_other_tasks(tmp_path, capsys):
    tasks = ("entailment", "bad-step", "missing-premise", "consistency", "logicinference-2a", "counter-model")
    config = GenerateConfig(num=36, seed=0, tasks=tasks, language="logic")
    path = tmp_path / "items.jsonl"
    path.write_text("".join(row.text + "\n" for at in range(6) for row in problem_rows(config, at)), encoding="utf-8")
    found = json.loads(run([path, "--gold", "--strict", "--quiet", "--json"], capsys)[1])
    assert found["left_out"] == {"missing-premise": 6, "consistency": 6, "logicinference-2a": 6}
    assert found["summary"]["chain_valid"]["value"] == 1.0 and found["summary"]["num_items"] == 18
