"""What a run did and took: from EMR and the tables, written once a run; and which tables are late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
from airflow.sdk import DAG

from config.prices import cluster_use
from config.project_config import DEFAULT_REGION, Settings
from config.run_tables import CLUSTER, RUN_METRICS
from config.table_spec import TableSpec
from config.tables import TABLES
from lakehouse.cluster_runs import ClusterRun, StepRun
from lakehouse.run_metrics import RunRow, iceberg_schema, run_rows, write_rows
from lakehouse.table_state import Change, late_tables, read_changes
from ops.athena import run_query
from tests.dags.conftest import BUCKETS
from tests.support.emr_runs import with_cluster
from tests.support.emulated_aws import EmulatedAws
from tests.support.lossy_aws import LossyAws
from tests.support.task_runner import TaskRunner

NOW = datetime(2026, 11, 22, 4, tzinfo=UTC)
JOB = "kpi_event_geo"
EVENTS, GEO = "event_geo_kpis_events", "event_geo_kpis_faulty_geo"


def minute(number: float) -> datetime:
    """So many minutes after three."""
    return NOW.replace(hour=3) + timedelta(minutes=number)


def cluster(*steps: StepRun, ended: datetime | None = None) -> ClusterRun:
    state = "TERMINATED" if ended else "WAITING"
    return ClusterRun("j-1", state, minute(0), minute(1), ended, core_nodes=2, steps=steps)


def test_a_job_counts_what_its_tables_took_in_while_it_ran() -> None:
    changes = {
        EVENTS: [
            Change(minute(1), 7, 70, JOB),
            Change(minute(5), 100, 1_000, JOB),
            Change(minute(6), 5, 50),
            Change(minute(30), 9, 90, JOB),
        ],
        GEO: [Change(minute(6), 10, 200, JOB)],
        "sensor_health": [Change(minute(5), 1_000, 1, JOB)],
    }
    (row, _) = run_rows([cluster(StepRun(JOB, "COMPLETED", minute(4), minute(8)))], changes, NOW)
    assert (row.part, row.state, row.rows, row.bytes) == (JOB, "COMPLETED", 110, 1_200)
    assert (row.seconds, row.retries, row.started_at) == (240.0, 0, minute(4))


def test_jobs_that_write_a_table_at_the_same_time_count_their_own_rows() -> None:
    changes = {
        "data_quality_metrics": [
            Change(minute(5), 12, 120, "reconcile"),
            Change(minute(6), 4, 40, "weather_transform"),
            Change(minute(7), 30, 300, "maintain_tables"),
        ]
    }
    steps = [StepRun(job, "COMPLETED", minute(4), minute(8)) for job in ("reconcile", "weather_transform")]
    (reconcile, weather, _) = run_rows([cluster(*steps)], changes, NOW)
    assert (reconcile.part, reconcile.rows, reconcile.bytes) == ("reconcile", 12, 120)
    assert (weather.part, weather.rows, weather.bytes) == ("weather_transform", 4, 40)


def test_attempts_add_up() -> None:
    steps = [
        StepRun(JOB, "FAILED", minute(2), minute(3)),
        StepRun(JOB, "COMPLETED", minute(5), minute(7)),
        StepRun("ingest_events", "COMPLETED", minute(1), minute(2)),
        StepRun("reconcile", "CANCELLED", None, None),
    ]
    ingest, job, whole = run_rows([cluster(*steps, ended=minute(30))], {}, NOW)
    assert ingest.part == "ingest_events"
    assert (job.state, job.retries, job.seconds) == ("COMPLETED", 1, 180.0)
    assert whole.part == CLUSTER


def test_the_cluster_is_priced_by_its_machines_and_life() -> None:
    (row,) = run_rows([cluster(ended=minute(30))], {}, NOW)
    assert (row.cluster_hours, row.seconds, row.state) == (1.5, 1800.0, "TERMINATED")
    assert row.cost_usd == cluster_use(2, 1800).usd
    (alive,) = run_rows([cluster()], {}, NOW)
    assert alive.cluster_hours == 3.0


def test_a_run_that_was_cleared_pays_for_both_clusters() -> None:
    (row,) = run_rows([cluster(ended=minute(30)), cluster(ended=minute(60))], {}, NOW)
    assert (row.cluster_hours, row.retries) == (4.5, 1)


def test_a_run_without_a_cluster_has_no_rows() -> None:
    assert run_rows([], {}, NOW) == []


def test_a_minute_is_billed_at_least() -> None:
    assert cluster_use(2, 1.0) == cluster_use(2, 60.0)


def test_a_table_that_has_not_changed_in_time_is_late() -> None:
    spec = TABLES[EVENTS]
    allowed = spec.late_after_hours or 0
    fresh = Change(NOW - timedelta(hours=allowed), 1, 1)
    old = Change(NOW - timedelta(hours=allowed + 1), 1, 1)
    assert late_tables([spec], {EVENTS: [old, fresh]}, NOW) == []
    (late,) = late_tables([spec], {EVENTS: [old]}, NOW)
    assert str(late) == f"{EVENTS} has not changed for {allowed + 1} h ({allowed} h are allowed)"
    (never,) = late_tables([spec], {EVENTS: []}, NOW)
    assert str(never).startswith(f"{EVENTS} has never been written")


def test_tables_that_nobody_waits_for_are_never_late() -> None:
    spec = TableSpec("some", "Some.", (), ())
    assert late_tables([spec], {}, NOW) == []


def test_every_table_of_results_says_how_old_it_may_be() -> None:
    waited_for = {spec.name for spec in TABLES.values() if spec.late_after_hours}
    assert {EVENTS, GEO, "clickstream_events", "weather_daily", "sensor_weather_daily"} < waited_for
    assert all(TABLES[name].format == "iceberg" for name in waited_for)


def test_the_schema_is_the_specifications() -> None:
    schema = iceberg_schema(RUN_METRICS)
    assert tuple(schema.column_names) == RUN_METRICS.column_names
    required = {field.name for field in schema.fields if field.required}
    assert required == {column.name for column in RUN_METRICS.columns if not column.nullable}


@pytest.fixture
def lake(aws_environment: EmulatedAws) -> Settings:
    """Settings of a lake of this test's own."""
    own = uuid4().hex[:12]
    buckets = {name: f"{value}-{own}" for name, value in BUCKETS.items()}
    s3 = aws_environment.client("s3")
    for bucket in buckets.values():
        place = {"LocationConstraint": aws_environment.region}
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    settings = Settings.from_mapping({**buckets, "GLUE_DATABASE": f"metrics_{own}"})
    aws_environment.client("glue").create_database(DatabaseInput={"Name": settings.glue_database})
    output = {"OutputLocation": f"s3://{settings.logs_bucket}/athena-results/"}
    aws_environment.client("athena").create_work_group(
        Name=settings.glue_database, Configuration={"ResultConfiguration": output}
    )
    return settings


def read_back(aws: EmulatedAws, settings: Settings) -> list[dict[str, Any]]:
    """The table's rows through Athena."""
    columns = "run_id, part, state, seconds, retries, rows, bytes, cluster_hours, cost_usd"
    result = run_query(
        aws.client("athena"),
        f"SELECT {columns} FROM {RUN_METRICS.name} ORDER BY run_id, part",
        database=settings.glue_database,
        workgroup=settings.glue_database,
    )
    return result.records()


@pytest.mark.aws
def test_rows_are_written_once_a_run_and_read_by_athena(lake: Settings, emulated_aws: EmulatedAws) -> None:
    job = RunRow(JOB, "FAILED", minute(1), 12.5, 0, rows=3, bytes=400)
    whole = RunRow(CLUSTER, "TERMINATED", minute(0), 600.0, 0, cluster_hours=0.5, cost_usd=0.1)
    write_rows(lake, "some_dag", "first", [job, whole], NOW)
    write_rows(lake, "some_dag", "second", [job], NOW)
    again = RunRow(JOB, "COMPLETED", minute(1), 20.0, 1, rows=5, bytes=600)
    write_rows(lake, "some_dag", "first", [again, whole], NOW)
    rows = read_back(emulated_aws, lake)
    assert [(row["run_id"], row["part"], row["state"], row["rows"]) for row in rows] == [
        ("first", CLUSTER, "TERMINATED", None),
        ("first", JOB, "COMPLETED", 5),
        ("second", JOB, "FAILED", 3),
    ]
    glue, s3 = emulated_aws.client("glue"), emulated_aws.client("s3")
    absent = replace(RUN_METRICS, name="absent")
    changes = read_changes(glue, s3, lake.glue_database, [RUN_METRICS, absent])
    last = changes[RUN_METRICS.name][-1]
    assert last.added_rows == 2
    assert last.at > NOW
    assert changes[absent.name] == []


@pytest.mark.aws
def test_runs_that_end_together_lose_no_rows(lake: Settings, emulated_aws: EmulatedAws) -> None:
    row = RunRow(JOB, "COMPLETED", minute(1), 1.0, 0)
    write_rows(lake, "some_dag", "0", [row], NOW)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda run: write_rows(lake, "some_dag", str(run), [row], NOW), range(1, 4)))
    assert [row["run_id"] for row in read_back(emulated_aws, lake)] == ["0", "1", "2", "3"]


def test_the_task_records_its_run_and_names_late_tables(kpis_dag: DAG, lossy_aws: LossyAws) -> None:
    boto3.client("glue", region_name=DEFAULT_REGION).create_database(DatabaseInput={"Name": "analytics"})
    run = TaskRunner(kpis_dag)
    with_cluster(run)
    run.start(JOB)
    (made,) = lossy_aws.emr.clusters.values()
    made.steps[0].state = "COMPLETED"
    run.run("terminate_cluster", "record_run")
    found = run.xcom_pull("record_run")
    (whole,) = (part for part in found["parts"] if part["part"] == CLUSTER)
    assert whole["state"] == "TERMINATED"
    assert whole["cost_usd"] > 0
    assert any(
        table.startswith("clickstream_events has never been written") for table in found["late_tables"]
    )
