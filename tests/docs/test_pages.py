"""The pages of docs/: their links and pictures are there, their commands exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from ops.query_template import saved_queries

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PICTURE_BYTES = 200_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_are_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_are_run_exist(page: Path) -> None:
    for module in re.findall(r"python -m ((?:ops|local_stack|kinesis|benchmarks)[\w.]*)", page.read_text()):
        assert importlib.util.find_spec(module), module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_questions_that_are_asked_exist(page: Path) -> None:
    known = {query.name for query in saved_queries()}
    asked = set(re.findall(r"ops\.ask (\w+)(?![\w/.])", page.read_text())) - {"NAME"}
    assert asked <= known


def test_pictures_are_small_and_shown() -> None:
    shown = "".join(page.read_text() for page in PAGES)
    pictures = list((ROOT / "docs" / "images").iterdir())
    assert len(pictures) >= 4
    for picture in pictures:
        assert picture.suffix == ".png"
        assert picture.stat().st_size < PICTURE_BYTES
        assert f"images/{picture.name}" in shown
