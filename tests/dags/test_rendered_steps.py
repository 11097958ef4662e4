"""The steps that the DAG submits are ones that the jobs' own argument parsers take."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from config.jobs import KPI_JOBS, Job
from emr_jobs.edge.arguments import job_parser
from tests.support.task_runner import TaskRunner


def rendered_arguments(run: TaskRunner, job: Job) -> list[str]:
    """The command of a job's step, as its task renders it."""
    (step,) = run.rendered(job.name).steps
    assert step["Name"] == job.name
    assert step["ActionOnFailure"] == "CONTINUE"
    arguments: list[str] = step["HadoopJarStep"]["Args"]
    return arguments


@pytest.fixture
def prepared(run: TaskRunner) -> TaskRunner:
    """The run, with its bundle published and its cluster made."""
    run.run("check_settings", "publish_bundle", "create_cluster")
    return run


def test_every_job_takes_its_rendered_arguments(prepared: TaskRunner) -> None:
    for job in KPI_JOBS:
        arguments = rendered_arguments(prepared, job)
        (script,) = (index for index, argument in enumerate(arguments) if argument.endswith(job.module_file))
        parsed = job_parser(job).parse_args(arguments[script + 1 :])
        assert parsed.source == "s3://test-bronze/clickstream/"
        assert parsed.database == "analytics"
        assert parsed.table == job.table
        assert parsed.warehouse == "s3://test-iceberg/"


def test_every_step_is_bounded_in_time(prepared: TaskRunner) -> None:
    for job in KPI_JOBS:
        timeout, kill_after, seconds, command = rendered_arguments(prepared, job)[:4]
        assert (timeout, command) == ("timeout", "spark-submit")
        assert kill_after.startswith("--kill-after=")
        assert int(seconds) == job.time_limit_minutes * 60


def test_every_step_finds_its_code_in_s3(prepared: TaskRunner) -> None:
    s3 = boto3.client("s3", region_name="eu-north-1")
    for job in KPI_JOBS:
        arguments = rendered_arguments(prepared, job)
        uris = [argument for argument in arguments if argument.startswith("s3://test-scripts/")]
        assert [uri.rsplit("/", 1)[1] for uri in uris] == ["packages.zip", job.module_file]
        for uri in uris:
            assert _size(s3, uri) > 0


def _size(s3: Any, uri: str) -> int:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    size: int = s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
    return size
