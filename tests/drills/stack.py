"""The local stack under drill: what is killed is started again, as a container engine would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import psutil
from rich.console import Console

from config import names
from config.project_config import Settings
from config.run_tables import CLUSTER
from lakehouse.clusters import UNENDED_STATES
from local_stack.airflow_server import AirflowApi
from local_stack.aws.faults import FAULTS_PATH
from local_stack.environment import BUFFERING_SECONDS, enter
from local_stack.quickstart import QuickStart, parse_arguments
from local_stack.roles import role_variables
from local_stack.supervisor import MARK, Service, StackError
from ops.athena import run_query
from ops.reconcile import Reconciliation

WAIT_SECONDS = 900

INGEST = ("ingest_events",)
"""What most drills disturb; the account from outside follows each."""

ALL_EVENTS = (*INGEST, "kpi_sensor_health", "kpi_event_geo", "reconcile")
"""What counts every event, record by record, up to the KPI tables."""


@dataclass
class DrillStack:
    """A running stack below ``state_dir``, on ports of its own (see ``local_stack.ports``)."""

    state_dir: Path

    def __post_init__(self) -> None:
        self.quick = QuickStart(parse_arguments(["--state", str(self.state_dir)]), Console(stderr=True))
        self.supervisor = self.quick.supervisor

    @contextmanager
    def running(self) -> Iterator[DrillStack]:
        """Start everything; stop everything."""
        quick = self.quick
        with self.supervisor:
            os.environ[MARK] = str(quick.state_dir)
            enter(quick.ports.aws_url)
            quick._install_spark()
            quick._prepare_airflow()
            quick._start_aws()
            quick._publish_wheelhouse()
            migrated: Future[None] = Future()
            migrated.set_result(None)
            quick._start_airflow(migrated)
            yield self

    @property
    def aws_url(self) -> str:
        """The emulated AWS."""
        return self.quick.ports.aws_url

    @property
    def api(self) -> AirflowApi:
        """Airflow's REST API."""
        return self.quick.api

    @cached_property
    def services(self) -> dict[str, Service]:
        """Airflow's processes by their names, without the prefix."""
        found = self.quick.airflow.services(role_variables(names.AIRFLOW_ROLE))
        return {service.name.removeprefix("airflow-"): service for service in found}

    @property
    def settings(self) -> Settings:
        """The stack's settings."""
        return Settings.from_mapping(os.environ)

    def client(self, service: str) -> Any:
        """A client of an administrator."""
        return boto3.client(service)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Rows of a query through Athena."""
        return run_query(self.client("athena"), sql, database=self.settings.glue_database).rows

    def step_processes(self, *words: str) -> list[psutil.Process]:
        """Processes of the clusters' steps whose command line has all these words."""
        nodes, found = str(self._nodes), []
        for process in psutil.process_iter():
            try:
                is_ours = process.environ().get("HOME", "").startswith(nodes)
                if is_ours and all(word in " ".join(process.cmdline()) for word in words):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    @property
    def _nodes(self) -> Path:
        return self.quick.state_dir / "aws" / "emr"

    def wait_for_node(self, *files: str) -> Path:
        """The folder of the one live cluster's node, once it has these files."""
        found: list[Path] = []

        def is_there() -> bool:
            nodes = [self._nodes / cluster for cluster in self.live_clusters()]
            found[:] = [node for node in nodes if all(any(node.glob(file)) for file in files)]
            return len(found) == 1

        self.wait_until(is_there, f"a cluster has {files}")
        return found[0]

    def kill_and_restart(self, name: str, seconds_down: float = 5.0) -> None:
        """SIGKILL one of Airflow's processes with its children; start it again a little later."""
        executor, _ = self.supervisor._running[f"airflow-{name}"]
        process = psutil.Process(executor.process.pid)
        for each in [process, *process.children(recursive=True)]:
            each.kill()
        time.sleep(seconds_down)
        self.supervisor.stop(f"airflow-{name}")
        self.supervisor.start(self.services[name])

    @contextmanager
    def faults(self, *ordered: dict[str, Any]) -> Iterator[None]:
        """Requests to the emulated AWS that are refused or held meanwhile."""
        httpx.post(self.aws_url + FAULTS_PATH, json=list(ordered)).raise_for_status()
        try:
            yield
        finally:
            httpx.delete(self.aws_url + FAULTS_PATH).raise_for_status()

    def faults_left(self) -> int:
        """How many of the ordered faults still wait."""
        return self._fault_counts()["waiting"]

    def requests_held(self) -> int:
        """How many requests are held at the moment."""
        return self._fault_counts()["held"]

    def _fault_counts(self) -> dict[str, int]:
        counts: dict[str, int] = httpx.post(self.aws_url + FAULTS_PATH, json=[]).json()
        return counts

    def produce(self, count: int, *options: str, rate: str = "max") -> subprocess.Popen[str]:
        """Start a producer in its role."""
        pace = ["--unpaced"] if rate == "max" else []
        command = ["--count", str(count), "--rate", rate, *pace, *options]
        return self._module("kinesis.producer", *command, role=names.PRODUCER_ROLE)

    def send(self, count: int, *options: str) -> None:
        """Send events, to the end, and wait for their delivery."""
        self.require(self.produce(count, *options))
        self.wait_for_delivery()

    def wait_for_delivery(self) -> None:
        """Until everything acknowledged is in bronze or among the failures, and nothing more comes.

        The totals alone do not tell: records that no manifest attests, or that came twice, count as well.
        """
        self.require(self._module("ops.reconcile", "--wait-for-delivery", role=names.ANALYST_ROLE))
        quiet = float(BUFFERING_SECONDS) + 3
        seen, since = self._delivered(), time.monotonic()
        while time.monotonic() - since < quiet:
            time.sleep(1)
            if (now := self._delivered()) != seen:
                seen, since = now, time.monotonic()

    def _delivered(self) -> int:
        """How many objects Firehose has written."""
        pages = self.client("s3").get_paginator("list_objects_v2")
        bucket, prefix = os.environ["BRONZE_BUCKET"], "clickstream"
        return sum(len(page.get("Contents", [])) for page in pages.paginate(Bucket=bucket, Prefix=prefix))

    def undelivered(self) -> int:
        """Acknowledged records that are nowhere."""
        return Reconciliation(boto3.session.Session(), self.settings).account()[0].undelivered

    def differences(self) -> list[str]:
        """What does not add up between the stream, bronze, silver and quarantine, asked from outside."""
        account, _ = Reconciliation(boto3.session.Session(), self.settings).account()
        return [str(each) for each in account.differences if not each.name.startswith("miscounted_")]

    def require(self, process: subprocess.Popen[str]) -> str:
        """Wait for a process to succeed; returns what it said.

        Raises:
            StackError: it failed; with what it said.
        """
        said, _ = process.communicate(timeout=WAIT_SECONDS)
        if process.returncode:
            raise StackError(f"{process.args} failed:\n{said[-3000:]}")
        return said

    def reconcile(self) -> str:
        """The whole account, as a user asks for it.

        Raises:
            StackError: it does not add up.
        """
        return self.require(self._module("ops.reconcile", role=names.ANALYST_ROLE))

    def _module(self, module: str, *arguments: str, role: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, **role_variables(role)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def trigger(self, jobs: Sequence[str] = INGEST, dag_id: str = names.DAG_ID, **params: object) -> str:
        """Start a run."""
        self.wait_until(lambda: self.api.dag_is_ready(dag_id), f"{dag_id} can be triggered")
        return self.api.trigger(dag_id, {"jobs": list(jobs), **params} if jobs else params)

    def require_green(self, run_id: str, dag_id: str = names.DAG_ID) -> None:
        """Wait for a run to succeed.

        Raises:
            StackError: it ended otherwise.
        """
        state = self.wait_for_run(run_id, dag_id)
        if state != "success":
            raise StackError(f"run {run_id} ended {state}")

    def task_state(self, run_id: str, task_id: str, dag_id: str = names.DAG_ID) -> str:
        """State of a task; while Airflow is down, none."""
        try:
            path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
            return str(self.api.get(path)["state"])
        except httpx.HTTPStatusError:
            return "none"

    def wait_until(self, is_so: Callable[[], bool], what: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait.

        Raises:
            StackError: it did not come about.
        """
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                raise StackError(f"After {seconds:.0f} s still not: {what}")
            time.sleep(0.5)

    def wait_for_task(self, run_id: str, task_id: str, *states: str, dag_id: str = names.DAG_ID) -> None:
        """Until a task is in one of the states."""
        self.wait_until(lambda: self.task_state(run_id, task_id, dag_id) in states, f"{task_id} is {states}")

    def wait_for_run(self, run_id: str, dag_id: str = names.DAG_ID) -> str:
        """How a run ended."""
        return self.api.follow(dag_id, run_id, lambda *_: None, lambda: None, timeout_seconds=WAIT_SECONDS)

    def clear(self, run_id: str, task_id: str) -> None:
        """Clear a task of a run with what follows it, as a user does after mending the cause."""
        self.api.clear(names.DAG_ID, run_id, task_id)
        path = f"dags/{names.DAG_ID}/dagRuns/{run_id}"
        self.wait_until(lambda: self.api.get(path)["state"] == "running", "the run runs again")

    def delete_dag(self, dag_id: str) -> None:
        """Delete a DAG and its runs, as soon as none of its tasks is in a worker: Airflow refuses before."""

        def is_deleted() -> bool:
            try:
                self.api.delete(f"dags/{dag_id}")
            except httpx.HTTPStatusError as error:
                if error.response.status_code != httpx.codes.CONFLICT:
                    raise
                return False
            return True

        self.wait_until(is_deleted, f"{dag_id} can be deleted")

    def live_clusters(self) -> list[str]:
        """Ids of the clusters that have not ended."""
        listed = self.client("emr").list_clusters(ClusterStates=list(UNENDED_STATES))["Clusters"]
        return [each["Id"] for each in listed]

    def said_by_run(self, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """What a task handed on."""
        path = f"dags/{names.DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        value = self.api.get(path)["value"]
        return json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value

    def retries_of(self, run_id: str) -> int:
        """Attempts of steps after their first, in the run's own record."""
        parts = self.said_by_run(run_id, "record_run")["parts"]
        return sum(part["retries"] for part in parts if part["part"] != CLUSTER)

    def published(self, table: str) -> int | None:
        """The snapshot that readers of an Iceberg table see now; None before the first."""
        found = self.client("glue").get_table(DatabaseName=self.settings.glue_database, Name=table)
        place = urlsplit(found["Table"]["Parameters"]["metadata_location"])
        body = self.client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"]
        main = json.load(body).get("refs", {}).get("main")
        return int(main["snapshot-id"]) if main else None

    def pause_aws(self, seconds: float) -> None:
        """SIGSTOP for some time."""
        executor, _ = self.supervisor._running["aws"]
        os.kill(executor.process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(executor.process.pid, signal.SIGCONT)
