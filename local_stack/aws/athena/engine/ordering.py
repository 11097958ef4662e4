"""ORDER BY, OFFSET and LIMIT. Athena puts NULLs last, ascending and descending."""

from __future__ import annotations

from sqlglot import exp

from local_stack.aws.athena.engine.compiler import Compiler, check_parts
from local_stack.aws.athena.engine.errors import QueryError, not_supported
from local_stack.aws.athena.engine.operators import orderable


def order_terms(compiler: Compiler, order: exp.Expr) -> list[str]:
    """The terms of an ORDER BY as SQL."""
    return [f"{_expression(compiler, term)} {direction(compiler, term)}" for term in order.expressions]


def _expression(compiler: Compiler, term: exp.Expr) -> str:
    value = compiler.compile(term.this)
    orderable(compiler, value, term)
    return value.sql


def direction(compiler: Compiler, term: exp.Expr) -> str:
    """``ASC`` or ``DESC`` with the place of NULLs."""
    check_parts(term, ("this", "desc", "nulls_first"), compiler.statement)
    nulls = "FIRST" if term.args.get("nulls_first") else "LAST"
    return f"{'DESC' if term.args.get('desc') else 'ASC'} NULLS {nulls}"


def output_place(compiler: Compiler, node: exp.Expr, count: int) -> int | None:
    """The output column, from 0, that an ordinal such as ``ORDER BY 2`` means; None for an expression.

    Raises:
        QueryError: INVALID_COLUMN_REFERENCE.
    """
    if not isinstance(node, exp.Literal) or node.args["is_string"]:
        return None
    if not str(node.this).isdecimal() or not 1 <= int(node.this) <= count:
        message = f"ORDER BY position {node.this} is not in select list"
        raise QueryError("INVALID_COLUMN_REFERENCE", message, compiler.position(node))
    return int(node.this) - 1


def limit_clause(compiler: Compiler, node: exp.Expr) -> str:
    """OFFSET and LIMIT (or FETCH FIRST) as SQL."""
    limit, offset = node.args.get("limit"), node.args.get("offset")
    sql = ""
    if limit is not None:
        count = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression
        options = limit.args.get("limit_options")
        if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
            raise not_supported("FETCH FIRST with PERCENT or TIES", compiler.position(node))
        if not (isinstance(count, exp.Var) and count.name.upper() == "ALL"):
            sql = f" LIMIT {_row_count(compiler, count)}"
    if offset is not None:
        sql += f" OFFSET {_row_count(compiler, offset.expression)}"
    return sql


def _row_count(compiler: Compiler, node: exp.Expr | None) -> int:
    written = "1" if node is None else str(node.name)
    if not written.isdecimal():
        raise not_supported("a LIMIT or OFFSET that is not a literal number", compiler.position(node))
    return int(written)
