"""Tasks that begin and judge a run on EMR, and the check of the weather service."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import boto3
from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from config.cluster import run_job_flow_request
from config.jobs import ALL_JOBS, KILL_AFTER_SECONDS, WEATHER_CHECK, Job, emr_step, weather_check_arguments
from config.project_config import Settings
from lakehouse.bundle import checkout_root
from lakehouse.bundle import publish_bundle as publish
from lakehouse.clusters import cluster_name, run_tags
from lakehouse.repairs import backfill_options, erasure_options, replay_options
from lakehouse.wheelhouse import publish_wheelhouse, wheelhouse_uri

log = logging.getLogger(__name__)

CLEAN_UP = timedelta(minutes=10)

EMR_ARGUMENTS: dict[str, Any] = {
    "aws_conn_id": None,
    "region_name": "{{ ti.xcom_pull(task_ids='check_settings', key='region') }}",
    "waiter_delay": "{{ ti.xcom_pull(task_ids='check_settings', key='poll_seconds') }}",
}
"""Arguments of every EMR operator, templated: region and pace come from the checked settings.

There is no Airflow connection: credentials and endpoint come from the environment, as for any SDK.
"""

DATABASE = "{{ ti.xcom_pull(task_ids='check_settings', key='settings')['glue_database'] }}"
"""The database of the checked settings, templated."""


@task(multiple_outputs=True, retries=0)
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
    checked = Settings(**settings)
    s3 = boto3.client("s3", region_name=checked.aws_region)
    publish_wheelhouse(s3, checked)
    bundle = publish(s3, checked)
    context = get_current_context()
    run_id = ["--run-id", context["run_id"]]
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
        name: emr_step(ALL_JOBS[name], checked, bundle, *(options[name]() if name in options else ()))
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
    if "weather_extract" not in get_current_context()["params"].get("jobs", ["weather_extract"]):
        raise AirflowSkipException("weather_extract is not among this run's jobs")
    command = [sys.executable, "-m", f"emr_jobs.{WEATHER_CHECK}"]
    command += weather_check_arguments(Settings(**settings), *range_options())
    done = subprocess.run(command, cwd=checkout_root(), capture_output=True, text=True, check=False)
    log.info("%s%s", done.stderr, done.stdout)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:]
        raise AirflowFailException(f"{WEATHER_CHECK} exited with {done.returncode}: {' '.join(reason)}")
    return done.stdout.strip()


def range_options() -> list[str]:
    """The days of weather that the run's parameter ``weather_days`` asks for, as options."""
    days = get_current_context()["params"].get("weather_days")
    return ["--days", str(days)] if days else []


def orphan_options() -> list[str]:
    """What the run's parameter ``remove_orphans`` says, as options: without it orphans are only counted."""
    return ["--remove-orphans"] if get_current_context()["params"].get("remove_orphans") else []


@task
def all_jobs_done(jobs: list[str]) -> None:
    """Give the run its verdict: it is as red as its worst job.

    Its jobs are those that the run's parameter ``jobs`` names, else ``jobs``.

    It is a teardown, so that it runs whatever happened, and so that it is not skipped when someone
    marks the whole run as failed: a teardown that may fail the run hides all that is before it, and
    the run would end green once the cluster is gone.

    Raises:
        AirflowFailException: naming each of the run's jobs that did not succeed, and its state.
    """
    context = get_current_context()
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    jobs = context["params"].get("jobs", jobs)
    states = context["ti"].get_task_states(dag_id=dag_id, task_ids=jobs, run_ids=[run_id])[run_id]
    undone = [f"{job} is {states.get(job)}" for job in jobs if states.get(job) != "success"]
    if undone:
        raise AirflowFailException("Not all jobs of this run are done: " + ", ".join(undone))


def step_wait_limit(jobs: Sequence[Job]) -> timedelta:
    """How long a step of a run may take, queueing behind all the others included."""
    limits = (timedelta(minutes=job.time_limit_minutes, seconds=KILL_AFTER_SECONDS) for job in jobs)
    return sum(limits, start=CLEAN_UP)
