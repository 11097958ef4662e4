"""Run a query through Athena and get typed rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import RetryError as TimeoutReached
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_exponential

from config import names

QUERY_TIMEOUT_SECONDS = 300

DOLLARS_PER_BYTE = 5 / 1e12
LEAST_BILLED_BYTES = 10_000_000
"""Athena's prices per query (https://aws.amazon.com/athena/pricing/); the same in most regions."""

_CONVERTERS: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    "decimal": Decimal,
    "boolean": lambda text: text == "true",
    "date": date.fromisoformat,
    "timestamp": lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC),
    "timestamp with time zone": lambda text: _instant(*text.rsplit(" ", 1)),
}
"""From Athena's text to Python, by the column's type; other types stay text."""


def _instant(time: str, zone: str) -> datetime:
    """Athena writes an instant as ``2026-06-10 03:00:00.000 UTC``; those of Iceberg tables are in UTC."""
    return datetime.fromisoformat(time).replace(tzinfo=ZoneInfo(zone))


class QueryError(RuntimeError):
    """A query did not succeed; the message holds Athena's reason and the query."""


@dataclass(frozen=True)
class QueryResult:
    """Columns and rows of a query, values as Python's types, NULL as None, and what Athena counted."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    scanned_bytes: int = 0
    seconds: float = 0.0

    @property
    def dollars(self) -> float:
        """Athena's price of the scan, US dollars; requests to S3 and Glue come on top."""
        return max(self.scanned_bytes, LEAST_BILLED_BYTES) * DOLLARS_PER_BYTE

    def one(self) -> dict[str, Any]:
        """The only row, by column."""
        [record] = self.records()
        return record

    def records(self) -> list[dict[str, Any]]:
        """The rows, each by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def run_query(
    client: Any, sql: str, *, database: str, workgroup: str = names.ATHENA_WORKGROUP
) -> QueryResult:
    """Run a SELECT with a boto3 Athena client and wait for its rows.

    Raises:
        QueryError: it was refused, failed, was cancelled, or took longer than
            ``QUERY_TIMEOUT_SECONDS``; or Athena cannot be reached.
    """
    try:
        query_id = client.start_query_execution(
            QueryString=sql, QueryExecutionContext={"Database": database}, WorkGroup=workgroup
        )["QueryExecutionId"]
        execution = _wait(client, query_id)
        ended = execution["Status"]
        if ended["State"] == "SUCCEEDED":
            return _fetch(client, query_id, execution.get("Statistics", {}))
    except (BotoCoreError, ClientError) as error:
        raise QueryError(f"Athena: {error}\n{sql}") from error
    reason = ended.get("StateChangeReason", "no reason given")
    raise QueryError(f"Athena: {ended['State']}: {reason}\n{sql}")


def _wait(client: Any, query_id: str) -> dict[str, Any]:
    """The query's execution once it has ended; one that takes too long is stopped."""

    def look() -> dict[str, Any]:
        return dict(client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"])

    polling = Retrying(
        retry=retry_if_result(lambda found: found["Status"]["State"] in ("QUEUED", "RUNNING")),
        wait=wait_exponential(multiplier=0.05, max=2),
        stop=stop_after_delay(QUERY_TIMEOUT_SECONDS),
    )
    try:
        return polling(look)
    except TimeoutReached:
        client.stop_query_execution(QueryExecutionId=query_id)
        reason = f"not finished within {QUERY_TIMEOUT_SECONDS} s, stopped"
        return {"Status": {"State": "CANCELLED", "StateChangeReason": reason}}


def _fetch(client: Any, query_id: str, statistics: dict[str, Any]) -> QueryResult:
    columns: list[dict[str, Any]] = []
    texts: list[list[str | None]] = []
    for page in client.get_paginator("get_query_results").paginate(QueryExecutionId=query_id):
        columns = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        texts += ([cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"])
    converters = [_CONVERTERS.get(column["Type"], str) for column in columns]
    names_of_columns = tuple(column["Name"] for column in columns)
    # The first row of a SELECT repeats the columns' names.
    return QueryResult(
        names_of_columns,
        [_converted(row, converters) for row in texts[1:]],
        statistics.get("DataScannedInBytes", 0),
        statistics.get("TotalExecutionTimeInMillis", 0) / 1000,
    )


def _converted(row: list[str | None], converters: list[Callable[[str], object]]) -> tuple[Any, ...]:
    return tuple(
        None if text is None else convert(text) for text, convert in zip(row, converters, strict=True)
    )
