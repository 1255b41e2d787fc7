"""Exported tasks: the files as the tools want them; where a tool is installed, the tool itself reads them."""

import asyncio
import importlib.util
import json
from types import SimpleNamespace

import pytest
import yaml

from custodiet.errors import InputError, OutputError, UsageError
from custodiet.logic.checking import gold_answer
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
    code, data = export_tasks(file, tmp_path, to="inspect", name="chains")
    compile(code.read_text(), str(code), "exec")
    assert "@" not in code.read_text().replace("@scorer", "").replace("@task", "")
    items = {one["id"]: one for one in read(file)}
    for row in read(data):
        item = items[row["id"]]
        assert row["target"] == item["label"] and row["depth"] == str(item["cell"]["depth"])
        assert all(f"{at}. {one['text']}\n" in row["input"] for at, one in enumerate(item["premises"], start=1))
        assert {"premises", "goal", "logic", "label"} <= json.loads(row["item"]).keys()
    assert len(items) == len(read(data))


@pytest.mark.skipif(importlib.util.find_spec("inspect_ai") is None, reason="inspect_ai is not installed")
def test_the_scorer_in_inspect(file, tmp_path):
    code, data = export_tasks(file, tmp_path, to="inspect", name="chains")
    spec = importlib.util.spec_from_file_location("chains", code)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    items = {one["id"]: one for one in read(file)}
    assert len(module.chains().dataset) == len(items)
    for row in read(data)[:12]:
        for text, right in ((gold_answer(items[row["id"]]), 1), ("1. q [premise]\nAnswer: entailed nor not", 0)):
            state = SimpleNamespace(output=SimpleNamespace(completion=text), metadata=row)
            score = asyncio.run(module.chain()(state, SimpleNamespace(text=row["target"])))
            assert score.value["label"] == right and score.value["chain_valid"] == right


@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="lm_eval is not installed")
def test_the_tasks_in_lm_eval(file, tmp_path):
    import lm_eval
    from lm_eval.tasks import TaskManager

    export_tasks(file, tmp_path, to="lm-eval", name="chains")
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    found = lm_eval.simple_evaluate(model="dummy", tasks=["chains"], task_manager=manager, bootstrap_iters=0)
    assert found is not None and set(found["n-samples"]) == {f"chains_depth_{depth}" for depth in (1, 2, 3)}


def test_what_cannot_be_exported(file, tmp_path):
    with pytest.raises(UsageError, match="small letters"):
        export_tasks(file, tmp_path, to="inspect", name="My task")
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"task": "bad-step", "prompt": "?", "answer": "3", "choices": None}) + "\n")
    for tool in ("lm-eval", "inspect"):
        with pytest.raises(InputError, match="no item"):
            export_tasks(other, tmp_path, to=tool)
