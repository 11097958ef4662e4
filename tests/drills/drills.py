"""The drills: each breaks one thing, and returns how long it was until all was well again.

A drill begins on a stack in order. Whoever runs it then asks: is every event accounted for, none twice, no
cluster left?
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable

import httpx
import psutil

from config import names
from config.cluster import run_job_flow_request
from config.project_config import Settings
from lakehouse.clusters import run_tags
from local_stack.supervisor import StackError
from tests.drills.stack import DrillStack

Drill = Callable[[DrillStack], float]
"""Seconds from the end of the trouble to the end of what it troubled."""

EVENTS = 4_000
DOWN_SECONDS = 8.0


def _green(stack: DrillStack, run_id: str, since: float) -> float:
    state = stack.wait_for_run(run_id)
    if state != "success":
        raise StackError(f"run {run_id} ended {state}")
    return time.monotonic() - since


def _fresh_events(stack: DrillStack) -> None:
    stack.produced(EVENTS)
    stack.wait_for_delivery()


def producer(stack: DrillStack) -> float:
    """Producer killed (SIGKILL) while it sends."""
    sending = stack.produce(EVENTS * 10, rate="2000")
    time.sleep(6)
    sending.kill()
    sending.wait()
    killed = time.monotonic()
    stack.produced(EVENTS)
    stack.wait_for_delivery()
    return time.monotonic() - killed


def firehose(stack: DrillStack) -> float:
    """Firehose loses its right to write to the bucket while events come."""
    iam, role = stack.client("iam"), names.FIREHOSE_ROLE
    denial = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denial]})
    iam.put_role_policy(RoleName=role, PolicyName="drill", PolicyDocument=policy)
    stack.produced(EVENTS)
    time.sleep(DOWN_SECONDS * 2)
    iam.delete_role_policy(RoleName=role, PolicyName="drill")
    mended = time.monotonic()
    stack.wait_for_delivery()
    return time.monotonic() - mended


def emulated_aws(stack: DrillStack) -> float:
    """All of AWS stops answering for a while (SIGSTOP), with a producer and a run under way."""
    run_id = stack.trigger()
    sending = stack.produce(EVENTS, rate="500")
    stack.wait_for_task(run_id, "ingest_events", "deferred", "running")
    stack.pause_aws(DOWN_SECONDS * 2)
    mended = time.monotonic()
    stack.require(sending)
    seconds = _green(stack, run_id, mended)
    stack.wait_for_delivery()
    return seconds


def _airflow_process(name: str) -> Drill:
    def drill(stack: DrillStack) -> float:
        _fresh_events(stack)
        run_id = stack.trigger()
        stack.wait_for_task(run_id, "ingest_events", "deferred", "running")
        stack.kill_and_restart(name, DOWN_SECONDS)
        return _green(stack, run_id, time.monotonic())

    drill.__doc__ = f"Airflow's {name} killed (SIGKILL, children too) while a step runs."
    return drill


def spark_driver(stack: DrillStack) -> float:
    """Spark driver killed (SIGKILL) in the middle of ingest; the task tries again by itself."""
    _fresh_events(stack)
    run_id = stack.trigger()
    found: list[psutil.Process] = []

    def is_running() -> bool:
        found[:] = stack.processes("org.apache.spark.deploy.SparkSubmit", "ingest_events.py")
        return bool(found)

    stack.wait_until(is_running, "the driver runs")
    time.sleep(6)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    killed = time.monotonic()
    seconds = _green(stack, run_id, killed)
    if stack.retries_of(run_id) < 1:
        raise StackError("the step was not tried again")
    return seconds


def glue_conflict(stack: DrillStack) -> float:
    """Glue refuses commits: another writer was faster, three times."""
    _fresh_events(stack)
    conflict = {
        "service": "glue",
        "operation": "UpdateTable",
        "status": 400,
        "code": "ConcurrentModificationException",
        "message": "Update table failed due to concurrent modifications.",
        "remaining": 3,
    }
    with stack.faults(conflict):
        ordered = time.monotonic()
        seconds = _green(stack, stack.trigger(), ordered)
        if stack.faults_left():
            raise StackError("no commit met a conflict")
    return seconds


def s3_unavailable(stack: DrillStack) -> float:
    """S3 answers 503 SlowDown to 40 requests for events and tables."""
    _fresh_events(stack)
    slow = [
        {"service": "s3", "operation": operation, "path": path, "remaining": 10}
        for operation in ("GET", "PUT")
        for path in ("/clickstream/", "/analytics.db/")
    ]
    slow[2] = {**slow[2], "remaining": 1}  # nobody but Firehose puts there
    with stack.faults(*slow):
        ordered = time.monotonic()
        stack.produced(100)
        seconds = _green(stack, stack.trigger(), ordered)
    stack.wait_for_delivery()
    return seconds


def kinesis_throttling(stack: DrillStack) -> float:
    """Kinesis refuses 30 PutRecords calls: provisioned throughput exceeded."""
    throttled = {
        "service": "kinesis",
        "operation": "PutRecords",
        "status": 400,
        "code": "ProvisionedThroughputExceededException",
        "message": "Rate exceeded for shard",
        "remaining": 30,
    }
    with stack.faults(throttled):
        ordered = time.monotonic()
        stack.produced(EVENTS)
        if stack.faults_left():
            raise StackError("the producer met no throttling")
    stack.wait_for_delivery()
    return time.monotonic() - ordered


def full_disk(stack: DrillStack) -> float:
    """The cluster's disk (a tmpfs of 256 kB) is full; told as such, not tried again, cleared once mended."""
    _fresh_events(stack)
    run_id = stack.trigger()
    stack.wait_for_task(run_id, "create_cluster", "success")
    (scratch,) = _scratch_folders(stack)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", scratch], check=True)
    try:
        state = stack.wait_for_run(run_id)
    finally:
        subprocess.run(["umount", "--lazy", scratch], check=True)
    cause = stack.said_by_run(run_id, "ingest_events", "diagnosis")
    if state != "failed" or cause["cause"] != "disk full":
        raise StackError(f"the run ended {state}: {cause}")
    mended = time.monotonic()
    stack.clear(run_id, ["ingest_events"])
    stack.wait_until(lambda: stack.api.get(_path(run_id))["state"] == "running", "the run runs again", 60)
    return _green(stack, run_id, mended)


def _scratch_folders(stack: DrillStack) -> list[str]:
    return [str(path) for path in (stack.quick.state_dir / "aws" / "emr").glob("j-*/tmp")]


def _path(run_id: str) -> str:
    return f"dags/{names.DAG_ID}/dagRuns/{run_id}"


def weather_storm(stack: DrillStack) -> float:
    """The weather service answers 503 to all: the weather fails, the KPIs do not; cleared after the storm."""
    api = os.environ["WEATHER_API_URL"]
    _fresh_events(stack)
    storm = [{"kind": "status", "status": 503, "remaining": 100}]
    httpx.post(f"{api}/_admin/faults", json=storm).raise_for_status()
    try:
        run_id = stack.trigger({"jobs": ["ingest_events", "kpi_event_geo", "weather_extract", "reconcile"]})
        state = stack.wait_for_run(run_id)
    finally:
        httpx.post(f"{api}/_admin/reset").raise_for_status()
    if (state, stack.task_state(run_id, "kpi_event_geo")) != ("failed", "success"):
        raise StackError(f"the run ended {state}, its KPIs {stack.task_state(run_id, 'kpi_event_geo')}")
    mended = time.monotonic()
    stack.clear(run_id, ["weather_check"])
    stack.wait_until(lambda: stack.api.get(_path(run_id))["state"] == "running", "the run runs again", 60)
    return _green(stack, run_id, mended)


def leaked_cluster(stack: DrillStack) -> float:
    """A cluster whose run was deleted: the sweeper terminates it."""
    settings = Settings.from_mapping(os.environ)
    tags = run_tags(names.DAG_ID, "manual__deleted")
    request = run_job_flow_request(settings, name=f"{names.DAG_ID}/manual__deleted", tags=tags)
    stack.client("emr").run_job_flow(**request)
    leaked = time.monotonic()
    run_id = stack.trigger({"dry_run": False}, names.SWEEPER_DAG_ID)
    if stack.wait_for_run(run_id, names.SWEEPER_DAG_ID) != "success":
        raise StackError("the sweeper failed")
    stack.wait_until(lambda: not stack.live_clusters(), "no cluster is left", 60)
    return time.monotonic() - leaked


DRILLS: dict[str, Drill] = {
    "producer": producer,
    "firehose": firehose,
    "kinesis_throttling": kinesis_throttling,
    "leaked_cluster": leaked_cluster,
    "emulated_aws": emulated_aws,
    "scheduler": _airflow_process("scheduler"),
    "dag_processor": _airflow_process("dag-processor"),
    "triggerer": _airflow_process("triggerer"),
    "spark_driver": spark_driver,
    "glue_conflict": glue_conflict,
    "s3_unavailable": s3_unavailable,
    "full_disk": full_disk,
    "weather_storm": weather_storm,
}
"""In the order in which they are run."""

WITHOUT_RUN = frozenset({"producer", "firehose", "kinesis_throttling", "leaked_cluster"})
"""Drills that run no DAG of their own: their events are counted by one run after them all."""
