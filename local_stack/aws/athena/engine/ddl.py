"""CREATE and DROP of views, databases and tables, in Glue."""

from __future__ import annotations

from typing import Any

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from local_stack.aws.athena.engine.catalog import CATALOG, GlueTable, encode_view
from local_stack.aws.athena.engine.compiler import check_parts
from local_stack.aws.athena.engine.errors import Position, QueryError, not_supported
from local_stack.aws.athena.engine.hive_names import hive_name
from local_stack.aws.athena.engine.queries import compile_query
from local_stack.aws.athena.engine.session import Session
from local_stack.aws.athena.engine.statements import first_words
from local_stack.aws.athena.engine.syntax import AthenaSql, parse_statement

_CREATE_PARTS = ("this", "kind", "replace", "exists", "expression")


def execute(session: Session) -> None:
    """Run the statement.

    Raises:
        QueryError: it fails, or NOT_SUPPORTED.
    """
    sql = first_words(session.sql)
    if sql.split(None, 2)[1].upper() == "SCHEMA":
        sql = sql.replace(sql.split(None, 2)[1], "DATABASE", 1)
    node = parse_statement(sql.replace("`", '"'))
    if isinstance(node, exp.Create):
        check_parts(node, _CREATE_PARTS, session.statement)
        if node.args["kind"] == "VIEW":
            return _create_view(session, node)
        if node.args["kind"] in ("DATABASE", "SCHEMA") and not node.args.get("expression"):
            return _create_database(session, node)
    if isinstance(node, exp.Drop):
        check_parts(node, ("tables", "this", "kind", "exists", "cascade"), session.statement)
        return _drop(session, node)
    raise not_supported("this statement", Position(1, 1))


def names_of(session: Session, table: exp.Table) -> tuple[str, str]:
    """Database and name that a statement gives to a table.

    Raises:
        QueryError: SCHEMA_NOT_FOUND.
    """
    database = table.db.lower() or session.request.database
    if table.catalog and table.catalog.lower() != CATALOG:
        raise QueryError("CATALOG_NOT_FOUND", f"Catalog '{table.catalog}' not found")
    if not session.catalog.has_database(database):
        raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist")
    return database, table.name.lower()


def _create_view(session: Session, node: exp.Expr) -> None:
    if not isinstance(node.this, exp.Table):
        raise not_supported("a column list in CREATE VIEW", Position(1, 1))
    database, name = names_of(session, node.this)
    query = compile_query(session.statement, node.expression)
    names = [field.key for field in query.fields]
    if None in names:
        message = f"Column name not specified at position {names.index(None) + 1}"
        raise QueryError("MISSING_COLUMN_NAME", message)
    if len(set(names)) != len(names):
        raise QueryError("DUPLICATE_COLUMN_NAME", "Column name specified more than once")
    existing = session.catalog.table(database, name)
    if existing is not None and not (existing.is_view and node.args.get("replace")):
        raise QueryError("ALREADY_EXISTS", f"View already exists: '{CATALOG}.{database}.{name}'")
    definition = {
        "originalSql": text_behind_as(session.sql),
        "catalog": CATALOG,
        "schema": session.request.database,
        "columns": [{"name": field.key, "type": str(field.type)} for field in query.fields],
    }
    columns = [{"Name": field.key, "Type": hive_name(field.type)} for field in query.fields]
    view: dict[str, Any] = {
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "ViewOriginalText": encode_view(definition),
        "ViewExpandedText": "/* Presto View */",
        "StorageDescriptor": {"Columns": columns, "Location": "", "SerdeInfo": {}},
        "PartitionKeys": [],
    }
    if existing is None:
        session.catalog.require("CreateTable", database, name)
        session.catalog.backend.create_table(database, name, view)
    else:
        session.catalog.require("UpdateTable", database, name)
        session.catalog.backend.get_table(database, name).update(view)


def text_behind_as(sql: str) -> str:
    """The query of CREATE VIEW or CREATE TABLE AS, as it was written."""
    tokens = AthenaSql().tokenize(sql)
    first_as = next(token for token in tokens if token.token_type is TokenType.ALIAS)
    return sql[first_as.end + 1 :].strip().rstrip(";").rstrip()


def _create_database(session: Session, node: exp.Expr) -> None:
    name = node.this.name.lower()
    if session.catalog.has_database(name):
        if not node.args.get("exists"):
            raise QueryError("ALREADY_EXISTS", f"Schema '{CATALOG}.{name}' already exists")
        return
    session.catalog.require("CreateDatabase", name)
    session.catalog.backend.create_database(name, {"Name": name})


def _drop(session: Session, node: exp.Expr) -> None:
    kind = str(node.args["kind"]).upper()
    target = node.args["tables"][0] if node.args.get("tables") else node.this
    if kind in ("DATABASE", "SCHEMA"):
        return _drop_database(session, node, target.name.lower())
    database, name = names_of(session, target)
    table = session.catalog.table(database, name)
    if table is None or table.is_view is not (kind == "VIEW"):
        if node.args.get("exists") and table is None:
            return None
        code = "TABLE_NOT_FOUND" if table is None else "NOT_SUPPORTED"
        raise QueryError(code, f"{kind.capitalize()} '{CATALOG}.{database}.{name}' does not exist")
    if table.is_iceberg:
        raise not_supported("DROP TABLE of an Iceberg table, which deletes its data,", Position(1, 1))
    session.catalog.require("DeleteTable", database, name)
    session.catalog.backend.delete_table(database, name)
    return None


def _drop_database(session: Session, node: exp.Expr, name: str) -> None:
    if not session.catalog.has_database(name):
        if not node.args.get("exists"):
            raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{CATALOG}.{name}' does not exist")
        return
    left: list[GlueTable] = session.catalog.tables(name)
    if left and not node.args.get("cascade"):
        raise QueryError("SCHEMA_NOT_EMPTY", f"Database {name} is not empty. One or more tables exist.")
    for table in left:
        if table.is_iceberg:
            raise not_supported("DROP DATABASE of Iceberg tables", Position(1, 1))
        session.catalog.require("DeleteTable", name, table.name)
        session.catalog.backend.delete_table(name, table.name)
    session.catalog.require("DeleteDatabase", name)
    session.catalog.backend.delete_database(name)
