"""Names in the documentation resolve, and its links lead somewhere."""

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def _resolve(name: str) -> None:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return
    raise AssertionError(f"{name} is not there")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_and_links_resolve(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(r"`(custodiet(?:\.\w+)+)", text):
        _resolve(name)
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_every_room_has_its_page() -> None:
    rooms = {one.name for one in (ROOT / "src/custodiet").iterdir() if (one / "__init__.py").exists()}
    assert {page.stem for page in (ROOT / "docs/rooms").glob("*.md")} == rooms


def test_a_wrong_name_is_found() -> None:
    with pytest.raises((AssertionError, AttributeError)):
        _resolve("custodiet.nn.gpt.NoSuchThing")
