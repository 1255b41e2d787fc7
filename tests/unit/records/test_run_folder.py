"""Run folders and the index that is rebuilt from them."""

import pytest

from custodiet.errors import OutputError, UsageError
from custodiet.records.index import RunIndex
from custodiet.records.run_folder import RunFolder


def test_life_of_a_run(tmp_path):
    folder = RunFolder.create(tmp_path / "a", "audit")
    assert folder.state()["status"] == "running"
    folder.begin({"k": 4, "paths": ("x",)})
    folder.finish("done", title="t", headline="h")
    with pytest.raises(UsageError, match="--resume"):
        RunFolder.create(tmp_path / "a", "audit")
    with pytest.raises(UsageError, match="another kind"):
        RunFolder.create(tmp_path / "a", "train", resume=True)
    again = RunFolder.create(tmp_path / "a", "audit", resume=True)
    again.begin({"k": 4, "paths": ["x"]})
    with pytest.raises(UsageError, match="k=5"):
        again.begin({"k": 5, "paths": ["x"]})


def test_refuses_folders_that_are_not_runs(tmp_path):
    (tmp_path / "photo.jpg").write_text("")
    with pytest.raises(OutputError, match="other files"):
        RunFolder.create(tmp_path, "audit")
    with pytest.raises(OutputError, match="is a file"):
        RunFolder.create(tmp_path / "photo.jpg", "audit")
    with pytest.raises(OutputError, match="cannot be written"):
        RunFolder.create(tmp_path / "photo.jpg" / "below", "audit")
    with pytest.raises(UsageError, match="no run in"):
        RunFolder.create(tmp_path / "new", "audit", resume=True)
    with pytest.raises(UsageError, match="not a run folder"):
        RunFolder.open(tmp_path)


def test_a_running_run_of_a_live_process_is_not_taken_over(tmp_path):
    folder = RunFolder.create(tmp_path / "a", "audit")
    folder._update(pid=1)
    with pytest.raises(UsageError, match="in use by process 1"):
        RunFolder.create(tmp_path / "a", "audit", resume=True)


def test_index_follows_the_folders(tmp_path):
    for name in ("one", "two"):
        RunFolder.create(tmp_path / name, "audit").finish("done", title=name)
    index = RunIndex(tmp_path)
    assert {entry.id for entry in index.list_runs()} == {"one", "two"}
    assert index.database.exists()
    index.database.unlink()
    assert {entry.title for entry in index.list_runs()} == {"one", "two"}
    index.database.write_bytes(b"not a database" * 100)
    assert len(index.list_runs()) == 2
    RunFolder.open(tmp_path / "one").finish("failed")
    assert index.find("on").status == "failed"
    assert len(index.rebuild()) == 2
    index.remove(index.find("one"))
    assert [entry.id for entry in index.list_runs()] == ["two"]
    with pytest.raises(UsageError, match="no run"):
        index.find("one")
    RunFolder.create(tmp_path / "twofold", "audit")
    with pytest.raises(UsageError, match="several"):
        index.find("tw")
    assert index.find("two").id == "two"
    assert RunIndex(tmp_path / "nowhere").list_runs() == []
