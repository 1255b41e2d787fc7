"""Train a small model on text of your own and ask what it memorized; a minute or so on two cores.

Run it from anywhere: ``python examples/train_and_audit.py``. It writes into a temporary folder.
"""

import json
import tempfile
from pathlib import Path
from pydoc_data.topics import topics

import custodiet

text = "\n".join(topics[name] for name in sorted(topics))
passages = [{"text": text[start : start + 600]} for start in range(0, 36_000, 600)]
members, controls = passages[::2], passages[1::2]


def write(path: Path, rows: list[dict], repeats: int = 1) -> str:
    path.write_text("".join(json.dumps(row | {"repeats": repeats}) + "\n" for row in rows))
    return str(path)


with tempfile.TemporaryDirectory() as name:
    here = Path(name)
    known = write(here / "members.jsonl", members, repeats=8)
    held_out = write(here / "controls.jsonl", controls)
    (here / "train.toml").write_text(
        "corpus = ['members.jsonl']\nrepeats_column = 'repeats'\nvalidation_share = 0.0\nvocab_size = 512\n"
        "context_length = 256\nwidth = 128\nnum_layers = 2\nnum_heads = 4\nnum_steps = 400\nlearning_rate = 0.003\n"
    )
    custodiet.train(here / "train.toml", out=here / "run")
    record = custodiet.audit(here / "run", documents=[known], controls=[held_out], out=here / "audit")

arm = record.arms["model"]
rate, control = arm.extraction_50_pooled, arm.control_extraction_50
print(f"members extracted word for word   {rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}] of {rate.num}")
print(f"controls extracted                {control.value:.2f} [{control.low:.2f}, {control.high:.2f}] of {control.num}")
auc = arm.membership["loss"].auc
print(f"membership by loss, AUC           {auc.value:.2f} [{auc.low:.2f}, {auc.high:.2f}]")
assert rate.value > 0.5 > control.value == 0.0, "the model did not memorize what it was shown"
