"""KPI jobs on a table of events: only what changed is read, and the result is that of a full recompute."""

from __future__ import annotations

import logging
import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from config.tables import INTERNAL_TABLES, KPI_TABLES, SENSOR_STATUS
from emr_jobs.edge import incremental
from emr_jobs.edge.kpi import parse_arguments, run
from emr_jobs.edge.kpi_job import KpiJob
from emr_jobs.edge.report import RunReport
from emr_jobs.kpi_event_geo import KPI as EVENT_GEO
from emr_jobs.kpi_sensor_health import KPI as SENSOR_HEALTH
from emr_jobs.kpi_temp_humidity import KPI as TEMP_HUMIDITY
from emr_jobs.lake import publish as publishing
from emr_jobs.lake import reflection
from tests.support.event_truth import expected_tables
from tests.support.lake import EVENT_SCHEMA, NOON, Lake, event, write_events
from tests.support.silver import Silver

KPIS = (SENSOR_HEALTH, TEMP_HUMIDITY, EVENT_GEO)
A_DAY = 86_400

pytestmark = pytest.mark.spark

Row = dict[str, Any]


@pytest.fixture
def silver(lake: Lake) -> Silver:
    """An empty table of events."""
    return Silver.create(lake)


def run_job(lake: Lake, kpi: KpiJob, *options: str) -> RunReport:
    """Run a job on the table of events."""
    arguments = [*lake.arguments(kpi.job.table, "clickstream_events"), *options]
    return run(lake.spark, kpi, parse_arguments(kpi, arguments))


def contents(lake: Lake, tables: Iterable[str]) -> dict[str, list[tuple[Any, ...]]]:
    """Tables in the form of ``expected_tables``."""
    return {name: sorted((tuple(row.values()) for row in lake.rows(name)), key=repr) for name in tables}


def require_truth(lake: Lake, rows: Iterable[Row], *kpis: KpiJob) -> None:
    """The jobs' tables hold what DuckDB makes of ``rows``, bit for bit."""
    folder = lake.bronze.parent / "truth"
    shutil.rmtree(folder, ignore_errors=True)
    events = [{name: row[name] for name in EVENT_SCHEMA.names} for row in rows]
    write_events(folder / "dt=2026-06-30" / "hour=12" / "rows.parquet", events)
    wanted = {table.spec.name for kpi in kpis for table in kpi.tables}
    truth = {name: rows for name, rows in expected_tables(folder).items() if name in wanted}
    assert contents(lake, wanted) == truth


def some_event(rng: random.Random, number: int) -> Row:
    """An event of a small fleet on one of five days."""
    return Silver.event(
        f"event-{number}",
        NOON + rng.randrange(5) * A_DAY + rng.randrange(3),
        sensor_id=rng.randrange(4),
        temperature=rng.choice([None, round(rng.uniform(-20, 35), 2), -0.0]),
        humidity=rng.choice([None, round(rng.uniform(0, 100), 1)]),
        location={"latitude": rng.choice([-0.0, 52.52, 52.57]), "longitude": 13.405},
        status=rng.choice(["active", "faulty", "maintenance"]),
        event_type=rng.choice(["reading", "alert"]),
    )


def data_files(lake: Lake, table: str, contained: str = "") -> list[Path]:
    """The Parquet files in a table's folder whose path contains a text."""
    files = (Path(lake.warehouse) / lake.database / table / "data").rglob("*.parquet")
    return [file for file in files if contained in str(file)]


def test_only_touched_days_are_read_and_nothing_if_nothing_is_new(silver: Silver) -> None:
    lake = silver.lake
    rng = random.Random(1)
    rows = [some_event(rng, number) for number in range(40)]
    silver.append(*rows)
    first = {kpi.job.name: run_job(lake, kpi) for kpi in KPIS}
    require_truth(lake, rows, *KPIS)
    assert {work for report in first.values() for work in report.work.values()} == {
        "full recompute: the table does not say what it reflects"
    }

    late = [silver.event("late", NOON, status="faulty"), silver.event("other", NOON + 1, event_type="new")]
    start = silver.current()
    silver.append(*late)
    for file in data_files(lake, "clickstream_events"):
        if "event_time_day=2026-06-01" not in str(file):
            file.unlink()
    for kpi in KPIS:
        report = run_job(lake, kpi)
        assert set(report.work.values()) == {f"1 days touched since snapshot {start}"}
        assert report.input_rows == sum(row["timestamp"] < NOON + A_DAY // 2 for row in [*rows, *late])
    require_truth(lake, [*rows, *late], *KPIS)

    for file in data_files(lake, "clickstream_events"):
        file.unlink()
    tables = [spec.name for spec in (*KPI_TABLES, *INTERNAL_TABLES)]
    before = {table: lake.snapshots(table) for table in tables}
    for kpi in KPIS:
        report = run_job(lake, kpi)
        assert set(report.work.values()) == {"up to date"}
        assert (report.input_rows, report.published) == (0, {})
    assert {table: lake.snapshots(table) for table in tables} == before


def test_days_and_keys_that_became_empty_leave_the_tables(silver: Silver) -> None:
    rows = [
        silver.event("a", NOON, status="faulty"),
        silver.event("b", NOON + A_DAY, sensor_id=7, location={"latitude": 1.0, "longitude": 2.0}),
    ]
    silver.append(*rows)
    for kpi in KPIS:
        run_job(silver.lake, kpi)
    silver.delete("a")
    for kpi in KPIS:
        run_job(silver.lake, kpi)
    require_truth(silver.lake, rows[1:], *KPIS)

    silver.delete("b")
    for kpi in KPIS:
        run_job(silver.lake, kpi)

    assert set(map(len, contents(silver.lake, [spec.name for spec in KPI_TABLES]).values())) == {0}


def test_a_compaction_of_the_events_touches_nothing(silver: Silver) -> None:
    rows = [silver.event("a", NOON), silver.event("b", NOON)]
    silver.append(rows[0])
    silver.append(rows[1])
    run_job(silver.lake, EVENT_GEO)
    start = silver.current()
    before = silver.lake.snapshots("event_geo_kpis_events")
    silver.compact()

    report = run_job(silver.lake, EVENT_GEO)

    assert set(report.work.values()) == {f"0 days touched since snapshot {start}"}
    assert silver.lake.snapshots("event_geo_kpis_events") == before
    assert set(run_job(silver.lake, EVENT_GEO).work.values()) == {"up to date"}


def expire(silver: Silver) -> None:
    silver.append(silver.event("more", NOON))
    silver.expire_all()


def write_by_hand(silver: Silver) -> None:
    silver.lake.spark.sql(f"DELETE FROM {silver.lake.name('temp_humidity_kpis')}")


def roll_back(silver: Silver) -> None:
    table = f"{silver.lake.database}.temp_humidity_kpis"
    first, *_ = silver.lake.snapshots("temp_humidity_kpis")
    silver.sql(f"CALL glue.system.rollback_to_snapshot('{table}', {first})")


def make_anew(silver: Silver) -> None:
    rows = silver.lake.rows("clickstream_events")
    silver.sql("DROP TABLE {name}")
    Silver.create(silver.lake)
    silver.append(*({**row, "location": row["location"].asDict()} for row in rows))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (expire, "has expired"),
        (write_by_hand, "the table was written to or rolled back since"),
        (roll_back, "the table was written to or rolled back since"),
        (make_anew, "the table reflects another table than"),
    ],
)
def test_where_history_is_lost_all_is_computed_anew_and_the_log_says_why(
    silver: Silver, caplog: pytest.LogCaptureFixture, change: Callable[[Silver], None], why: str
) -> None:
    silver.append(silver.event("a", NOON))
    run_job(silver.lake, TEMP_HUMIDITY)
    silver.append(silver.event("b", NOON + A_DAY))
    run_job(silver.lake, TEMP_HUMIDITY)
    change(silver)

    caplog.clear()
    with caplog.at_level(logging.INFO):
        run_job(silver.lake, TEMP_HUMIDITY)

    (line,) = (line for line in caplog.messages if "temp_humidity_kpis: full recompute: " in line)
    assert why in line
    require_truth(silver.lake, silver.lake.rows("clickstream_events"), TEMP_HUMIDITY)


def test_full_computes_everything_anew(silver: Silver) -> None:
    silver.append(silver.event("a", NOON))
    run_job(silver.lake, SENSOR_HEALTH)

    report = run_job(silver.lake, SENSOR_HEALTH, "--full")

    assert report.work == dict.fromkeys(report.published, "full recompute: --full")
    assert len(report.published) == 3
    require_truth(silver.lake, [silver.event("a", NOON)], SENSOR_HEALTH)


def test_a_run_on_files_is_not_taken_for_one_on_the_table(silver: Silver) -> None:
    """What the files said is replaced; the internal state, which they do not touch, goes on."""
    lake = silver.lake
    lake.deliver("dt=2026-06-01/hour=12/a.parquet", event(sensor_id=9))
    silver.append(silver.event("a", NOON))
    run_job(lake, SENSOR_HEALTH)
    run(lake.spark, SENSOR_HEALTH, parse_arguments(SENSOR_HEALTH, lake.arguments("sensor_health")))
    assert [row["sensor_id"] for row in lake.rows("sensor_health")] == [9]
    silver.append(silver.event("b", NOON))

    report = run_job(lake, SENSOR_HEALTH)

    require_truth(lake, [silver.event("a", NOON), silver.event("b", NOON)], SENSOR_HEALTH)
    assert "1 days" in report.work[lake.name("_sensor_status")]
    assert "written to" in report.work[lake.name("sensor_health")]


def test_a_field_that_the_contract_has_gained_is_null_before(silver: Silver) -> None:
    """The snapshot that the tables reflect has no such column; neither have its files."""
    silver.sql("ALTER TABLE {name} DROP COLUMN humidity")
    old, new = silver.event("a", NOON, humidity=None), silver.event("b", NOON, humidity=44.0)
    silver.append(old)
    for kpi in (SENSOR_HEALTH, TEMP_HUMIDITY):
        run_job(silver.lake, kpi)
    silver.sql("ALTER TABLE {name} ADD COLUMN humidity DOUBLE AFTER temperature")
    silver.append(new)

    for kpi in (SENSOR_HEALTH, TEMP_HUMIDITY):
        assert not any("full" in work for work in run_job(silver.lake, kpi).work.values())

    require_truth(silver.lake, [old, new], SENSOR_HEALTH, TEMP_HUMIDITY)


class Killed(BaseException):
    """As a kill: nothing handles it, nothing is tidied up."""


def test_killed_at_any_commit_the_next_run_makes_it_good(
    silver: Silver, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [silver.event("a", NOON, status="faulty")]
    silver.append(*rows)
    run_job(silver.lake, SENSOR_HEALTH)
    points: list[str] = []
    monkeypatch.setattr(publishing, "commit_point", points.append)
    rows.append(silver.event("b", NOON + A_DAY, sensor_id=7))
    silver.append(rows[-1])
    run_job(silver.lake, SENSOR_HEALTH)
    assert {point.split(":")[0] for point in points} == {
        silver.lake.name(table) for table in (SENSOR_STATUS.name, "sensor_health", "status_health")
    }

    fatal_points = [point for point in points if "publish" in point and "status_health" not in point]
    assert len(fatal_points) == 4
    for number, fatal in enumerate(fatal_points):

        def kill(point: str, fatal: str = fatal) -> None:
            if point == fatal:
                raise Killed(point)

        rows.append(silver.event(f"c{number}", NOON + number % 3 * A_DAY, sensor_id=number))
        silver.append(rows[-1])
        monkeypatch.setattr(publishing, "commit_point", kill)
        with pytest.raises(Killed):
            run_job(silver.lake, SENSOR_HEALTH)
        monkeypatch.setattr(publishing, "commit_point", publishing.no_hook)
        report = run_job(silver.lake, SENSOR_HEALTH)
        assert not any("full" in work for work in report.work.values()), (fatal, report.work)
        require_truth(silver.lake, rows, SENSOR_HEALTH)


def test_of_two_runs_at_once_one_publishes_and_the_other_finds_nothing_to_do(
    silver: Silver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [silver.event("a", NOON, status="faulty"), silver.event("b", NOON + A_DAY)]
    silver.append(rows[0])
    run_job(silver.lake, EVENT_GEO)
    silver.append(rows[1])

    def let_another_run(point: str) -> None:
        if point.endswith("publish the branch"):
            monkeypatch.setattr(publishing, "commit_point", publishing.no_hook)
            run_job(silver.lake, EVENT_GEO)

    monkeypatch.setattr(publishing, "commit_point", let_another_run)
    report = run_job(silver.lake, EVENT_GEO)

    assert "starting over" in caplog.text
    assert set(report.work.values()) == {"up to date"}
    require_truth(silver.lake, rows, EVENT_GEO)


def test_a_derived_table_is_made_of_the_state_that_it_claims(
    silver: Silver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Another run brings the state up to date, and dies, after this one has noted the state's snapshot."""
    rows = [silver.event("a", NOON, status="faulty")]
    silver.append(*rows)
    run_job(silver.lake, SENSOR_HEALTH)
    rows.append(silver.event("b", NOON + A_DAY, sensor_id=7))
    silver.append(rows[-1])

    def die_after_the_state(point: str) -> None:
        if point == f"{silver.lake.name(SENSOR_STATUS.name)}: published":
            raise Killed(point)

    def let_another_run(*arguments: Any) -> reflection.Work:
        monkeypatch.setattr(incremental, "work_for", reflection.work_for)
        monkeypatch.setattr(publishing, "commit_point", die_after_the_state)
        with pytest.raises(Killed):
            run_job(silver.lake, SENSOR_HEALTH)
        monkeypatch.setattr(publishing, "commit_point", publishing.no_hook)
        return reflection.work_for(*arguments)

    monkeypatch.setattr(incremental, "work_for", let_another_run)
    report = run_job(silver.lake, SENSOR_HEALTH)

    require_truth(silver.lake, rows, SENSOR_HEALTH)
    assert "starting over" in caplog.text
    assert report.work[silver.lake.name(SENSOR_STATUS.name)] == "up to date"
