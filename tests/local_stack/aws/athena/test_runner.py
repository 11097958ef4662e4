"""The runner around an engine that does what a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from local_stack.aws.athena import storage
from local_stack.aws.athena.engine.errors import QueryCancelledError
from local_stack.aws.athena.engine.interface import Cancellation, Outcome, Request, RowSink, StatementKind
from local_stack.aws.athena.engine.statements import kind_of
from local_stack.aws.athena.executions import QueryExecution, State
from local_stack.aws.athena.runner import QueryRunner

KIND = StatementKind("DML", "SELECT", has_rows=True)


class ScriptedEngine:
    """Runs ``work`` for any statement."""

    def __init__(self, work: Callable[[Cancellation], None]) -> None:
        self._work = work

    def kind(self, sql: str) -> StatementKind:
        return kind_of(sql)

    def run(self, request: Request, sink: RowSink, cancellation: Cancellation) -> Outcome:
        self._work(cancellation)
        sink.begin([])
        return Outcome()

    def close(self) -> None:
        pass


def execution() -> QueryExecution:
    return QueryExecution("id", "SELECT 1", KIND, "db", "", "primary", "s3://bucket/id.csv", {})


def until_interrupted(cancellation: Cancellation) -> None:
    interrupted = threading.Event()
    cancellation.while_running(interrupted.set)
    interrupted.wait()
    raise QueryCancelledError


def finished(runner: QueryRunner, query: QueryExecution) -> QueryExecution:
    runner.submit(query, "111122223333", "eu-north-1", "s3://bucket/tables/")
    runner._pool.shutdown(wait=True)
    return query


@pytest.fixture(autouse=True)
def _no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "write_file", lambda uri, content: None)


def test_a_query_that_takes_too_long_is_interrupted_and_fails():
    query = finished(QueryRunner(ScriptedEngine(until_interrupted), timeout_seconds=0.05), execution())
    assert (query.state, query.reason) == (State.FAILED, "Query timeout")
    assert query.error is not None


def test_an_unforeseen_error_is_a_system_error():
    def fail(_: Cancellation) -> None:
        raise ZeroDivisionError("oops")

    query = finished(QueryRunner(ScriptedEngine(fail)), execution())
    assert (query.state, query.reason) == (State.FAILED, "GENERIC_INTERNAL_ERROR: oops")
    assert query.error is not None
    assert query.error["ErrorCategory"] == 1


def test_stopping_the_service_ends_what_runs_and_what_waits():
    started = threading.Event()

    def work(cancellation: Cancellation) -> None:
        started.set()
        until_interrupted(cancellation)

    runner = QueryRunner(ScriptedEngine(work))
    queries = [execution() for _ in range(4)]
    for number, query in enumerate(queries):
        query.id = str(number)
        runner.submit(query, "111122223333", "eu-north-1", "s3://bucket/tables/")
    started.wait()
    runner.stop()
    assert {query.state for query in queries} == {State.CANCELLED}


def test_a_query_cancelled_before_it_starts_does_not_run():
    def refuse(_: Cancellation) -> None:
        raise AssertionError("it ran")

    query = execution()
    query.end(State.CANCELLED, "Query cancelled by user")
    assert finished(QueryRunner(ScriptedEngine(refuse)), query).started is None


def test_a_cancellation_that_comes_first_stops_the_work_at_once():
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(QueryCancelledError):
        cancellation.while_running(lambda: None)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1", "SELECT"),
        ("/* a */ -- b\n with x as (select 1) select 1", "SELECT"),
        ("(SELECT 1)", "SELECT"),
        ("selection", "UNKNOWN"),
        ("create table a as select 1", "CREATE_TABLE_AS_SELECT"),
        ("CREATE TABLE a WITH (format = 'PARQUET') AS (SELECT 1)", "CREATE_TABLE_AS_SELECT"),
        ("CREATE TABLE a (b int) LOCATION 's3://as/'", "CREATE_TABLE"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE_VIEW"),
        ("insert into t values 1", "INSERT"),
        ("SHOW TABLES", "SHOW_TABLES"),
        ("DESC t", "DESCRIBE_TABLE"),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", "OTHER"),
        ("", "UNKNOWN"),
    ],
)
def test_statements_by_their_first_words(sql: str, kind: str):
    assert kind_of(sql).substatement_type == kind
