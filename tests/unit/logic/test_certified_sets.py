"""`--certify z3`: whole data sets are proved again from their prompts; one false item and nothing is written."""

import json
from pathlib import Path

import pytest

from custodiet.errors import CustodietError, UsageError
from custodiet.logic.generate import stream
from custodiet.logic.generate.config import MATRIX, GenerateConfig
from custodiet.logic.generate.stream import generate_data_set, generate_rows
from custodiet.logic.label_audit import audit_labels_of_file
from custodiet.logic.reproving import TASKS


@pytest.mark.parametrize("logic", MATRIX["formalize"])
def test_certified_sets_have_the_bytes_of_others(tmp_path: Path, logic: str) -> None:
    tasks = tuple(one for one in TASKS if logic in MATRIX[one])
    config = GenerateConfig(num=6 * len(tasks), seed=4, tasks=tasks, logics=(logic,), language="both", depth=(2, 3))
    generate_data_set(config, tmp_path / "plain.jsonl")
    generate_data_set(config, tmp_path / "certified.jsonl", certify="z3")
    assert (tmp_path / "plain.jsonl").read_bytes() == (tmp_path / "certified.jsonl").read_bytes()
    record = audit_labels_of_file(tmp_path / "certified.jsonl", certify="z3")
    assert record.label_errors.value == 0.0 and record.num_claims >= config.num and not record.unreadable
    assert ("clingo" if logic == "datalog" else "z3") in record.engines


def test_one_false_item_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = stream._make_block

    def lies(config: GenerateConfig, block: int) -> stream._Block:
        made = real(config, block)
        if block == 0:
            return made
        return made._replace(text=made.text.replace('"label": "entailed"', '"label": "contradicted"', 1))

    monkeypatch.setattr(stream, "_BLOCK", 2)
    monkeypatch.setattr(stream, "_make_block", lies)
    with pytest.raises(
        CustodietError, match="1 items of a block are not what z3 finds.*says contradicted, found entailed"
    ):
        generate_data_set(GenerateConfig(num=36, seed=1), tmp_path / "items.jsonl", certify="z3")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(stream, "_make_block", real)
    assert generate_data_set(GenerateConfig(num=36, seed=1), tmp_path / "items.jsonl", certify="z3").num_items == 36


def test_it_is_the_sentences_that_are_audited(tmp_path: Path) -> None:
    rows = list(generate_rows(GenerateConfig(num=6, seed=2, logics=("monadic",))))
    row = next(one for one in rows if one["label"] == "entailed")
    text = row["premises"][row["support"][0] - 1]["text"]
    other = next(one["text"] for at, one in enumerate(row["premises"], 1) if at not in row["support"])
    row["prompt"] = row["prompt"].replace(text, other)
    rows[0 if rows[0] is not row else 1]["prompt"] = "Well?"
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    assert audit_labels_of_file(path).label_errors.value == 0.0  # the recorded formulas are right
    record = audit_labels_of_file(path, certify="z3")
    assert record.num_errors == 1 and record.num_claims == 5 and sum(record.unreadable.values()) == 1
    assert (record.errors[0].says, record.errors[0].verdict) == ("entailed", "unknown")


def test_bad_requests(tmp_path: Path) -> None:
    config = GenerateConfig(num=6, tasks=("entailment", "bad-step"))
    with pytest.raises(UsageError, match="--certify does not know the task bad-step"):
        generate_data_set(config, tmp_path / "items.jsonl", certify="z3")
    with pytest.raises(UsageError, match="--certify"):
        generate_data_set(GenerateConfig(num=6), tmp_path / "items.jsonl", certify="cvc5")
    path = tmp_path / "others.jsonl"
    path.write_text(
        json.dumps({"inputs": "Consider the following premises. p. q. Can we infer p from them?", "targets": "Yes."})
    )
    with pytest.raises(UsageError, match="--certify is for items of custodiet"):
        audit_labels_of_file(path, certify="z3")
    assert [one.name for one in tmp_path.iterdir()] == ["others.jsonl"]
