"""Runs of a DAG on EMR, brought as far as a test needs them."""

from __future__ import annotations

import gzip

import boto3

from config.project_config import DEFAULT_REGION
from tests.support.task_runner import TaskRunner


def prepared(run: TaskRunner) -> TaskRunner:
    """The run after check_settings."""
    run.run("check_settings")
    return run


def with_cluster(run: TaskRunner) -> TaskRunner:
    """The run up to its ready cluster."""
    run.run("check_settings", "publish_bundle", "create_cluster")
    return run


def put_log(run: TaskRunner, step_id: str, stream: str, text: str) -> None:
    """Put a step's log where EMR does."""
    key = f"emr-logs/{run.xcom_pull('create_cluster')}/steps/{step_id}/{stream}.gz"
    s3 = boto3.client("s3", region_name=DEFAULT_REGION)
    s3.put_object(Bucket="test-logs", Key=key, Body=gzip.compress(text.encode()))
