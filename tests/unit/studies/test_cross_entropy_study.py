"""Study `cross-entropy` in small, and its claims on planted records."""

import pytest

from custodiet.records.base import Measurement, load_record
from custodiet.records.entropy import EntropyRecord
from custodiet.records.run_folder import RunFolder
from custodiet.records.study import StudyRecord
from custodiet.studies.catalogue import STUDIES
from custodiet.studies.cross_entropy import (
    Coding,
    CrossEntropyConfig,
    EnglishFigures,
    judge_cross_entropy_claims,
    run_cross_entropy_study,
)

SMALL = CrossEntropyConfig(
    vocab_size=300,
    context_length=32,
    width=16,
    num_layers=1,
    num_heads=2,
    num_steps=20,
    held_out_share=0.1,
    max_texts=30,
)
NAMES = [
    "code_length_over_cross_entropy", "perplexity_is_two_to_the_bits", "F1_bits", "F2_bits", "F3_bits", "word_entropy_bits",
    "redundancy", "guess_bounds_contain_model_entropy", "lm_beats_xz_on_held_out", "lm_with_weights_beats_xz",
]  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = RunFolder.create(tmp_path_factory.mktemp("study") / "run", "study")
    told = []
    record = run_cross_entropy_study(
        folder=folder, seed=0, command="", on_progress=lambda *one: told.append(one[0]), config=SMALL
    )
    return folder, record, told


def test_the_study_runs_codes_and_is_kept(done):
    folder, record, told = done
    assert load_record(folder.record_json, (StudyRecord,)) == record
    claims = {claim.name: claim for claim in record.claims}
    assert list(claims) == NAMES
    assert claims["code_length_over_cross_entropy"].verdict == "reproduced"
    assert claims["perplexity_is_two_to_the_bits"].verdict == "reproduced"
    assert claims["lm_with_weights_beats_xz"].verdict == "not reproduced"
    assert {"train", "encode", "decode", "score"} <= set(told)
    assert STUDIES["cross-entropy"].load() is run_cross_entropy_study


def test_the_inner_record_is_of_text_that_was_not_trained_on(done):
    folder, _, _ = done
    found = load_record(folder.path / "entropy" / "record.json", (EntropyRecord,))
    training = (folder.path / "work" / "training.jsonl").read_text()
    assert {one.role for one in found.files} == {"coded", "other"}
    assert found.num_bytes < len(training)
    assert "n-gram, primed" in {one.name for one in found.codes}


def test_verdicts_follow_from_the_numbers(done):
    folder, _, _ = done
    found = load_record(folder.path / "entropy" / "record.json", (EntropyRecord,))
    model = found.codes[-1].name
    exact = Measurement(value=4.0, low=3.99, high=4.01, num=9)
    english = EnglishFigures(letters=[exact, exact, exact], word=Measurement(value=11.8, low=11.7, high=11.9, num=9))
    coding = Coding(num_tokens=10, payload_bits=1010, scored_bits=1000.0, perplexity=8.0, bits_per_token=3.0)
    claims = {one.name: one for one in judge_cross_entropy_claims(found, coding, english, model_name=model)}
    assert claims["code_length_over_cross_entropy"].verdict == "not reproduced"
    assert claims["perplexity_is_two_to_the_bits"].measured == 1.0
    assert [claims[f"F{n}_bits"].verdict for n in (1, 2, 3)] == ["reproduced", "not reproduced", "not reproduced"]
    assert claims["word_entropy_bits"].verdict == "reproduced"
    unplayed = judge_cross_entropy_claims(
        found.model_copy(update={"guessing": None}), coding, english, model_name=model
    )
    verdicts = {one.name: one.verdict for one in unplayed}
    assert verdicts["redundancy"] == verdicts["guess_bounds_contain_model_entropy"] == "inconclusive"
