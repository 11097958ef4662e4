"""The steps that the DAG submits are ones that the jobs' own argument parsers take."""

from __future__ import annotations

import argparse
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from config.jobs import JOBS, KPI_JOBS, WEATHER_CHECK, Job, weather_check_arguments
from config.project_config import Settings
from emr_jobs import (
    ingest_events,
    kpi_sensor_weather,
    reconcile,
    weather_check,
    weather_extract,
    weather_transform,
)
from emr_jobs.edge.arguments import job_parser
from tests.support.emr_runs import with_cluster
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
    with_cluster(run)
    return run


PARSERS = {
    "ingest_events": ingest_events.build_parser(),
    **{job.name: job_parser(job) for job in KPI_JOBS},
    "weather_extract": weather_extract.build_parser(),
    "weather_transform": weather_transform.build_parser(),
    "kpi_sensor_weather": kpi_sensor_weather.build_parser(),
    "reconcile": reconcile.build_parser(),
}

SOURCES = {
    "ingest_events": "s3://test-bronze/clickstream/",
    **{job.name: "clickstream_events" for job in KPI_JOBS},
    "weather_extract": "s3://test-bronze/raw/openmeteo/",
    "weather_transform": "s3://test-bronze/raw/openmeteo/",
    "kpi_sensor_weather": "temp_humidity_kpis",
    "reconcile": "s3://test-bronze/clickstream/",
}


def parsed_arguments(run: TaskRunner, job: Job) -> argparse.Namespace:
    """What the job's own parser makes of its rendered command."""
    arguments = rendered_arguments(run, job)
    (script,) = (index for index, argument in enumerate(arguments) if argument.endswith(job.module_file))
    return PARSERS[job.name].parse_args(arguments[script + 1 :])


def test_every_job_takes_its_rendered_arguments(prepared: TaskRunner) -> None:
    for job in JOBS.values():
        parsed = parsed_arguments(prepared, job)
        assert parsed.source == SOURCES[job.name]
        assert parsed.database == "analytics"
        assert parsed.table == job.table
        assert parsed.warehouse == "s3://test-iceberg/"


@pytest.mark.parametrize(("environment", "hours"), [("dev", 48), ("prod", 192)])
def test_ingest_is_told_of_failures_and_how_long_files_may_come(
    run: TaskRunner, monkeypatch: pytest.MonkeyPatch, environment: str, hours: int
) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    with_cluster(run)
    ingest = parsed_arguments(run, JOBS["ingest_events"])
    assert (ingest.conversion_errors, ingest.open_hours) == ("s3://test-bronze/clickstream-errors/", hours)


def test_reconcile_is_told_where_everything_is(prepared: TaskRunner) -> None:
    reconcile = parsed_arguments(prepared, JOBS["reconcile"])
    assert reconcile.manifests == "s3://test-bronze/manifests/"
    assert reconcile.conversion_errors == "s3://test-bronze/clickstream-errors/"
    assert (reconcile.run_id, reconcile.full) == (prepared.run_id, False)


def test_weather_is_told_of_days_service_and_bookkeeping(
    run: TaskRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEATHER_API_URL", "http://127.0.0.1:1/")
    monkeypatch.setenv("ENVIRONMENT", "prod")
    run.params = {"weather_days": 30}
    with_cluster(run)
    extract = parsed_arguments(run, JOBS["weather_extract"])
    assert (extract.days, extract.api_url, extract.region) == (30, "http://127.0.0.1:1", "eu-north-1")
    assert extract.checkpoint_store == "dynamodb"
    transform = parsed_arguments(run, JOBS["weather_transform"])
    assert (transform.run_id, transform.checkpoint_store) == (run.run_id, "dynamodb")


def test_nodes_install_the_published_wheelhouse(prepared: TaskRunner) -> None:
    (action,) = prepared.xcom_pull("check_settings", "cluster_request")["BootstrapActions"]
    script = action["ScriptBootstrapAction"]
    assert script["Path"] == f"{script['Args'][0]}bootstrap.sh"
    s3 = boto3.client("s3", region_name="eu-north-1")
    for name in ("bootstrap.sh", "requirements.lock", "some-1.0-aarch64.whl"):
        assert _size(s3, script["Args"][0] + name) > 0


def test_weather_check_runs_as_a_process_and_fails_without_a_retry(
    run: TaskRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEATHER_API_URL", "http://127.0.0.1:1")
    run.run("check_settings")
    run.params = {"weather_days": "x"}
    with pytest.raises(AirflowFailException, match=r"weather_check exited with 2: .*--days"):
        run.run(WEATHER_CHECK)
    assert run.dag.get_task(WEATHER_CHECK).retries == 0
    settings = Settings(**run.xcom_pull("check_settings", "settings"))
    assert weather_check.build_parser().parse_args(weather_check_arguments(settings)).days is None


def test_weather_check_is_skipped_with_the_extract(run: TaskRunner) -> None:
    run.params = {"jobs": ["kpi_event_geo"]}
    run.run("check_settings")
    with pytest.raises(AirflowSkipException):
        run.run(WEATHER_CHECK)


def test_every_step_is_bounded_in_time(prepared: TaskRunner) -> None:
    for job in JOBS.values():
        timeout, kill_after, seconds, command = rendered_arguments(prepared, job)[:4]
        assert (timeout, command) == ("timeout", "spark-submit")
        assert kill_after.startswith("--kill-after=")
        assert int(seconds) == job.time_limit_minutes * 60


def test_every_step_finds_its_code_in_s3(prepared: TaskRunner) -> None:
    s3 = boto3.client("s3", region_name="eu-north-1")
    for job in JOBS.values():
        arguments = rendered_arguments(prepared, job)
        uris = [argument for argument in arguments if argument.startswith("s3://test-scripts/")]
        assert [uri.rsplit("/", 1)[1] for uri in uris] == ["packages.zip", job.module_file]
        for uri in uris:
            assert _size(s3, uri) > 0


def _size(s3: Any, uri: str) -> int:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    size: int = s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
    return size
