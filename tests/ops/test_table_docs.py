"""docs/tables.md says what the specifications say."""

from pathlib import Path

from config.tables import TABLES
from ops.table_docs import render

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tables.md"


def test_the_page_is_current():
    assert PAGE.read_text() == render(list(TABLES.values())), "python -m ops.table_docs > docs/tables.md"


def test_every_column_is_there():
    page = PAGE.read_text()
    for spec in TABLES.values():
        section = page.split(f"\n## {spec.name}\n")[1].split("\n## ")[0]
        for column in spec.columns:
            assert f"| `{column.name}` |" in section
