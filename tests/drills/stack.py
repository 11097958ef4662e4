"""The local stack under drill: what is killed is started again, as a container engine would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
from rich.console import Console

from config import names
from config.run_tables import CLUSTER
from lakehouse.clusters import UNENDED_STATES
from local_stack.airflow_server import AirflowApi
from local_stack.aws.faults import FAULTS_PATH
from local_stack.environment import enter
from local_stack.quickstart import QuickStart, parse_arguments
from local_stack.roles import role_variables
from local_stack.supervisor import MARK, Service, StackError

WAIT_SECONDS = 600
JOBS = ["ingest_events", "kpi_event_geo", "reconcile"]
"""Enough to see that every event is counted once; the other jobs work in the same way."""


@dataclass
class DrillStack:
    """A running stack below ``state_dir``, on ports of its own (see ``local_stack.ports``)."""

    state_dir: Path
    killed: dict[str, Service] = field(default_factory=dict)

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

    def client(self, service: str) -> Any:
        """A client of an administrator."""
        return boto3.client(service)

    def processes(self, *words: str) -> list[psutil.Process]:
        """The stack's processes whose command line has all these words."""
        found = []
        for process in psutil.process_iter():
            try:
                is_ours = process.environ().get(MARK) == str(self.quick.state_dir)
                if is_ours and all(word in " ".join(process.cmdline()) for word in words):
                    found.append(process)
            except psutil.Error:
                continue
        return found

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
        """Requests to the emulated AWS that are refused meanwhile."""
        httpx.post(self.aws_url + FAULTS_PATH, json=list(ordered)).raise_for_status()
        try:
            yield
        finally:
            httpx.delete(self.aws_url + FAULTS_PATH).raise_for_status()

    def faults_left(self) -> int:
        """How many of the ordered faults still wait."""
        left: int = httpx.post(self.aws_url + FAULTS_PATH, json=[]).json()["waiting"]
        return left

    def produce(self, count: int, rate: str = "max") -> subprocess.Popen[str]:
        """Start a producer in its role."""
        pace = ["--unpaced"] if rate == "max" else []
        command = ["--count", str(count), "--rate", rate, "--duplicates", "0.02", "--late", "0.02", *pace]
        return self._module("kinesis.producer", *command, role=names.PRODUCER_ROLE)

    def produced(self, count: int) -> None:
        """Send events, to the end."""
        self.require(self.produce(count))

    def wait_for_delivery(self) -> None:
        """Until everything acknowledged is in bronze or among the failures."""
        self.require(self._module("ops.reconcile", "--wait-for-delivery", role=names.ANALYST_ROLE))

    def reconciles(self) -> bool:
        """Whether every record is accounted for, asked from outside."""
        done = self._module("ops.reconcile", role=names.ANALYST_ROLE)
        done.communicate(timeout=WAIT_SECONDS)
        return done.returncode == 0

    def require(self, process: subprocess.Popen[str]) -> None:
        """Wait for a process to succeed.

        Raises:
            StackError: it failed; with what it said.
        """
        said, _ = process.communicate(timeout=WAIT_SECONDS)
        if process.returncode:
            raise StackError(f"{process.args} failed:\n{said[-3000:]}")

    def _module(self, module: str, *arguments: str, role: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, **role_variables(role)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def trigger(self, conf: Mapping[str, object] | None = None, dag_id: str = names.DAG_ID) -> str:
        """Start a run."""
        return self.api.trigger(dag_id, {"jobs": JOBS} if conf is None else conf)

    def task_state(self, run_id: str, task_id: str) -> str:
        """State of a task; while Airflow is down, none."""
        try:
            path = f"dags/{names.DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}"
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

    def wait_for_task(self, run_id: str, task_id: str, *states: str) -> None:
        """Until a task is in one of the states."""
        self.wait_until(lambda: self.task_state(run_id, task_id) in states, f"{task_id} is {states}")

    def wait_for_run(self, run_id: str, dag_id: str = names.DAG_ID) -> str:
        """How a run ended."""
        return self.api.follow(dag_id, run_id, lambda *_: None, lambda: None, timeout_seconds=WAIT_SECONDS)

    def clear(self, run_id: str, tasks: Sequence[str]) -> None:
        """Clear tasks of a run with what follows them, as a user does after mending the cause."""
        answer = self.api._client.post(
            f"/api/v2/dags/{names.DAG_ID}/clearTaskInstances",
            json={
                "dry_run": False,
                "dag_run_id": run_id,
                "task_ids": list(tasks),
                "include_downstream": True,
                "only_failed": False,
                "reset_dag_runs": True,
            },
        )
        answer.raise_for_status()

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

    def pause_aws(self, seconds: float) -> None:
        """SIGSTOP for some time."""
        executor, _ = self.supervisor._running["aws"]
        os.kill(executor.process.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(executor.process.pid, signal.SIGCONT)
