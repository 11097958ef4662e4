"""CREATE EXTERNAL TABLE: a table of files that are there already, written into Glue as Athena does."""

from __future__ import annotations

from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from local_stack.aws.athena.engine.catalog import CATALOG
from local_stack.aws.athena.engine.ddl import names_of
from local_stack.aws.athena.engine.errors import Position, QueryError, not_supported
from local_stack.aws.athena.engine.hive_names import PARQUET_STORAGE
from local_stack.aws.athena.engine.session import Session
from local_stack.aws.athena.engine.typenames import hive_type

_START = Position(1, 1)


def create(session: Session) -> None:
    """Run the statement. Only Parquet can be declared: the emulation reads nothing else.

    Raises:
        QueryError: the table exists, has no location, or NOT_SUPPORTED for a clause that is not honoured.
    """
    try:
        node = parse_one(session.sql, read="hive")
    except SqlglotError as error:
        raise QueryError("SYNTAX_ERROR", f"{error}".partition("\n")[0], _START) from error
    properties = node.args["properties"].expressions if node.args.get("properties") else []
    if not any(isinstance(each, exp.ExternalProperty) for each in properties):
        raise not_supported("CREATE TABLE without EXTERNAL or AS", _START)
    if not isinstance(node.this, exp.Schema):
        raise not_supported("CREATE EXTERNAL TABLE without columns", _START)
    database, name = names_of(session, node.this.this)
    if session.catalog.table(database, name) is not None:
        if node.args.get("exists"):
            return
        raise QueryError(
            "TABLE_ALREADY_EXISTS", f"Table '{CATALOG}.{database}.{name}' already exists", _START
        )
    table = _described(properties)
    table["Name"] = name
    table["StorageDescriptor"]["Columns"] = [_column(column) for column in node.this.expressions]
    session.catalog.require("CreateTable", database, name)
    session.catalog.backend.create_table(database, name, table)


def _described(properties: list[exp.Expr]) -> dict[str, Any]:
    """The table as Glue keeps it, without its name and columns."""
    location, is_parquet, keys = "", False, []
    parameters = {"EXTERNAL": "TRUE"}
    for entry in properties:
        match entry:
            case exp.ExternalProperty():
                pass
            case exp.LocationProperty():
                location = entry.this.name
            case exp.SchemaCommentProperty():
                parameters["comment"] = entry.this.name
            case exp.PartitionedByProperty():
                keys = [_column(column) for column in entry.this.expressions]
            case exp.RowFormatSerdeProperty() | exp.FileFormatProperty() if "parquet" in _words(entry):
                is_parquet = True
            case exp.RowFormatSerdeProperty() | exp.FileFormatProperty() | exp.RowFormatDelimitedProperty():
                raise not_supported(f"CREATE EXTERNAL TABLE with {entry.sql(dialect='hive')}", _START)
            case exp.Property() if entry.args.get("value") is not None:
                parameters[entry.name] = entry.args["value"].name
            case _:
                raise not_supported(f"{type(entry).__name__} in CREATE EXTERNAL TABLE", _START)
    if not is_parquet:
        raise not_supported("CREATE EXTERNAL TABLE of text files (without STORED AS PARQUET)", _START)
    if not location:
        raise QueryError("SYNTAX_ERROR", "CREATE EXTERNAL TABLE needs a LOCATION", _START)
    return {
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": keys,
        "StorageDescriptor": {"Location": location, **PARQUET_STORAGE},
    }


def _words(entry: exp.Expr) -> str:
    return str(entry.sql(dialect="hive")).lower()


def _column(column: exp.Expr) -> dict[str, str]:
    if not isinstance(column, exp.ColumnDef) or column.args.get("kind") is None:
        raise QueryError("SYNTAX_ERROR", f"'{column.sql(dialect='hive')}' is no column with its type", _START)
    type_ = column.args["kind"].sql(dialect="hive").lower().replace(" ", "")
    hive_type(type_)
    comments = [part.this.name for part in column.find_all(exp.CommentColumnConstraint)]
    return {"Name": column.name.lower(), "Type": type_, **({"Comment": comments[0]} if comments else {})}
