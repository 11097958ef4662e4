"""The helper that people run by hand, run as they do: by its path, as a process."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.lossy_aws import LossyAws

HELPER = Path(__file__).resolve().parents[2] / "airflow" / "emr_boto_helper.py"
JOB = "kpi_sensor_health"


def helper(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    command = [sys.executable, str(HELPER), *arguments]
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=cwd)


@pytest.fixture
def cluster(lossy_aws: LossyAws) -> Any:
    """A cluster that waits for steps, as moto keeps it."""
    emr = boto3.client("emr", region_name="eu-north-1")
    made = emr.run_job_flow(
        Name="by hand",
        LogUri="s3://test-logs/emr-logs/",
        Instances={"KeepJobFlowAliveWhenNoSteps": True},
        ReleaseLabel="emr-7.14.0",
    )
    return lossy_aws.emr.clusters[made["JobFlowId"]]


@pytest.fixture
def step_end(cluster: Any) -> Any:
    """Call it with a state and an output: the next step of the cluster ends so, its log in S3."""
    threads: list[threading.Thread] = []

    def end(state: str, stream: str, output: str) -> None:
        while not cluster.steps:
            time.sleep(0.05)
        step = cluster.steps[-1]
        key = f"emr-logs/{cluster.id}/steps/{step.id}/{stream}.gz"
        s3 = boto3.session.Session().client("s3", region_name="eu-north-1")
        s3.put_object(Bucket="test-logs", Key=key, Body=gzip.compress(output.encode()))
        step.state = state

    def start(state: str, stream: str, output: str) -> None:
        threads.append(threading.Thread(target=end, args=(state, stream, output), daemon=True))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(timeout=60)


def test_help_teaches() -> None:
    done = helper("--help")
    assert done.returncode == 0
    assert "submit --cluster j-XXX --job kpi_sensor_health" in done.stdout


def test_unknown_job_is_usage(tmp_path: Path) -> None:
    done = helper("submit", "--cluster", "j-1", "--job", "kpi_unknown")
    assert done.returncode == 2
    assert "invalid choice: 'kpi_unknown'" in done.stderr


def test_missing_settings_are_one_message(no_settings: None, tmp_path: Path) -> None:
    done = helper("list", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("4 problem(s)")


def test_settings_come_from_dotenv_too(
    lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("BRONZE_BUCKET")
    (tmp_path / ".env").write_text("BRONZE_BUCKET=test-bronze\n")
    assert helper("list", cwd=tmp_path).returncode == 0


def test_submit_follows_to_success_and_shows_the_output(cluster: Any, step_end: Any) -> None:
    step_end("COMPLETED", "stdout", "sensors: 100\n")
    done = helper("submit", "--cluster", cluster.id, "--job", JOB, "--", "--an-option")
    assert done.returncode == 0, done.stderr
    assert "COMPLETED" in done.stdout
    assert "sensors: 100" in done.stdout
    (step,) = cluster.steps
    assert step.name == JOB
    assert step.args[-1] == "--an-option"


def test_submit_of_a_failing_job_ends_with_its_stderr(cluster: Any, step_end: Any) -> None:
    step_end("FAILED", "stderr", "java.lang.OutOfMemoryError: Java heap space\n")
    done = helper("submit", "--cluster", cluster.id, "--job", JOB)
    assert done.returncode == 1
    assert "OutOfMemoryError: Java heap space" in done.stdout


def test_second_submit_follows_the_first_ones_step(cluster: Any) -> None:
    first = helper("submit", "--cluster", cluster.id, "--job", JOB, "--no-follow")
    second = helper("submit", "--cluster", cluster.id, "--job", JOB, "--no-follow")
    assert (first.returncode, second.returncode) == (0, 0)
    (step,) = cluster.steps
    assert step.id in first.stdout
    assert step.id in second.stdout


def test_list_shows_clusters_and_steps(cluster: Any) -> None:
    helper("submit", "--cluster", cluster.id, "--job", JOB, "--no-follow")
    assert cluster.id in helper("list").stdout
    steps = helper("list", "--cluster", cluster.id).stdout
    assert JOB in steps
    assert "RUNNING" in steps


def test_logs_that_are_not_there_are_said_to_be_late(cluster: Any) -> None:
    done = helper("logs", "--cluster", cluster.id, "--step", "s-UNKNOWN")
    assert done.returncode == 1
    assert f"s3://test-logs/emr-logs/{cluster.id}/steps/s-UNKNOWN/stderr.gz" in done.stdout


def test_unknown_cluster_is_one_line(lossy_aws: LossyAws) -> None:
    done = helper("logs", "--cluster", "j-UNKNOWN", "--step", "s-1")
    assert done.returncode == 1
    assert done.stderr.startswith("AWS: ")
    assert "Traceback" not in done.stderr
