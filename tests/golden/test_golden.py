"""What must not drift unseen: a loss trajectory and a report's words.

``CUSTODIET_REWRITE_GOLDEN=1`` writes the files anew; read the difference before you commit it.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from custodiet.data.goldfish_mask import goldfish_mask_numpy
from custodiet.nn.gpt import GPT, GPTConfig
from custodiet.optim.adamw import FlatAdamW
from custodiet.optim.schedules import Schedule
from custodiet.report.markdown import render_markdown
from custodiet.train.batches import Batch
from custodiet.train.loop import Trainer
from tests.sample_record import make_record

HERE = Path(__file__).parent
REWRITE = os.environ.get("CUSTODIET_REWRITE_GOLDEN") == "1"


def trajectory(loss):
    """Kept loss and gradient norm of twelve float32 steps on seeded rows."""
    model = GPT(GPTConfig(vocab_size=50, context_length=24, width=16, num_layers=2, num_heads=2), seed=7)
    optimizer = FlatAdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.1, clip_norm=1.0)
    trainer = Trainer(model, optimizer, Schedule(peak=3e-3, num_steps=12, warmup_steps=2, kind="cosine"))
    tokens = np.random.default_rng(7).integers(0, 50, (6, 25))
    valid = np.ones_like(tokens, dtype=bool)
    valid[:, 0] = False
    keep = valid.copy()
    if loss == "goldfish":
        for row in range(6):
            keep[row, 1:] = goldfish_mask_numpy(tokens[row, 1:], k=4, h=13)
    batch = Batch(tokens_BT=tokens, valid_BT=valid, keep_BT=keep)
    found = [trainer.step([batch]) for _ in range(12)]
    return [[one.kept_loss_nats, one.grad_norm, one.num_kept] for one in found]


@pytest.mark.parametrize("loss", ["cross_entropy", "goldfish"])
def test_loss_trajectory(loss):
    path = HERE / f"trajectory_{loss}.json"
    found = trajectory(loss)
    if REWRITE:
        path.write_text(json.dumps(found, indent=1) + "\n")
    np.testing.assert_allclose(found, json.loads(path.read_text()), rtol=3e-4)


@pytest.mark.parametrize("kind", ["default", "one_arm"])
def test_markdown_report(kind):
    path = HERE / f"report_{kind}.md"
    found = render_markdown(make_record(one_arm=kind == "one_arm"))
    if REWRITE:
        path.write_text(found)
    assert found == path.read_text()
