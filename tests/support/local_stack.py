"""The whole local stack, started as a user starts it, on ports and in a state folder of its own."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import boto3
import psutil
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog, load_catalog

from config import names
from local_stack.airflow_server import AirflowApi
from local_stack.aws.iam.records import FILE_NAME, Record, read_records
from local_stack.supervisor import MARK, log_tail
from ops.athena import run_query

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
    """A local stack below ``state_dir`` on its own ports, every start with ``options``; stopped at will."""

    state_dir: Path
    airflow_port: int
    aws_port: int
    weather_port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def own_environment(self) -> dict[str, str]:
        """The environment of the quick start itself."""
        ports = {
            "AIRFLOW_PORT": str(self.airflow_port),
            "LOCAL_AWS_PORT": str(self.aws_port),
            "WEATHER_PORT": str(self.weather_port),
        }
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
        return [
            str(ROOT / "start_local_airflow.sh"),
            "--state",
            str(self.state_dir),
            *self.options,
            *options,
        ]

    def start(self, until: str = "The lakehouse is up") -> None:
        """Start the stack to stay up, and wait until it says so, or until it prints something else."""
        with self.output.open("wb") as stream:
            self.process = subprocess.Popen(
                self.quick_start(), env=self.own_environment, stdout=stream, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + READY_SECONDS
        while until not in self.output.read_text():
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

    @property
    def aws_url(self) -> str:
        """The emulated AWS."""
        return f"http://127.0.0.1:{self.aws_port}"

    def role_requests(self) -> list[Record]:
        """What roles asked for so far, each distinct request once."""
        return list(read_records(self.state_dir / "aws" / FILE_NAME))

    def client(self, service: str):  # type: ignore[no-untyped-def]
        """A boto3 client of the emulated AWS."""
        return boto3.client(
            service,
            endpoint_url=self.aws_url,
            region_name="eu-north-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def run_dag(
        self, conf: Mapping[str, object] | None = None, dag_id: str = names.DAG_ID
    ) -> tuple[str, dict[str, str]]:
        """Trigger a DAG by REST and wait; returns the run's state and each task's."""
        return self.follow(dag_id, self.api.trigger(dag_id, conf))

    def follow(self, dag_id: str, run_id: str) -> tuple[str, dict[str, str]]:
        """Wait for a run; returns its state and each task's."""
        tasks: dict[str, str] = {}
        state = self.api.follow(
            dag_id,
            run_id,
            on_change=lambda task, task_state, _seconds: tasks.update({task: task_state}),
            check=lambda: None,
        )
        return state, tasks

    def live_clusters(self) -> list[str]:
        """Names of the EMR clusters that have not ended."""
        states = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"]
        return [each["Name"] for each in self.client("emr").list_clusters(ClusterStates=states)["Clusters"]]

    def role_variables(self, role: str) -> dict[str, str]:
        """Variables that make a process work in a role."""
        account_id = self.client("sts").get_caller_identity()["Account"]
        keys = self.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{account_id}:role/{role}", RoleSessionName="tests"
        )["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }

    def module(self, name: str, *arguments: str, role: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run one of our modules as a user would, with the env file sourced; in a role if one is named."""
        return subprocess.run(
            [sys.executable, "-m", name, *arguments],
            env={**self.environment, **(self.role_variables(role) if role else {}), "COLUMNS": "160"},
            capture_output=True,
            text=True,
            check=False,
        )

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Rows of a query through Athena, as Python values."""
        client = self.client("athena")
        return run_query(client, sql, database="analytics").rows

    def catalog(self) -> Catalog:
        """The Glue catalog as pyiceberg sees it."""
        settings = {"type": "glue", "glue.endpoint": self.aws_url, "s3.endpoint": self.aws_url}
        keys = {
            "client.region": "eu-north-1",
            "client.access-key-id": "test",
            "client.secret-access-key": "test",
        }
        return load_catalog("glue", **settings, **keys)

    def bronze_files(self) -> Path:
        """A fresh copy of the delivered Parquet files, with their dt= and hour= folders."""
        folder = Path(tempfile.mkdtemp(dir=self.state_dir))
        for key, body in self._objects("clickstream/"):
            file = folder / key.removeprefix("clickstream/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        return folder

    def conversion_failures(self) -> int:
        """Records that Firehose could not convert."""
        return sum(len(body.splitlines()) for _, body in self._objects("clickstream-errors/"))

    def acked(self) -> int:
        """Records that all manifests together say were acknowledged."""
        parts = [body for key, body in self._objects("manifests/") if key.endswith(".parquet")]
        return sum(pq.read_metadata(io.BytesIO(part)).num_rows for part in parts)

    def task_log(self, task_id: str) -> str:
        """The log of a task's last attempt."""
        logs = (self.state_dir / "airflow" / "logs").glob(
            f"dag_id=*/run_id=*/task_id={task_id}/attempt=?.log"
        )
        return max(logs, key=lambda log: log.stat().st_mtime).read_text()

    def _objects(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        s3, bucket = self.client("s3"), self.environment["BRONZE_BUCKET"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for each in page.get("Contents", []):
                yield each["Key"], s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
