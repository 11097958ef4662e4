"""The engine that runs Athena's SQL on DuckDB."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime

import duckdb
from pyiceberg.io.pyarrow import PyArrowFileIO

from local_stack.aws.athena.engine import ddl, external_tables, show, writes
from local_stack.aws.athena.engine.catalog import Catalog
from local_stack.aws.athena.engine.compiler import Statement
from local_stack.aws.athena.engine.duck import DuckDb, scanned_bytes
from local_stack.aws.athena.engine.errors import Position, not_supported
from local_stack.aws.athena.engine.failures import athena_error
from local_stack.aws.athena.engine.interface import (
    Cancellation,
    Outcome,
    Request,
    ResultColumn,
    RowSink,
    ScanLimitError,
    StatementKind,
)
from local_stack.aws.athena.engine.parameters import bind
from local_stack.aws.athena.engine.queries import compile_query
from local_stack.aws.athena.engine.session import Session
from local_stack.aws.athena.engine.statements import first_words, kind_of
from local_stack.aws.athena.engine.syntax import parse_statement, unknown_statement
from local_stack.aws.athena.engine.tables import LakeTables
from local_stack.aws.athena.engine.types import VARCHAR
from local_stack.aws.athena.engine.values import writer
from local_stack.aws.iam.callers import access_key_of_caller

_VOCABULARY = [
    "literals",
    "operators",
    "references",
    "predicates",
    "casts",
    "calls",
    "functions_math",
    "functions_text",
    "functions_time",
    "functions_nested",
    "aggregates",
    "windows",
]
for _name in _VOCABULARY:
    # Each registers the expressions and functions that it knows.
    importlib.import_module(f"local_stack.aws.athena.engine.{_name}")

_BATCH_ROWS = 10_000


class DuckDbEngine:
    """Runs one statement at a time per connection. ``endpoint`` is where this process serves S3 and Glue."""

    def __init__(self, duck: DuckDb, endpoint: str) -> None:
        self._duck = duck
        self._endpoint = endpoint

    def kind(self, sql: str) -> StatementKind:
        """What a statement is, by its first words; never fails."""
        return kind_of(sql)

    def close(self) -> None:
        """Let go of DuckDB."""
        self._duck.close()

    def run(self, request: Request, sink: RowSink, cancellation: Cancellation) -> Outcome:
        """Run a statement to its end.

        Raises:
            QueryError: it fails.
            QueryCancelledError: it was cancelled.
            ScanLimitError: it read too much.
        """
        sql = bind(request.sql, request.parameters)
        kind = self.kind(sql)
        catalog = Catalog(request.account_id, request.region)
        if kind.substatement_type in show.HEADERS:
            sink.begin([ResultColumn(name, VARCHAR) for name in show.HEADERS[kind.substatement_type]])
            sink.add([(line,) for line in show.lines(kind.substatement_type, sql, catalog, request.database)])
            return Outcome()
        connection = self._duck.connect()
        try:
            cancellation.while_running(connection.interrupt)
            session = Session(
                request,
                sql,
                catalog,
                connection,
                self._endpoint,
                self._statement(request, sql, catalog, connection),
            )
            outcome = self._run(session, kind, sink, cancellation)
            if request.scan_limit is not None and outcome.scanned_bytes > request.scan_limit:
                raise ScanLimitError
            return outcome
        except duckdb.Error as error:
            raise athena_error(error) from error
        except RecursionError as error:
            raise not_supported("a statement nested this deep") from error
        finally:
            cancellation.while_running(None)
            self._duck.release(connection)

    def _statement(
        self, request: Request, sql: str, catalog: Catalog, connection: duckdb.DuckDBPyConnection
    ) -> Statement:
        file_io = PyArrowFileIO(
            {
                "s3.endpoint": self._endpoint,
                "s3.region": request.region,
                "s3.access-key-id": access_key_of_caller(),
                "s3.secret-access-key": "unchecked",
            }
        )
        return Statement(
            sql,
            LakeTables(catalog, connection, file_io),
            request.database,
            datetime.now(UTC),
        )

    def _run(
        self, session: Session, kind: StatementKind, sink: RowSink, cancellation: Cancellation
    ) -> Outcome:
        match kind.substatement_type:
            case "SELECT":
                return self._select(session, sink, cancellation)
            case "UNKNOWN":
                raise unknown_statement(session.sql)
            case "INSERT":
                return writes.insert(session, cancellation)
            case "CREATE_TABLE_AS_SELECT":
                return writes.create_table_as_select(session, cancellation)
            case "CREATE_VIEW" | "DROP_VIEW" | "DROP_TABLE" | "CREATE_DATABASE" | "DROP_DATABASE":
                ddl.execute(session)
                sink.begin([])
                return Outcome()
            case "CREATE_TABLE":
                external_tables.create(session)
                sink.begin([])
                return Outcome()
        words = first_words(session.sql).split()
        name = (
            " ".join(words[:2]).upper() if words[0].upper() in ("SHOW", "MSCK", "ALTER") else words[0].upper()
        )
        raise not_supported(f"the statement {name}", Position(1, 1))

    def _select(self, session: Session, sink: RowSink, cancellation: Cancellation) -> Outcome:
        query = compile_query(session.statement, parse_statement(session.sql))
        cursor = session.connection.execute(query.sql)
        columns = [
            ResultColumn(field.name or f"_col{index}", field.type) for index, field in enumerate(query.fields)
        ]
        sink.begin(columns)
        writers = [writer(column.type) for column in columns]
        for batch in cursor.to_arrow_reader(_BATCH_ROWS):
            cancellation.check()
            written = [
                [None if value is None else write(value) for value in values.to_pylist()]
                for values, write in zip(batch.columns, writers, strict=True)
            ]
            sink.add(list(zip(*written, strict=True)))
        return Outcome(scanned_bytes(session.connection))
