"""The benchmark of the room: its rows on small sizes, its peer on a stand-in, errors that it must see."""

import pytest

from benchmarks import bench_logic, logic_english
from benchmarks.logic_english import english_rows, shares_of
from benchmarks.logic_peer import PeerError, peer_items_per_second, peer_row
from custodiet.logic.generate.config import MATRIX, GenerateConfig

RULES = "ready = False\ndef precompute_rules():\n    global ready\n    ready = True\n    print('noise')\n"
SPLITS = """
import rules
def generate_training_and_test_sets_iid(problems, variations, examples, ratio, *, length_distribution, answer_at_the_end):
    assert rules.ready and variations == 25 and len(length_distribution) == 5 and answer_at_the_end
    total = sum(i * i for i in range(200_000))
    cut = int(ratio * examples)
    return list(range(cut)), list(range(examples - cut))
"""


@pytest.fixture
def peer(tmp_path):
    (tmp_path / "rules.py").write_text(RULES)
    (tmp_path / "splits.py").write_text(SPLITS)
    return tmp_path


def test_labels_from_the_english_are_counted_by_engine_and_logic():
    rows = {one.name: one for one in english_rows(60, 6, seed=9)}
    logics = [one for one in MATRIX["entailment"] if one != "datalog"]
    assert list(rows) == ["label_errors_from_english_sat", *[f"label_errors_from_english_z3_{one}" for one in logics]]
    assert all(one.ours == 0 and one.holds for one in rows.values())
    assert all(logic in rows["label_errors_from_english_sat"].input for logic in MATRIX["entailment"])
    assert "z3 6; true share at most 0.39" in rows["label_errors_from_english_z3_monadic"].reason


def test_a_wrong_label_makes_the_row_fail(monkeypatch):
    emitted = logic_english.emitted_rows

    def spoiled(logic, num, seed, first=0):
        for place, row in enumerate(emitted(logic, num, seed, first)):
            yield row if place or first else {**row, "label": "unknown" if row["label"] != "unknown" else "entailed"}

    monkeypatch.setattr(logic_english, "emitted_rows", spoiled)
    row = english_rows(60, 6, seed=9)[0]
    assert row.ours == len(MATRIX["entailment"]) and row.holds is False and "first: 9-0 says" in row.reason


def test_shares_come_to_the_whole_in_whole_problems():
    for num in (1, 60, 1000, 1_000_000):
        shares = shares_of(num)
        assert num <= sum(shares.values()) < num + 6 * len(shares)
        assert all(one % 6 == 0 for one in shares.values())


def test_the_peer_is_timed_where_it_is(peer):
    assert peer_items_per_second(peer, num_problems=3) > 0
    row = peer_row([1e9, 1e9], peer, num_problems=3)
    assert row.holds is True and row.ratio_median is not None and row.ratio_median > 10


def test_the_peer_that_is_not_there_holds_nothing(tmp_path, peer):
    assert peer_row([1.0], None).holds is None and "--peer-dir" in peer_row([1.0], None).reason
    other = tmp_path / "other"
    other.mkdir()
    row = peer_row([1.0], other)
    assert row.holds is None and row.ours is None and "no rules.py and no splits.py" in row.reason
    (peer / "splits.py").write_text("raise ImportError('no tensorflow')")
    with pytest.raises(PeerError, match="no tensorflow"):
        peer_items_per_second(peer, num_problems=1)


def test_a_leaking_set_fails_the_bar():
    row = bench_logic.attacked_row("leak", GenerateConfig(num=150, seed=2, balanced=False), 2.0)
    assert row.holds is False and row.ours is not None and row.ours > 10 and "on shuffled labels" in row.reason


def test_only_known_parts_run():
    with pytest.raises(KeyError):
        bench_logic.run(sizes=bench_logic.SMALL, only="weather")
