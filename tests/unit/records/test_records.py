"""Records: strict, versioned, without NaN; files that are never half written."""

import json

import jsonschema
import pytest
from pydantic import Field

from custodiet.base.stats import Estimate
from custodiet.errors import OutputError, RecordError
from custodiet.records.audit import AuditRecord
from custodiet.records.base import MIGRATIONS, Measurement, Record, load_record, migration
from custodiet.records.files import atomic_path, sha256_file, sha256_text, write_text_atomic
from custodiet.records.study import StudyRecord, judge_claim
from tests.sample_record import make_record


def test_round_trip_is_byte_stable(tmp_path):
    record = make_record()
    path = tmp_path / "record.json"
    record.save(path)
    again = AuditRecord.load(path)
    assert again == record
    assert again.to_json() == path.read_text()


def test_json_fits_its_schema():
    jsonschema.validate(json.loads(make_record().to_json()), AuditRecord.json_schema())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw.update(surprise=1),
        lambda raw: raw.pop("not_tested"),
        lambda raw: raw.update(seed="0"),
        lambda raw: raw["corpus"].update(num_members="12"),
        lambda raw: raw.update(schema="custodiet.audit/99"),
    ],
)
def test_reading_is_strict(spoil, tmp_path):
    raw = json.loads(make_record().to_json())
    spoil(raw)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(RecordError, match=r"record\.json"):
        AuditRecord.load(path)


def test_a_number_or_a_reason():
    with pytest.raises(ValueError, match="why"):
        Measurement(value=None, num=0)
    with pytest.raises(ValueError, match="why"):
        Measurement(value=0.5, num=3)
    assert Measurement.of(Estimate(float("nan"), None, None, 0, "nothing there")).value is None
    with pytest.raises(ValueError):
        Measurement(value=float("nan"), low=0.0, high=1.0, num=1)


def test_nan_is_refused_where_it_is_written():
    record = make_record().model_copy(update={"elapsed_s": float("nan")})
    with pytest.raises(RecordError, match="elapsed_s"):
        record.to_json()


class Old(Record):
    schema_id: str = Field(default="test.old/2", alias="schema")
    bits: float


def test_migration_path(tmp_path):
    try:

        @migration("test.old/0", "test.old/1")
        def _(raw):
            return {**raw, "nats": raw["loss"], "loss": None}

        @migration("test.old/1", "test.old/2")
        def _(raw):
            return {"bits": raw["nats"] * 2}

        path = tmp_path / "old.json"
        path.write_text('{"schema": "test.old/0", "loss": 3.0}')
        assert Old.load(path).bits == 6.0
        assert load_record(path, (Old, StudyRecord)).bits == 6.0
    finally:
        MIGRATIONS.pop("test.old/0"), MIGRATIONS.pop("test.old/1")


def test_load_record_names_what_it_knows(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"schema": "other/1"}')
    with pytest.raises(RecordError, match="custodiet.audit/1"):
        load_record(path, (AuditRecord, StudyRecord))
    path.write_text("{")
    with pytest.raises(RecordError, match="JSON"):
        load_record(path, (AuditRecord,))


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "f.txt"
    write_text_atomic(path, "good")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "good"
    assert [path.name for path in tmp_path.iterdir()] == ["f.txt"]
    assert sha256_file(path) == sha256_text("good")


def test_unwritable_is_an_output_error(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_text_atomic(blocked / "below", "x")


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [((0.95, 0.96), "reproduced"), ((0.7, 0.8), "not reproduced"), ((0.85, 0.95), "inconclusive")],
)
def test_verdicts_follow_from_the_tolerance(interval, verdict):
    low, high = interval
    assert judge_claim(tolerance=(0.9, 1.0), measured=low, low=low, high=high) == verdict
    assert judge_claim(tolerance=None, measured=low, low=low, high=high) == "new"
    assert judge_claim(tolerance=(0, 1), measured=None, low=None, high=None) == "inconclusive"
