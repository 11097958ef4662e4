"""What a statement is, by its first words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from local_stack.aws.athena.engine.interface import StatementKind

_COMMENTS = re.compile(r"\s+|--[^\n]*(?:\n|$)|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class _Form:
    pattern: str
    kind: StatementKind


def _rows(name: str) -> StatementKind:
    return StatementKind("DML", name, has_rows=True)


def _lines(name: str) -> StatementKind:
    return StatementKind("UTILITY", name)


def _ddl(name: str) -> StatementKind:
    return StatementKind("DDL", name)


_FORMS = (
    _Form(r"SELECT|WITH|VALUES|TABLE|\(", _rows("SELECT")),
    _Form(r"INSERT", StatementKind("DML", "INSERT", writes=True)),
    _Form(
        r"CREATE\s+TABLE\b(?=.*\bAS\s*\(?\s*(SELECT|WITH|VALUES|TABLE)\b)",
        StatementKind("DDL", "CREATE_TABLE_AS_SELECT", writes=True),
    ),
    _Form(r"CREATE\s+(OR\s+REPLACE\s+)?VIEW", _ddl("CREATE_VIEW")),
    _Form(r"CREATE\s+(DATABASE|SCHEMA)", _ddl("CREATE_DATABASE")),
    _Form(r"CREATE", _ddl("CREATE_TABLE")),
    _Form(r"DROP\s+TABLE", _ddl("DROP_TABLE")),
    _Form(r"DROP\s+VIEW", _ddl("DROP_VIEW")),
    _Form(r"DROP\s+(DATABASE|SCHEMA)", _ddl("DROP_DATABASE")),
    _Form(r"SHOW\s+(DATABASES|SCHEMAS)", _lines("SHOW_DATABASES")),
    _Form(r"SHOW\s+TABLES", _lines("SHOW_TABLES")),
    _Form(r"SHOW\s+VIEWS", _lines("SHOW_VIEWS")),
    _Form(r"SHOW\s+COLUMNS", _lines("SHOW_COLUMNS")),
    _Form(r"SHOW\s+PARTITIONS", _lines("SHOW_PARTITIONS")),
    _Form(r"SHOW\s+CREATE\s+VIEW", _lines("SHOW_CREATE_VIEW")),
    _Form(r"(DESCRIBE|DESC)", _lines("DESCRIBE_TABLE")),
    _Form(r"SHOW\s+\w+(\s+TABLE)?", _lines("SHOW")),
    _Form(r"EXPLAIN", _lines("EXPLAIN")),
    _Form(r"(UPDATE|DELETE|MERGE|OPTIMIZE|VACUUM|UNLOAD|EXECUTE)", StatementKind("DML", "OTHER")),
    _Form(
        r"(ALTER|MSCK|ANALYZE|PREPARE|DEALLOCATE|CALL|GRANT|REVOKE|USE|SET|RESET|TRUNCATE|REFRESH|COMMENT|DROP)",
        _ddl("OTHER"),
    ),
)
_UNKNOWN = StatementKind("DML", "UNKNOWN", has_rows=True)


def first_words(sql: str) -> str:
    """The statement without the white space and comments before it."""
    place = 0
    while match := _COMMENTS.match(sql, place):
        place = match.end()
    return sql[place:]


def kind_of(sql: str) -> StatementKind:
    """What the statement is; one that begins with no known word is taken for a query."""
    text = first_words(sql)
    for form in _FORMS:
        if re.match(rf"(?:{form.pattern})(?!\w)", text, re.IGNORECASE | re.DOTALL):
            return form.kind
    return _UNKNOWN
