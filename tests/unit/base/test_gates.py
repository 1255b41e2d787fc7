"""The grammar of --fail-if and its verdicts."""

import pytest

from custodiet.base.gates import judge_gate, parse_gate, resolve_path
from custodiet.errors import UsageError

RECORD = {"arms": {"model": {"extraction_50": [{"repeats": None, "rate": 1}, {"repeats": 4, "rate": 2}], "x.y": 3}}}


def measured(value, low, high, num=100):
    return {"value": value, "low": low, "high": high, "num": num}


def test_parse():
    gate = parse_gate(" arms.model.extraction_50[repeats=1].rate >= 1e-3 ")
    assert (gate.path, gate.operator, gate.threshold) == ("arms.model.extraction_50[repeats=1].rate", ">=", 0.001)


@pytest.mark.parametrize("text", ["", "a.b", "a > ", "> 3", "a > nan", "a > x", "a..b > 1", "a == 1"])
def test_parse_refuses(text):
    with pytest.raises(UsageError):
        parse_gate(text)


def test_resolve():
    assert resolve_path(RECORD, "arms.model.extraction_50[repeats=4].rate") == 2
    assert resolve_path(RECORD, "arms.model.extraction_50[repeats=null].rate") == 1
    assert resolve_path(RECORD, "arms.model.extraction_50[1].repeats") == 4


@pytest.mark.parametrize(
    ("path", "says"),
    [("arms.other", "model"), ("arms.model.extraction_50[repeats=9]", "null, 4"), ("arms.model[0]", "not a list")],
)
def test_resolve_says_what_is_there(path, says):
    with pytest.raises(UsageError, match=says):
        resolve_path(RECORD, path)


@pytest.mark.parametrize(
    ("text", "value", "outcome"),
    [
        ("a > 0.1", measured(0.3, 0.2, 0.4), "fail"),
        ("a > 0.1", measured(0.05, 0.0, 0.1), "pass"),
        ("a > 0.1", measured(0.15, 0.05, 0.3), "inconclusive"),
        ("a >= 0.2", measured(0.3, 0.2, 0.4), "fail"),
        ("a < 0.5", measured(0.3, 0.2, 0.4), "fail"),
        ("a < 0.5", measured(0.6, 0.5, 0.7), "pass"),
        ("a <= 0.5", measured(0.6, 0.5, 0.7), "inconclusive"),
        ("a > 0.5", {"value": None, "low": None, "high": None, "num": 0, "why": "no controls"}, "inconclusive"),
    ],
)
def test_judge(text, value, outcome):
    assert judge_gate(parse_gate(text), value)[0] == outcome


def test_inconclusive_says_how_many_more():
    _, reason = judge_gate(parse_gate("a > 0.1"), measured(0.2, 0.05, 0.35))
    assert "about 125 more samples" in reason  # (0.15 / 0.1)^2 = 2.25 times as many
    _, reason = judge_gate(parse_gate("a > 0.01"), measured(0.0, 0.0, 0.03))
    assert "about 200 more samples" in reason  # at zero the bound shrinks with n itself
