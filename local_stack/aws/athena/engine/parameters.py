"""Parameters of a statement: a literal for each question mark."""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from local_stack.aws.athena.engine.errors import Position, QueryError
from local_stack.aws.athena.engine.syntax import AthenaSql, parse_statement

_LITERALS = (
    exp.Literal,
    exp.Neg,
    exp.Cast,
    exp.Boolean,
    exp.Null,
    exp.DataType,
    exp.DataTypeParam,
    exp.HexString,
)
_EXECUTE = re.compile(
    r"\s*EXECUTE\s+(?P<name>[A-Za-z_]\w*)(?:\s+USING\s+(?P<values>.+?))?\s*;?\s*", re.IGNORECASE | re.DOTALL
)


def bind(sql: str, parameters: tuple[str, ...]) -> str:
    """The statement with its parameters in their places.

    Raises:
        QueryError: INVALID_PARAMETER_USAGE for a wrong number, or a value that is not a literal.
    """
    try:
        marks = [token for token in AthenaSql().tokenize(sql) if token.token_type is TokenType.PLACEHOLDER]
    except TokenError:
        return sql
    if len(marks) != len(parameters):
        message = f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}"
        raise QueryError("INVALID_PARAMETER_USAGE", message, Position(1, 1))
    for mark, value in reversed(list(zip(marks, parameters, strict=True))):
        _check_literal(value)
        sql = f"{sql[: mark.start]}{value}{sql[mark.end + 1 :]}"
    return sql


def _check_literal(value: str) -> None:
    tree = parse_statement(f"SELECT {value}")
    items = tree.expressions if isinstance(tree, exp.Select) and len(tree.args) else []
    is_plain = isinstance(tree, exp.Select) and not tree.args.get("from_") and len(items) == 1
    if not is_plain or not all(isinstance(node, _LITERALS) for node in items[0].walk()):
        raise QueryError("INVALID_PARAMETER_USAGE", f"The parameter {value} is not a literal", Position(1, 1))


def executed_statement(sql: str) -> tuple[str, tuple[str, ...]] | None:
    """Name and parameters of ``EXECUTE name USING 1, 'a'``; None for any other statement.

    Raises:
        QueryError: SYNTAX_ERROR.
    """
    match = _EXECUTE.fullmatch(sql)
    if match is None:
        return None
    written = match["values"]
    if written is None:
        return match["name"], ()
    tree = parse_statement(f"SELECT {written}")
    return match["name"], tuple(item.sql(dialect=AthenaSql) for item in tree.expressions)
