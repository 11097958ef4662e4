"""A compiled expression: DuckDB SQL and its Athena type, and what the query around must know of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from local_stack.aws.athena.engine.scope import Scope
from local_stack.aws.athena.engine.types import SqlType, text

FAILURE_MARK = "ATHENA:"
"""How a failure raised inside DuckDB is told from DuckDB's own."""


@dataclass(frozen=True)
class FreeColumn:
    """A column read outside of any aggregate; where rows are grouped, it must be one of the keys."""

    scope: Scope
    sql: str
    name: str


@dataclass(frozen=True)
class Typed:
    """DuckDB SQL with its Athena type.

    ``constant`` is a literal's Python value; ``refusing`` says that running it may end in NOT_SUPPORTED.
    """

    sql: str
    type: SqlType
    constant: object = None
    free: frozenset[FreeColumn] = frozenset()
    aggregate: bool = False
    window: bool = False
    refusing: bool = False

    def retyped(self, type_: SqlType) -> Typed:
        """The same SQL, seen as another type that is stored alike."""
        return replace(self, type=type_)


def combine(sql: str, type_: SqlType, *parts: Typed, refusing: bool = False) -> Typed:
    """An expression made of others."""
    return Typed(
        sql,
        type_,
        free=frozenset().union(*(part.free for part in parts)),
        aggregate=any(part.aggregate for part in parts),
        window=any(part.window for part in parts),
        refusing=refusing or any(part.refusing for part in parts),
    )


def failure(code: str, message_sql: str, type_: SqlType) -> str:
    """SQL that fails with an Athena error when it is evaluated; it stands where a value of ``type_`` would.

    A cast that cannot succeed: unlike DuckDB's error() it is not volatile, so that it may stand in
    grouping keys and in TRY. ``message_sql`` is SQL for the message.
    """
    raised = f"CAST({text(FAILURE_MARK + code + ':')} || {message_sql} AS INTEGER)"
    return f"CAST(CAST({raised} AS VARCHAR) AS {type_.duckdb})"
