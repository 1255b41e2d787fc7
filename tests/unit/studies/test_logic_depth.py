"""The depth study: its problems by the engines, its texts, and a run too short to learn anything, which it must say."""

import json

import numpy as np
import pytest

from custodiet.errors import UsageError
from custodiet.logic.engines.decide import certify
from custodiet.logic.formulas import Implies
from custodiet.studies.logic_depth import (
    LABELS,
    WORDS,
    LogicDepthConfig,
    _batches,
    _tokenizer,
    draw_problem,
    run_logic_depth,
)

TINY = LogicDepthConfig(
    num_steps=3, batch_rows=8, width=16, num_layers=1, num_heads=2, num_problems=4, tested_depths=(1, 2, 4)
)


@pytest.mark.parametrize("depth", [1, 2, 5, 8])
def test_problems_are_what_they_say(depth):
    for seed in range(5):
        problems = draw_problem(np.random.default_rng(seed), depth)
        assert sorted(one.label for one in problems) == sorted([*LABELS, *LABELS])
        for one in problems:
            assert certify("propositional", one.premises, one.goal).label == one.label
            assert len(one.premises) == 3 * depth + 1 and len(one.chain) == depth
            known = {p for p in one.premises if not isinstance(p, Implies)}
            for literal in one.chain:  # each literal of the chain follows from the ones before by one premise
                assert any(isinstance(p, Implies) and p.left in known and p.right == literal for p in one.premises)
                known.add(literal)


def test_texts_are_tokens_that_come_back():
    codec = _tokenizer()
    for one in draw_problem(np.random.default_rng(0), 3):
        for way, cue in (("direct", "="), ("chain", ":")):
            text = one.prompt() + cue + one.answer(way)
            ids = codec.encode([text])[0]
            assert codec.decode(ids) == text
            assert codec.bos_id not in ids
            assert one.answer(way).endswith(WORDS[LABELS.index(one.label)])
        cited = one.answer("chain").split("\n")[0].split(";")[:-1]
        stated = one.prompt().split("?")[0].split(";")[:-1]
        assert len(cited) == 4 and set(cited) <= set(stated) and cited[0].startswith("!")
        assert sorted(one.recited(range(9, -1, -1)).split(";")[:-1]) == sorted(stated)


def test_the_loss_is_on_answers_only():
    codec = _tokenizer()
    batch = next(_batches(TINY, codec, TINY.context_length))
    for tokens, keep, valid, positions in zip(
        batch.tokens_BT, batch.keep_BT, batch.valid_BT, batch.position_BT, strict=True
    ):
        answer = codec.decode(tokens[keep])
        prompt = codec.decode(tokens[valid & ~keep])
        assert prompt[-1] in "=:," and "?" in prompt and "?" not in answer
        assert answer.endswith("<|bos|>") and answer.removesuffix("<|bos|>")[-1] in (
            ";" if prompt[-1] == "," else "TFU"
        )
        assert positions[-1] < TINY.context_length and (np.diff(positions) == 1).all()


def test_training_goes_deeper_and_farther_into_the_context():
    config = LogicDepthConfig(num_steps=100, trained_depths=(3, 1, 2))
    stages = [config.stage(step) for step in range(100)]
    assert stages[0] == ((1,), 0.0) and stages[99] == ((1, 2, 3), 1.0)
    assert [len(depths) for depths, _ in stages] == sorted(len(depths) for depths, _ in stages)
    assert [spread for _, spread in stages] == sorted(spread for _, spread in stages)
    assert LogicDepthConfig(trained_depths=(2,)).stage(0)[0] == (2,)


def test_a_model_that_learned_nothing_is_said_to_have(tmp_path):
    result = run_logic_depth(TINY, tmp_path)
    assert result.learned == {"direct": False, "chain": False}
    assert result.survival("direct").value is None
    assert "not learned" in (result.survival("chain").why or "")
    rows = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert len(rows) == 3 * 4 * 6
    for way in ("direct", "chain"):
        record = result.records[way]
        assert [one.value for one in record.by["depth"]] == ["1", "2", "4"]
        assert record.items.num_asked == 72 and record.num_too_long == 0
        assert (tmp_path / way / "record.json").is_file()
    assert result.records["direct"].pair_chance == pytest.approx(1 / 27)


def test_depths_that_do_not_fit():
    with pytest.raises(UsageError, match="depths"):
        LogicDepthConfig(tested_depths=(1, 40))
