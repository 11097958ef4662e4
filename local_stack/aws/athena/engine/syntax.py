"""Athena's SQL into a syntax tree: sqlglot's Trino grammar, with function calls left as written.

sqlglot knows many functions and rewrites their calls into its own nodes. Here a call keeps its name
and its arguments in order, so that what is run is decided by this package's own list alone.
"""

from __future__ import annotations

import re
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import Token, TokenType

from local_stack.aws.athena.engine.errors import Position, QueryError

_FOREIGN_TOKENS = frozenset(
    {"::", "==", "<=>", "&&", "~", "->>", "#>", "^", "&", "|", ":=", "`", "@", "<<", ">>"}
)
"""What sqlglot reads in other dialects' way and Trino does not know."""

_NOT_AFTER_COMMA = frozenset(
    {
        TokenType.COMMA,
        TokenType.R_PAREN,
        TokenType.R_BRACKET,
        TokenType.FROM,
        TokenType.WHERE,
        TokenType.GROUP_BY,
        TokenType.HAVING,
        TokenType.ORDER_BY,
        TokenType.LIMIT,
        TokenType.UNION,
        TokenType.SEMICOLON,
    }
)
_SPECIAL_SYNTAX = ("CAST", "TRY_CAST", "EXTRACT", "TRIM", "POSITION", "SUBSTRING")


class _Parser(TrinoParser):
    FUNCTIONS: ClassVar = {}
    FUNCTION_PARSERS: ClassVar = {
        name: parse for name, parse in TrinoParser.FUNCTION_PARSERS.items() if name in _SPECIAL_SYNTAX
    }


class AthenaSql(Trino):
    """Trino's dialect; array subscripts stay as written (from 1)."""

    INDEX_OFFSET = 0
    Parser = _Parser


def parse_statement(sql: str) -> exp.Expr:
    """The syntax tree of one statement.

    Raises:
        QueryError: SYNTAX_ERROR with the position, or for more than one statement.
    """
    dialect = AthenaSql()
    try:
        tokens = dialect.tokenize(sql)
        _check_tokens(tokens)
        trees = [tree for tree in dialect.parser().parse(tokens, sql) if tree is not None]
    except ParseError as error:
        first = error.errors[0]
        raise _mismatched(first) from error
    except TokenError as error:
        raise QueryError("SYNTAX_ERROR", f"{error}".split("\n")[0], Position(1, 1)) from error
    if len(trees) != 1:
        raise QueryError("SYNTAX_ERROR", "Only one sql statement is allowed", Position(1, 1))
    return trees[0]


def unknown_statement(sql: str) -> QueryError:
    """The error for a statement that begins with no known word."""
    word = re.search(r"\S+", sql)
    position = _position(word.start(), sql) if word else Position(1, 1)
    expecting = "'ALTER', 'CREATE', 'DESCRIBE', 'DROP', 'INSERT', 'SELECT', 'SHOW', 'VALUES', 'WITH'"
    message = f"mismatched input '{word.group() if word else '<EOF>'}'. Expecting: {expecting}"
    return QueryError("SYNTAX_ERROR", message, position)


def _check_tokens(tokens: list[Token]) -> None:
    """Refuse what sqlglot's grammar lets pass: a comma with nothing after it, other dialects' operators."""
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        dangling = token.token_type is TokenType.COMMA and (
            following is None or following.token_type in _NOT_AFTER_COMMA
        )
        if dangling or (token.text in _FOREIGN_TOKENS and token.token_type is not TokenType.STRING):
            wrong = following if dangling and following else token
            position = Position(wrong.line, wrong.col - len(wrong.text) + 1)
            raise QueryError("SYNTAX_ERROR", f"mismatched input '{wrong.text}'", position)


def _mismatched(error: dict[str, object]) -> QueryError:
    token = str(error.get("highlight") or "<EOF>")
    line = int(str(error.get("line") or 1))
    end = int(str(error.get("col") or 1))
    position = Position(line, max(1, end - len(token) + 1))
    detail = str(error.get("description") or "").rstrip(".")
    return QueryError("SYNTAX_ERROR", f"mismatched input '{token}'. {detail}", position)


def position_of(node: exp.Expr | None, sql: str) -> Position | None:
    """Where a node begins in the statement's text; None if nothing in it knows."""
    starts = [found.meta["start"] for found in node.walk() if "start" in found.meta] if node else []
    return _position(min(starts), sql) if starts else None


def operator_position(left: exp.Expr, sql: str) -> Position | None:
    """Where the operator behind a left operand stands: Trino names that place in its messages."""
    ends = [found.meta["end"] for found in left.walk() if "end" in found.meta]
    if not ends:
        return None
    offset = max(ends) + 1
    while offset < len(sql) and (sql[offset].isspace() or sql[offset] in ")]'\""):
        offset += 1
    return _position(offset, sql)


def _position(offset: int, sql: str) -> Position:
    before = sql[:offset]
    return Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
