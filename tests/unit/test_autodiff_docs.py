"""Every block of Python in docs/autodiff.md runs, in order, and prints what stands below it."""

import contextlib
import io
import re
import types
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "autodiff.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def run_page(folder: Path) -> list[tuple[str, str]]:
    """Per block of Python what it printed and what the page shows; from a file, so that functions have a source."""
    path = folder / "autodiff_page.py"
    path.write_text("".join(code for kind, code in BLOCKS if kind == "python"))
    namespace = types.ModuleType("autodiff_page").__dict__
    found, line = [], 0
    for place, (kind, code) in enumerate(BLOCKS):
        if kind != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * line + code, str(path), "exec"), namespace)
        line += code.count("\n")
        after = BLOCKS[place + 1] if place + 1 < len(BLOCKS) else ("python", "")
        found.append((printed.getvalue().strip(), after[1].strip() if after[0] == "" else ""))
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    return run_page(tmp_path_factory.mktemp("page"))


def test_blocks_print_what_the_page_shows(page: list[tuple[str, str]]) -> None:
    assert len(page) >= 7
    for printed, shown in page:
        assert [line.rstrip() for line in printed.splitlines()] == [line.rstrip() for line in shown.splitlines()]
