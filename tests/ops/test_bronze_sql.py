"""The account of bronze in SQL, run by DuckDB on rows at every limit of the contract."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
import sqlglot

from config.tables import BRONZE
from ops.bronze_sql import account_query, valid_predicate

ARRIVAL_HOUR = 1_767_366_000  # 2026-01-02T15:00:00Z
GOOD: dict[str, Any] = {
    "sensor_id": 1,
    "temperature": 20.5,
    "humidity": 50.0,
    "location": {"latitude": 52.5, "longitude": 13.4},
    "status": "active",
    "event_type": "measurement",
    "timestamp": ARRIVAL_HOUR,
    "uuid": "u",
    "dt": "2026-01-02",
    "hour": "15",
}
TYPES = {column.name: column.type for column in BRONZE.columns} | {"dt": "string", "hour": "string"}
NAN, INFINITY = float("nan"), float("inf")


def at(latitude: float | None, longitude: float | None) -> dict[str, Any]:
    return {"location": {"latitude": latitude, "longitude": longitude}}


def run(sql: str, *rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run Athena SQL over a bronze table of these rows."""
    database = duckdb.connect()
    database.execute("CREATE MACRO is_finite(x) AS isfinite(x)")
    columns = ", ".join(f'"{name}" {_duckdb_type(kind)}' for name, kind in TYPES.items())
    database.execute(f"CREATE TABLE {BRONZE.name} ({columns})")
    for row in rows:
        marks = ", ".join("?" for _ in TYPES)
        database.execute(f"INSERT INTO {BRONZE.name} VALUES ({marks})", [row[name] for name in TYPES])
    [statement] = sqlglot.transpile(sql, read="athena", write="duckdb")
    return database.execute(statement).fetchall()


def _duckdb_type(kind: str) -> str:
    return "STRUCT(latitude DOUBLE, longitude DOUBLE)" if kind.startswith("struct") else kind


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"temperature": None, "humidity": None},
        {"humidity": 0.0},
        {"humidity": 100.0},
        {"temperature": -90.0},
        {"temperature": 70.0},
        at(-90.0, -180.0),
        at(90.0, 180.0),
        at(-0.0, 0.0),
        {"status": "calibrating"},
        {"timestamp": 946_684_800},
        {"timestamp": ARRIVAL_HOUR + 86_400},
        {"sensor_id": 0},
        {"sensor_id": -1},
    ],
    ids=str,
)
def test_valid(change: dict[str, Any]) -> None:
    assert run(f"SELECT {valid_predicate()} FROM {BRONZE.name}", GOOD | change) == [(True,)]


@pytest.mark.parametrize(
    "change",
    [
        *({name: None} for name in ("sensor_id", "location", "status", "event_type", "timestamp", "uuid")),
        *({name: ""} for name in ("status", "event_type", "uuid")),
        at(None, 13.4),
        at(52.5, None),
        *({name: value} for name in ("temperature", "humidity") for value in (NAN, INFINITY, -INFINITY)),
        *(at(value, 13.4) for value in (NAN, INFINITY, 90.001, -90.001)),
        *(at(52.5, value) for value in (NAN, -INFINITY, 180.001, -180.001)),
        {"humidity": -0.1},
        {"humidity": 100.1},
        {"temperature": -90.1},
        {"temperature": 70.1},
        {"timestamp": 946_684_799},
        {"timestamp": ARRIVAL_HOUR + 86_401},
        {"timestamp": 2**63 - 1},
        {"uuid": None, "timestamp": None, "humidity": NAN},
    ],
    ids=str,
)
def test_invalid(change: dict[str, Any]) -> None:
    assert run(f"SELECT {valid_predicate()} FROM {BRONZE.name}", GOOD | change) == [(False,)]


def test_every_row_is_counted_once() -> None:
    rows = [
        GOOD,
        GOOD,
        GOOD | {"temperature": 1.0, "hour": "16"},
        GOOD | {"timestamp": ARRIVAL_HOUR + 1},
        GOOD | {"uuid": "v"},
        GOOD | {"humidity": 200.0},
        GOOD | {"humidity": 200.0},
        GOOD | {"uuid": None},
        GOOD | {"uuid": None, "timestamp": None},
    ]
    assert run(account_query(), *rows) == [(3, 2, 4)]


def test_an_empty_table_is_all_zeros() -> None:
    assert run(account_query()) == [(0, 0, 0)]
