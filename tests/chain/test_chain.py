"""The judge: the whole system as a user starts it, through the real scheduler, from events to Athena.

The tests build on each other in the order of this file: they share one stack, since starting it
takes longer than all they ask of it.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import httpx
import pyarrow.parquet as pq
import pytest

from config import names, tables
from config.jobs import INGEST_JOB, JOBS, KPI_JOBS, RECONCILE_JOB
from config.project_config import DEFAULT_DATABASE, DEFAULT_EMR_JOB_FLOW_ROLE
from lakehouse.table_state import read_metadata
from local_stack.aws.iam.policies import Decision
from ops.athena import QueryError, run_query
from tests.chain.conftest import UsedIn
from tests.support.event_truth import expected_tables
from tests.support.least_privilege import exercised, grants, inline_statements, needless, used_by_role
from tests.support.local_stack import ROOT, LocalStack
from tests.support.notebooks import execute, pictures

pytestmark = pytest.mark.chain

PRODUCERS, EVENTS_EACH = 8, 25_000


def kpi_tables_in_athena(stack: LocalStack) -> dict[str, list[tuple[object, ...]]]:
    return {
        spec.name: sorted(stack.query(f"SELECT * FROM {spec.name}"), key=repr) for spec in tables.KPI_TABLES
    }


def kpi_tables_in_pyiceberg(stack: LocalStack) -> dict[str, list[tuple[object, ...]]]:
    found = {}
    catalog = stack.catalog()
    for spec in tables.KPI_TABLES:
        rows = catalog.load_table(("analytics", spec.name)).scan().to_arrow().to_pylist()
        found[spec.name] = sorted((tuple(row.values()) for row in rows), key=repr)
    return found


def test_once_shows_tables_and_reconciles(local_stack: LocalStack):
    disorder = ["--late", "0.02", "--duplicates", "0.02", "--corrupt", "0.01"]
    done = subprocess.run(
        local_stack.quick_start("--once", "--count", "5000", *disorder),
        env=local_stack.own_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    for spec in tables.KPI_TABLES:
        assert spec.name in done.stdout
    for stage in (
        "emulated AWS",
        "CloudFormation stacks",
        "5,000 events into Kinesis",
        "kpi_event_geo success",
        "kpi_sensor_weather success",
        "reconcile success",
    ):
        assert stage in done.stdout
    for shown in (
        "36,500",
        "365, 20",
        "Sensors",
        "100.00 %",
        "Open-Meteo.com",
        "cost_usd",
        "No table is late",
    ):
        assert shown in done.stdout
    timings = json.loads((local_stack.state_dir / "timings.json").read_text())
    assert timings["all"] >= max(seconds for stage, seconds in timings.items() if stage != "all")
    assert local_stack.processes() == []


def test_second_start_keeps_what_was_there(local_stack: LocalStack):
    local_stack.start()
    [(events,)] = local_stack.query("SELECT sum(event_count) FROM event_geo_kpis_events")
    assert 4_000 < events <= 5_000
    assert local_stack.live_clusters() == []


def test_eight_producers_lose_nothing(local_stack: LocalStack):
    def produce(seed: int) -> subprocess.CompletedProcess[str]:
        arguments = ["--count", str(EVENTS_EACH), "--corrupt", "0.01", "--seed", str(seed)]
        arguments += ["--rate", "max", "--unpaced"]
        return local_stack.module("kinesis.producer", *arguments, role=names.PRODUCER_ROLE)

    with ThreadPoolExecutor(PRODUCERS) as pool:
        for done in pool.map(produce, range(PRODUCERS)):
            assert done.returncode == 0, done.stderr
    delivered = local_stack.module("ops.reconcile", "--wait-for-delivery")
    assert delivered.returncode == 0, delivered.stdout + delivered.stderr

    acked = local_stack.acked()
    bronze = local_stack.bronze_files()
    rows = sum(pq.read_metadata(file).num_rows for file in bronze.rglob("*.parquet"))
    failed = local_stack.conversion_failures()
    assert acked == PRODUCERS * EVENTS_EACH + 5_000
    assert failed > 500
    assert acked == rows + failed


def test_the_dag_publishes_what_an_independent_computation_gives(local_stack: LocalStack):
    state, tasks = local_stack.run_dag()
    assert state == "success", tasks
    assert tasks["terminate_cluster"] == "success"
    assert local_stack.live_clusters() == []

    expected = expected_tables(local_stack.bronze_files())
    assert len(expected["sensor_health"]) == 100
    assert kpi_tables_in_athena(local_stack) == expected
    assert kpi_tables_in_pyiceberg(local_stack) == expected
    reconciled = local_stack.module("ops.reconcile")
    assert reconciled.returncode == 0, reconciled.stdout + reconciled.stderr


def said_by_reconcile(stack: LocalStack) -> dict[str, Any]:
    """What the last reconciliation's step printed."""
    s3, bucket = stack.client("s3"), stack.environment["LOGS_BUCKET"]
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="emr-logs/")["Contents"]
    newest_first = sorted(listed, key=lambda entry: entry["LastModified"], reverse=True)
    for entry in newest_first:
        if entry["Key"].endswith("/stdout.gz"):
            text = gzip.decompress(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()).decode()
            if '"job": "reconcile"' in text:
                said: dict[str, Any] = json.loads(text.splitlines()[-1])
                return said
    raise AssertionError("no step said that it reconciled")


def current_snapshots(stack: LocalStack, written: list[str]) -> dict[str, int]:
    database, s3, glue = DEFAULT_DATABASE, stack.client("s3"), stack.client("glue")
    return {table: read_metadata(glue, s3, database, table)["current-snapshot-id"] for table in written}


def test_every_record_is_accounted_for_and_a_second_run_has_nothing_to_do(local_stack: LocalStack):
    first = said_by_reconcile(local_stack)
    assert (first["differences"], first["undelivered"], first["in_flight"]) == ([], 0, 0)
    assert first["acked"] == first["bronze"] + first["failed"] == local_stack.acked()
    assert first["silver"] + first["quarantined"] + first["duplicates"] == first["acked"]
    assert first["duplicates"] > 0
    jobs = [INGEST_JOB, *KPI_JOBS, JOBS["kpi_sensor_weather"]]
    written = [table for job in jobs for table in job.outputs]
    before = kpi_tables_in_athena(local_stack), current_snapshots(local_stack, written)

    state, tasks = local_stack.run_dag({"jobs": [job.name for job in (*jobs, RECONCILE_JOB)]})

    assert state == "success", tasks
    second = said_by_reconcile(local_stack)
    assert (first["unchanged"], second["unchanged"]) == (False, True)
    assert {**second, "unchanged": False} == first
    assert (kpi_tables_in_athena(local_stack), current_snapshots(local_stack, written)) == before


@pytest.mark.parametrize(("notebook", "charts"), [("explore_lakehouse", 3), ("data_quality", 5)])
def test_notebooks_run_top_to_bottom(
    local_stack: LocalStack, tmp_path: Path, notebook: str, charts: int
) -> None:
    assert pictures(execute(notebook, tmp_path, local_stack.environment)) == charts


def test_step_logs_lie_where_emr_puts_them(local_stack: LocalStack):
    s3 = local_stack.client("s3")
    bucket = local_stack.environment["LOGS_BUCKET"]
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix="emr-logs/")["Contents"]]
    for stream in ("stdout", "stderr", "controller"):
        assert sum(key.endswith(f"/{stream}.gz") and "/steps/s-" in key for key in keys) >= 6


def test_a_bad_run_parameter_is_refused(local_stack: LocalStack):
    with pytest.raises(httpx.HTTPStatusError) as refused:
        local_stack.api.trigger(names.DAG_ID, {"jobs": ["no_such_job"]})
    assert refused.value.response.status_code == 400
    assert "no_such_job" in refused.value.response.text


def test_a_failing_step_makes_a_red_run_and_a_terminated_cluster(local_stack: LocalStack):
    before = kpi_tables_in_athena(local_stack)
    s3, bucket = local_stack.client("s3"), local_stack.environment["BRONZE_BUCKET"]
    key = f"clickstream/{datetime.now(UTC):dt=%Y-%m-%d/hour=%H}/not-parquet.parquet"
    s3.put_object(Bucket=bucket, Key=key, Body=b"this is not a Parquet file")
    try:
        state, tasks = local_stack.run_dag({"jobs": ["ingest_events", "kpi_event_geo"]})
    finally:
        s3.delete_object(Bucket=bucket, Key=key)
    assert state == "failed"
    assert tasks["ingest_events"] == "failed"
    assert tasks["kpi_event_geo"] == "upstream_failed"
    assert tasks["terminate_cluster"] == "success"
    assert local_stack.live_clusters() == []
    assert kpi_tables_in_athena(local_stack) == before


def test_the_red_run_is_diagnosed_and_told(local_stack: LocalStack):
    log = local_stack.task_log("ingest_events")
    assert "is FAILED: unreadable input: " in log
    assert "not-parquet.parquet is not a Parquet file" in log
    assert "A retry: meets the same again" in log
    s3, bucket = local_stack.client("s3"), local_stack.environment["LOGS_BUCKET"]
    sent = s3.list_objects_v2(Bucket=bucket, Prefix="alerts/failed_run/")["Contents"]
    texts = [s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read().decode() for each in sent]
    assert any("ingest_events is failed (unreadable input: " in text for text in texts)


def newest_run(stack: LocalStack) -> str:
    path = f"dags/{names.DAG_ID}/dagRuns?order_by=-run_after&limit=1"
    (run,) = stack.api.get(path)["dag_runs"]
    return str(run["dag_run_id"])


def test_every_command_of_the_operators_page_works(local_stack: LocalStack):
    """Asked about the red run before, whose step has something to say."""
    emr = local_stack.client("emr")
    run_id = newest_run(local_stack)
    listed = emr.list_clusters()["Clusters"]
    (cluster,) = (each["Id"] for each in listed if each["Name"].endswith(run_id))
    (step,) = emr.list_steps(ClusterId=cluster, StepStates=["FAILED"])["Steps"]
    (file, *_) = local_stack.bronze_files().rglob("*.parquet")
    environment = {
        **local_stack.environment,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AIRFLOW_URL": local_stack.api.url,
        "RUN_ID": run_id,
        "CLUSTER": cluster,
        "STEP": step["Id"],
        "PARTITION": "/".join(file.parts[-3:-1]),
        "COLUMNS": "200",
    }
    page = (ROOT / "docs" / "operate.md").read_text()
    commands = [
        line for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL) for line in block.splitlines()
    ]
    assert len(commands) >= 14
    for command in commands:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert done.stdout.strip(), command


def test_weather_that_cannot_be_fetched_leaves_the_kpis_alone_and_makes_a_red_run(local_stack: LocalStack):
    api = local_stack.environment["WEATHER_API_URL"]
    storm = [{"kind": "status", "status": 503, "remaining": 100}]
    httpx.post(f"{api}/_admin/faults", json=storm, timeout=60).raise_for_status()
    try:
        state, tasks = local_stack.run_dag({"jobs": ["kpi_sensor_health", "weather_extract"]})
    finally:
        httpx.post(f"{api}/_admin/reset", timeout=60).raise_for_status()
    assert state == "failed"
    assert tasks["weather_check"] == "failed"
    assert tasks["weather_extract"] == "upstream_failed"
    assert tasks["kpi_sensor_health"] == "success"
    assert tasks["terminate_cluster"] == "success"
    assert local_stack.live_clusters() == []


def test_a_paced_producer_and_an_analyst_work_in_their_roles(local_stack: LocalStack):
    sent = local_stack.module("kinesis.producer", "--count", "100", "--rate", "200", role=names.PRODUCER_ROLE)
    assert sent.returncode == 0, sent.stderr
    keys = local_stack.role_variables(names.ANALYST_ROLE)
    athena = boto3.session.Session(
        keys["AWS_ACCESS_KEY_ID"],
        keys["AWS_SECRET_ACCESS_KEY"],
        keys["AWS_SESSION_TOKEN"],
        region_name="eu-north-1",
    ).client("athena", endpoint_url=local_stack.aws_url)
    shown = run_query(athena, "SHOW TABLES", database="analytics")
    assert {spec.name for spec in tables.KPI_TABLES} <= {row[0] for row in shown.rows}
    saved = athena.list_named_queries(WorkGroup=names.ATHENA_WORKGROUP)["NamedQueryIds"]
    for query_id in saved:
        query = athena.get_named_query(NamedQueryId=query_id)["NamedQuery"]
        assert run_query(athena, query["QueryString"], database=query["Database"]).columns, query["Name"]
    assert len(saved) >= 2
    started = athena.start_query_execution(QueryString="SELECT 1", WorkGroup=names.ATHENA_WORKGROUP)
    athena.stop_query_execution(QueryExecutionId=started["QueryExecutionId"])
    with pytest.raises(QueryError, match=r"PERMISSION_DENIED.* glue:GetDatabase on .*:database/mine"):
        run_query(athena, "CREATE DATABASE mine", database="analytics")


def test_upkeep_changes_no_answer(local_stack: LocalStack):
    before = kpi_tables_in_athena(local_stack)
    state, tasks = local_stack.run_dag(dag_id=names.MAINTENANCE_DAG_ID)
    assert state == "success", tasks
    assert local_stack.live_clusters() == []
    assert kpi_tables_in_athena(local_stack) == before
    kept_up = local_stack.query(
        "SELECT DISTINCT table_name FROM data_quality_metrics WHERE metric LIKE 'upkeep_%'"
    )
    assert {(spec.name,) for spec in tables.KPI_TABLES} <= set(kept_up)


def test_a_right_that_is_taken_away_fails_the_run_and_is_named(local_stack: LocalStack):
    iam, role = local_stack.client("iam"), DEFAULT_EMR_JOB_FLOW_ROLE
    denial = {"Effect": "Deny", "Action": "glue:UpdateTable", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denial]})
    before = kpi_tables_in_athena(local_stack)
    # Events that await ingest: a run with nothing new writes nothing, and would not miss the right.
    sent = local_stack.module("kinesis.producer", "--count", "500", "--rate", "max", "--unpaced")
    assert sent.returncode == 0, sent.stderr
    delivered = local_stack.module("ops.reconcile", "--wait-for-delivery")
    assert delivered.returncode == 0, delivered.stdout + delivered.stderr
    iam.put_role_policy(RoleName=role, PolicyName="denial", PolicyDocument=policy)
    try:
        state, tasks = local_stack.run_dag({"jobs": [INGEST_JOB.name]})
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="denial")
    assert (state, tasks[INGEST_JOB.name]) == ("failed", "failed")
    denied = [each for each in local_stack.role_requests() if each.decision is Decision.DENIED]
    assert {each.access.action for each in denied} == {"glue:UpdateTable"}
    assert "is not authorized to perform: glue:UpdateTable" in local_stack.task_log(INGEST_JOB.name)
    assert kpi_tables_in_athena(local_stack) == before


def test_the_red_run_turns_green_once_its_cause_is_mended_and_its_task_cleared(local_stack: LocalStack):
    run_id, count = newest_run(local_stack), f"SELECT count(*) FROM {tables.SILVER.name}"
    ((before,),) = local_stack.query(count)
    local_stack.api.clear(names.DAG_ID, run_id, INGEST_JOB.name)
    state, tasks = local_stack.follow(names.DAG_ID, run_id)
    assert (state, tasks[INGEST_JOB.name]) == ("success", "success")
    ((after,),) = local_stack.query(count)
    assert after >= before + 500
    assert local_stack.live_clusters() == []


def test_every_right_of_every_role_is_needed(local_stack: LocalStack, used_in: UsedIn):
    iam = local_stack.client("iam")
    known = json.loads(Path(__file__).with_name("role_actions.json").read_text())
    used = used_by_role(local_stack.role_requests())
    unused: set[str] = set()
    granted: set[str] = set()
    needed_by: set[tuple[str, str]] = set()
    for role in sorted(each["RoleName"] for each in iam.list_roles()["Roles"]):
        statements = inline_statements(iam, role)
        assert statements, role
        unused |= {str(grant) for grant in needless(role, statements, used.get(role, []))}
        granted |= {str(grant) for grant in grants(role, statements)}
        for test, records in used_in.items():
            asked = used_by_role(records).get(role, [])
            needed_by |= {(str(grant), test) for grant in exercised(role, statements, asked)}
    # docs/roles.md is made from the file: mend it, then `python -m ops.role_docs > docs/roles.md`.
    assert unused - known["exceptions"].keys() == set(), "nobody needs these: take them out of the templates"
    assert known["needed_by"].keys() | known["exceptions"].keys() == granted
    assert set(known["needed_by"].items()) - needed_by == set(), "other tests need these"


def test_a_dead_part_ends_the_rest_and_shows_its_log(local_stack: LocalStack):
    scheduler = next(p for p in local_stack.processes() if "scheduler" in p.cmdline())
    scheduler.send_signal(signal.SIGKILL)
    assert local_stack.process is not None
    assert local_stack.process.wait(timeout=120) == 1
    assert "airflow-scheduler stopped unexpectedly. The end of" in local_stack.output.read_text()
    assert local_stack.processes() == []


def test_nothing_is_left_listening_after_a_kill_and_the_next_start(local_stack: LocalStack):
    local_stack.start()
    assert local_stack.process is not None
    local_stack.process.kill()
    local_stack.process.wait()
    orphans = {process.pid for process in local_stack.processes()}
    assert len(orphans) >= 5
    local_stack.start()
    assert orphans.isdisjoint(process.pid for process in local_stack.processes())
    [(events,)] = local_stack.query("SELECT sum(event_count) FROM event_geo_kpis_events")
    assert events > 4_000
    assert local_stack.interrupt() == 0
    assert local_stack.processes() == []


def test_ctrl_c_in_the_middle_of_a_start_leaves_nothing(local_stack: LocalStack):
    local_stack.start(until="emulated AWS")
    assert local_stack.interrupt() == 130
    assert local_stack.processes() == []
