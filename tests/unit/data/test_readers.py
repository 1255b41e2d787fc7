"""Documents out of every kind of file, and what happens to bad ones."""

import gzip
import json

import polars as pl
import pytest
import zstandard

from custodiet.data.readers import iter_documents
from custodiet.errors import CorpusError

LINES = "".join(json.dumps({"text": f"doc {i}", "n": i + 1}) + "\n" for i in range(3))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.txt").write_text("a text\n")
    (tmp_path / "b.md").write_text("# b")
    (tmp_path / "c.jsonl").write_text(LINES)
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(LINES.encode()))
    (tmp_path / "e.jsonl.zst").write_bytes(zstandard.compress(LINES.encode()))
    pl.DataFrame({"text": [f"row {i}" for i in range(5000)], "n": range(5000)}).write_parquet(tmp_path / "f.parquet")
    (tmp_path / "ignored.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_every_kind_in_a_folder(folder):
    stream = iter_documents([folder])
    found = list(stream)
    assert len(found) == 2 + 9 + 5000
    assert len({one.id for one in found}) == len(found)
    assert [file.num_documents for file in stream.files] == [1, 1, 3, 3, 3, 5000]
    assert found[-1].text == "row 4999"
    assert [one.text for one in stream][:2] == ["a text\n", "# b"]  # again from the start


def test_repeats_and_limit(folder):
    found = list(iter_documents([folder / "c.jsonl"], repeats_column="n", limit=2))
    assert [one.repeats for one in found] == [1, 2]


def test_broken_lines_are_counted_or_refused(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "good"}\n{broken\n[1]\n{"text": ""}\n{"other": 1}\n\n{"text": "good too"}\n')
    stream = iter_documents([path])
    assert [one.id for one in stream] == ["x.jsonl:1", "x.jsonl:7"]
    assert stream.files[0].num_skipped == 4
    assert stream.files[0].why_skipped["line is not JSON"] == 1
    with pytest.raises(CorpusError, match="line 2 of .* is not JSON"):
        list(iter_documents([path], strict=True))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.txt", b"", "holds no document"),
        ("empty.jsonl", b"", "holds no document"),
        ("binary.txt", b"\x00\x01\x02abc", "NUL"),
        ("latin.txt", "caf\xe9".encode("latin-1"), "UTF-8"),
        ("x.parquet", b"PAR1 not really", "not a Parquet file"),
        ("x.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:-12], "cannot be read"),
        ("x.jsonl.gz", b"plain", "cannot be read"),
        ("x.jsonl.zst", b"plain", "cannot be read"),
        ("x.docx", b"PK", "of no known kind"),
        ("x.jsonl", b'{"body": "x"}\n', "one of 'body'"),
    ],
)
def test_bad_files_are_named(tmp_path, name, data, says):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=says) as caught:
        list(iter_documents([path]))
    assert name in str(caught.value)


def test_wrong_columns_and_missing_paths(folder):
    with pytest.raises(CorpusError, match="one of 'text', 'n'"):
        list(iter_documents([folder / "f.parquet"], text_column="body"))
    with pytest.raises(CorpusError, match="no column 'times'"):
        list(iter_documents([folder / "c.jsonl"], repeats_column="times"))
    with pytest.raises(CorpusError, match="does not exist"):
        iter_documents([folder / "nothing.txt"])
    (folder / "sub").mkdir()
    with pytest.raises(CorpusError, match="holds no documents"):
        iter_documents([folder / "sub"])
    with pytest.raises(CorpusError, match="no documents were named"):
        iter_documents([])


def test_equal_names_get_different_ids(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text(name)
    found = list(iter_documents([tmp_path / "one" / "x.txt", tmp_path / "two" / "x.txt"]))
    assert len({one.id for one in found}) == 2
