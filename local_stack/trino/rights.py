"""What a role's session may read, asked before Trino reads it with other keys."""

from __future__ import annotations

from sqlglot import exp

from local_stack.aws.athena import storage
from local_stack.aws.athena.engine.catalog import Catalog
from local_stack.aws.athena.engine.syntax import parse_statement

_INFORMATION = "information_schema"


def require_readable(sql: str, database: str, catalog: Catalog) -> None:
    """Want the caller to be allowed to read every table of a query, views' tables included.

    Raises:
        AccessDeniedError: naming the first action that is not allowed.
        QueryError: the query cannot be read.
    """
    tree = parse_statement(sql)
    common = {each.alias.lower() for each in tree.find_all(exp.CTE)}
    for node in tree.find_all(exp.Table):
        name, schema = node.name.lower().partition("$")[0], node.db.lower() or database
        if schema == _INFORMATION or (not node.db and name in common):
            continue
        table = catalog.table(schema, name)
        if table is None:
            continue
        if table.is_view:
            definition = table.view_definition
            require_readable(definition["originalSql"], definition.get("schema") or schema, catalog)
        else:
            storage.check_readable(table.location)
