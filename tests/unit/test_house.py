"""The house itself: exports, lazy imports, sizes of files."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import custodiet

SOURCE = Path(custodiet.__file__).parent
NO_TORCH = ["", ".base.stats", ".records.audit", ".records.index", ".entropy.ngram", ".data.embedded", ".data.readers",
            ".report.html", ".cli.main", ".entropy.text_report", ".entropy.game", ".logic.evaluation_record", ".nn.endpoint",
            ".cli.logic_evaluate"]  # fmt: skip


def test_every_export_resolves_and_is_listed():
    for name in custodiet.__all__:
        assert getattr(custodiet, name) is not None
    assert set(dir(custodiet)) == set(custodiet.__all__)
    assert callable(custodiet.train) and callable(custodiet.audit)
    with pytest.raises(AttributeError, match="nothing"):
        _ = custodiet.nothing


@pytest.mark.parametrize("module", NO_TORCH)
def test_these_import_without_torch(module):
    code = f"import sys, custodiet{module}; sys.exit(', '.join({{'torch', 'transformers'}} & set(sys.modules)) or None)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.returncode, done.stderr


def test_train_is_callable_whatever_was_imported_before():
    code = "import custodiet.train.loop, custodiet; assert callable(custodiet.train)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_modules_are_small_and_say_what_they_are(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module says what it is"
    assert len(text.splitlines()) <= 600
