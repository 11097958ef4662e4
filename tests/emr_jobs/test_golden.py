"""Hand-written cases: events in files on one side, the KPI tables and the counts on the other.

golden/CASE/README.md says what the case shows, input.jsonl holds one event a line with the bronze file
that it lies in, expected_TABLE.json the rows of a table, expected_report.json the counts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emr_jobs.edge.kpi import parse_arguments, run
from emr_jobs.edge.kpi_job import KpiJob
from emr_jobs.kpi_event_geo import KPI as EVENT_GEO
from emr_jobs.kpi_sensor_health import KPI as SENSOR_HEALTH
from emr_jobs.kpi_temp_humidity import KPI as TEMP_HUMIDITY
from tests.support.lake import Lake

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(folder.name for folder in GOLDEN.iterdir())
JOBS = (SENSOR_HEALTH, TEMP_HUMIDITY, EVENT_GEO)

pytestmark = pytest.mark.spark


def written_by(kpi: KpiJob) -> list[str]:
    return [table.name(kpi.job.table) for table in kpi.tables]


def test_there_are_cases_for_every_job() -> None:
    expected = {file.name for case in CASES for file in (GOLDEN / case).glob("expected_*.json")}
    tables = {f"expected_{table}.json" for kpi in JOBS for table in written_by(kpi)}

    assert len(CASES) >= 10
    assert expected == tables | {"expected_report.json"}


@pytest.mark.parametrize("case", CASES)
def test_case(lake: Lake, case: str) -> None:
    folder = GOLDEN / case
    deliver(lake, folder / "input.jsonl")
    expected_report = json.loads((folder / "expected_report.json").read_text())

    checked = 0
    for kpi in JOBS:
        expected = {table: folder / f"expected_{table}.json" for table in written_by(kpi)}
        expected = {table: file for table, file in expected.items() if file.exists()}
        if not expected:
            continue
        report = run(lake.spark, kpi, parse_arguments(kpi, lake.arguments(kpi.job.table)))
        assert {key: getattr(report, key) for key in expected_report} == expected_report
        for table, file in expected.items():
            assert exact(as_json(lake.rows(table))) == exact(json.loads(file.read_text())), table
            checked += 1
    assert checked


def deliver(lake: Lake, lines: Path) -> None:
    """Write the bronze files of a case, rows in the order of the lines."""
    files: dict[str, list[dict[str, Any]]] = {}
    for line in lines.read_text().splitlines():
        entry = json.loads(line)
        files.setdefault(entry["file"], []).append(entry["event"])
    for file, events in files.items():
        lake.deliver(file, *events)


def as_json(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with dates as JSON has them."""
    return json.loads(json.dumps(rows, default=str))


def exact(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows whose doubles compare bit for bit: 0.0 is not -0.0."""
    return [
        {name: value.hex() if isinstance(value, float) else value for name, value in row.items()}
        for row in rows
    ]
