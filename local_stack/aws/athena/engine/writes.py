"""INSERT and CREATE TABLE AS: the query's rows into an Iceberg table or Parquet files."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from sqlglot import exp

from local_stack.aws.athena.engine import hive_writes, iceberg_writes
from local_stack.aws.athena.engine.catalog import CATALOG
from local_stack.aws.athena.engine.coercion import coercible, convert
from local_stack.aws.athena.engine.compiler import check_parts
from local_stack.aws.athena.engine.ddl import names_of
from local_stack.aws.athena.engine.duck import scanned_bytes
from local_stack.aws.athena.engine.errors import Position, QueryError, not_supported, type_mismatch
from local_stack.aws.athena.engine.hive_names import arrow_type, iceberg_arrow_type
from local_stack.aws.athena.engine.information_schema import table_columns
from local_stack.aws.athena.engine.interface import Cancellation, Outcome
from local_stack.aws.athena.engine.queries import compile_query
from local_stack.aws.athena.engine.session import Session
from local_stack.aws.athena.engine.subqueries import CompiledQuery
from local_stack.aws.athena.engine.syntax import parse_statement
from local_stack.aws.athena.engine.table_properties import TableProperties, read_properties
from local_stack.aws.athena.engine.typed import Typed
from local_stack.aws.athena.engine.types import SqlType

_INSERT_PARTS = ("this", "expression")
_CREATE_PARTS = ("this", "kind", "expression", "exists", "properties")


def insert(session: Session, cancellation: Cancellation) -> Outcome:
    """``INSERT INTO t [(columns)] SELECT ..``.

    Raises:
        QueryError: the rows do not fit the table.
    """
    node = parse_statement(session.sql)
    check_parts(node, _INSERT_PARTS, session.statement)
    named = node.this.expressions if isinstance(node.this, exp.Schema) else []
    target = node.this.this if isinstance(node.this, exp.Schema) else node.this
    database, name = names_of(session, target)
    table = session.catalog.table(database, name)
    if table is None:
        position = session.statement.position(target)
        raise QueryError("TABLE_NOT_FOUND", f"Table '{CATALOG}.{database}.{name}' does not exist", position)
    if table.is_view:
        raise not_supported("INSERT into a view", Position(1, 1))
    columns = table_columns(table)
    query = compile_query(session.statement, node.expression)
    written = [column.name.lower() for column in named] or [column for column, _ in columns]
    rows = _rows(session, _select_for(session, query, columns, written), columns)
    cancellation.check()
    files = (
        iceberg_writes.append(session, table, rows)
        if table.is_iceberg
        else hive_writes.append(session, table, rows)
    )
    return Outcome(scanned_bytes(session.connection), rows.num_rows, tuple(files))


def _select_for(
    session: Session, query: CompiledQuery, columns: Sequence[tuple[str, SqlType]], written: list[str]
) -> str:
    """The query with its columns in the table's order and types, NULL for those not written."""
    types = dict(columns)
    unknown = [name for name in written if name not in types]
    if unknown:
        raise QueryError(
            "COLUMN_NOT_FOUND", f"Insert column name does not exist in target table: {unknown[0]}"
        )
    wanted = [types[name] for name in written]
    given = [field.type for field in query.fields]
    fits = len(given) == len(wanted) and all(
        coercible(source, target) for source, target in zip(given, wanted, strict=True)
    )
    if not fits or len(set(written)) != len(written):
        listed = [", ".join(map(str, types_)) for types_ in (wanted, given)]
        raise type_mismatch(
            f"Insert query has mismatched column types: Table: [{listed[0]}], Query: [{listed[1]}]"
        )
    alias = session.statement.alias()
    values = []
    for name, type_ in columns:
        if name not in written:
            values.append(f"CAST(NULL AS {type_.duckdb})")
            continue
        index = written.index(name)
        source = Typed(f"{alias}.c{index}", given[index])
        values.append(convert(source, type_).sql if source.type != type_ else source.sql)
    listed_values = ", ".join(f"{value} AS c{index}" for index, value in enumerate(values))
    return f"SELECT {listed_values} FROM ({query.sql}) AS {alias}"


def _rows(session: Session, sql: str, columns: Sequence[tuple[str, SqlType]]) -> pa.Table:
    """The query's result with the columns' names and types."""
    fetched = session.connection.execute(sql).to_arrow_table()
    return fetched.cast(
        pa.schema([(f"c{index}", arrow_type(type_)) for index, (_, type_) in enumerate(columns)])
    ).rename_columns([name for name, _ in columns])


def create_table_as_select(session: Session, cancellation: Cancellation) -> Outcome:
    """``CREATE TABLE t WITH (..) AS SELECT ..``.

    Raises:
        QueryError: the table exists, or cannot be made so.
    """
    node = parse_statement(session.sql)
    check_parts(node, _CREATE_PARTS, session.statement)
    if not isinstance(node.this, exp.Table):
        raise not_supported("a column list in CREATE TABLE AS", Position(1, 1))
    database, name = names_of(session, node.this)
    if session.catalog.table(database, name) is not None:
        if node.args.get("exists"):
            return Outcome(update_count=0)
        raise QueryError(
            "TABLE_ALREADY_EXISTS", f"Table '{CATALOG}.{database}.{name}' already exists", Position(1, 1)
        )
    properties = read_properties(session.request, node.args.get("properties"))
    query = compile_query(session.statement, node.expression)
    columns = _new_columns(query, properties)
    rows = _rows(
        session, query.sql if properties.with_data else f"SELECT * FROM ({query.sql}) WHERE FALSE", columns
    )
    cancellation.check()
    create = iceberg_writes.create if properties.is_iceberg else hive_writes.create
    files = create(session, (database, name), columns, rows, properties)
    return Outcome(scanned_bytes(session.connection), rows.num_rows, tuple(files))


def _new_columns(query: CompiledQuery, properties: TableProperties) -> list[tuple[str, SqlType]]:
    columns = []
    for place, field in enumerate(query.fields, 1):
        if field.key is None:
            raise QueryError("MISSING_COLUMN_NAME", f"Column name not specified at position {place}")
        check = iceberg_arrow_type if properties.is_iceberg else arrow_type
        check(field.type)
        columns.append((field.key, field.type))
    if len({name for name, _ in columns}) != len(columns):
        raise QueryError("DUPLICATE_COLUMN_NAME", "Column name specified more than once")
    return columns
