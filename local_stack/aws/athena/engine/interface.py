"""What the Athena API asks of an engine: another (a real Trino) may stand in its place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from local_stack.aws.athena.engine.errors import QueryCancelledError
from local_stack.aws.athena.engine.types import SqlType

Row = Sequence[str | None]
"""A row of the result as Athena writes it; None is NULL."""


@dataclass(frozen=True)
class StatementKind:
    """What a statement is: ``statement_type`` DDL, DML or UTILITY, and AWS's name of the exact kind.

    ``has_rows``: its rows are a CSV file; else lines of a text file, or (``writes``) no result at all.
    """

    statement_type: str
    substatement_type: str
    has_rows: bool = False
    writes: bool = False


@dataclass(frozen=True)
class Request:
    """One statement to run.

    ``parameters`` are SQL literals for its question marks, ``scan_limit`` the bytes that it may read.
    ``tables_location`` is the folder for a table that the statement makes without saying where.
    """

    query_id: str
    sql: str
    database: str
    account_id: str
    region: str
    tables_location: str
    parameters: tuple[str, ...] = ()
    scan_limit: int | None = None


@dataclass(frozen=True)
class ResultColumn:
    """A column of the result."""

    name: str
    type: SqlType


@dataclass(frozen=True)
class Outcome:
    """How a statement that succeeded ended. ``written`` are the URIs of the data files it wrote."""

    scanned_bytes: int = 0
    update_count: int | None = None
    written: tuple[str, ...] = ()


class RowSink(Protocol):
    """Takes the result as it comes."""

    def begin(self, columns: Sequence[ResultColumn]) -> None:
        """Called once, before any row."""

    def add(self, rows: Sequence[Row]) -> None:
        """More rows."""


class ScanLimitError(Exception):
    """The statement read more bytes than it may."""


class Cancellation:
    """Lets one thread stop what another runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interrupt: Callable[[], None] | None = None
        self.is_cancelled = False

    def cancel(self) -> None:
        """Stop now."""
        with self._lock:
            self.is_cancelled = True
            if self._interrupt:
                self._interrupt()

    def while_running(self, interrupt: Callable[[], None] | None) -> None:
        """What stops the work that begins now; None when it has ended.

        Raises:
            QueryCancelledError: it was cancelled before.
        """
        with self._lock:
            self._interrupt = interrupt
            if interrupt and self.is_cancelled:
                raise QueryCancelledError

    def check(self) -> None:
        """Stop here if it was cancelled.

        Raises:
            QueryCancelledError: it was.
        """
        if self.is_cancelled:
            raise QueryCancelledError


class Engine(Protocol):
    """Runs statements."""

    def kind(self, sql: str) -> StatementKind:
        """What a statement is, by its first words; never fails."""

    def run(self, request: Request, sink: RowSink, cancellation: Cancellation) -> Outcome:
        """Run it to its end.

        Raises:
            QueryError: it fails.
            QueryCancelledError: it was cancelled.
            ScanLimitError: it read too much.
        """

    def close(self) -> None:
        """Let go of what it holds."""
