"""Figures of an evaluation against answers whose rates are known."""

import numpy as np
import pytest

from custodiet.base.resampling import ClusterBootstrap
from custodiet.errors import TooFewSamplesError
from custodiet.logic.evaluation_summary import fit_survival, summarize_rows

LABELS = ["entailed", "contradicted", "unknown"]


def row(key, label, predicted, *, depth=1, group=None, twins=(), variant=None, status="answered", **facts):
    return {
        "key": key, "place": 0, "variant": variant, "status": status, "label": label, "labels": LABELS,
        "predicted": predicted, "right": predicted == label,
        "facts": {"task": "entailment", "logic": "propositional", "language": "logic", "depth": depth, "premises": 8,
                  "distractors": 1, "distractor kinds": ["dead-end"], "rules": ["modus ponens"], "goal form": "literal",
                  "skeleton": key, "group": group or key, "twins": list(twins), **facts},
    }  # fmt: skip


def make_rows(rate=0.8, depths=range(1, 9), num=150, seed=0):
    """Sets of twins; each item is right with probability 1/3 + 2/3 rate^depth."""
    rng = np.random.default_rng(seed)
    rows = []
    for depth in depths:
        for at in range(num):
            names = [f"{depth}-{at}-{label}" for label in LABELS]
            for name, label in zip(names, LABELS, strict=True):
                right = rng.random() < 1 / 3 + 2 / 3 * rate**depth
                said = label if right else str(rng.choice([one for one in LABELS if one != label]))
                rows.append(
                    row(
                        name,
                        label,
                        said,
                        depth=depth,
                        group=f"{depth}-{at}",
                        twins=[one for one in names if one != name],
                    )
                )
    return rows


@pytest.mark.parametrize("rate", [0.55, 0.8, 0.97, 1.0])
def test_the_rate_of_survival_is_found(rate):
    found = summarize_rows(make_rows(rate), seed=1)["survival"]
    assert found.chance == pytest.approx(1 / 3)
    assert found.per_step.value == pytest.approx(rate, abs=0.03)
    if rate < 1:
        assert found.per_step.low <= rate <= found.per_step.high
        assert found.per_step.high - found.per_step.low < 0.1


def test_the_fit_is_the_maximum_of_the_likelihood():
    from scipy.optimize import minimize_scalar

    rng = np.random.default_rng(3)
    depths = rng.integers(1, 6, 300)
    right = rng.random(300) < 1 / 3 + 2 / 3 * 0.7**depths

    def loss(rate):
        chances = 1 / 3 + 2 / 3 * rate**depths
        return -float(np.log(np.where(right, chances, 1 - chances)).sum())

    best = minimize_scalar(loss, bounds=(1e-6, 1 - 1e-6), method="bounded", options={"xatol": 1e-9}).x
    found = fit_survival(right, depths, ClusterBootstrap(np.arange(300), seed=0), chance=1 / 3)
    assert found.value == pytest.approx(best, abs=1e-5)


def test_the_interval_of_the_rate_covers():
    covered = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        depths = rng.integers(1, 7, 400)
        right = rng.random(400) < 1 / 3 + 2 / 3 * 0.85**depths
        found = fit_survival(
            right, depths, ClusterBootstrap(np.arange(400), seed=seed, num_resamples=400), chance=1 / 3
        )
        covered += found.low <= 0.85 <= found.high
    assert covered >= 34


def test_guessing_survives_nothing_and_one_depth_is_no_curve():
    assert summarize_rows(make_rows(0.0), seed=1)["survival"].per_step.value < 0.1
    alone = summarize_rows(make_rows(0.8, depths=[3]), seed=1)["survival"]
    assert alone.per_step.value is None and alone.per_step.why == "one depth makes no curve"


def test_twins_count_as_a_whole():
    rows = make_rows(1.0, depths=[1], num=20)
    broken = [one if one["key"] != "1-0-entailed" else {**one, "predicted": "unknown", "right": False} for one in rows]
    found = summarize_rows([one for one in broken if one["key"] != "1-1-unknown"], seed=0)
    assert found["pair_accuracy"].value == pytest.approx(18 / 19)
    assert found["num_incomplete_twin_sets"] == 1
    assert found["pair_chance"] == pytest.approx(1 / 27)
    always = [{**one, "predicted": "entailed", "right": one["label"] == "entailed"} for one in rows]
    said = summarize_rows(always, seed=0)
    assert said["pair_accuracy"].value == 0.0
    assert said["accuracy"].value == pytest.approx(1 / 3)


def test_bias_shows():
    rows = [row(f"a{at}", "entailed", "entailed") for at in range(30)]
    rows += [row(f"b{at}", "contradicted", "entailed" if at % 2 else "contradicted") for at in range(20)]
    rows += [row(f"c{at}", "unknown", None, status="unreadable") for at in range(10)]
    found = summarize_rows(rows, seed=0)
    recall = {one.label: one.recall.value for one in found["bias"]}
    said = {one.label: one.prediction_rate.value for one in found["bias"]}
    assert recall == {"entailed": 1.0, "contradicted": 0.5, "unknown": 0.0}
    assert said == pytest.approx({"entailed": 40 / 60, "contradicted": 10 / 60, "unknown": 0.0})
    assert found["balanced_accuracy"].value == pytest.approx(0.5)
    assert found["bias"][2].predicted == {"": 10}
    assert found["accuracy"].value == pytest.approx(40 / 60)
    assert found["wrong"].value == pytest.approx(10 / 60)
    assert found["unreadable"].value == pytest.approx(10 / 60)


def test_items_of_one_problem_are_one_cluster():
    rows = [row(f"{at}", "entailed", "entailed" if at < 60 else "unknown", group=f"g{at // 6}") for at in range(120)]
    found = summarize_rows(rows, seed=0)
    assert found["num_clusters"] == found["accuracy"].num == 20
    linked = [
        row(f"{at}", "entailed", "entailed", group=f"g{at // 2}", skeleton=f"s{(at + 1) // 2}") for at in range(10)
    ]
    assert summarize_rows(linked, seed=0)["num_clusters"] == 1  # a chain: each shares something with the next


def test_too_long_is_in_no_rate():
    rows = [*make_rows(1.0, depths=[1], num=5), row("x", "entailed", None, status="too long")]
    found = summarize_rows(rows, seed=0)
    assert found["num_too_long"] == 1 and found["accuracy"].value == 1.0
    with pytest.raises(TooFewSamplesError, match="context"):
        summarize_rows(rows[-1:], seed=0)


def test_slices():
    rows = [row(f"{at}", "entailed", "entailed" if at % 4 else "unknown", depth=1 + at % 2, rules=["a", "b"] if at % 4 else ["a"])
            for at in range(40)]  # fmt: skip
    by = summarize_rows(rows, seed=0)["by"]
    assert [(one.value, one.num_items, one.accuracy.value) for one in by["depth"]] == [("1", 20, 0.5), ("2", 20, 1.0)]
    assert [(one.value, one.num_items, one.accuracy.value) for one in by["rule"]] == [("a", 40, 0.75), ("b", 30, 1.0)]
    assert [one.value for one in by["distractor kind"]] == ["dead-end"]


def test_consistency_is_not_accuracy():
    rows = [row(f"{at}", "entailed", "unknown", group=f"g{at}") for at in range(10)]
    rows += [row(f"{at}/renaming", "entailed", "unknown", group=f"g{at}", variant="renaming") for at in range(10)]
    rows += [row(f"{at}/language", "entailed", "entailed", group=f"g{at}", variant="language") for at in range(5)]
    found = summarize_rows(rows, seed=0, impossible={"language": 5})
    told = {one.kind: (one.consistency.value, one.accuracy.value, one.original_accuracy.value, one.num_impossible)
            for one in found["metamorphic"]}  # fmt: skip
    assert told == {"renaming": (1.0, 0.0, 0.0, 0), "language": (0.0, 1.0, 0.0, 5)}
    assert found["metamorphic_consistency"].value == pytest.approx(10 / 15)
    assert found["accuracy"].value == 0.0  # variants are in no other rate


@pytest.mark.parametrize(("said", "value"), [("right", 1.0), ("wrong", 0.0)])
def test_a_rate_at_its_end_has_an_open_side(said, value):
    """No resample differs; the interval must not have no width, and must shrink with the number of clusters."""
    widths = []
    for num in (10, 100):
        rows = [
            row(f"{depth}-{at}", "entailed", "entailed" if said == "right" else "unknown", depth=depth)
            for depth in (1, 2, 3)
            for at in range(num)
        ]
        survival = summarize_rows(rows, seed=0)["survival"].per_step
        assert survival.value == value and survival.low <= value <= survival.high
        widths.append(survival.high - survival.low)
    assert 0.002 < widths[1] < widths[0] < 0.7


def test_balanced_accuracy_at_its_end_has_an_open_side():
    rows = [row(f"{label}{at}", label, None, status="unreadable") for at in range(10) for label in LABELS]
    found = summarize_rows(rows, seed=0)["balanced_accuracy"]
    assert found.value == 0.0 and found.high > 0.05


def test_twins_by_depth():
    rows = make_rows(0.7, depths=[1, 4], num=60)
    found = summarize_rows(rows, seed=0)["pair_by_depth"]
    for one, depth in zip(found, (1, 4), strict=True):
        sets: dict = {}
        for each in rows:
            if each["facts"]["depth"] == depth:
                sets.setdefault(each["facts"]["group"], []).append(each["right"])
        assert (one.value, one.num_items) == (str(depth), 60)
        assert one.accuracy.value == pytest.approx(sum(all(some) for some in sets.values()) / 60)


def test_bias_where_some_items_are_of_a_closed_world():
    open_ = [row(f"a{at}", "unknown", "unknown") for at in range(10)]
    closed = [{**row(f"b{at}", "entailed", "contradicted"), "labels": LABELS[:2]} for at in range(10)]
    found = summarize_rows([*closed, *open_], seed=0)
    assert [one.label for one in found["bias"]] == LABELS
    assert {one.label: one.recall.value for one in found["bias"]} == {
        "entailed": 0.0,
        "contradicted": None,
        "unknown": 1.0,
    }
    assert found["chance"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    other = [{**row("c", "B", "B"), "labels": ["A", "B"]}]
    assert summarize_rows([*open_, *other], seed=0)["balanced_accuracy"].why == "the items have different labels"
