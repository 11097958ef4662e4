"""Airflow on this machine: its settings, its four processes, and its REST API.

Four processes rather than ``airflow standalone``, which listens on every address and leaves
children behind when it is stopped.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from local_stack.supervisor import Service, StackError, log_tail
from ops.airflow_api import AirflowClient

USER, PASSWORD = "admin", "admin"

FINISHED = ("success", "failed")

PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class AirflowServer:
    """One Airflow: its home below the state folder, its DAGs in the checkout, its port on loopback."""

    home: Path
    dags_folder: Path
    url: str
    programs: Path
    """Folder of the environment's programs, such as ``airflow``."""

    def environment(self) -> dict[str, str]:
        """Variables of every Airflow process, besides those that it inherits."""
        port = self.url.rsplit(":", 1)[1]
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": port,
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": self._secret(),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords_file),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            # Every process and task writes to one SQLite file: SQLite's own limit of 5 s ends in "database is
            # locked" on a busy machine.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._database}?timeout=60",
            # An edited DAG file shows up within seconds, as one who writes it expects; one that nobody edited
            # is parsed again only now and then, which costs seconds of CPU.
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
            # A task that cannot tell a busy api-server in time that it runs has failed: 5 s are too few.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            # What a killed scheduler had queued waits for this look: five minutes, as it comes.
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
            # On one's own machine nothing runs unasked: prod's DAGs would run for last night at once.
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
            "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        }

    @property
    def _database(self) -> Path:
        return self.home / "airflow.db"

    @property
    def _passwords_file(self) -> Path:
        return self.home / "passwords.json"

    def _secret(self) -> str:
        """The key that signs tokens: made once, so that a restart does not log anybody out."""
        file = self.home / "jwt-secret"
        if not file.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(64))
        return file.read_text()

    def prepare(self, log: Path) -> None:
        """Create or migrate the metadata database, once per Airflow version, and set the password.

        Raises:
            StackError: with the end of the migration's log.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self._passwords_file.write_text(json.dumps({USER: PASSWORD}))
        migrated = self.home / "migrated-to"
        if migrated.exists() and migrated.read_text() == version("apache-airflow"):
            return
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as stream:
            done = subprocess.run(
                [self.programs / "airflow", "db", "migrate"],
                env={**os.environ, **self.environment()},
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise StackError(f"airflow db migrate failed. The end of {log}:\n\n{log_tail(log)}")
        with closing(sqlite3.connect(self._database)) as database:
            database.execute("PRAGMA journal_mode=WAL")  # stays with the file: readers and a writer at once
        migrated.write_text(version("apache-airflow"))

    def services(self, credentials: Mapping[str, str]) -> list[Service]:
        """The four processes, with these AWS credentials; the first serves the UI and the REST API."""
        environment = {**self.environment(), **credentials}

        def service(name: str, *options: str, ready_url: str | None = None) -> Service:
            argv = [str(self.programs / "airflow"), name, *options]
            return Service(f"airflow-{name}", argv, environment, ready_url)

        return [
            service("api-server", ready_url=f"{self.url}/api/v2/monitor/health"),
            service("scheduler", "--skip-serve-logs"),
            service("dag-processor"),
            service("triggerer", "--skip-serve-logs"),
        ]


class AirflowApi(AirflowClient):
    """Airflow's REST API, for its user ``admin``."""

    def __init__(self, url: str) -> None:
        super().__init__(url, USER, PASSWORD)

    @retry(
        retry=retry_if_exception_type(httpx.TransportError),
        wait=wait_fixed(1),
        stop=stop_after_delay(PATIENCE_SECONDS),
        reraise=True,
    )
    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """A resource below /api/v2; asked for again when no answer comes, for the machine may be busy."""
        return super().get(path, **parameters)

    def healthy(self) -> bool:
        """Whether scheduler, DAG processor, triggerer and database all report themselves healthy."""
        parts = self.get("monitor/health")
        return all(isinstance(part, dict) and part.get("status") == "healthy" for part in parts.values())

    def dag_is_ready(self, dag_id: str) -> bool:
        """Whether the DAG processor has taken the DAG in, so that it can be triggered.

        Raises:
            StackError: its file cannot be imported; with the import error.
        """
        broken = self.get("importErrors")
        if broken["total_entries"]:
            errors = "\n".join(
                f"{error['filename']}:\n{error['stack_trace']}" for error in broken["import_errors"]
            )
            raise StackError(f"Airflow cannot import a DAG file:\n{errors}")
        try:
            return not self.get(f"dags/{dag_id}")["is_paused"]
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.NOT_FOUND:
                return False
            raise

    def trigger(self, dag_id: str, conf: Mapping[str, object] | None = None) -> str:
        """Start a run that is due now, as the UI's form does, and return its id."""
        due = datetime.now(UTC).isoformat()
        run = self.post(f"dags/{dag_id}/dagRuns", {"logical_date": due, "conf": dict(conf or {})})
        return str(run["dag_run_id"])

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task of a run with what follows it, as a user does after mending the cause."""
        self.post(
            f"dags/{dag_id}/clearTaskInstances",
            {
                "dry_run": False,
                "dag_run_id": run_id,
                "task_ids": [task_id],
                "include_downstream": True,
                "only_failed": False,
                "reset_dag_runs": True,
            },
        )

    def follow(
        self,
        dag_id: str,
        run_id: str,
        on_change: Callable[[str, str, float], None],
        check: Callable[[], None],
        timeout_seconds: int = 1800,
    ) -> str:
        """Wait for a run to finish and return its state.

        ``on_change(task_id, state, seconds)`` is called for every task that changes its state,
        ``check()`` between polls: it may raise to end the wait.

        Raises:
            StackError: the run did not finish in time.
        """
        seen: dict[str, str] = {}
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            check()
            state = str(self.get(f"dags/{dag_id}/dagRuns/{run_id}")["state"])
            tasks = self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
            for task in tasks:
                task_id, task_state = task["task_id"], task["state"] or "none"
                if seen.get(task_id) != task_state:
                    seen[task_id] = task_state
                    on_change(task_id, task_state, task["duration"] or 0.0)
            if state in FINISHED:
                return state
            time.sleep(1)
        raise StackError(f"Run {run_id} of {dag_id} did not finish within {timeout_seconds} s: {self.url}")
