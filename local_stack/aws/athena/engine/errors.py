"""Why a statement fails, in Athena's words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Position:
    """A place in the statement's text; line and column count from 1."""

    line: int
    column: int


class QueryError(Exception):
    """A statement fails. ``code`` is Trino's error name (``TABLE_NOT_FOUND``, ``NOT_SUPPORTED``, ...).

    As text it reads like Athena's StateChangeReason: ``CODE: line 1:8: message``.
    """

    def __init__(self, code: str, message: str, position: Position | None = None) -> None:
        self.code = code
        self.position = position
        place = f"line {position.line}:{position.column}: " if position else ""
        super().__init__(f"{code}: {place}{message}")


class QueryCancelledError(Exception):
    """The statement was interrupted before it ended."""


def not_supported(what: str, position: Position | None = None) -> QueryError:
    """Athena may run this, the emulation does not: refused, since it could not answer exactly."""
    return QueryError("NOT_SUPPORTED", f"{what} is not supported by the emulated Athena", position)


def type_mismatch(message: str, position: Position | None = None) -> QueryError:
    """Types that do not go together."""
    return QueryError("TYPE_MISMATCH", message, position)
