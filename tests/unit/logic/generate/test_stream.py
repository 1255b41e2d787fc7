"""Data sets on disk: the same bytes for any number of workers, wherever a run was stopped; nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from custodiet.errors import CorpusError, OutputError, UsageError
from custodiet.logic.generate import stream
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.dedup import dedup_file
from custodiet.logic.generate.stream import generate_data_set, generate_rows


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_BLOCK", 5)


def config_of(num: int = 100, **options: object) -> GenerateConfig:
    return GenerateConfig(num=num, seed=2, language="logic", **options)  # type: ignore[arg-type]


def test_the_file_holds_the_rows_of_the_stream_and_counts_them(tmp_path: Path) -> None:
    config = config_of()
    written = generate_data_set(config, tmp_path / "items.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert rows == list(generate_rows(config))
    assert [row["index"] for row in rows] == list(range(100))
    assert written.num_items == 100 == sum(written.counts["label"].values())
    assert [one.name for one in tmp_path.iterdir()] == ["items.jsonl"]


def test_a_stopped_run_goes_on_and_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of()
    generate_data_set(config, tmp_path / "whole.jsonl")
    real = stream._make_block

    def stops(config: GenerateConfig, block: int) -> stream._Block:
        if block == 2:
            raise KeyboardInterrupt
        return real(config, block)

    monkeypatch.setattr(stream, "_make_block", stops)
    with pytest.raises(KeyboardInterrupt):
        generate_data_set(config, tmp_path / "part.jsonl")
    assert not (tmp_path / "part.jsonl").exists()
    monkeypatch.setattr(stream, "_make_block", real)
    with pytest.raises(OutputError, match="--resume"):
        generate_data_set(config, tmp_path / "part.jsonl")
    with pytest.raises(UsageError, match="another data set"):
        generate_data_set(config_of(depth=(2, 2)), tmp_path / "part.jsonl", resume=True)
    told: list[float] = []
    written = generate_data_set(
        config, tmp_path / "part.jsonl", resume=True, progress=lambda task, done, total: told.append(done)
    )
    assert written.num_resumed == 60 and told == [90, 100]
    assert (tmp_path / "part.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_finished_data_set_is_replaced_only_when_asked(tmp_path: Path) -> None:
    out = tmp_path / "items.jsonl"
    out.write_text("mine\n")
    with pytest.raises(OutputError, match="exists"):
        generate_data_set(config_of(6), out)
    assert out.read_text() == "mine\n"
    generate_data_set(config_of(6), out, overwrite=True)
    assert len(out.read_text().splitlines()) == 6


def test_two_workers_give_the_same_bytes(tmp_path: Path) -> None:
    one = generate_data_set(config_of(90), tmp_path / "one.jsonl")
    two = generate_data_set(config_of(90), tmp_path / "two.jsonl", workers=2)
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert one.counts == two.counts


@pytest.mark.parametrize("data_format", ["parquet", "hf"])
def test_parquet_holds_the_same_rows(tmp_path: Path, data_format: str) -> None:
    config = config_of(tasks=("entailment", "bad-step"))
    out = tmp_path / "items"
    generate_data_set(config, out, data_format=data_format)
    rows = list(generate_rows(config))
    frame = pl.concat([pl.read_parquet(one) for one in sorted(out.glob("data/*.parquet")) or [out]]).sort("index")
    assert frame["prompt"].to_list() == [row["prompt"] for row in rows]
    assert [json.loads(one) for one in frame["proof"]] == [row["proof"] for row in rows]
    if data_format == "hf":
        card = (out / "README.md").read_text()
        assert "data/train.parquet" in card and "confirmed by what shares no code with it" in card
        for path in out.glob("data/*.parquet"):
            assert set(pl.read_parquet(path)["split"]) == {path.stem}


def test_dedup_keeps_the_first_of_each_skeleton(tmp_path: Path) -> None:
    source, out = tmp_path / "items.jsonl", tmp_path / "kept.jsonl"
    generate_data_set(config_of(300, depth=(1, 1), premises=(2, 3)), source)
    read, kept = dedup_file(source, out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert read == 300 and kept == len(rows) < 300
    assert len({row["skeleton"] for row in rows}) == kept
    with pytest.raises(OutputError):
        dedup_file(source, out)


def test_dedup_of_something_else_writes_nothing(tmp_path: Path) -> None:
    source, out = tmp_path / "items.jsonl", tmp_path / "kept.jsonl"
    source.write_text('{"skeleton": "00", "task": "t"}\n{"text": 1}\n')
    with pytest.raises(CorpusError, match=r"items.jsonl:2 is not an item"):
        dedup_file(source, out)
    assert not out.exists()
    with pytest.raises(CorpusError, match="cannot read"):
        dedup_file(tmp_path / "none.jsonl", out)


@pytest.mark.parametrize(("options", "told"), [({"data_format": "csv"}, "--format"), ({"workers": 0}, "--workers")])
def test_options_of_writing_are_checked(tmp_path: Path, options: dict, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        generate_data_set(config_of(6), tmp_path / "items.jsonl", **options)
