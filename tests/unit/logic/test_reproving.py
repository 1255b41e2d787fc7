"""Labels proved again from prompts: right ones pass, planted errors of label, sentence and form are found."""

import copy

import pytest

from custodiet.errors import InputError, UsageError
from custodiet.logic.generate.config import MATRIX, GenerateConfig
from custodiet.logic.generate.stream import generate_rows
from custodiet.logic.reproving import TASKS, Reproof, reprove, stated_in

OTHER = {"entailed": "contradicted", "contradicted": "entailed", "unknown": "entailed"}


def rows_of(logic, **options):
    return list(generate_rows(GenerateConfig(num=12, seed=3, logics=(logic,), **options)))


@pytest.mark.parametrize("engine", ["sat", "z3"])
@pytest.mark.parametrize("logic", MATRIX["entailment"])
def test_labels_of_items_are_what_their_prompts_say(logic, engine):
    for language in ("english", "logic"):
        found = reprove(rows_of(logic, language=language), engine=engine)
        assert (found.num, found.num_faults, found.faults) == (12, 0, [])
        assert found.engines.total() == 12


@pytest.mark.parametrize("engine", ["sat", "z3"])
def test_each_wrong_label_is_found(engine):
    rows = rows_of("propositional")
    for row in rows[::3]:
        row["label"] = OTHER[row["label"]]
    found = reprove(rows, engine=engine)
    assert [one.item for one in found.faults] == [row["id"] for row in rows[::3]]
    assert found.num_faults == 4 and all(
        one.found == OTHER[one.label] or one.label == "entailed" for one in found.faults
    )


def test_it_is_the_prompt_that_counts():
    rows = rows_of("monadic")
    row = next(one for one in rows if one["label"] == "entailed")
    wrong = copy.deepcopy(row)
    texts, _ = stated_in(row["prompt"])
    out = texts[row["support"][0] - 1]
    kept = [one for one in texts if one != out]
    listing = "\n".join(f"{at}. {one}" for at, one in enumerate(kept, start=1))
    wrong["prompt"] = f"Premises:\n{listing}\n\nConclusion: " + row["prompt"].partition("\n\nConclusion: ")[2]
    (fault,) = reprove([wrong]).faults  # the recorded formulas are all there
    assert (fault.label, fault.found) == ("entailed", "unknown")


def test_what_cannot_be_read_is_a_fault_and_the_rest_is_still_proved():
    rows = rows_of("propositional")
    rows[1]["prompt"] = rows[1]["prompt"].replace("Conclusion: ", "Conclusion: Perhaps ")
    rows[2]["prompt"] = "What follows?"
    found = reprove(rows)
    assert (found.num, found.num_faults) == (12, 2)
    assert [one.item for one in found.faults] == [rows[1]["id"], rows[2]["id"]]
    assert found.engines.total() == 10


def test_contradictory_premises_are_a_fault():
    row = {
        "id": "0", "group": "g", "task": "entailment", "logic": "propositional", "label": "entailed", "vocabulary": None,
        "prompt": "Premises:\n1. p\n2. ~p\n\nConclusion: p\n\nIs it?",
    }  # fmt: skip
    for engine in ("sat", "z3"):
        assert [one.found for one in reprove([row], engine=engine).faults] == ["inconsistent"]


TASK_LOGICS = [(task, logic) for task in TASKS for logic in MATRIX[task]]


@pytest.mark.parametrize(("task", "logic"), TASK_LOGICS)
def test_answers_of_every_task_are_proved_and_wrong_ones_found(task, logic):
    rows = rows_of(logic, tasks=(task,), depth=(2, 3))
    found = reprove(rows, engine="z3")
    assert (found.num, found.num_faults, found.faults) == (12, 0, []) and found.engines.total() == 12
    wrong = {"missing-premise": "A", "consistency": "1, 2"}.get(task)
    changed = set()
    for row, other in zip(rows, [*rows[1:], rows[0]], strict=True):
        if wrong is not None and row["answer"] != wrong:
            row["answer"] = wrong
            changed.add(row["id"])
        elif task in ("entailment", "counter-model"):
            row["label"] = OTHER[row["label"]]
            changed.add(row["id"])
        elif task == "premise-selection" and row["answer"].count(",") > 0:
            row["answer"] = row["answer"].split(", ")[0]
            changed.add(row["id"])
        elif task == "formalize" and row["answer"] != other["answer"]:
            row["answer"] = f"~({row['answer']})"
            changed.add(row["id"])
        elif task == "verbalize":
            row["prompt"] = row["prompt"].replace("Formula: ", "Formula: ~(", 1).replace("\n", ")\n", 1)
            changed.add(row["id"])
    found = {one.item for one in reprove(rows, engine="z3").faults}
    assert changed and found <= changed
    assert found == changed or (task, logic) == (
        "premise-selection",
        "datalog",
    )  # all is false where nothing is derived


def test_counts_add_up():
    total = Reproof()
    for seed in range(2):
        total.add(reprove(generate_rows(GenerateConfig(num=6, seed=seed))))
    assert total.num == 12 and total.engines.total() == 12


def test_bad_requests():
    rows = rows_of("propositional")
    with pytest.raises(UsageError, match="no such engine"):
        reprove(rows, engine="vampire")  # type: ignore[arg-type]
    rows[0]["task"] = "bad-step"
    with pytest.raises(InputError, match="cannot be proved again"):
        reprove(rows)
    for prompt in ("", "Premises:\n1. p\n3. q\n\nConclusion: p", "1. p\n\nConclusion: p", "Premises:\n1. p"):
        with pytest.raises(InputError, match="not a prompt"):
            stated_in(prompt)
