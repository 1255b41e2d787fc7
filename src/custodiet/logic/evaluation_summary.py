"""From the rows of an evaluation to its record: rates by property, bias, twins, survival per step, consistency, chains.

Intervals are bootstraps over clusters: items that share a skeleton or come from one problem hang together (their premises
are the same but for one sentence), so they are drawn together. All rates of a record see the same resamples.

Shape suffixes: N items, G groups, D depths, R resamples, S values of r.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from custodiet.base.resampling import ClusterBootstrap, join_clusters
from custodiet.base.stats import Estimate, estimate_proportion
from custodiet.errors import TooFewSamplesError
from custodiet.logic.metamorphic import METAMORPHIC_KINDS
from custodiet.records.base import Measurement
from custodiet.records.logic_evaluation import ChainQuality, LabelBias, MetamorphicResult, Slice, Survival

__all__ = ["fit_survival", "summarize_rows"]

Row = Mapping[str, Any]
Floats = NDArray[np.float64]
_SINGLE = ("depth", "premises", "distractors", "language", "logic", "task", "goal form")
_MANY = {"distractor kinds": "distractor kind", "rules": "rule"}
_LIKELIHOOD_DROP = 1.92
"""half the 95 % quantile of chi-squared with one degree of freedom"""
_CHAINS = ("valid", "wrong", "unreadable", "none")


def summarize_rows(rows: Sequence[Row], *, seed: int, impossible: Mapping[str, int] | None = None) -> dict[str, Any]:
    """The measured fields of a `LogicEvaluationRecord`.

    Args:
        rows: from `custodiet.logic.evaluation.answer_items`, variants among them.
        seed: of the bootstrap.
        impossible: kind of variant -> items that have none.

    Raises:
        TooFewSamplesError: no item fits into the model's context.
    """
    asked = [one for one in rows if one["variant"] is None]
    items = [one for one in asked if one["status"] != "too long"]
    if not items:
        raise TooFewSamplesError("no item fits into the model's context", expected="at least one", got=0)
    boot = ClusterBootstrap(_clusters(items), seed=seed)
    right = np.array([one["right"] for one in items])
    said = np.array([one["predicted"] is not None for one in items])
    everyone = np.ones((len(items), 1))
    choices = [one["predicted_per_token"] == one["label"] for one in items if "predicted_per_token" in one]
    missing = Measurement.missing("choices were not scored")
    chance = float(np.mean([1 / len(one["labels"]) if one["labels"] else 0.0 for one in items]))

    def share(hits: Any) -> Measurement:
        return Measurement.of(boot.estimate_shares(hits, everyone)[0])

    by = _slices(items, right, boot)
    variants = [one for one in rows if one["variant"] is not None]
    metamorphic, consistency = _metamorphic(asked, variants, impossible or {}, seed)
    return {
        "num_clusters": boot.num_clusters,
        "accuracy": share(right),
        "accuracy_per_token": share(np.array(choices)) if len(choices) == len(items) else missing,
        "wrong": share(said & ~right),
        "unreadable": share(~said),
        "num_too_long": len(asked) - len(items),
        "chance": chance,
        "by": by,
        **_bias(items, boot),
        **_twins(asked, seed),
        "survival": _survival(items, right, boot, chance),
        "metamorphic": metamorphic,
        "metamorphic_consistency": consistency,
        "chains": _chains(items, boot),
    }


def _clusters(items: Sequence[Row]) -> NDArray[np.int64]:
    facts = [one["facts"] for one in items]
    return join_clusters([one["skeleton"] for one in facts], [one["group"] for one in facts])


def _slices(items: Sequence[Row], right: NDArray[np.bool_], boot: ClusterBootstrap) -> dict[str, list[Slice]]:
    found: dict[str, list[Slice]] = {}
    values: dict[str, list[list[Any]]] = {
        **{name: [[] if one["facts"][name] is None else [one["facts"][name]] for one in items] for name in _SINGLE},
        **{shown: [list(one["facts"][name]) for one in items] for name, shown in _MANY.items()},
        "label": [[one["label"]] if one["labels"] else [] for one in items],
    }
    for name, lists in values.items():
        if slices := _by_values(lists, right, boot):
            found[name] = slices
    return found


def _by_value(values: Sequence[Any], right: NDArray[np.bool_], boot: ClusterBootstrap) -> list[Slice]:
    return _by_values([[] if one is None else [one] for one in values], right, boot)


def _by_values(lists: Sequence[Sequence[Any]], right: NDArray[np.bool_], boot: ClusterBootstrap) -> list[Slice]:
    """The share that is right of those that have each value; one may have several values or none."""
    names = sorted({value for some in lists for value in some}, key=lambda one: (isinstance(one, str), one))
    if not names:
        return []
    place = {value: at for at, value in enumerate(names)}
    members = np.zeros((len(lists), len(names)))
    for row, some in enumerate(lists):
        members[row, [place[value] for value in some]] = 1.0
    return [
        Slice(value=str(value), num_items=int(members[:, at].sum()), accuracy=Measurement.of(estimate))
        for at, (value, estimate) in enumerate(zip(names, boot.estimate_shares(right, members), strict=True))
    ]


def _bias(items: Sequence[Row], boot: ClusterBootstrap) -> dict[str, Any]:
    """Recall and prediction rate of each label, where all items have the same labels."""
    labels = max((one["labels"] for one in items), key=len)  # in a closed world nothing is unknown
    if not labels or any(not one["labels"] or one["labels"] != labels[: len(one["labels"])] for one in items):
        return {"balanced_accuracy": Measurement.missing("the items have different labels"), "bias": []}
    true = np.array([[one["label"] == label for label in labels] for one in items], dtype=np.float64)
    predicted = np.array([[one["predicted"] == label for label in labels] for one in items], dtype=np.float64)
    right = (true * predicted).sum(axis=1)
    recalls = boot.estimate_shares(right, true)
    everyone = np.ones((len(items), 1))
    num = len(labels)

    def mean_recall(sums_RC: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            return np.nanmean(sums_RC[:, :num] / np.where(sums_RC[:, num:] > 0, sums_RC[:, num:], np.nan), axis=1)

    balanced = _open_ended(boot.estimate(np.concatenate([true * predicted, true], axis=1), mean_recall))
    bias = [
        LabelBias(
            label=label,
            num_items=int(true[:, at].sum()),
            recall=Measurement.of(recalls[at]),
            prediction_rate=Measurement.of(boot.estimate_shares(predicted[:, at], everyone)[0]),
            predicted=dict(sorted(Counter(one["predicted"] or "" for one in items if one["label"] == label).items())),
        )
        for at, label in enumerate(labels)
    ]
    return {"balanced_accuracy": Measurement.of(balanced), "bias": bias}


def _open_ended(found: Estimate) -> Estimate:
    """A share at 0 or 1, where no resample differs though another sample would, with the exact interval of so many clusters."""
    if found.value not in (0.0, 1.0) or found.low is None:
        return found
    return estimate_proportion(round(found.value * found.num), found.num)


def _twins(asked: Sequence[Row], seed: int) -> dict[str, Any]:
    """A set of twins counts if all of it was asked, and is right if all of it is."""
    by_key = {one["key"]: one for one in asked}
    sets: dict[frozenset[str], list[Row]] = {}
    incomplete: set[frozenset[str]] = set()
    for one in asked:
        if not one["facts"]["twins"]:
            continue
        names = frozenset([one["key"], *one["facts"]["twins"]])
        rows = [by_key[name] for name in names if name in by_key and by_key[name]["status"] != "too long"]
        if len(rows) == len(names):
            sets[names] = rows
        else:
            incomplete.add(names)
    if not sets:
        why = "no set of twins was asked as a whole" if incomplete else "the items have no twins"
        return {
            "pair_accuracy": Measurement.missing(why),
            "pair_chance": None,
            "num_incomplete_twin_sets": len(incomplete),
        }
    order = sorted(sets, key=lambda names: min(by_key[name]["place"] for name in names))
    first = [sets[names][0] for names in order]
    boot = ClusterBootstrap(_clusters(first), seed=seed)
    right = np.array([all(one["right"] for one in sets[names]) for names in order])
    by_guess = [np.prod([1 / len(one["labels"]) for one in sets[names] if one["labels"]]) for names in order]
    return {
        "pair_accuracy": Measurement.of(boot.estimate_shares(right, np.ones((len(order), 1)))[0]),
        "pair_by_depth": _by_value([one["facts"]["depth"] for one in first], right, boot),
        "pair_chance": float(np.mean(by_guess)),
        "num_incomplete_twin_sets": len(incomplete),
    }


# -------------------------------------------------------------------------------------------------------------- survival


class _Fit(NamedTuple):
    rates_S: Floats
    log_right_SD: Floats
    log_wrong_SD: Floats


def _grid(depths_D: Floats, chance: float) -> _Fit:
    rates = np.linspace(0.0, 1.0, 2001)
    right = chance + (1 - chance) * rates[:, None] ** depths_D[None, :]
    return _Fit(rates, np.log(np.clip(right, 1e-12, 1.0)), np.log(np.clip(1 - right, 1e-12, 1.0)))


def _best_rates(fit: _Fit, right_RD: Floats, total_RD: Floats) -> Floats:
    """The rate of the highest likelihood for each row of counts, between the points of the grid by a parabola."""
    likelihood_SR = fit.log_right_SD @ right_RD.T + fit.log_wrong_SD @ (total_RD - right_RD).T
    best = likelihood_SR.argmax(axis=0)
    inner = np.clip(best, 1, len(fit.rates_S) - 2)
    columns = np.arange(len(best))
    low, mid, high = (likelihood_SR[inner + step, columns] for step in (-1, 0, 1))
    bend = low - 2 * mid + high
    shift = np.where((best == inner) & (bend < 0), 0.5 * (low - high) / np.where(bend < 0, bend, -1.0), 0.0)
    return np.where(best == inner, fit.rates_S[inner] + shift * (fit.rates_S[1]), fit.rates_S[best])


def fit_survival(
    right_N: Sequence[bool] | NDArray[np.bool_],
    depth_N: Sequence[int] | NDArray[np.int64],
    boot: ClusterBootstrap,
    *,
    chance: float,
) -> Estimate:
    """The rate r of ``acc = c + (1 - c) r^d`` that makes the answers most likely.

    Args:
        right_N: whether each answer is right.
        depth_N: steps of each item, at least 1.
        boot: the clusters of the items.
        chance: c, the accuracy of guessing, in [0, 1).

    Returns:
        Estimate of r in [0, 1]; `num` is the number of clusters. Without a value where all items have one depth, as then
        r and c cannot be told apart from any other curve through one point. Where no resample differs, as at 0 or 1, the
        open end is where the likelihood, each cluster taken as one answer, has fallen by as much as a 95 % interval lets it.
    """
    depths = np.unique(np.asarray(depth_N))
    if len(depths) < 2:
        return Estimate(None, None, None, boot.num_clusters, "one depth makes no curve")
    at = np.asarray(depth_N)[:, None] == depths[None, :]
    right = at & np.asarray(right_N, dtype=bool)[:, None]
    fit, num = _grid(depths.astype(np.float64), chance), len(depths)
    columns = np.concatenate([right, at], axis=1).astype(np.float64)
    found = boot.estimate(columns, lambda sums_RC: _best_rates(fit, sums_RC[:, :num], sums_RC[:, num:]))
    if found.low is None or found.high is None or found.low < found.high:
        return found
    sums = columns.sum(axis=0) * boot.num_clusters / len(columns)
    likelihood_S = fit.log_right_SD @ sums[:num] + fit.log_wrong_SD @ (sums[num:] - sums[:num])
    within = fit.rates_S[likelihood_S >= likelihood_S.max() - _LIKELIHOOD_DROP]
    return replace(found, low=min(found.low, float(within[0])), high=max(found.high, float(within[-1])))


def _survival(items: Sequence[Row], right: NDArray[np.bool_], boot: ClusterBootstrap, chance: float) -> Survival | None:
    known = [place for place, one in enumerate(items) if one["facts"]["depth"] is not None]
    if not known:
        return None
    depths = np.array([items[place]["facts"]["depth"] for place in known])
    mine = boot if len(known) == len(items) else ClusterBootstrap(boot.cluster_N[known], seed=boot.seed)
    found = fit_survival(right[known], depths, mine, chance=chance)
    return Survival(chance=chance, per_step=Measurement.of(found), depths=np.unique(depths).tolist())


# ----------------------------------------------------------------------------------------------------------- metamorphic


def _metamorphic(
    asked: Sequence[Row], variants: Sequence[Row], impossible: Mapping[str, int], seed: int
) -> tuple[list[MetamorphicResult], Measurement]:
    originals = {one["key"]: one for one in asked if one["status"] != "too long"}
    pairs = [
        (originals[key], one)
        for one in variants
        if one["status"] != "too long" and (key := one["key"].rpartition("/")[0]) in originals
    ]
    if not pairs:
        return [], Measurement.missing("no variants were asked")
    boot = ClusterBootstrap(_clusters([original for original, _ in pairs]), seed=seed)
    kinds = [kind for kind in METAMORPHIC_KINDS if any(one["variant"] == kind for _, one in pairs)]
    members = np.array([[one["variant"] == kind for kind in kinds] for _, one in pairs], dtype=np.float64)
    same = np.array([a["predicted"] is not None and a["predicted"] == b["predicted"] for a, b in pairs])
    shares = [
        boot.estimate_shares(hits, members)
        for hits in (same, np.array([b["right"] for _, b in pairs]), np.array([a["right"] for a, _ in pairs]))
    ]
    results = [
        MetamorphicResult(
            kind=kind,
            num_variants=int(members[:, at].sum()),
            num_impossible=impossible.get(kind, 0),
            consistency=Measurement.of(shares[0][at]),
            accuracy=Measurement.of(shares[1][at]),
            original_accuracy=Measurement.of(shares[2][at]),
        )
        for at, kind in enumerate(kinds)
    ]
    return results, Measurement.of(boot.estimate_shares(same, np.ones((len(pairs), 1)))[0])


# ---------------------------------------------------------------------------------------------------------------- chains


def _chains(items: Sequence[Row], boot: ClusterBootstrap) -> ChainQuality | None:
    judged = [(place, one["judgement"]) for place, one in enumerate(items) if "judgement" in one]
    if not judged or all(one["chain"] == "none" for _, one in judged):
        return None
    mine = ClusterBootstrap(boot.cluster_N[[place for place, _ in judged]], seed=boot.seed)
    everyone = np.ones((len(judged), 1))

    def share(test: Callable[[Row], bool]) -> Measurement:
        return Measurement.of(mine.estimate_shares(np.array([test(one) for _, one in judged]), everyone)[0])

    def total(field: str) -> int:
        return sum(one[field] for _, one in judged)

    counts = np.array([[one["num_invented"], one["num_premises"]] for _, one in judged], dtype=np.float64)

    def rate(sums_RC: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            return sums_RC[:, 0] / np.where(sums_RC[:, 1] > 0, sums_RC[:, 1], np.nan)

    over = [one["steps_over_reference"] for _, one in judged if one["steps_over_reference"] is not None]
    kinds = Counter(one["first_bad"]["kind"] for _, one in judged if one["first_bad"] is not None)
    return ChainQuality(
        **{kind: share(lambda one, kind=kind: one["chain"] == kind) for kind in _CHAINS},
        step_by_step=share(lambda one: one["step_by_step"]),
        right_answer_wrong_chain=share(lambda one: one["right_answer_wrong_chain"]),
        valid_chain_wrong_answer=share(lambda one: one["valid_chain_wrong_answer"]),
        hallucinated_premises=Measurement.of(_open_ended(mine.estimate(counts, rate)))
        if counts[:, 1].any()
        else Measurement.missing("no line is called a premise"),
        num_steps=total("num_steps"),
        num_unreadable_steps=total("num_unreadable"),
        num_skipped_steps=total("num_skipped"),
        num_misnamed_steps=total("num_misnamed"),
        num_leaps=total("num_leaps"),
        mean_steps_over_reference=sum(over) / len(over) if over else None,
        first_bad_kinds=dict(sorted(kinds.items(), key=lambda one: (-one[1], one[0]))),
    )
