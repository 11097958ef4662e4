"""The questions of sql/athena on the emulated Athena, against answers worked out by hand."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import pytest

from config.tables import TABLES
from ops.athena import QueryResult, run_query
from ops.query_template import FOLDER, saved_queries
from tests.sql.answers import ANSWERS, OF_THE_TABLES
from tests.support.analyst_lake import ROWS
from tests.support.athena import Athena

QUERIES = {query.name: query for query in saved_queries()}
PUBLIC = {name for name, spec in TABLES.items() if spec.format == "iceberg" and not name.startswith("_")}


def ask(lakehouse: Athena, name: str) -> QueryResult:
    return run_query(lakehouse.client, QUERIES[name].sql, database=lakehouse.database)


def test_every_question_has_an_answer_here() -> None:
    assert QUERIES.keys() == ANSWERS.keys() | OF_THE_TABLES
    assert len(QUERIES) >= 12


@pytest.mark.parametrize("name", QUERIES)
def test_a_header_says_what_it_answers_in_which_units(name: str) -> None:
    header = [line for line in (FOLDER / f"{name}.sql").read_text().splitlines() if line.startswith("--")]
    assert "-- Columns:" in header
    assert len(header[0]) < 130
    shows_weather = re.search(r"FROM (sensor_)?weather_\w+|weather_temperature", QUERIES[name].sql)
    assert "Open-Meteo.com" in header[0] or not shows_weather


@pytest.mark.aws
@pytest.mark.parametrize("name", ANSWERS)
def test_answers_as_worked_out_by_hand(lakehouse: Athena, name: str) -> None:
    result = ask(lakehouse, name)
    assert result.columns == QUERIES[name].columns
    assert len(result.rows) == len(ANSWERS[name]), result.rows
    for row, expected in zip(result.rows, ANSWERS[name], strict=True):
        assert len(row) == len(expected)
        for found, wanted in zip(row, expected, strict=True):
            assert found == wanted or math.isclose(found, wanted, abs_tol=1e-9), (row, expected)


@pytest.mark.aws
def test_freshness_names_the_last_commit_of_every_table(lakehouse: Athena) -> None:
    result = ask(lakehouse, "freshness_of_tables")
    assert result.columns == QUERIES["freshness_of_tables"].columns
    found = {row[0]: row[1:] for row in result.rows}
    assert found.keys() == PUBLIC - {"run_metrics"}, "the first run ends before there is one"
    for name, (committed, age, rows, operation) in found.items():
        snapshot = lakehouse.catalog().load_table((lakehouse.database, name)).current_snapshot()
        assert snapshot is not None
        assert committed == datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC)
        assert timedelta(hours=age) <= datetime.now(UTC) - committed + timedelta(seconds=1)
        assert (rows, operation) == (len(ROWS.get(name, [])), "append")
    assert [row[1] for row in result.rows] == sorted(row[1] for row in result.rows)


@pytest.mark.aws
def test_cost_adds_up_the_files_of_every_table(lakehouse: Athena) -> None:
    result = ask(lakehouse, "cost_of_reading_tables")
    assert result.columns == QUERIES["cost_of_reading_tables"].columns
    found = {row[0]: row[1:] for row in result.rows}
    assert found.keys() == ROWS.keys(), "tables without rows have no files"
    for name, (files, megabytes, rows, kilobytes, dollars) in found.items():
        plan = lakehouse.catalog().load_table((lakehouse.database, name)).scan().plan_files()
        size = sum(task.file.file_size_in_bytes for task in plan)
        assert (files, rows) == (1, len(ROWS[name]))
        assert math.isclose(megabytes, size / 1e6)
        assert math.isclose(kilobytes, size / 1e3)
        assert dollars == 10_000_000 * 5 / 1e12, "the least that Athena charges"


@pytest.mark.aws
@pytest.mark.parametrize("name", ANSWERS)
def test_an_empty_lake_is_no_error(empty_lakehouse: Athena, name: str) -> None:
    assert ask(empty_lakehouse, name).rows == []
