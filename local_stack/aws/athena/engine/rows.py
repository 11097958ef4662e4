"""Rows known to Python as a relation in DuckDB's SQL: information_schema, an Iceberg table's history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from local_stack.aws.athena.engine.scope import Field, Relation
from local_stack.aws.athena.engine.types import Kind, SqlType, text

Columns = Sequence[tuple[str, SqlType]]


def rows_relation(
    alias: str, columns: Columns, rows: Sequence[Sequence[Any]], qualifier: tuple[str, ...]
) -> Relation:
    """A relation of constant rows; times are aware datetimes, maps are dictionaries."""
    names = ", ".join(f"c{index}" for index in range(len(columns)))
    types = [type_ for _, type_ in columns]
    if rows:
        listed = ", ".join(
            f"({', '.join(_literal(value, type_) for value, type_ in zip(row, types, strict=True))})"
            for row in rows
        )
        sql = f"(VALUES {listed}) AS {alias}({names})"
    else:
        nothing = ", ".join(f"CAST(NULL AS {type_.duckdb}) AS c{index}" for index, type_ in enumerate(types))
        sql = f"(SELECT {nothing} WHERE FALSE) AS {alias}"
    fields = (
        Field(name, type_, f"{alias}.c{index}", qualifier) for index, (name, type_) in enumerate(columns)
    )
    return Relation(sql, tuple(fields))


def _literal(value: Any, type_: SqlType) -> str:
    if value is None:
        return f"CAST(NULL AS {type_.duckdb})"
    if type_.kind is Kind.MAP:
        key_type, value_type = type_.items
        entries = (f"{_literal(key, key_type)}: {_literal(item, value_type)}" for key, item in value.items())
        return f"CAST(MAP {{{', '.join(entries)}}} AS {type_.duckdb})"
    if type_.kind is Kind.ARRAY:
        return f"CAST([{', '.join(_literal(item, type_.items[0]) for item in value)}] AS {type_.duckdb})"
    if isinstance(value, datetime):
        return f"CAST('{value.isoformat(sep=' ')}' AS {type_.duckdb})"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return f"CAST({value} AS {type_.duckdb})"
    return f"CAST({text(str(value))} AS {type_.duckdb})"
