"""The whole stack, started as a user starts it, on ports and in a state folder of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import boto3
import psutil
import pytest

from config import names
from local_stack.airflow_server import AirflowApi
from local_stack.supervisor import MARK, log_tail

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 300


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@dataclass
class LocalStack:
    """A local stack below ``state_dir`` on its own ports; started and stopped at will."""

    state_dir: Path
    airflow_port: int
    aws_port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def own_environment(self) -> dict[str, str]:
        """The environment of the quick start itself."""
        ports = {"AIRFLOW_PORT": str(self.airflow_port), "LOCAL_AWS_PORT": str(self.aws_port)}
        return {**os.environ, **ports, "COLUMNS": "160"}

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user who has sourced the stack's ``env`` file."""
        sourced = subprocess.run(
            ["bash", "-c", f"source '{self.state_dir}/env' && env -0"],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return dict(line.split("=", 1) for line in sourced.split("\0") if line)

    @property
    def output(self) -> Path:
        """What the quick start printed."""
        return self.state_dir.with_suffix(".out")

    def quick_start(self, *options: str) -> list[str]:
        """The command line of the quick start."""
        return [str(ROOT / "start_local_airflow.sh"), "--state", str(self.state_dir), *options]

    def start(self) -> None:
        """Start the stack to stay up, and wait until it says so."""
        with self.output.open("wb") as stream:
            self.process = subprocess.Popen(
                self.quick_start(), env=self.own_environment, stdout=stream, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + READY_SECONDS
        while "The lakehouse is up" not in self.output.read_text():
            assert self.process.poll() is None, log_tail(self.output, 60)
            assert time.monotonic() < deadline, log_tail(self.output, 60)
            time.sleep(0.5)

    def interrupt(self) -> int:
        """Press Ctrl-C and wait; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=120)

    def processes(self) -> list[psutil.Process]:
        """Everything alive that the stack started."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.state_dir):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    @property
    def api(self) -> AirflowApi:
        """Airflow's REST API, logged in as admin."""
        return AirflowApi(f"http://127.0.0.1:{self.airflow_port}")

    def client(self, service: str):  # type: ignore[no-untyped-def]
        """A boto3 client of the emulated AWS."""
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.aws_port}",
            region_name="eu-north-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def run_dag(self, conf: Mapping[str, object] | None = None) -> tuple[str, dict[str, str]]:
        """Trigger the DAG by REST and wait; returns the run's state and each task's."""
        tasks: dict[str, str] = {}
        run_id = self.api.trigger(names.DAG_ID, conf)
        state = self.api.follow(
            names.DAG_ID,
            run_id,
            on_change=lambda task, task_state, _seconds: tasks.update({task: task_state}),
            check=lambda: None,
            timeout_seconds=600,
        )
        return state, tasks

    def live_clusters(self) -> list[str]:
        """Names of the EMR clusters that have not ended."""
        states = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"]
        return [each["Name"] for each in self.client("emr").list_clusters(ClusterStates=states)["Clusters"]]

    def module(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of our modules as a user would, with the env file sourced."""
        return subprocess.run(
            [sys.executable, "-m", name, *arguments],
            env={**self.environment, "COLUMNS": "160"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The stack of the chain tests; not started yet."""
    stack = LocalStack(tmp_path_factory.mktemp("chain") / "state", *free_ports(2))
    yield stack
    if stack.process is not None and stack.process.poll() is None:
        stack.interrupt()
    for process in stack.processes():
        process.kill()
