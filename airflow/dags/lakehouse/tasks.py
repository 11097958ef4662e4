"""Tasks that begin and judge a run on EMR, and the check of the weather service."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import boto3
from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from config.cluster import run_job_flow_request
from config.jobs import ALL_JOBS, WEATHER_CHECK, emr_step, weather_check_arguments
from config.project_config import Settings
from config.tables import TABLES
from lakehouse.alerts import AlertKind, AlertNotifier, alert_on_failure, log_url
from lakehouse.bundle import publish_bundle as publish
from lakehouse.cluster_runs import read_cluster
from lakehouse.clusters import ENDED_STATES, UNENDED_STATES, cluster_name, clusters_of, run_tags
from lakehouse.diagnosis import ADVICE, Cause
from lakehouse.operators import DIAGNOSIS, telling_why
from lakehouse.processes import run_module
from lakehouse.repairs import backfill_options, erasure_options, replay_options
from lakehouse.table_state import late_tables, read_changes
from lakehouse.wheelhouse import publish_wheelhouse, wheelhouse_uri

log = logging.getLogger(__name__)


@task(multiple_outputs=True, retries=0, on_failure_callback=alert_on_failure("Run failed"))
def check_settings() -> dict[str, Any]:
    """Read the environment: settings, region, seconds between polls, and the request for a cluster.

    Raises:
        ConfigError: one message with every problem.
    """
    context = get_current_context()
    settings = Settings.from_mapping(os.environ)
    run = (context["dag"].dag_id, context["run_id"])
    request = run_job_flow_request(
        settings,
        name=cluster_name(*run),
        core_nodes=context["params"].get("core_nodes"),
        wheelhouse=wheelhouse_uri(settings),
        tags=run_tags(*run),
    )
    return {
        "settings": asdict(settings),
        "region": settings.aws_region,
        "poll_seconds": settings.emr_poll_seconds,
        "cluster_request": request,
    }


@task(multiple_outputs=True)
def publish_bundle(settings: dict[str, Any], job_names: list[str]) -> dict[str, Any]:
    """Publish the code of the jobs and the wheels it needs; returns the EMR step of each job, by its name."""
    context = get_current_context()
    with telling_why(context["ti"]):
        return _publish_bundle(Settings(**settings), job_names, context)


def _publish_bundle(settings: Settings, job_names: list[str], context: Any) -> dict[str, Any]:
    s3 = boto3.client("s3", region_name=settings.aws_region)
    publish_wheelhouse(s3, settings)
    bundle = publish(s3, settings)
    # In one argument: a run may be named like an option.
    run_id = [f"--run-id={context['run_id']}"]
    options: dict[str, Callable[[], list[str]]] = {
        "weather_extract": range_options,
        "weather_transform": lambda: run_id,
        "reconcile": lambda: run_id,
        "maintain_tables": lambda: [*run_id, *orphan_options()],
        "replay_quarantine": lambda: replay_options(context["params"]),
        "backfill": lambda: backfill_options(context["params"]),
        "erase_sensor": lambda: erasure_options(context["params"]),
    }
    return {
        name: emr_step(ALL_JOBS[name], settings, bundle, *(options[name]() if name in options else ()))
        for name in job_names
    }


@task(retries=0)
def weather_check(settings: dict[str, Any]) -> str:
    """Ask the weather service whether the weather can be fetched, in a process of its own.

    Returns what it found, as JSON.

    Raises:
        AirflowSkipException: the run's parameter ``jobs`` leaves the extract out.
        AirflowFailException: the weather should not be fetched now; the reason is in the log.
    """
    context = get_current_context()
    if "weather_extract" not in context["params"].get("jobs", ["weather_extract"]):
        raise AirflowSkipException("weather_extract is not among this run's jobs")
    arguments = weather_check_arguments(Settings(**settings), *range_options())
    with telling_why(context["ti"]):
        return run_module(f"emr_jobs.{WEATHER_CHECK}", *arguments, failure=AirflowFailException).strip()


def range_options() -> list[str]:
    """The days of weather that the run's parameter ``weather_days`` asks for, as options."""
    days = get_current_context()["params"].get("weather_days")
    return ["--days", str(days)] if days else []


def orphan_options() -> list[str]:
    """What the run's parameter ``remove_orphans`` says, as options: without it orphans are only counted."""
    return ["--remove-orphans"] if get_current_context()["params"].get("remove_orphans") else []


@task(on_failure_callback=alert_on_failure("Run failed"))
def all_jobs_done(jobs: list[str]) -> None:
    """Give the run its verdict: it is as red as its worst job.

    Its jobs are those that the run's parameter ``jobs`` names, else ``jobs``.

    It is a teardown, so that it runs whatever happened, and so that it is not skipped when someone
    marks the whole run as failed: a teardown that may fail the run hides all that is before it, and
    the run would end green once the cluster is gone.

    Raises:
        AirflowFailException: a line for each task before it that failed, why, and where its log is; and
            one for each of the run's jobs that did not succeed otherwise, with its state.
    """
    context = get_current_context()
    ti, dag_id, run_id = context["ti"], context["dag"].dag_id, context["run_id"]
    jobs = context["params"].get("jobs", jobs)
    # In the DAG's order, which begins with what the jobs wait for.
    before = context["task"].get_flat_relative_ids(upstream=True)
    task_ids = [each.task_id for each in context["dag"].tasks if each.task_id in before]
    states = ti.get_task_states(dag_id=dag_id, task_ids=task_ids, run_ids=[run_id])[run_id]
    causes: dict[str, dict[str, str]] = {
        task_id: ti.xcom_pull(task_ids=task_id, key=DIAGNOSIS) or {}
        for task_id in task_ids
        if states.get(task_id) == "failed"
    }
    for task_id, cause in causes.items():
        if cause.get("cause") == Cause.DATA_QUALITY:
            _alert_of_quality(task_id, cause, context)
    undone = [job for job in jobs if states.get(job) != "success"]
    said = [_failed(task_id, cause, log_url(dag_id, run_id, task_id)) for task_id, cause in causes.items()]
    said += [f"{job} is {states.get(job)}" for job in undone if job not in causes]
    if undone:
        raise AirflowFailException("\n".join(["Not all jobs of this run are done:", *said]))


def _failed(task_id: str, cause: dict[str, str], log: str) -> str:
    why = f" ({cause['line']})" if cause else ""
    return f"{task_id} is failed{why}, log: {log}"


def _alert_of_quality(job: str, cause: dict[str, str], context: Any) -> None:
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    alert = AlertNotifier(
        kind=AlertKind.DATA_QUALITY,
        matter=f"{dag_id} {run_id} {job} {cause['line']}",
        subject=f"Breach of data quality: {job}",
        message=f"{cause['line']}\n{ADVICE[Cause.DATA_QUALITY]}\n\n"
        f"Run: {run_id} of {dag_id}\nLog: {log_url(dag_id, run_id, job)}",
    )
    alert.try_to_notify(context)


@task(retries=1)
def record_run(settings: dict[str, Any], cluster_request: dict[str, Any]) -> dict[str, Any]:
    """Write what the run did and took to ``run_metrics``, and say which tables are late.

    Returns the rows and the late tables. It is a teardown like the others: it runs whatever happened. That it
    fails does not make the run red.
    """
    # pyiceberg takes seconds to import, and this module is imported by every DAG file.
    from lakehouse import run_metrics

    context = get_current_context()
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    checked, now = Settings(**settings), datetime.now(UTC)
    emr, glue, s3 = (boto3.client(name, region_name=checked.aws_region) for name in ("emr", "glue", "s3"))
    specs = [spec for spec in TABLES.values() if spec.format == "iceberg"]
    changes = read_changes(glue, s3, checked.glue_database, specs)
    states = (*UNENDED_STATES, *ENDED_STATES)
    clusters = [read_cluster(emr, each) for each in clusters_of(emr, cluster_request, states)]
    rows = run_metrics.run_rows(clusters, changes, now)
    for row in rows:
        log.info("%s", row)
    run_metrics.write_rows(checked, dag_id, run_id, rows, now)
    late = late_tables(specs, changes, now)
    for table in late:
        AlertNotifier(
            kind=AlertKind.LATE_TABLE,
            matter=f"{table.name} since {table.since}",
            subject=f"Late table: {table.name}",
            message=f"{table}.\n\nSeen by run {run_id} of {dag_id}\n"
            f"Log: {log_url(dag_id, run_id, context['task'].task_id)}",
        ).notify(context)
    return {"parts": [asdict(row) for row in rows], "late_tables": [str(table) for table in late]}
