"""Items as tasks of other evaluation tools: folders that lm-evaluation-harness and inspect_ai run as they are.

lm-evaluation-harness: a task of multiple choice for each depth, and a group over them, so that its table is the depth
curve. inspect_ai: one task that lets the model write, with a scorer for the label and, where custodiet can be imported, for
every step of the chain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from custodiet._version import __version__
from custodiet.base.resampling import join_clusters
from custodiet.errors import OutputError, UsageError
from custodiet.logic import said
from custodiet.logic.evaluation import Item, proof_prompt, read_items
from custodiet.records.files import write_text_atomic

__all__ = ["Exported", "export_tasks"]

VERSION = "1.0"
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")

_LM_EVAL_CODE = '''"""The data of these tasks lie beside them, wherever the folder is."""

from pathlib import Path

import datasets


def load(file, **_):
    path = Path(__file__).resolve().parent / file
    return {"test": datasets.load_dataset("json", data_files=str(path), split="train")}
'''

_INSPECT_CODE = '''"""Chains of inference, written by custodiet @VERSION@: the label, and every step where custodiet can be imported.

Run: inspect eval @NAME@.py --model MODEL
"""

import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import FieldSpec, json_dataset
from inspect_ai.scorer import Score, accuracy, grouped, mean, scorer, stderr
from inspect_ai.solver import generate

try:
    from custodiet.logic.checking import judge_item
except ImportError:  # labels are judged, chains are not
    judge_item = None

LABELS = ("entailed", "contradicted", "unknown", "inconsistent")
DEPTHS = grouped(accuracy(), "depth", all=False, name_template="d{group_name}")
METRICS = {"label": [accuracy(), stderr(cluster="cluster"), DEPTHS], "unreadable": [mean()]}
CHAINS = ("chain_valid", "step_by_step", "right_answer_wrong_chain", "no_invented_premise")
if judge_item is not None:
    METRICS |= {name: [mean(), stderr(cluster="cluster")] for name in CHAINS}

@SAID@


@scorer(metrics=METRICS)
def chain():
    async def score(state, target):
        text = state.output.completion
        item = json.loads(state.metadata["item"])
        words = {one: one for one in LABELS}
        words |= dict(zip([one.strip(MARKS).lower() for one in item["choices"]], LABELS))
        word = last_word(text, words)
        value = {"label": int(words.get(word) == item["label"]), "unreadable": int(word is None)}
        why = "" if word else "no answer that can be read"
        if judge_item is not None:
            one = judge_item(item, text)
            value |= {
                "chain_valid": int(one.chain == "valid"),
                "step_by_step": int(one.step_by_step),
                "right_answer_wrong_chain": int(one.right_answer_wrong_chain),
                "no_invented_premise": int(one.num_invented == 0),
            }
            if one.first_bad is not None:
                why = f"step {one.first_bad.number}: {one.first_bad.kind}: {one.first_bad.message}"
        return Score(value=value, answer=word or "", explanation=why)

    return score


@task
def @NAME@():
    return Task(
        dataset=json_dataset(
            str(Path(__file__).resolve().parent / "@NAME@.jsonl"), FieldSpec(id="id", input="input", target="target",
            metadata=["depth", "logic", "language", "skeleton", "cluster", "item"]),
        ),
        solver=[generate()],
        scorer=chain(),
        version="@TASK_VERSION@",
    )
'''


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        files: the files.
        num_items: items in them.
        left_out: why items were left out -> how many.
    """

    files: tuple[Path, ...]
    num_items: int
    left_out: Mapping[str, int]


def export_tasks(
    path: Path, out: Path, *, to: Literal["lm-eval", "inspect"], name: str = "custodiet_logic", overwrite: bool = False
) -> Exported:
    """Write items as tasks of another tool.

    Args:
        path: JSONL made by `custodiet logic generate`; items with choices for lm-eval, of the task entailment for inspect.
        out: folder to write into.
        to: the tool.
        name: of the group or task; small letters, digits and underscores.
        overwrite: replace files of the same names.

    Returns:
        The files, and which items are not in them.

    Raises:
        UsageError: a name that the tools cannot use.
        InputError: no item fits.
        OutputError: a file is there already, or cannot be written.
    """
    if not _NAME.match(name):
        raise UsageError("--name cannot be a task's", expected="small letters, digits and underscores", got=name)
    items, left_out, _ = read_items(path, mode="choices" if to == "lm-eval" else "proof")
    files = _lm_eval_files(items, name) if to == "lm-eval" else _inspect_files(items, name)
    there = [one for one in files if (out / one).exists()]
    if there and not overwrite:
        raise OutputError(f"{out / there[0]} is there already", hint="Add --overwrite, or name another --out.")
    for one, text in files.items():
        write_text_atomic(out / one, text)
    return Exported(tuple([out / one for one in files]), len(items), left_out)


def _lm_eval_files(items: Sequence[Item], name: str) -> dict[str, str]:
    tasks: dict[str, list[Item]] = {}
    for item in items:
        depth = item.facts()["depth"]
        tasks.setdefault(name + ("_any" if depth is None else f"_depth_{int(depth)}"), []).append(item)
    order = sorted(tasks, key=lambda one: (len(one), one))
    files = {"custodiet_data.py": _LM_EVAL_CODE}
    for task in order:
        files[f"{task}.jsonl"] = _lines(
            {
                "id": one.key,
                "prompt": one.prompt,
                "choices": list(one.choices),
                "gold": one.labels.index(one.label),
                **{key: one.facts()[key] for key in ("depth", "logic", "language", "skeleton")},
            }
            for one in tasks[task]
        )
        files[f"{task}.yaml"] = _yaml(
            {
                "task": task,
                "custom_dataset": "!function custodiet_data.load",
                "dataset_kwargs": {"file": f"{task}.jsonl"},
                "output_type": "multiple_choice",
                "test_split": "test",
                "doc_to_text": "{{prompt}}\nAnswer:",
                "doc_to_target": "gold",
                "doc_to_choice": "choices",
                "target_delimiter": " ",
                "metric_list": [
                    {"metric": metric, "aggregation": "mean", "higher_is_better": True}
                    for metric in ("acc", "acc_norm")
                ],
                "metadata": {"version": VERSION, "made_by": f"custodiet {__version__}"},
            }
        )
    files[f"_{name}.yaml"] = _yaml(
        {
            "group": name,
            "task": order,
            "aggregate_metric_list": [{"metric": metric, "weight_by_size": True} for metric in ("acc", "acc_norm")],
            "metadata": {"version": VERSION},
        }
    )
    return files


def _inspect_files(items: Sequence[Item], name: str) -> dict[str, str]:
    samples = []
    facts_of = [one.facts() for one in items]
    clusters = join_clusters([one["skeleton"] for one in facts_of], [one["group"] for one in facts_of]).tolist()
    kept = ("id", "logic", "label", "choices", "premises", "implicit_premises", "goal", "proof", "vocabulary")
    for one, facts, cluster in zip(items, facts_of, clusters, strict=True):
        raw: Mapping[str, Any] = one.raw
        item = {key: raw[key] for key in kept if key in raw}
        samples.append(
            {
                "id": one.key,
                "input": proof_prompt(raw),
                "target": one.choices[one.labels.index(one.label)],
                "depth": "any" if facts["depth"] is None else str(facts["depth"]),
                "logic": facts["logic"],
                "language": facts["language"],
                "skeleton": facts["skeleton"],
                "cluster": str(cluster),
                "item": json.dumps(item, ensure_ascii=False),
            }
        )
    code = _INSPECT_CODE
    for place, text in (
        ("VERSION", __version__),
        ("NAME", name),
        ("TASK_VERSION", VERSION),
        ("SAID", _source_of_said()),
    ):
        code = code.replace(f"@{place}@", text)
    return {f"{name}.py": code, f"{name}.jsonl": _lines(samples)}


def _source_of_said() -> str:
    """How a label is read, to be copied: the definitions of `custodiet.logic.said`."""
    text = Path(said.__file__).read_text(encoding="utf-8")
    return text[text.index("\nMAX_LINE = ") :].strip()


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _yaml(values: Mapping[str, Any]) -> str:
    """YAML of which every value is JSON (which YAML contains), but for the tags of functions."""
    told = [
        f"{key}: {value if isinstance(value, str) and value.startswith('!function ') else json.dumps(value, ensure_ascii=False)}"
        for key, value in values.items()
    ]
    return "\n".join(told) + "\n"
