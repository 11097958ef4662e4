"""The KPI jobs on real Spark and Iceberg: against DuckDB, again, on nothing, on a table, in a race."""

from __future__ import annotations

import json
import logging
import math
import random
import shutil
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from config.tables import KPI_TABLES
from emr_jobs.edge import kpi as kpi_edge
from emr_jobs.edge.kpi import parse_arguments, run
from emr_jobs.edge.kpi_job import KpiJob
from emr_jobs.edge.report import RunReport
from emr_jobs.kpi_event_geo import KPI as EVENT_GEO
from emr_jobs.kpi_sensor_health import KPI as SENSOR_HEALTH
from emr_jobs.kpi_temp_humidity import KPI as TEMP_HUMIDITY
from emr_jobs.lake.errors import ConcurrentPublishError, SchemaMismatchError
from emr_jobs.lake.publish import FRESH_STARTS
from emr_jobs.lake.tables import Snapshot
from tests.support.event_truth import expected_tables
from tests.support.lake import EVENT_SCHEMA, NOON, Lake, event, write_events

KPIS = (SENSOR_HEALTH, TEMP_HUMIDITY, EVENT_GEO)
TABLES = [spec.name for spec in KPI_TABLES]

pytestmark = pytest.mark.spark


def run_job(lake: Lake, kpi: KpiJob, source: str | None = None) -> RunReport:
    """Run a job as its command line would, on the lake's bronze folder or another source."""
    return run(lake.spark, kpi, parse_arguments(kpi, lake.arguments(kpi.job.table, source)))


def contents(lake: Lake) -> dict[str, list[tuple[Any, ...]]]:
    """All five tables in the form of ``expected_tables``."""
    return {name: sorted((tuple(row.values()) for row in lake.rows(name)), key=repr) for name in TABLES}


def messy_event(rng: random.Random) -> dict[str, Any]:
    """An event of a small fleet, most of the time valid, from a small set of identities."""
    number = rng.randrange(400)
    made: dict[str, Any] = {
        "sensor_id": rng.randrange(8),
        "temperature": rng.choice([None, -0.0, 0.0, rng.uniform(-90, 70), round(rng.uniform(-20, 35), 2)]),
        "humidity": rng.choice([None, 100.0, rng.uniform(0, 100), round(rng.uniform(0, 100), 1)]),
        "location": {
            "latitude": rng.choice([-0.0, 52.52, 52.57, -33.9, 4e-7, 52.52 + rng.uniform(-1e-5, 1e-5)]),
            "longitude": rng.choice([0.0, -0.0, 13.405, -180.0, 151.2]),
        },
        "status": rng.choice(["active", "inactive", "faulty", "maintenance", "faulty", "unheard-of"]),
        "event_type": rng.choice(["reading", "alert", "heartbeat"]),
        "timestamp": NOON - rng.choice([0, 1, 43200, 43201, 86400 * 3, 86400 * 400]) + number % 7,
        "uuid": f"event-{number}",
    }
    if rng.random() < 0.15:
        made[rng.choice(list(made))] = None
    if rng.random() < 0.1:
        made[rng.choice(["temperature", "humidity"])] = rng.choice(
            [math.nan, math.inf, -math.inf, 120.0, -91.0]
        )
    if rng.random() < 0.05:
        made["location"] = {"latitude": rng.choice([None, math.nan, 91.0]), "longitude": 13.4}
    if rng.random() < 0.05:
        made["timestamp"] = rng.choice([0, 946_684_799, NOON + 86_401, 4_102_444_800])
    if rng.random() < 0.05:
        made[rng.choice(["status", "event_type", "uuid"])] = ""
    return made


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equals_duckdb_bit_for_bit(lake: Lake, seed: int) -> None:
    rng = random.Random(seed)
    rows = 0
    for day, hour in ((1, 12), (1, 13), (2, 0)):
        for part in range(rng.randint(1, 3)):
            events = [messy_event(rng) for _ in range(rng.randint(1, 200))]
            lake.deliver(f"dt=2026-06-{day:02d}/hour={hour:02d}/part-{part}.parquet", *events)
            rows += len(events)

    reports = [run_job(lake, kpi) for kpi in KPIS]

    assert contents(lake) == expected_tables(lake.bronze)
    counts = [
        (report.input_rows, report.unique_rows, report.duplicates, report.rejected) for report in reports
    ]
    assert counts[0] == counts[1] == counts[2]
    assert reports[0].input_rows == rows
    assert reports[0].duplicates > 0
    assert len(reports[0].rejected) >= 5


def test_running_again_changes_nothing(lake: Lake) -> None:
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event(), event(uuid="b", status="faulty"))
    for kpi in KPIS:
        run_job(lake, kpi)
    before = contents(lake)
    for kpi in KPIS:
        run_job(lake, kpi)

    assert contents(lake) == before
    assert all(before.values())


def test_recomputes_everything_when_bronze_shrinks(lake: Lake) -> None:
    """Days that became empty leave the table too."""
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event())
    gone = lake.deliver("dt=2026-06-02/hour=12/b.parquet", event(uuid="b", timestamp=NOON + 86_400))
    run_job(lake, EVENT_GEO)
    assert len(lake.rows("event_geo_kpis_events")) == 2
    gone.unlink()

    run_job(lake, EVENT_GEO)

    assert [str(row["day"]) for row in lake.rows("event_geo_kpis_events")] == ["2026-06-01"]


@pytest.mark.parametrize("exists", [False, True], ids=["missing", "empty"])
def test_without_bronze_tables_are_created_empty(
    lake: Lake, caplog: pytest.LogCaptureFixture, exists: bool
) -> None:
    if exists:
        lake.bronze.mkdir(parents=True)
    with caplog.at_level(logging.WARNING):
        reports = [run_job(lake, kpi) for kpi in KPIS]

    assert contents(lake) == {name: [] for name in TABLES}
    assert all(report.published == {} and report.input_rows == 0 for report in reports)
    assert f"{lake.bronze} {'holds no files' if exists else 'does not exist'}: nothing to read" in caplog.text


@pytest.mark.parametrize("source", ["missing path", "files without rows", "missing table"])
def test_nothing_to_read_leaves_existing_tables_alone(lake: Lake, source: str) -> None:
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event())
    run_job(lake, SENSOR_HEALTH)
    before = lake.rows("sensor_health"), lake.snapshots("sensor_health"), lake.snapshots("status_health")
    empty = write_events(lake.bronze.parent / "none" / "dt=2026-06-01" / "hour=13" / "a.parquet", [])
    sources = {
        "missing path": str(lake.bronze / "typo"),
        "files without rows": str(empty.parents[2]),
        "missing table": "no_such_table",
    }

    report = run_job(lake, SENSOR_HEALTH, sources[source])

    assert report.published == {}
    after = lake.rows("sensor_health"), lake.snapshots("sensor_health"), lake.snapshots("status_health")
    assert after == before


def test_only_rejected_rows_publish_an_empty_result(lake: Lake) -> None:
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event())
    run_job(lake, SENSOR_HEALTH)
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event(humidity=101.0))

    report = run_job(lake, SENSOR_HEALTH)

    assert report.rejected == {"humidity_out_of_range": 1}
    assert lake.rows("sensor_health") == []


def test_an_iceberg_table_of_events_gives_the_same_numbers(lake: Lake) -> None:
    rng = random.Random(11)
    for part in range(3):
        lake.deliver(f"part-{part}.parquet", *(messy_event(rng) for _ in range(100)))
    by_path = run_job(lake, TEMP_HUMIDITY)
    rows = lake.rows("temp_humidity_kpis")
    events = lake.spark.read.parquet(str(lake.bronze)).selectExpr(
        "*", "_metadata.file_name source_file", "_metadata.row_index source_row"
    )
    events.writeTo(lake.name("events")).create()

    by_table = run_job(lake, TEMP_HUMIDITY, "events")

    assert lake.rows("temp_humidity_kpis") == rows
    assert by_table.rejected == by_path.rejected
    assert by_table.duplicates == by_path.duplicates > 0


def test_one_hour_of_bronze_still_knows_its_arrival(lake: Lake) -> None:
    folder = "dt=2026-06-01/hour=12"
    lake.deliver(f"{folder}/a.parquet", event(), event(uuid="b", timestamp=NOON + 86_401))

    report = run_job(lake, SENSOR_HEALTH, str(lake.bronze / folder))

    assert report.rejected == {"timestamp_in_future": 1}


def test_an_older_file_without_an_optional_column_still_reads(lake: Lake) -> None:
    older = pa.schema([field for field in EVENT_SCHEMA if field.name != "humidity"])
    old = event()
    del old["humidity"]
    write_events(lake.bronze / "dt=2026-06-01/hour=11/old.parquet", [old], older)
    lake.deliver("dt=2026-06-01/hour=12/new.parquet", event(uuid="b", humidity=44.0))

    report = run_job(lake, TEMP_HUMIDITY)

    assert report.unique_rows == 2
    assert [row["avg_humidity"] for row in lake.rows("temp_humidity_kpis")] == [44.0]


def test_a_table_of_another_shape_is_refused(lake: Lake) -> None:
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event())
    lake.spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {lake.name('x').rpartition('.')[0]}")
    lake.spark.sql(
        f"CREATE TABLE {lake.name('status_health')} (status STRING, sensor_count INT) USING iceberg"
    )

    with pytest.raises(SchemaMismatchError) as refusal:
        run_job(lake, SENSOR_HEALTH)

    message = str(refusal.value)
    assert "has    sensor_count int" in message
    assert "lacks  sensor_count bigint" in message
    assert lake.snapshots("sensor_health") == []


def interfere(lake: Lake, monkeypatch: pytest.MonkeyPatch, times: int) -> list[str]:
    """Let somebody else publish to sensor_health just before this run does, ``times`` times."""
    publish: Callable[..., Snapshot] = kpi_edge.publish
    seen: list[str] = []

    def late_publish(spark: SparkSession, name: str, *rest: Any, **options: Any) -> Snapshot:
        if name.endswith(".sensor_health"):
            seen.append(name)
            if len(seen) <= times:
                lake.spark.sql(f"INSERT INTO {name} VALUES ({900 + len(seen)}, 1, 1, 100.0)")
        return publish(spark, name, *rest, **options)

    monkeypatch.setattr(kpi_edge, "publish", late_publish)
    return seen


def test_a_concurrent_publish_is_noticed_and_the_run_starts_over(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event())
    run_job(lake, SENSOR_HEALTH)
    attempts = interfere(lake, monkeypatch, times=1)

    report = run_job(lake, SENSOR_HEALTH)

    assert len(attempts) == 2
    assert [row["sensor_id"] for row in lake.rows("sensor_health")] == [42]
    assert report.published[lake.name("sensor_health")].id == lake.snapshots("sensor_health")[-1]


def test_a_run_that_always_loses_gives_up_and_overwrites_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event())
    interfere(lake, monkeypatch, times=FRESH_STARTS)

    with pytest.raises(ConcurrentPublishError, match="sensor_health changed since this run looked at it"):
        run_job(lake, SENSOR_HEALTH)

    assert [row["sensor_id"] for row in lake.rows("sensor_health")] == [
        900 + attempt for attempt in range(1, FRESH_STARTS + 1)
    ]


def test_files_are_read_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both tables are published from one small rollup: bronze may be gone by then."""
    publish: Callable[..., Snapshot] = kpi_edge.publish

    def publish_without_bronze(*arguments: Any, **options: Any) -> Snapshot:
        shutil.rmtree(lake.bronze, ignore_errors=True)
        return publish(*arguments, **options)

    monkeypatch.setattr(kpi_edge, "publish", publish_without_bronze)
    for kpi in KPIS:
        lake.deliver("dt=2026-06-01/hour=12/a.parquet", event(status="faulty"))
        report = run_job(lake, kpi)
        assert [table.rows for table in report.published.values()] == [1] * len(kpi.tables)


def test_the_report_says_what_was_read_and_published(lake: Lake) -> None:
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event(), event(), event(status=None))

    report = run_job(lake, EVENT_GEO)

    assert json.loads(json.dumps(asdict(report))) == {
        "job": "kpi_event_geo",
        "source": str(lake.bronze),
        "input_rows": 3,
        "unique_rows": 1,
        "duplicates": 1,
        "rejected": {"missing_field": 1},
        "work": {},
        "published": {
            lake.name(table): {"rows": rows, "id": lake.snapshots(table)[-1]}
            for table, rows in (("event_geo_kpis_events", 1), ("event_geo_kpis_faulty_geo", 0))
        },
    }


def test_the_object_key_decides_as_it_is_not_as_a_url_spells_it(lake: Lake) -> None:
    """``a b`` goes before ``a!b``; as URLs, ``a%20b`` goes after it."""
    lake.deliver("dt=2026-06-01/hour=12/a!b.parquet", event(temperature=2.0))
    lake.deliver("dt=2026-06-01/hour=12/a b.parquet", event(temperature=1.0))

    run_job(lake, TEMP_HUMIDITY)

    assert [row["avg_temp"] for row in lake.rows("temp_humidity_kpis")] == [1.0]
