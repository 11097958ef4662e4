"""Drills of a run: what its cluster, Airflow and the services that it uses may do to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from config import names
from local_stack.supervisor import StackError
from tests.drills.stack import DrillStack
from tests.drills.stream_drills import DISORDER, EVENTS

DOWN_SECONDS = 8.0
SLOW_REQUESTS = 10

CLUSTER_END_SECONDS = 120.0
"""Less than an idle cluster takes to end itself."""


def _green(stack: DrillStack, run_id: str, since: float) -> float:
    stack.require_green(run_id)
    return time.monotonic() - since


def emulated_aws(stack: DrillStack) -> float:
    """All of AWS stops answering for 16 s (SIGSTOP), with a producer and a run under way."""
    run_id = stack.trigger()
    stack.wait_for_task(run_id, "ingest_events", "deferred")
    sending = stack.produce(EVENTS, *DISORDER, rate="500")
    time.sleep(2)
    stack.pause_aws(DOWN_SECONDS * 2)
    mended = time.monotonic()
    stack.require(sending)
    seconds = _green(stack, run_id, mended)
    stack.wait_for_delivery()
    return seconds


def airflow_process(name: str) -> Callable[[DrillStack], float]:
    """The drill that kills one of Airflow's processes."""

    def drill(stack: DrillStack) -> float:
        stack.send(EVENTS, *DISORDER)
        run_id = stack.trigger()
        stack.wait_for_task(run_id, "ingest_events", "deferred")
        stack.kill_and_restart(name, DOWN_SECONDS)
        return _green(stack, run_id, time.monotonic())

    drill.__doc__ = f"Airflow's {name} killed (SIGKILL, children too) while a step runs."
    return drill


def glue_conflict(stack: DrillStack) -> float:
    """Glue refuses three commits: another writer was faster."""
    stack.send(EVENTS, *DISORDER)
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
            raise StackError("less commits met a conflict than ordered")
    return seconds


def s3_unavailable(stack: DrillStack) -> float:
    """S3 answers 503 SlowDown to dozens of requests for events and tables."""
    stack.send(EVENTS, *DISORDER)
    slow = [
        {"service": "s3", "operation": operation, "path": path, "remaining": SLOW_REQUESTS}
        for operation, path in (
            ("GET", "/clickstream/"),
            ("GET", "/clickstream_events/"),
            ("PUT", "/clickstream_events/"),
        )
    ]
    with stack.faults(*slow):
        ordered = time.monotonic()
        seconds = _green(stack, stack.trigger(), ordered)
        if stack.faults_left() >= SLOW_REQUESTS:  # fewer are left only if each kind has met some
            raise StackError(f"{stack.faults_left()} requests did not meet the 503s ordered for them")
    return seconds


def full_disk(stack: DrillStack) -> float:
    """The cluster's disk (a tmpfs of 256 kB) is full: told as such, not tried again; mended and cleared."""
    stack.send(EVENTS, *DISORDER)
    run_id = stack.trigger()
    stack.wait_for_task(run_id, "create_cluster", "success")
    scratch = stack.wait_for_node("tmp") / "tmp"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(scratch)], check=True)
    try:
        state = stack.wait_for_run(run_id)
    finally:
        _unmount(scratch)
    cause = stack.said_by_run(run_id, "ingest_events", "diagnosis")
    if state != "failed" or cause["cause"] != "disk full":
        raise StackError(f"the run ended {state}: {cause}")
    mended = time.monotonic()
    stack.clear(run_id, "ingest_events")
    return _green(stack, run_id, mended)


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    shutil.rmtree(folder.parent, ignore_errors=True)


def weather_storm(stack: DrillStack) -> float:
    """The weather service answers 503 to all: the KPIs go on without; cleared after the storm."""
    api = os.environ["WEATHER_API_URL"]
    stack.send(EVENTS, *DISORDER)
    storm = [{"kind": "status", "status": 503, "remaining": 1000}]
    httpx.post(f"{api}/_admin/faults", json=storm).raise_for_status()
    try:
        run_id = stack.trigger(("ingest_events", "kpi_event_geo", "weather_extract"), weather_days=7)
        state = stack.wait_for_run(run_id)
    finally:
        httpx.post(f"{api}/_admin/reset").raise_for_status()
    kpis = stack.task_state(run_id, "kpi_event_geo")
    if (state, kpis) != ("failed", "success"):
        raise StackError(f"the run ended {state}, its KPIs {kpis}")
    mended = time.monotonic()
    stack.clear(run_id, "weather_check")
    return _green(stack, run_id, mended)


def leaked_cluster(stack: DrillStack) -> float:
    """A DAG deleted while its run's cluster starts: no teardown will come, the sweeper terminates it."""
    run_id = stack.trigger((), names.ERASURE_DAG_ID, sensor_id=1)
    stack.wait_for_task(run_id, "create_cluster", "deferred", dag_id=names.ERASURE_DAG_ID)
    stack.delete_dag(names.ERASURE_DAG_ID)
    deleted = time.monotonic()
    _require_one_cluster(stack)
    stack.require_green(stack.trigger((), names.SWEEPER_DAG_ID, dry_run=False), names.SWEEPER_DAG_ID)
    stack.wait_until(lambda: not stack.live_clusters(), "no cluster is left", CLUSTER_END_SECONDS)
    return time.monotonic() - deleted


def marked_failed(stack: DrillStack) -> float:
    """A task marked as failed while it makes the cluster, a run while its step runs: its teardown comes."""
    tried = stack.trigger()
    stack.wait_for_task(tried, "create_cluster", "deferred")
    _mark_failed(stack, f"{tried}/taskInstances/create_cluster", tried, "new_state")
    run_id = stack.trigger()
    stack.wait_until(lambda: bool(stack.step_processes("ingest_events.py")), "the step runs")
    marked = time.monotonic()
    _mark_failed(stack, run_id, run_id, "state")
    return time.monotonic() - marked


def _mark_failed(stack: DrillStack, marked: str, run_id: str, field: str) -> None:
    """Mark a run or a task of it as failed, and see the run end its cluster and then itself."""
    _require_one_cluster(stack)
    stack.api.patch(f"dags/{names.DAG_ID}/dagRuns/{marked}", {field: "failed"})
    state = stack.wait_for_run(run_id)
    terminate = stack.task_state(run_id, "terminate_cluster")
    if (state, terminate, stack.live_clusters()) != ("failed", "success", []):
        raise StackError(f"the run ended {state}, its terminate_cluster {terminate}")


def _require_one_cluster(stack: DrillStack) -> None:
    if len(stack.live_clusters()) != 1:
        raise StackError(f"not one cluster lives, but {len(stack.live_clusters())}")
