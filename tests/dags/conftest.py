"""Airflow for tests: a home of its own, no database, no examples; EMR and S3 by moto over HTTP."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.loaders import create_loader
from moto.emr.models import Cluster

from config.project_config import DEFAULT_REGION, Settings

# Before anything imports Airflow, which reads its configuration once and makes its home at once.
_HOME = tempfile.mkdtemp(prefix="airflow-home-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

from airflow.dag_processing.dagbag import DagBag  # noqa: E402
from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook  # noqa: E402
from airflow.sdk import DAG  # noqa: E402

from config import names  # noqa: E402
from tests.support.lossy_aws import LossyAws, run_lossy_aws  # noqa: E402
from tests.support.task_runner import TaskRunner  # noqa: E402

DAGS_FOLDER = Path(__file__).resolve().parents[2] / "airflow" / "dags"

BUCKETS = {
    "BRONZE_BUCKET": "test-bronze",
    "ICEBERG_BUCKET": "test-iceberg",
    "SCRIPTS_BUCKET": "test-scripts",
    "LOGS_BUCKET": "test-logs",
}

VARIABLES = (
    *BUCKETS,
    "AWS_REGION",
    "GLUE_DATABASE",
    "ENVIRONMENT",
    "EMR_POLL_SECONDS",
    "EMR_WHEELS",
    "WEATHER_API_URL",
    "WEATHER_API_KEY_PARAMETER",
    "EMR_SERVICE_ROLE",
    "EMR_JOB_FLOW_ROLE",
    "EMR_SECURITY_CONFIGURATION",
    "EMR_SUBNET_ID",
    "EMR_SECURITY_GROUPS",
    "ALERTS_TOPIC_ARN",
)


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of our variables is set."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings_environment(no_settings: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """All of our variables are set, for dev."""
    environment = {**BUCKETS, "AWS_REGION": DEFAULT_REGION, "EMR_POLL_SECONDS": "1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture(scope="session")
def dag_bag() -> DagBag:
    """All DAGs of the project."""
    return DagBag(DAGS_FOLDER)


@pytest.fixture
def kpis_dag(dag_bag: DagBag) -> DAG:
    """The DAG of the KPI jobs."""
    return dag_bag.dags[names.DAG_ID]


@pytest.fixture(scope="session")
def lossy_server() -> Iterator[LossyAws]:
    """One server for all tests; tests take ``lossy_aws``."""
    with run_lossy_aws() as aws:
        yield aws


@pytest.fixture(scope="session", autouse=True)
def _quick_clients() -> Iterator[None]:
    """Hooks make a session for each client: spare it reading the SDK's models and the call stack anew."""
    with (
        patch("botocore.session.create_loader", functools.cache(create_loader)),
        patch.object(AwsGenericHook, "_generate_user_agent_extra_field", lambda *_, **__: "tests"),
    ):
        yield


@pytest.fixture
def lossy_aws(
    lossy_server: LossyAws, settings_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> LossyAws:
    """An empty AWS with our buckets, to which this process's environment leads."""
    lossy_server.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", lossy_server.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    s3 = boto3.client("s3", region_name=DEFAULT_REGION)
    for bucket in BUCKETS.values():
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": DEFAULT_REGION})
    # The registry is asked in the test of the wheelhouse alone.
    monkeypatch.setattr("lakehouse.wheelhouse.download_wheels", _make_wheel)
    # Nothing to wait for: what moto accepted shows at once.
    monkeypatch.setattr("lakehouse.aws_calls.SECONDS_BETWEEN_LOOKS", 0.0)
    monkeypatch.setattr("lakehouse.operators.FIRST_LOOK_SECONDS", 0.0)
    monkeypatch.setattr("lakehouse.step_logs.LOG_WAIT_SECONDS", 0.0)
    return lossy_server


@pytest.fixture
def s3(lossy_aws: LossyAws) -> Any:
    """A client of the empty AWS."""
    return boto3.client("s3", region_name=DEFAULT_REGION)


@pytest.fixture
def settings(settings_environment: dict[str, str]) -> Settings:
    """The settings of the tests' environment."""
    return Settings.from_mapping(settings_environment)


@pytest.fixture
def slow_clusters(lossy_aws: LossyAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clusters take their time: they stay STARTING and TERMINATING until a test says otherwise."""

    def stay_terminating(cluster: Cluster) -> None:
        cluster.state = "TERMINATING"

    monkeypatch.setattr(Cluster, "run_bootstrap_actions", lambda cluster: None)
    monkeypatch.setattr(Cluster, "terminate", stay_terminating)


def _make_wheel(lock: Path, wheels: str, folder: Path) -> None:
    (folder / f"some-1.0-{wheels}.whl").write_bytes(lock.read_bytes())


@pytest.fixture
def run(kpis_dag: DAG, lossy_aws: LossyAws) -> TaskRunner:
    """A run of the KPI DAG of which no task has been executed."""
    return TaskRunner(kpis_dag)
