"""Every block of Python in the pages for users runs, in order, and prints what stands below it."""

import contextlib
import io
import re
import types
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def run_page(name: str, folder: Path) -> list[tuple[str, str]]:
    """Per block of Python what it printed and what the page shows; from a file, so that functions have a source."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", (DOCS / f"{name}.md").read_text(), flags=re.DOTALL | re.MULTILINE)
    path = folder / f"{name}_page.py"
    path.write_text("".join(code for kind, code in blocks if kind == "python"))
    namespace = types.ModuleType(f"{name}_page").__dict__
    found, line = [], 0
    for place, (kind, code) in enumerate(blocks):
        if kind != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * line + code, str(path), "exec"), namespace)
        line += code.count("\n")
        after = blocks[place + 1] if place + 1 < len(blocks) else ("python", "")
        found.append((printed.getvalue().strip(), after[1].strip() if after[0] == "" else ""))
    return found


@pytest.mark.parametrize(("name", "num_blocks"), [("autodiff", 7), ("logic", 9)])
def test_blocks_print_what_the_page_shows(name: str, num_blocks: int, tmp_path: Path) -> None:
    page = run_page(name, tmp_path)
    assert len(page) >= num_blocks
    for printed, shown in page:
        assert [line.rstrip() for line in printed.splitlines()] == [line.rstrip() for line in shown.splitlines()]
