"""Athena's statements in Trino's words. What neither takes as it stands is refused by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from local_stack.aws.athena.engine.catalog import Catalog, GlueTable
from local_stack.aws.athena.engine.ddl import text_behind_as
from local_stack.aws.athena.engine.errors import Position, QueryError, not_supported
from local_stack.aws.athena.engine.iceberg_tables import read_metadata
from local_stack.aws.athena.engine.interface import Request, StatementKind
from local_stack.aws.athena.engine.show import find_table
from local_stack.aws.athena.engine.statements import first_words
from local_stack.aws.athena.engine.syntax import parse_statement, unknown_statement
from local_stack.aws.athena.engine.table_properties import read_properties
from local_stack.aws.athena.engine.types import quote, text
from local_stack.trino.server import CATALOG, HIVE_CATALOG

DEFAULT_SNAPSHOT_AGE_SECONDS = 5 * 86400
"""Athena's, of the table property vacuum_max_snapshot_age_seconds."""

_AS_WRITTEN = {"SELECT", "INSERT", "CREATE_VIEW", "DROP_VIEW", "DROP_TABLE"}
_CHANGES = ("UPDATE", "DELETE", "MERGE")
_START = Position(1, 1)
_NAME = r'(?P<table>[\w."`]+)'
_OPTIMIZE = re.compile(
    rf"OPTIMIZE\s+{_NAME}\s+REWRITE\s+DATA\s+USING\s+BIN_PACK(?P<where>\s+WHERE\s.+)?", re.I | re.S
)
_VACUUM = re.compile(rf"VACUUM\s+{_NAME}", re.I)
_MSCK = re.compile(rf"MSCK\s+REPAIR\s+TABLE\s+{_NAME}", re.I)


@dataclass(frozen=True)
class Translation:
    """Statements for Trino, run one after the other, and the session properties that they need."""

    statements: tuple[str, ...]
    session: Mapping[str, str] = field(default_factory=dict)


def translate(sql: str, kind: StatementKind, request: Request, catalog: Catalog) -> Translation:
    """A statement of Athena's for Trino.

    Raises:
        QueryError: SYNTAX_ERROR, TABLE_NOT_FOUND, or NOT_SUPPORTED with the statement's name.
    """
    text_ = first_words(sql).rstrip().rstrip(";").rstrip()
    if kind.substatement_type == "UNKNOWN":
        raise unknown_statement(sql)
    words = [word.upper() for word in text_.split(None, 2)]
    if kind.substatement_type in _AS_WRITTEN or words[0] in _CHANGES:
        return Translation((text_,))
    if kind.substatement_type == "CREATE_TABLE_AS_SELECT":
        return _create_table_as(text_, request, catalog)
    if words[0] == "OPTIMIZE":
        return _optimize(_match(_OPTIMIZE, text_), request, catalog)
    if words[0] == "VACUUM":
        return _vacuum(_table(_match(_VACUUM, text_), request, catalog, is_iceberg=True))
    if words[0] == "MSCK":
        return _repair(_table(_match(_MSCK, text_), request, catalog, is_iceberg=False))
    name = " ".join(words[:2]) if words[0] in ("ALTER", "CREATE", "DROP", "SHOW") else words[0]
    raise not_supported(f"the statement {name}", _START)


def _match(form: re.Pattern[str], sql: str) -> re.Match[str]:
    match = form.fullmatch(sql)
    if match is None:
        raise QueryError("SYNTAX_ERROR", f"mismatched input in {sql.split()[0].upper()}", _START)
    return match


def _table(match: re.Match[str], request: Request, catalog: Catalog, *, is_iceberg: bool) -> GlueTable:
    table = find_table(catalog, match["table"], request.database)
    if table.is_iceberg is not is_iceberg or table.is_view:
        wanted = "an Iceberg table" if is_iceberg else "a table of files"
        raise QueryError("NOT_SUPPORTED", f"{table.database}.{table.name} is not {wanted}", _START)
    return table


def _quoted(table: GlueTable) -> str:
    return f"{quote(table.database)}.{quote(table.name)}"


def _optimize(match: re.Match[str], request: Request, catalog: Catalog) -> Translation:
    table = _table(match, request, catalog, is_iceberg=True)
    return Translation((f"ALTER TABLE {_quoted(table)} EXECUTE optimize{match['where'] or ''}",))


def _vacuum(table: GlueTable) -> Translation:
    properties = read_metadata(table).properties
    age = properties.get("vacuum_max_snapshot_age_seconds", str(DEFAULT_SNAPSHOT_AGE_SECONDS))
    steps = ("expire_snapshots", "remove_orphan_files")
    return Translation(
        tuple(
            f"ALTER TABLE {_quoted(table)} EXECUTE {step}(retention_threshold => '{int(age)}s')"
            for step in steps
        )
    )


def _repair(table: GlueTable) -> Translation:
    names = f"{text(table.database)}, {text(table.name)}"
    return Translation((f"CALL {HIVE_CATALOG}.system.sync_partition_metadata({names}, 'ADD')",))


def _create_table_as(sql: str, request: Request, catalog: Catalog) -> Translation:
    """``CREATE TABLE t WITH (..) AS ..``: the same table with Trino's names of the properties."""
    node = parse_statement(sql)
    if not isinstance(node.this, exp.Table):
        raise not_supported("a column list in CREATE TABLE AS", _START)
    properties = read_properties(request, node.args.get("properties"))
    is_iceberg = properties.is_iceberg
    database = node.this.db.lower() or request.database
    if not catalog.has_database(database):
        raise QueryError("SCHEMA_NOT_FOUND", f"Schema '{database}' does not exist")
    given = {"format": "'PARQUET'"}
    given["location" if is_iceberg else "external_location"] = text(properties.location)
    if properties.partitioning:
        parts = ", ".join(map(text, properties.partitioning))
        given["partitioning" if is_iceberg else "partitioned_by"] = f"ARRAY[{parts}]"
    owner = CATALOG if is_iceberg else HIVE_CATALOG
    name = f"{owner}.{quote(database)}.{quote(node.this.name.lower())}"
    exists = "IF NOT EXISTS " if node.args.get("exists") else ""
    clause = ", ".join(f"{key} = {value}" for key, value in given.items())
    statement = f"CREATE TABLE {exists}{name} WITH ({clause}) AS {text_behind_as(sql)}"
    return Translation((statement,), {f"{owner}.compression_codec": properties.compression})
