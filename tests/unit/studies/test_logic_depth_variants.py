"""Variants of the depth study's questions: what may change changes, and nothing else."""

from collections import Counter

import numpy as np
import pytest

from custodiet.errors import CustodietError
from custodiet.logic.engines.truth_table import decide_by_table
from custodiet.logic.formulas import Implies, atoms_of
from custodiet.studies.logic_depth import NAMES, Problem, _tokenizer, draw_problem
from custodiet.studies.logic_depth_variants import make_depth_variants


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_variants_change_what_their_kind_says(depth):
    rng, codec = np.random.default_rng(depth), _tokenizer()
    for problem in draw_problem(rng, depth):
        made = make_depth_variants(problem, rng)
        for one in made.values():
            assert decide_by_table(one.premises, one.goal).label == problem.label == one.label
            assert codec.bos_id not in codec.encode([one.prompt()])[0]
        old = Counter(problem.premises)
        assert Counter(made["premise-order"].premises) == old and made["premise-order"].premises != problem.premises
        assert sum((old - Counter(made["contraposition"].premises)).values()) == 1
        (extra,) = (Counter(made["irrelevant-premise"].premises) - old).elements()
        assert isinstance(extra, Implies)
        assert {*atoms_of(extra)}.isdisjoint(atom for one in problem.premises for atom in atoms_of(one))
        assert len(made["renaming"].premises) == len(problem.premises)
        assert all(atom.predicate in NAMES for one in made["renaming"].premises for atom in atoms_of(one))
    assert made["renaming"].prompt() != problem.prompt()


def test_a_wrong_label_is_not_handed_on():
    rng = np.random.default_rng(0)
    problem = draw_problem(rng, 1)[0]
    wrong = Problem(problem.premises, problem.goal, problem.chain, "unknown")
    with pytest.raises(CustodietError, match="is a defect"):
        make_depth_variants(wrong, rng)
