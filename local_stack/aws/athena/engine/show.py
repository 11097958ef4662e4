"""SHOW and DESCRIBE: lines of text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from local_stack.aws.athena.engine.catalog import CATALOG, Catalog, GlueColumn, GlueTable
from local_stack.aws.athena.engine.errors import Position, QueryError, not_supported
from local_stack.aws.athena.engine.iceberg_tables import read_metadata
from local_stack.aws.athena.engine.information_schema import table_columns
from local_stack.aws.athena.engine.statements import first_words

_NAME = r'(?:`[^`]+`|"[^"]+"|[A-Za-z_][\w$]*)'
_TABLE = rf"(?P<table>{_NAME}(?:\.{_NAME})?)"
_LIKE = r"(?:\s+(?:LIKE\s+)?'(?P<pattern>[^']*)')?"
_IN_DATABASE = rf"(?:\s+(?:IN|FROM)\s+(?P<database>{_NAME}))?"
_FORMS = {
    "SHOW_DATABASES": rf"SHOW\s+(?:DATABASES|SCHEMAS){_LIKE}",
    "SHOW_TABLES": rf"SHOW\s+TABLES{_IN_DATABASE}{_LIKE}",
    "SHOW_VIEWS": rf"SHOW\s+VIEWS{_IN_DATABASE}{_LIKE}",
    "SHOW_COLUMNS": rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{_TABLE}{_IN_DATABASE}",
    "SHOW_PARTITIONS": rf"SHOW\s+PARTITIONS\s+{_TABLE}",
    "SHOW_CREATE_VIEW": rf"SHOW\s+CREATE\s+VIEW\s+{_TABLE}",
    "DESCRIBE_TABLE": rf"(?:DESCRIBE|DESC)\s+{_TABLE}",
}
HEADERS = {
    "SHOW_DATABASES": ("database_name",),
    "SHOW_TABLES": ("tab_name",),
    "SHOW_VIEWS": ("views",),
    "SHOW_COLUMNS": ("field",),
    "SHOW_PARTITIONS": ("partition",),
    "SHOW_CREATE_VIEW": ("create_view",),
    "DESCRIBE_TABLE": ("col_name", "data_type", "comment"),
}
"""The result's columns, as Athena names them."""

_WIDTH = 20


def lines(form: str, sql: str, catalog: Catalog, database: str) -> list[str]:
    """The result of a statement of this form; several columns of a line are separated by tabs.

    Raises:
        QueryError: SYNTAX_ERROR, SCHEMA_NOT_FOUND, TABLE_NOT_FOUND, NOT_SUPPORTED.
    """
    text = first_words(sql).rstrip().rstrip(";").rstrip()
    match = re.fullmatch(_FORMS[form], text, re.IGNORECASE)
    if match is None:
        if form == "DESCRIBE_TABLE":
            raise not_supported("this form of DESCRIBE", Position(1, 1))
        raise QueryError("SYNTAX_ERROR", f"mismatched input in {form.replace('_', ' ')}", Position(1, 1))
    found = match.groupdict()
    schema = _unquoted(found["database"]) if found.get("database") else database
    if form == "SHOW_DATABASES":
        return list(_like(catalog.databases(), found["pattern"]))
    if form in ("SHOW_TABLES", "SHOW_VIEWS"):
        if not catalog.has_database(schema):
            raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{schema}' does not exist")
        names = [table.name for table in catalog.tables(schema) if form == "SHOW_TABLES" or table.is_view]
        return list(_like(names, found["pattern"]))
    table = find_table(catalog, found["table"], schema)
    match form:
        case "SHOW_COLUMNS":
            return [name for name, _ in table_columns(table)]
        case "SHOW_PARTITIONS":
            return _partitions(catalog, table)
        case "SHOW_CREATE_VIEW":
            return _view_text(table)
    return _description(table)


def find_table(catalog: Catalog, written: str, database: str) -> GlueTable:
    """A table by ``name`` or ``database.name``.

    Raises:
        QueryError: TABLE_NOT_FOUND.
    """
    parts = [_unquoted(part) for part in re.findall(_NAME, written)]
    schema, name = (parts[0], parts[1]) if len(parts) == 2 else (database, parts[0])
    table = catalog.table(schema, name)
    if table is None:
        raise QueryError("TABLE_NOT_FOUND", f"Table '{CATALOG}.{schema}.{name}' does not exist")
    return table


def _unquoted(name: str) -> str:
    return name.strip('`"').lower()


def _like(names: list[str], pattern: str | None) -> Iterator[str]:
    """Hive's patterns: ``*`` is anything, ``|`` separates alternatives."""
    if pattern is None:
        return iter(names)
    alternatives = (re.escape(part).replace(r"\*", ".*") for part in pattern.split("|"))
    expression = re.compile("|".join(alternatives), re.IGNORECASE)
    return (name for name in names if expression.fullmatch(name))


def _partitions(catalog: Catalog, table: GlueTable) -> list[str]:
    if not table.partition_keys:
        message = f"Table {table.database}.{table.name} is not a partitioned table"
        raise QueryError("GENERIC_USER_ERROR", f"FAILED: Execution Error. {message}")
    keys = [key.name for key in table.partition_keys]
    return [
        "/".join(f"{key}={value}" for key, value in zip(keys, partition.values, strict=True))
        for partition in catalog.partitions(table)
    ]


def _view_text(table: GlueTable) -> list[str]:
    if not table.is_view:
        raise QueryError("INVALID_VIEW", f"Relation '{CATALOG}.{table.database}.{table.name}' is not a view")
    return [
        f"CREATE VIEW {table.database}.{table.name} AS",
        *table.view_definition["originalSql"].splitlines(),
    ]


def _description(table: GlueTable) -> list[str]:
    if table.is_iceberg:
        return _iceberg_description(table)
    described = [_line(column) for column in (*table.columns, *table.partition_keys)]
    if table.partition_keys:
        described += [
            "\t \t ",
            "# Partition Information\t \t ",
            _columns("# col_name", "data_type", "comment"),
            "\t \t ",
        ]
        described += [_line(column) for column in table.partition_keys]
    return described


def _iceberg_description(table: GlueTable) -> list[str]:
    metadata = read_metadata(table)
    schema = metadata.schema()
    described = ["# Table schema:\t\t", "# col_name\tdata_type\tcomment"]
    described += [f"{field.name}\t{field.field_type}\t{field.doc or ''}" for field in schema.fields]
    described += ["\t\t", "# Partition spec:\t\t", "# field_name\tfield_transform\tcolumn_name"]
    described += [
        f"{field.name}\t{field.transform}\t{schema.find_column_name(field.source_id)}"
        for field in metadata.spec().fields
    ]
    return described


def _line(column: GlueColumn) -> str:
    return _columns(column.name, column.type, column.comment)


def _columns(*cells: str) -> str:
    return "\t".join(cell.ljust(_WIDTH) for cell in cells)
