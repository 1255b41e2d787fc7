"""Does the kernel reject every proof that is wrong, and only those? Twenty-five kinds of mutants, 5,000 of each.

An oracle that shares no code with the kernel (`benchmarks.logic_oracle`) says of each mutant whether it is still a proof:
SAT for what follows, z3 outside exists*forall*, clingo for programs. A sample of the oracle's own verdicts on lines is
asked of z3 again. A proof that the kernel accepts is also checked as a whole: what it ends with must follow from the
premises. The proofs come from `benchmarks.logic_proofs`; `counts` takes any others.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable

from benchmarks.logic_oracle import Oracle, Signature, z3_satisfiable
from benchmarks.logic_proofs import LANGUAGES, random_proof, random_proofs
from benchmarks.table import Row, absolute_row
from custodiet.errors import FormulaError
from custodiet.logic.formulas import Not
from custodiet.logic.kernel import check_proof
from custodiet.logic.mutations import MUTATIONS, Proof

NUM_PER_KIND = 5_000
NUM_Z3 = 2_000


def counts(proofs: Iterable[Proof], num_per_kind: int, seed: int = 0) -> dict[str, Counter[str]]:
    """Mutate proofs until every kind has its number.

    Args:
        proofs: valid proofs, enough of them.
        num_per_kind: mutants of each kind.
        seed: of the mutations.

    Returns:
        For each kind, and for `gold`: how many `rejected` (invalid for both), `accepted` (valid for both), `missed`
        (invalid, accepted), `refused` (valid, rejected), `undecided` (the oracle does not know; `undecided accepted` of
        these) and `unsound` (accepted, though what it ends with does not follow).
    """
    rng, oracle = random.Random(seed), Oracle()
    found: dict[str, Counter[str]] = {"gold": Counter(), **{kind: Counter() for kind in MUTATIONS}}
    left = dict.fromkeys(MUTATIONS, num_per_kind)
    for proof in proofs:
        if not left:
            break
        _count(proof, oracle, found["gold"])
        for kind in list(left):
            mutant = MUTATIONS[kind](proof, rng)
            if mutant is None or mutant == proof:
                continue
            _count(mutant, oracle, found[kind])
            left[kind] -= 1
            if not left[kind]:
                del left[kind]
    return found


def _count(proof: Proof, oracle: Oracle, into: Counter[str]) -> None:
    try:
        accepted = check_proof(proof.steps, proof.premises, proof.goal, logic=proof.logic).valid
    except FormulaError:  # the mutant's premises and goal are no problem
        accepted = False
    valid = oracle.valid(proof)
    if valid is None:
        into["undecided"] += 1
        into["undecided accepted"] += accepted
    else:
        names = {
            (True, True): "accepted",
            (False, False): "rejected",
            (False, True): "missed",
            (True, False): "refused",
        }
        into[names[valid, accepted]] += 1
    if accepted and oracle.is_true(proof) is False:
        into["unsound"] += 1


def check_oracle(num: int, seed: int = 0) -> tuple[int, int]:
    """Ask z3 about lines of mutants too: how many lines, and how many verdicts differ."""
    rng, oracle, asked, differ = random.Random(seed), Oracle(), 0, 0
    for proof in random_proofs(seed):
        mutant = MUTATIONS[rng.choice(list(MUTATIONS))](proof, rng)
        signature = Signature(mutant or proof)
        if mutant is None or not signature.fits:
            continue
        said = {one.number: one.formula for one in mutant.steps}
        for step in mutant.steps:
            if step.cites and all(one in said for one in step.cites):
                given = [said[one] for one in step.cites]
                mine = oracle.follows(given, step.formula, signature.sort_of)
                theirs = z3_satisfiable([*given, Not(step.formula)], signature.sort_of)
                if mine is not None and theirs is not None:
                    asked += 1
                    differ += mine is theirs
        if asked >= num:
            return asked, differ
    raise AssertionError("the proofs do not end")


def run() -> list[Row]:
    """The rows of this benchmark; the counts of each kind are printed in their reasons."""
    found = counts(random_proofs(1), NUM_PER_KIND)
    gold = Counter(found.pop("gold"))
    total: Counter[str] = sum(found.values(), Counter())
    invalid, valid = total["rejected"] + total["missed"], total["accepted"] + total["refused"]
    what = f"{len(found)} kinds of mutants x {NUM_PER_KIND:,} of random proofs in {', '.join(LANGUAGES)}"
    by_kind = "; ".join(f"{kind} {one['rejected']}+{one['accepted']}" for kind, one in found.items())
    asked, differ = check_oracle(NUM_Z3)
    return [
        _count_row("mutants_rejected", total["rejected"], invalid, what,
                   f"invalid for the oracle: {invalid:,}; rejected + accepted by kind: {by_kind}"),
        _count_row("mutants_missed", total["missed"], 0, what, "invalid for the oracle, accepted by the kernel"),
        _count_row("mutants_accepted", total["accepted"], valid, what, f"still valid for the oracle: {valid:,}"),
        _count_row("mutants_refused", total["refused"], 0, what, "valid for the oracle, rejected by the kernel"),
        _count_row("mutants_undecided", total["undecided"], None, what,
                   f"nobody knows; the kernel accepted {total['undecided accepted']} of them"),
        _count_row("unsound_proofs", total["unsound"] + gold["unsound"], 0, what,
                   "accepted, though the last line does not follow from the premises"),
        _count_row("gold_accepted", gold["accepted"], sum(gold[key] for key in ("accepted", "refused", "rejected", "missed")),
                   f"the {gold['accepted']:,} proofs that were mutated", "valid by construction and for the oracle"),
        _count_row("oracle_against_z3", differ, 0, f"{asked:,} lines of mutants", "verdicts of the oracle that z3 does not share"),
        *speed_rows(),
    ]  # fmt: skip


def _count_row(name: str, num: int, bar: int | None, input: str, reason: str) -> Row:
    higher = name.endswith(("_rejected", "_accepted"))
    return absolute_row(name, num, unit="proofs" if "oracle" not in name else "lines", kind="count", bar=bar,
                        better="higher" if higher else "lower", input=input, reason=reason)  # fmt: skip


def speed_rows(num: int = 2_000) -> list[Row]:
    """Microseconds of CPU for one line of a valid proof, best of five."""
    rows = []
    for language, unnamed in [*((one, 0.0) for one in LANGUAGES), ("propositional", 1.0), ("relational", 1.0)]:
        rng = random.Random(0)
        proofs = [random_proof(rng, language, unnamed) for _ in range(num)]
        lines = sum(len(one.steps) for one in proofs)
        best = min(_elapsed_s(proofs) for _ in range(5))
        rows.append(absolute_row(
            f"kernel_{language}{'_unnamed' if unnamed else ''}", best / lines * 1e6, unit="µs per line",
            bar=6.0 if (language, unnamed) == ("propositional", 0.0) else None, better="lower",
            input=f"{num:,} valid proofs, {lines / num:.1f} lines each",
            reason="no line names its rule, so each is searched for" if unnamed else "lines are matched with the rules they name",
        ))  # fmt: skip
    return rows


def _elapsed_s(proofs: list[Proof]) -> float:
    start = time.process_time()
    for one in proofs:
        check_proof(one.steps, one.premises, one.goal, logic=one.logic)
    return time.process_time() - start
