"""Upkeep on real tables: smaller, never other than before, and incremental readers go on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from config import names
from config.jobs import INGEST_JOB, MAINTAIN_TABLES
from config.table_spec import Upkeep
from config.tables import TABLES, Column, TableSpec
from emr_jobs.kpi_event_geo import KPI as EVENT_GEO
from emr_jobs.lake import publish as publishing
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.session import sign_commits
from emr_jobs.lake.upkeep import expire_rows, remove_orphans, table_size
from emr_jobs.maintain_tables import Plan, main, maintain, specs_of
from lakehouse.table_state import changes_of, late_tables
from tests.emr_jobs.test_incremental import require_truth, run_job
from tests.support.emulated_aws import EmulatedAws
from tests.support.lake import NOON, Lake
from tests.support.silver import ARRIVAL, Silver

pytestmark = pytest.mark.spark

A_DAY = 86_400

EVENTS = TableSpec(
    name="clickstream_events",
    doc="Events.",
    columns=(Column("uuid", "string", "Identity"),),
    key=("uuid",),
    sort=("sensor_id", "timestamp"),
    upkeep=Upkeep(expires_by="arrival_hour"),
)
"""As far as upkeep looks at a specification."""

KPI = TABLES["event_geo_kpis_events"]


@pytest.fixture
def silver(lake: Lake) -> Silver:
    """An empty table of events."""
    return Silver.create(lake)


def plan(lake: Lake, now: datetime, retention: timedelta | None = None, orphans: bool = False) -> Plan:
    return Plan(lake.database, "data_quality_metrics", "run-1", now, retention, orphans)


def test_files_are_joined_and_snapshots_go_but_those_that_readers_need(silver: Silver) -> None:
    lake = silver.lake
    rows = [silver.event(f"{number}", NOON, sensor_id=9 - number) for number in range(7)]
    for row in rows[:4]:
        silver.append(row)
    run_job(lake, EVENT_GEO)
    reflected = silver.current()
    for row in rows[4:]:
        silver.append(row)
    specs = [replace(spec, upkeep=Upkeep(snapshot_days=0)) for spec in (EVENTS, KPI)]

    (events, _) = maintain(lake.spark, specs, plan(lake, datetime.now(UTC)))

    assert (events.before.files, events.after.files) == (7, 1)
    assert events.after.bytes < events.before.bytes
    assert events.compacted
    assert reflected in lake.snapshots("clickstream_events")
    assert lake.snapshots("clickstream_events")[0] == reflected, "what is older has gone"
    assert [row["sensor_id"] for row in lake.rows("clickstream_events", ["sensor_id"])] == list(range(3, 10))
    (file,) = live_files(lake, "clickstream_events")
    written = lake.spark.read.parquet(str(file)).collect()
    assert [row.sensor_id for row in written] == list(range(3, 10)), "sorted"

    report = run_job(lake, EVENT_GEO)
    assert set(report.work.values()) == {f"1 days touched since snapshot {reflected}"}
    require_truth(lake, rows, EVENT_GEO)

    reflected = silver.current()
    maintain(lake.spark, specs, plan(lake, datetime.now(UTC)))
    assert lake.snapshots("clickstream_events")[0] == reflected
    assert not any("full" in work for work in run_job(lake, EVENT_GEO).work.values())

    figures = {
        row["metric"]: row["value"]
        for row in lake.rows("data_quality_metrics")
        if row["table_name"] == "clickstream_events"
    }
    assert figures["upkeep_files_after"] == 1
    assert figures["upkeep_seconds"] > 0


def live_files(lake: Lake, table: str) -> list[Path]:
    """The data files of the current snapshot."""
    found = lake.spark.sql(f"SELECT file_path FROM {lake.name(table)}.files").collect()
    return [Path(row.file_path.removeprefix("file:")) for row in found]


def test_rows_expire_by_arrival_and_are_counted(silver: Silver) -> None:
    lake = silver.lake
    old = [
        {**silver.event(uuid, NOON - 200 * A_DAY), "arrival_hour": ARRIVAL - timedelta(days=days)}
        for uuid, days in (("a", 91), ("b", 90), ("c", 100))
    ]
    silver.append(*old, silver.event("old event, new arrival", NOON - 3650 * A_DAY))
    run_job(lake, EVENT_GEO)
    now, retention = ARRIVAL, timedelta(days=90)

    reports = [maintain(lake.spark, [EVENTS], plan(lake, now, retention))[0] for _ in range(2)]

    assert [report.expired_rows for report in reports] == [2, 0]
    assert sorted(row["uuid"] for row in lake.rows("clickstream_events")) == ["b", "old event, new arrival"]
    properties = {row.key: row.value for row in lake.spark.sql(f"SHOW TBLPROPERTIES {silver.name}").collect()}
    before = (ARRIVAL - retention).isoformat()
    assert json.loads(properties["lakehouse.expired"]) == {"rows": 2, "before": before}
    assert "1 days touched" in run_job(lake, EVENT_GEO).work[lake.name("event_geo_kpis_events")]
    require_truth(lake, [old[1], silver.event("n", NOON - 3650 * A_DAY)], EVENT_GEO)


@pytest.fixture
def sign(lake: Lake) -> Iterator[Callable[[str], None]]:
    """Lets this test's commits name a job, as in a session of that job."""
    yield partial(sign_commits, lake.spark)
    lake.spark._jvm.org.apache.iceberg.EnvironmentContext.remove(names.JOB_PROPERTY)


def test_a_table_gets_no_fresher_by_upkeep(silver: Silver, sign: Callable[[str], None]) -> None:
    lake, waited_for = silver.lake, TABLES["clickstream_events"]
    old = {"arrival_hour": ARRIVAL - timedelta(days=91)}
    sign(INGEST_JOB.name)
    silver.append(silver.event("a", NOON), {**silver.event("b", NOON), **old})
    silver.append({**silver.event("c", NOON - A_DAY), **old})
    silver.merge(silver.event("d", NOON))
    taken_in = changes_of(lake.metadata(silver.table))
    assert [change.added_rows for change in taken_in] == [2, 1, 1]

    sign(MAINTAIN_TABLES.name)
    (report,) = maintain(lake.spark, [EVENTS], plan(lake, ARRIVAL, timedelta(days=90)))
    assert report.expired_rows == 2
    sign(INGEST_JOB.name)
    silver.sql("ALTER TABLE {name} CREATE BRANCH given_up")
    silver.sql(f"INSERT INTO {silver.name}.branch_given_up SELECT * FROM {{name}}")

    changes = changes_of(lake.metadata(silver.table))
    assert [change.job for change in changes] == [INGEST_JOB.name] * 3 + [MAINTAIN_TABLES.name]
    assert changes[-1].added_rows == 1, "what is left of a file that lost a row"
    days_later = taken_in[-1].at + timedelta(days=3)
    (late,) = late_tables([waited_for], {waited_for.name: changes}, days_later)
    assert (late.since, late.hours) == (taken_in[-1].at, 72)


def test_expiry_starts_over_when_a_writer_is_faster(silver: Silver, monkeypatch: pytest.MonkeyPatch) -> None:
    silver.append({**silver.event("a", NOON), "arrival_hour": ARRIVAL - timedelta(days=91)})

    def let_a_writer_go_first(point: str) -> None:
        if point.endswith("publish the branch"):
            monkeypatch.setattr(publishing, "commit_point", publishing.no_hook)
            silver.append(silver.event("b", NOON))

    monkeypatch.setattr(publishing, "commit_point", let_a_writer_go_first)

    assert expire_rows(silver.lake.spark, silver.name, "arrival_hour", ARRIVAL - timedelta(days=90)) == 1
    assert [row["uuid"] for row in silver.lake.rows("clickstream_events")] == ["b"]


def test_orphans_are_counted_and_only_on_request_removed(silver: Silver) -> None:
    lake = silver.lake
    silver.append(silver.event("a", NOON))
    folder = Path(lake.warehouse) / lake.database / "clickstream_events" / "data"
    for name, age in (("old.parquet", 4), ("young.parquet", 2)):
        (folder / name).write_bytes(b"")
        long_ago = (datetime.now(UTC) - timedelta(days=age)).timestamp()
        os.utime(folder / name, (long_ago, long_ago))
    now = datetime.now(UTC)

    assert remove_orphans(lake.spark, silver.name, EVENTS, now, dry_run=True) == 1
    assert (folder / "old.parquet").exists()
    assert remove_orphans(lake.spark, silver.name, EVENTS, now, dry_run=False) == 1
    assert not (folder / "old.parquet").exists()
    assert (folder / "young.parquet").exists()
    assert len(lake.rows("clickstream_events")) == 1
    hasty = replace(EVENTS, upkeep=Upkeep(orphan_days=2))
    with pytest.raises(LakeError, match="orphans under 3 days"):
        remove_orphans(lake.spark, silver.name, hasty, now, dry_run=True)


@pytest.mark.aws
def test_tables_in_glue_and_s3_are_maintained(glue_lake: Lake, aws_environment: EmulatedAws) -> None:
    """Also what only there can fail: listing a bucket, deleting objects in bulk."""
    silver, s3 = Silver.create(glue_lake), aws_environment.client("s3")
    for number in range(6):
        silver.append(silver.event(f"{number}", NOON))
    bucket = str(glue_lake.warehouse).removeprefix("s3://").rstrip("/")
    (some_file, *_) = live_files(glue_lake, "clickstream_events")
    young = f"{some_file.parent}/young.parquet".partition(f"{bucket}/")[2]
    s3.put_object(Bucket=bucket, Key=young, Body=b"")
    specs = [replace(EVENTS, upkeep=Upkeep(snapshot_days=0))]

    soon = datetime.now(UTC) + timedelta(minutes=5)
    (report,) = maintain(glue_lake.spark, specs, plan(glue_lake, soon, orphans=True))

    assert (report.before.files, report.after.files, report.orphans) == (6, 1, 0)
    assert len(glue_lake.snapshots("clickstream_events")) == 1
    objects = s3.list_objects_v2(Bucket=bucket, Prefix=young.rpartition("/")[0])["Contents"]
    assert len(objects) == 2, "the files that were joined have gone, a writer's new file has not"
    assert young in {each["Key"] for each in objects}
    assert len(glue_lake.rows("clickstream_events")) == 6


def test_what_the_specifications_of_events_say_of_upkeep() -> None:
    for spec in (TABLES["clickstream_events"], TABLES["clickstream_quarantine"]):
        assert spec.upkeep.expires_by == "arrival_hour"
        assert spec.upkeep.orphan_days >= 3
        assert spec.sort


def test_a_table_that_fails_does_not_keep_the_others_from_upkeep(silver: Silver) -> None:
    silver.append({**silver.event("a", NOON), "arrival_hour": ARRIVAL - timedelta(days=91)})
    broken = replace(EVENTS, upkeep=Upkeep(orphan_days=1))
    whole = plan(silver.lake, ARRIVAL, timedelta(days=90))

    with pytest.raises(LakeError, match=f"Could not be maintained: {silver.name}"):
        maintain(silver.lake.spark, [broken, replace(KPI, name="missing"), EVENTS], whole)

    assert table_size(silver.lake.spark, silver.name).files == 0


def test_what_to_maintain_is_named() -> None:
    assert {spec.name for spec in specs_of("all")} == {
        spec.name for spec in TABLES.values() if spec.format == "iceberg"
    }
    assert [spec.name for spec in specs_of("weather_daily")] == ["weather_daily"]
    assert specs_of("clickstream_raw") == specs_of("typo") == specs_of("s3://bucket/all") == []


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        ("typo", [], "'typo' is not the name of an Iceberg table"),
        ("all", ["--retention-days", "0"], "--retention-days: at least 1"),
    ],
)
def test_wrong_arguments_exit_2(
    source: str, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([source, "analytics", "data_quality_metrics", "/warehouse", *options])

    assert stop.value.code == 2
    assert said in capsys.readouterr().err
