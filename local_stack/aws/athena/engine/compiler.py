"""Expressions of Athena's SQL to DuckDB's, by an allow-list: a node without a handler is refused.

Handlers live in the modules beside this one and register themselves with ``handles``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import Protocol

from sqlglot import exp

from local_stack.aws.athena.engine.errors import Position, QueryError, not_supported
from local_stack.aws.athena.engine.scope import Field, Relation, Scope
from local_stack.aws.athena.engine.syntax import operator_position, position_of
from local_stack.aws.athena.engine.typed import Typed


class Tables(Protocol):
    """Where a query's tables come from."""

    def relation(self, node: exp.Table, database: str, statement: Statement) -> Relation:
        """The relation for a table as a query names it.

        Raises:
            QueryError: TABLE_NOT_FOUND, SCHEMA_NOT_FOUND, CATALOG_NOT_FOUND, or NOT_SUPPORTED.
        """


@dataclass
class Statement:
    """What is fixed for one statement: its text, where its tables are, its parameters, its clock."""

    sql: str
    tables: Tables
    database: str
    started: datetime
    parameters: list[exp.Expr] = field(default_factory=list)
    _aliases: Iterable[int] = field(default_factory=lambda: count(1))
    _next_parameter: int = 0

    def alias(self) -> str:
        """A relation name that no other in the statement has."""
        return f"r{next(iter(self._aliases))}"

    def position(self, node: exp.Expr | None) -> Position | None:
        """Where a node stands in the text."""
        return position_of(node, self.sql)

    def operator_position(self, left: exp.Expr) -> Position | None:
        """Where the operator behind a left operand stands."""
        return operator_position(left, self.sql)


@dataclass(frozen=True)
class CommonTable:
    """A WITH query: its name in DuckDB and its fields."""

    name: str
    fields: tuple[Field, ...]


Handler = Callable[["Compiler", exp.Expr], Typed]
_HANDLERS: dict[type[exp.Expr], tuple[Handler, frozenset[str]]] = {}


def handles(*kinds: type[exp.Expr], args: str = "this expression") -> Callable[[Handler], Handler]:
    """Register the handler of some node types; ``args`` names the node's parts that it understands."""

    def register(handler: Handler) -> Handler:
        for kind in kinds:
            _HANDLERS[kind] = (handler, frozenset(args.split()))
        return handler

    return register


def check_parts(node: exp.Expr, known: Iterable[str], statement: Statement) -> None:
    """Refuse a node that has a part beside the known ones.

    Raises:
        QueryError: NOT_SUPPORTED, naming the part.
    """
    extra = [name for name, value in node.args.items() if value and name not in known]
    if extra:
        part = extra[0].rstrip("_").replace("_", " ").upper()
        what = type(node).__name__.upper()
        raise not_supported(f"{part} in {what}", statement.position(node))


@dataclass(frozen=True)
class Compiler:
    """Compiles the expressions of one clause.

    ``groups`` are the grouping keys' SQL, None where rows are not grouped. ``scalar_clause`` names a
    clause in which aggregates and windows are forbidden. ``outputs`` are the SELECT list's names, which
    ORDER BY sees first; ``variables`` a lambda's; ``windows`` the named ones.
    """

    statement: Statement
    scope: Scope
    common_tables: dict[str, CommonTable] = field(default_factory=dict)
    groups: frozenset[str] | None = None
    scalar_clause: str | None = None
    outputs: dict[str, list[Typed]] = field(default_factory=dict)
    variables: dict[str, Field] = field(default_factory=dict)
    windows: dict[str, exp.Expr] = field(default_factory=dict)

    def compile(self, node: exp.Expr) -> Typed:
        """The expression in DuckDB's SQL.

        Raises:
            QueryError: it does not make sense, or is not supported.
        """
        registered = _HANDLERS.get(type(node))
        if registered is None:
            raise not_supported(self.describe(node), self.position(node))
        handler, known = registered
        check_parts(node, known, self.statement)
        return self.grouped(handler(self, node))

    def grouped(self, typed: Typed) -> Typed:
        """Of a grouping key the columns are no longer free."""
        if self.groups is None or typed.sql not in self.groups:
            return typed
        return replace(
            typed, free=frozenset(column for column in typed.free if column.scope is not self.scope)
        )

    def position(self, node: exp.Expr | None) -> Position | None:
        """Where a node stands in the statement."""
        return self.statement.position(node)

    def describe(self, node: exp.Expr) -> str:
        """What to call a node in a message."""
        return type(node).__name__.upper()

    def not_scalar(self, node: exp.Expr, detail: str = "") -> QueryError:
        """The error for an aggregate or a window in a clause that takes none."""
        message = f"{self.scalar_clause} cannot contain aggregations, window functions or grouping operations"
        return QueryError("EXPRESSION_NOT_SCALAR", message + detail, self.position(node))

    def with_variable(self, name: str, variable: Field) -> Compiler:
        """The same clause inside a lambda."""
        return replace(self, variables={**self.variables, name: variable})

    def check_grouped(self, typed: Typed, node: exp.Expr) -> None:
        """Where rows are grouped, only keys may be read outside of aggregates.

        Raises:
            QueryError: EXPRESSION_NOT_AGGREGATE.
        """
        loose = sorted(column.name for column in typed.free if column.scope is self.scope)
        if self.groups is not None and loose:
            message = f"'{loose[0]}' must be an aggregate expression or appear in GROUP BY clause"
            raise QueryError("EXPRESSION_NOT_AGGREGATE", message, self.position(node))
