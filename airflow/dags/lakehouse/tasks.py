"""Tasks that begin a run on EMR, and what later tasks take from them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import boto3
from airflow.sdk import get_current_context, task

from config.cluster import run_job_flow_request
from config.jobs import JOBS, KILL_AFTER_SECONDS, Job, emr_step
from config.project_config import Settings
from lakehouse.bundle import publish_bundle as publish
from lakehouse.clusters import cluster_name, run_tags

CLEAN_UP = timedelta(minutes=10)

EMR_ARGUMENTS: dict[str, Any] = {
    "aws_conn_id": None,
    "region_name": "{{ ti.xcom_pull(task_ids='check_settings', key='region') }}",
    "waiter_delay": "{{ ti.xcom_pull(task_ids='check_settings', key='poll_seconds') }}",
}
"""Arguments of every EMR operator, templated: region and pace come from the checked settings.

There is no Airflow connection: credentials and endpoint come from the environment, as for any SDK.
"""


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
    """Publish the code of the jobs; returns the EMR step of each job, by its name."""
    checked = Settings(**settings)
    bundle = publish(boto3.client("s3", region_name=checked.aws_region), checked)
    return {name: emr_step(JOBS[name], checked, bundle) for name in job_names}


def step_wait_limit(jobs: Sequence[Job]) -> timedelta:
    """How long a step of a run may take, queueing behind all the others included."""
    limits = (timedelta(minutes=job.time_limit_minutes, seconds=KILL_AFTER_SECONDS) for job in jobs)
    return sum(limits, start=CLEAN_UP)
