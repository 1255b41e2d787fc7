"""Exported tasks: the files as the tools want them; where a tool is installed, the tool itself reads them."""

import importlib.util
import json
import subprocess
import sys

import pytest
import yaml

from custodiet.data.tokenizer import train_bpe
from custodiet.errors import InputError, OutputError, UsageError
from custodiet.logic.checking import gold_answer, judge_item
from custodiet.logic.export import export_tasks
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.rows import problem_rows

CONFIG = GenerateConfig(num=60, seed=1, logics=("propositional", "monadic"), language="both", depth=(1, 3))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("items") / "items.jsonl"
    lines = [row.text for number in range(6) for row in problem_rows(CONFIG, number)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class _Loader(yaml.SafeLoader):
    """YAML with the tool's own tag for functions."""


_Loader.add_constructor("!function", lambda loader, node: ("function", node.value))


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_lm_eval_folder(file, tmp_path):
    export_tasks(file, tmp_path / "out", to="lm-eval", name="chains")
    group = yaml.load((tmp_path / "out" / "_chains.yaml").read_text(), _Loader)
    assert group["group"] == "chains" and group["metadata"]["version"] == "1.0"
    assert {one["metric"] for one in group["aggregate_metric_list"]} == {"acc", "acc_norm"}
    items = {one["id"]: one for one in read(file)}
    seen = set()
    for name in group["task"]:
        task = yaml.load((tmp_path / "out" / f"{name}.yaml").read_text(), _Loader)
        assert task["task"] == name and task["output_type"] == "multiple_choice" and task["test_split"] == "test"
        assert task["custom_dataset"] == ("function", "custodiet_data.load")
        assert task["doc_to_text"] == "{{prompt}}\nAnswer:"
        assert task["metadata"]["version"] == "1.0"
        for row in read(tmp_path / "out" / task["dataset_kwargs"]["file"]):
            item = items[row["id"]]
            assert row["prompt"] == item["prompt"] and row[task["doc_to_choice"]] == item["choices"]
            assert row["choices"][row[task["doc_to_target"]]] == item["answer"]
            assert name == f"chains_depth_{item['cell']['depth']}" and row["depth"] == item["cell"]["depth"]
            seen.add(row["id"])
    assert seen == set(items)
    with pytest.raises(OutputError, match="--overwrite"):
        export_tasks(file, tmp_path / "out", to="lm-eval", name="chains")
    export_tasks(file, tmp_path / "out", to="lm-eval", name="chains", overwrite=True)


def test_inspect_folder(file, tmp_path):
    made = export_tasks(file, tmp_path, to="inspect", name="chains")
    code, data = made.files
    compile(code.read_text(), str(code), "exec")
    assert "@" not in code.read_text().replace("@scorer", "").replace("@task", "")
    items = {one["id"]: one for one in read(file)}
    for row in read(data):
        item = items[row["id"]]
        assert row["target"] == item["label"] and row["depth"] == str(item["cell"]["depth"])
        assert all(f"{at}. {one['text']}\n" in row["input"] for at, one in enumerate(item["premises"], start=1))
        assert (
            judge_item(json.loads(row["item"]), gold_answer(item)).to_json()
            == judge_item(item, gold_answer(item)).to_json()
        )
    assert len(items) == len(read(data)) == made.num_items and not made.left_out
    clusters = {row["id"]: row["cluster"] for row in read(data)}
    assert len(set(clusters.values())) == len({one["group"] for one in items.values()})


TEXTS = [
    "Answer: entailed", "**Answer:** unknown.", "1. entailed", "3. Answer: entailed", "Model 1: the answer is unknown", "",
    "Answer: entailed\nAnswer: entailed or unknown", "so it is contradicted", "The label is CONTRADICTED!", "x\u2028unknown",
    "Answer: inconsistent", "Verdict" + " " * 20_000 + "unknown",
]  # fmt: skip


def test_labels_are_read_the_same_without_custodiet(file, tmp_path):
    """What is copied into the task stands alone and reads what the judge reads."""
    code = export_tasks(file, tmp_path, to="inspect", name="chains").files[0].read_text(encoding="utf-8")
    copied = code[code.index("MAX_LINE = ") : code.index("@scorer")]
    alone: dict = {}
    exec("import re\nfrom collections.abc import Collection, Sequence\n" + copied, alone)
    item = read(file)[0]
    for text in [*TEXTS, gold_answer(item)]:
        words = ["entailed", "contradicted", "unknown", "inconsistent"]
        assert alone["last_word"](text, words) == judge_item(item, text).label


_RUN_INSPECT = """
import json, sys
import inspect_ai
from inspect_ai.model import ModelAPI, ModelOutput, modelapi

said = json.load(open("said.json"))

class Knows(ModelAPI):
    async def generate(self, input, tools, tool_choice, config):
        return ModelOutput.from_content(self.model_name, said[input[-1].text])

    async def count_text_tokens(self, text):
        return len(text)

modelapi(name="knows")(Knows)
(log,) = inspect_ai.eval("chains.py", model="knows/all", display="none", log_dir="log")
assert log.status == "success", log.error
scores = {one.name: {name: metric.value for name, metric in one.metrics.items()} for one in log.results.scores}
print(json.dumps([log.results.completed_samples, scores]))
"""


@pytest.mark.skipif(importlib.util.find_spec("inspect_ai") is None, reason="inspect_ai is not installed")
@pytest.mark.parametrize("right", [True, False])
def test_the_task_in_inspect(file, tmp_path, right):
    """inspect_ai itself runs the task, with a model that gives the answers of the items, or their proofs alone."""
    _, data = export_tasks(file, tmp_path, to="inspect", name="chains").files
    items = {one["id"]: one for one in read(file)}
    texts = {row["input"]: gold_answer(items[row["id"]]) for row in read(data)}
    said = {asked: text if right else text.rpartition("\n")[0] for asked, text in texts.items()}
    (tmp_path / "said.json").write_text(json.dumps(said))
    done = subprocess.run(
        [sys.executable, "-c", _RUN_INSPECT], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    num, values = json.loads(done.stdout.splitlines()[-1])
    assert num == len(items)
    assert values["label"]["accuracy"] == float(right) and values["unreadable"]["mean"] == float(not right)
    assert values["chain_valid"]["mean"] == values["step_by_step"]["mean"] == 1.0
    assert {name for name in values["label"] if name.startswith("grouped")} == {f"grouped_d{at}" for at in (1, 2, 3)}


@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="lm_eval is not installed")
def test_the_tasks_in_lm_eval(file, tmp_path):
    """lm-evaluation-harness itself runs the tasks on a tiny model, and its scores are ours."""
    import lm_eval
    import torch
    from lm_eval.tasks import TaskManager
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    from custodiet.logic.evaluation import answer_items, ask_by_choices, read_items
    from custodiet.nn.answering import LocalChoiceScorer
    from custodiet.nn.loading import load_model

    train_bpe([one["prompt"] for one in read(file)], vocab_size=400).save(tmp_path)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"), eos_token="<|bos|>")
    torch.manual_seed(0)
    small = GPT2Config(
        vocab_size=len(tokenizer), n_positions=2048, n_embd=32, n_layer=2, n_head=2, initializer_range=0.3
    )
    GPT2LMHeadModel(small).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    export_tasks(file, tmp_path / "tasks", to="lm-eval", name="chains")
    manager = TaskManager(include_path=str(tmp_path / "tasks"), include_defaults=False)
    found = lm_eval.simple_evaluate(
        model="hf", model_args={"pretrained": str(tmp_path / "model")}, tasks=["chains"], task_manager=manager,
        bootstrap_iters=0, log_samples=True, device="cpu",
    )  # fmt: skip
    assert found is not None and set(found["samples"]) == {f"chains_depth_{depth}" for depth in (1, 2, 3)}
    theirs = {
        one["doc"]["id"]: [float(value[0]) for value in one["filtered_resps"]]
        for some in found["samples"].values()
        for one in some
    }
    items, _, _ = read_items(file, mode="choices")
    scorer = LocalChoiceScorer.of(load_model(str(tmp_path / "model"), device="cpu"))
    rows = answer_items(items, ask_by_choices(scorer, str, "\nAnswer: "), tmp_path / "answers.jsonl")
    assert len(theirs) == len(rows)
    for row in rows:
        assert theirs[row["key"]] == pytest.approx(row["logprobs_nats"], abs=1e-4)
    accuracy = sum(row["right"] for row in rows) / len(rows)
    assert found["results"]["chains"]["acc,none"] == pytest.approx(accuracy)


def test_what_cannot_be_exported(file, tmp_path):
    with pytest.raises(UsageError, match="small letters"):
        export_tasks(file, tmp_path, to="inspect", name="My task")
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"task": "bad-step", "prompt": "?", "answer": "3", "choices": None}) + "\n")
    for tool in ("lm-eval", "inspect"):
        with pytest.raises(InputError, match="no item"):
            export_tasks(other, tmp_path, to=tool)


def test_what_is_left_out_is_told(file, tmp_path):
    mixed = tmp_path / "mixed.jsonl"
    other = {"id": "x", "task": "bad-step", "prompt": "?", "answer": "3", "choices": None}
    mixed.write_text(file.read_text(encoding="utf-8") + json.dumps(other) + "\n", encoding="utf-8")
    made = export_tasks(mixed, tmp_path / "out", to="inspect")
    assert dict(made.left_out) == {"items of the task bad-step ask for no proof": 1}
    assert made.num_items == len(read(file))


def test_kinds_with_members_and_closed_worlds_keep_what_proofs_need(tmp_path):
    path = tmp_path / "items.jsonl"
    lines = []
    for logic in ("syllogistic", "datalog"):
        config = GenerateConfig(num=6, seed=1, logics=(logic,), existential_import=logic == "syllogistic", depth=(1, 2))
        lines += [json.dumps({**json.loads(one.text), "id": f"{logic} {at}"})
                  for at, one in enumerate(problem_rows(config, 0))]  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    _, data = export_tasks(path, tmp_path / "out", to="inspect").files
    items = {one["id"]: one for one in read(path)}
    assert len(read(data)) == 12
    for row in read(data):
        judged = judge_item(json.loads(row["item"]), gold_answer(items[row["id"]]))
        assert judged.chain == "valid" and judged.label_right
