"""The tables a query may name: Iceberg, Hive, views, information_schema."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection
from pyiceberg.io.pyarrow import PyArrowFileIO
from sqlglot import exp

from local_stack.aws.athena.engine import hive_tables, iceberg_tables, information_schema
from local_stack.aws.athena.engine.catalog import CATALOG, Catalog, GlueTable
from local_stack.aws.athena.engine.compiler import Statement
from local_stack.aws.athena.engine.errors import QueryError, not_supported, type_mismatch
from local_stack.aws.athena.engine.iceberg_tables import METADATA_TABLES, Version
from local_stack.aws.athena.engine.queries import compile_query
from local_stack.aws.athena.engine.scope import Field, Relation
from local_stack.aws.athena.engine.syntax import parse_statement

_MAX_VIEW_DEPTH = 16


class LakeTables:
    """Finds tables in the catalog. ``connection`` evaluates the moments of time travel."""

    def __init__(self, catalog: Catalog, connection: DuckDBPyConnection, file_io: PyArrowFileIO) -> None:
        self.catalog = catalog
        self._connection = connection
        self._file_io = file_io
        self._view_depth = 0

    def relation(self, node: exp.Table, database: str, statement: Statement) -> Relation:
        """The relation for a table as a query names it.

        Raises:
            QueryError: CATALOG_NOT_FOUND, SCHEMA_NOT_FOUND, TABLE_NOT_FOUND, NOT_SUPPORTED.
        """
        position = statement.position(node)
        catalog = node.catalog.lower() or CATALOG
        schema = node.db.lower() or database
        name = node.name.lower()
        if catalog != CATALOG:
            raise QueryError("CATALOG_NOT_FOUND", f"Catalog '{catalog}' not found", position)
        version = self._version(node.args.get("version"), statement)
        if schema == "information_schema":
            if version:
                raise not_supported("time travel of information_schema", position)
            return information_schema.relation(self.catalog, name, statement.alias(), position)
        base, _, kind = name.partition("$")
        if not self.catalog.has_database(schema):
            raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{schema}' does not exist", position)
        table = self.catalog.table(schema, base)
        if table is None:
            message = f"Table '{CATALOG}.{schema}.{name}' does not exist"
            raise QueryError("TABLE_NOT_FOUND", message, position)
        if kind:
            return self._metadata_table(table, kind, node, version, statement)
        if version and not table.is_iceberg:
            raise not_supported("time travel of a table that is not Iceberg", position)
        if table.is_view:
            return self._view(table, statement)
        if table.is_iceberg:
            return iceberg_tables.table_relation(table, statement.alias(), version, position)
        return hive_tables.table_relation(self.catalog, table, statement.alias(), statement.started)

    def _metadata_table(
        self, table: GlueTable, kind: str, node: exp.Table, version: Version | None, statement: Statement
    ) -> Relation:
        position = statement.position(node)
        if not table.is_iceberg:
            message = f"Table '{CATALOG}.{table.database}.{table.name}${kind}' does not exist"
            raise QueryError("TABLE_NOT_FOUND", message, position)
        if kind not in METADATA_TABLES or version:
            raise not_supported(f"the metadata table ${kind}{' at a version' if version else ''}", position)
        return iceberg_tables.metadata_relation(table, kind, statement.alias(), self._file_io)

    def _version(self, node: exp.Expr | None, statement: Statement) -> Version | None:
        """FOR TIMESTAMP AS OF and FOR VERSION AS OF."""
        if node is None:
            return None
        position = statement.position(node)
        if node.args.get("kind") != "AS OF":
            raise not_supported(f"{node.args.get('kind')} in time travel", position)
        query = compile_query(statement, exp.Select(expressions=[node.expression.copy()]))
        type_ = query.fields[0].type
        if node.name.upper() == "TIMESTAMP":
            if not type_.is_temporal:
                raise type_mismatch(f"Type {type_} invalid. Temporal pointers must be a timestamp", position)
            value = self._value(f"SELECT CAST(c0 AS TIMESTAMPTZ) FROM ({query.sql})")
            if not isinstance(value, datetime):
                raise QueryError("INVALID_ARGUMENTS", "Pointer value cannot be NULL", position)
            return Version(moment=value)
        value = self._value(query.sql)
        if isinstance(value, int):
            return Version(snapshot_id=value)
        if isinstance(value, str):
            return Version(reference=value)
        raise type_mismatch(f"Unsupported type for table version: {type_}", position)

    def _value(self, sql: str) -> Any:
        row = self._connection.execute(sql).fetchone()
        return row[0] if row else None

    def _view(self, table: GlueTable, statement: Statement) -> Relation:
        """A view's query, in the view's own schema."""
        definition = table.view_definition
        self._view_depth += 1
        if self._view_depth > _MAX_VIEW_DEPTH:
            raise not_supported("a view this deep or in a circle")
        inner = replace(
            statement, sql=definition["originalSql"], database=definition.get("schema") or table.database
        )
        try:
            query = compile_query(inner, parse_statement(inner.sql))
        except QueryError as error:
            message = f"View '{CATALOG}.{table.database}.{table.name}' is invalid: {error}"
            raise QueryError("INVALID_VIEW", message) from error
        finally:
            self._view_depth -= 1
        expected = [column["name"] for column in definition["columns"]]
        if [field.name for field in query.fields] != expected:
            message = f"View '{CATALOG}.{table.database}.{table.name}' is stale or in invalid state"
            raise QueryError("VIEW_IS_STALE", message)
        alias = statement.alias()
        fields = tuple(
            Field(field.name, field.type, f"{alias}.c{index}", (table.database, table.name))
            for index, field in enumerate(query.fields)
        )
        return Relation(f"({query.sql}) AS {alias}", fields)
