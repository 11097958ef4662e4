"""Print docs/tables.md: every table of the lake, from its specification in config.

python -m ops.table_docs > docs/tables.md
"""

from __future__ import annotations

import sys

from config.tables import TABLES, TableSpec

HEADER = """\
# Tables

Written by `python -m ops.table_docs > docs/tables.md` from `config/tables.py`; a test holds the two together.
Days are UTC dates. Nulls are skipped by aggregates.
"""


def render(specs: list[TableSpec]) -> str:
    """The page: a section a table, a row a column."""
    return HEADER + "".join(_section(spec) for spec in specs)


def _section(spec: TableSpec) -> str:
    facts = [f"{spec.format.capitalize()}", f"key: {_code(spec.key)}"]
    if spec.partition:
        facts.append(f"partitioned by {_code(spec.partition)}")
    if spec.sort:
        facts.append(f"sorted by {_code(spec.sort)}")
    rows = "".join(f"| `{column.name}` | {_type(column.type)} | {column.doc} |\n" for column in spec.columns)
    head = f"\n## {spec.name}\n\n{spec.doc}\n\n{'; '.join(facts)}.\n\n"
    return f"{head}| column | type | meaning |\n|---|---|---|\n{rows}"


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _type(text: str) -> str:
    return text.replace("<", "\\<").replace(":", " ").replace(",", ", ")


if __name__ == "__main__":
    sys.stdout.write(render(list(TABLES.values())))
