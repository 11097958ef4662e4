"""Queries end in typed rows or in one error that says why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from ops import athena
from ops.athena import QueryError, run_query

SQL = "SELECT 1"


@pytest.fixture
def client() -> Any:
    return boto3.client(
        "athena", region_name="eu-north-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


@pytest.fixture
def script(client: Any) -> Iterator[Stubber]:
    """Answers to be given in order; all of them must be asked for."""
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def start(script: Stubber) -> None:
    script.add_response(
        "start_query_execution",
        {"QueryExecutionId": "q-1"},
        {
            "QueryString": SQL,
            "QueryExecutionContext": {"Database": "analytics"},
            "WorkGroup": "clickstream-analytics",
        },
    )


def status(script: Stubber, state: str, reason: str | None = None) -> None:
    found = {"State": state} | ({"StateChangeReason": reason} if reason else {})
    script.add_response("get_query_execution", {"QueryExecution": {"Status": found}})


def page(script: Stubber, types: dict[str, str], *rows: list[str | None], token: str | None = None) -> None:
    answer: dict[str, Any] = {
        "ResultSet": {
            "Rows": [
                {"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows
            ],
            "ResultSetMetadata": {"ColumnInfo": [{"Name": n, "Type": t} for n, t in types.items()]},
        }
    }
    script.add_response("get_query_results", answer | ({"NextToken": token} if token else {}))


def test_rows_are_typed_and_null_is_none(client: Any, script: Stubber) -> None:
    types = {
        "a": "bigint",
        "b": "double",
        "c": "decimal",
        "d": "boolean",
        "e": "date",
        "f": "timestamp",
        "g": "varchar",
        "h": "timestamp with time zone",
    }
    start(script)
    status(script, "QUEUED")
    status(script, "RUNNING")
    status(script, "SUCCEEDED")
    time = "2026-01-02 03:04:05.678"
    values: list[str | None] = ["9", "0.1", "1.50", "true", "2026-01-02", time, "9", f"{time} UTC"]
    page(script, types, list(types), values, [None] * 8)
    result = run_query(client, SQL, database="analytics")
    assert result.columns == tuple(types)
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert result.rows == [
        (9, 0.1, Decimal("1.50"), True, date(2026, 1, 2), moment, "9", moment),
        (None,) * 8,
    ]


def test_only_the_first_page_starts_with_the_names(client: Any, script: Stubber) -> None:
    start(script)
    status(script, "SUCCEEDED")
    page(script, {"n": "integer"}, ["n"], ["1"], token="more")
    page(script, {"n": "integer"}, ["2"], ["3"])
    assert run_query(client, SQL, database="analytics").rows == [(1,), (2,), (3,)]


def test_the_only_row_by_column(client: Any, script: Stubber) -> None:
    start(script)
    status(script, "SUCCEEDED")
    page(script, {"n": "bigint", "m": "varchar"}, ["n", "m"], ["1", "x"])
    assert run_query(client, SQL, database="analytics").one() == {"n": 1, "m": "x"}


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_query_that_fails_says_why_and_which(client: Any, script: Stubber, state: str) -> None:
    start(script)
    status(script, state, "TABLE_NOT_FOUND: line 1:1")
    with pytest.raises(QueryError, match=f"{state}: TABLE_NOT_FOUND: line 1:1\n{SQL}"):
        run_query(client, SQL, database="analytics")


def test_a_query_that_is_refused(client: Any, script: Stubber) -> None:
    script.add_client_error("start_query_execution", "InvalidRequestException", "WorkGroup is not found.")
    with pytest.raises(QueryError, match=r"WorkGroup is not found\."):
        run_query(client, SQL, database="analytics")


def test_a_query_that_takes_too_long_is_stopped(
    client: Any, script: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(athena, "QUERY_TIMEOUT_SECONDS", 0)
    start(script)
    status(script, "RUNNING")
    script.add_response("stop_query_execution", {}, {"QueryExecutionId": "q-1"})
    with pytest.raises(QueryError, match="CANCELLED: not finished within 0 s, stopped"):
        run_query(client, SQL, database="analytics")


def test_no_answer_at_all(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    monkeypatch.setattr(client, "start_query_execution", unreachable)
    with pytest.raises(QueryError, match="Could not connect"):
        run_query(client, SQL, database="analytics")
