"""No secret is in git, in what goes into images, in DAGs, in what tasks hand on, or in logs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowException
from airflow.serialization.serialized_objects import DagSerialization

from config.jobs import JOBS
from tests.dags.conftest import DAGS_FOLDER
from tests.support.emr_runs import with_cluster
from tests.support.lossy_aws import LossyAws
from tests.support.task_runner import TaskRunner

ROOT = Path(__file__).resolve().parents[2]

SECRETS = {
    "an AWS access key": re.compile(rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    "an AWS secret key": re.compile(rb"(?i)aws_secret_access_key['\"]?\s*[:=]\s*['\"]?[A-Za-z0-9/+]{40}\b"),
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"),
    "a signed token": re.compile(rb"\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{15,}"),
    "a GitHub token": re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    "a password in an address": re.compile(rb"\b[a-z][a-z0-9+]*://[^\s:/@'\"{}$]+:[^\s:/@'\"{}$]{8,}@"),
}

KEY, SECRET, TOKEN = "AKIAABCDEFGHIJKLMNOP", "a-secret-key-of-somebody", "a-session-token-of-somebody"


def tracked_files() -> list[Path]:
    """Every file that git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name]


def test_git_holds_no_secret() -> None:
    files = tracked_files()
    assert len(files) > 300
    found = [
        f"{path.relative_to(ROOT)}: {what}"
        for path in files
        if path.is_file() and path != Path(__file__)
        for what, pattern in SECRETS.items()
        if pattern.search(path.read_bytes())
    ]
    assert found == []


@pytest.mark.parametrize("name", ["aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"])
def test_what_is_looked_for_would_be_found(name: str) -> None:
    assert SECRETS["an AWS secret key"].search(f'{name} = "{"x" * 40}"'.encode())
    assert SECRETS["an AWS access key"].search(KEY.encode())
    assert SECRETS["a password in an address"].search(b"postgresql://user:long-password@host/db")


def test_settings_of_a_user_are_neither_in_git_nor_in_an_image() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {".env", ".local/"} <= set(ignored)
    image = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in image, "what goes into an image is listed"
    assert "**/.env" in image
    assert "!.local" not in image


@pytest.fixture
def secrets_in_environment(monkeypatch: pytest.MonkeyPatch, lossy_aws: LossyAws) -> tuple[str, ...]:
    """Credentials in this process's environment that may appear nowhere."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", TOKEN),
    ):
        monkeypatch.setenv(name, value)
    return (SECRET, TOKEN, KEY)


def test_dags_hold_no_secret(secrets_in_environment: tuple[str, ...]) -> None:
    dags = DagBag(DAGS_FOLDER).dags
    assert len(dags) >= 3
    stored = json.dumps([DagSerialization.to_dict(dag) for dag in dags.values()], default=str)
    assert "cluster_request" in stored
    for secret in secrets_in_environment:
        assert secret not in stored


def test_tasks_hand_on_and_log_no_secret(
    secrets_in_environment: tuple[str, ...], run: TaskRunner, capsys: pytest.CaptureFixture[str]
) -> None:
    with_cluster(run)
    job = next(iter(JOBS))
    deferred = run.start(job)
    (cluster,) = LossyAws().emr.clusters.values()
    cluster.steps[0].state = "FAILED"
    with pytest.raises(AirflowException):
        run.finish(job, deferred)
    run.run("terminate_cluster")
    handed_on = json.dumps([str(value) for value in run.xcoms.values()])
    assert "test-iceberg" in handed_on
    written = handed_on + capsys.readouterr().out + json.dumps(cluster.steps[0].args)
    for secret in secrets_in_environment:
        assert secret not in written
