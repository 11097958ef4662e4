"""information_schema: schemata, tables and columns."""

from __future__ import annotations

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.catalog import CATALOG, Catalog, GlueTable
from local_stack.aws.athena.engine.errors import Position, QueryError
from local_stack.aws.athena.engine.hive_tables import column_types
from local_stack.aws.athena.engine.iceberg_tables import columns_of, read_metadata
from local_stack.aws.athena.engine.rows import rows_relation
from local_stack.aws.athena.engine.scope import Relation
from local_stack.aws.athena.engine.types import SqlType

_TEXT = types.VARCHAR
_SCHEMATA = [("catalog_name", _TEXT), ("schema_name", _TEXT)]
_TABLES = [(name, _TEXT) for name in ("table_catalog", "table_schema", "table_name", "table_type")]
_COLUMNS = [
    ("table_catalog", _TEXT),
    ("table_schema", _TEXT),
    ("table_name", _TEXT),
    ("column_name", _TEXT),
    ("ordinal_position", types.BIGINT),
    ("column_default", _TEXT),
    ("is_nullable", _TEXT),
    ("data_type", _TEXT),
]


def relation(catalog: Catalog, name: str, alias: str, position: Position | None) -> Relation:
    """One of its tables.

    Raises:
        QueryError: TABLE_NOT_FOUND.
    """
    qualifier = ("information_schema", name)
    tables = [table for database in catalog.databases() for table in catalog.tables(database)]
    if name == "schemata":
        rows: list[tuple[object, ...]] = [(CATALOG, database) for database in catalog.databases()]
        return rows_relation(alias, _SCHEMATA, [*rows, (CATALOG, "information_schema")], qualifier)
    if name == "tables":
        rows = [
            (CATALOG, table.database, table.name, "VIEW" if table.is_view else "BASE TABLE")
            for table in tables
        ]
        return rows_relation(alias, _TABLES, rows, qualifier)
    if name == "columns":
        rows = [row for table in tables for row in _column_rows(table)]
        return rows_relation(alias, _COLUMNS, rows, qualifier)
    raise QueryError(
        "TABLE_NOT_FOUND", f"Table '{CATALOG}.information_schema.{name}' does not exist", position
    )


def table_columns(table: GlueTable) -> list[tuple[str, SqlType]]:
    """Names and types of any table's columns, partition keys last."""
    if table.is_iceberg:
        return [(name.lower(), type_) for name, type_ in columns_of(read_metadata(table).schema())]
    return column_types((*table.columns, *table.partition_keys))


def _column_rows(table: GlueTable) -> list[tuple[object, ...]]:
    try:
        columns = table_columns(table)
    except QueryError:
        # As on AWS, a table that cannot be read does not hide the others.
        return []
    return [
        (CATALOG, table.database, table.name, name, place, None, "YES", str(type_))
        for place, (name, type_) in enumerate(columns, 1)
    ]
