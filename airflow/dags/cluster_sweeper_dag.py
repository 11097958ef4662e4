"""Terminate the EMR clusters of this project that no live run owns.

| task | does |
|---|---|
| `sweep` | finds them by their tags, tells what they cost, terminates each; fails if one could not be |

Every run terminates its own cluster, whatever happens, and an idle cluster ends itself. What is left for
this DAG: a run that was deleted, with its DAG perhaps; a teardown that was marked as done by hand; a
terminate that AWS refused each time; a step that hangs on a cluster of a run that is over.

A cluster is terminated when its tags name a run that is neither queued nor running. Left alone: clusters of
other projects and environments, and those that no run made. An environment of an account has one Airflow: of
the runs of another, this DAG knows nothing and would terminate their clusters.

In prod it runs every hour and only tells (as an alert, too) unless `dry_run` is switched off.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import Any

import boto3
from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowException

from config import names
from config.project_config import Settings
from lakehouse.alerts import AlertKind, AlertNotifier, alert_on_failure
from lakehouse.defaults import DAG_ARGUMENTS, profile_while_parsing
from lakehouse.sweeping import clusters_of_project, is_orphan, terminate

log = logging.getLogger(__name__)

LIVE_RUN_STATES = ["queued", "running"]

PARAMS = {
    "dry_run": Param(
        profile_while_parsing().sweep_dry_run,
        title="Dry run",
        description="Only tell of the clusters that nobody owns; terminate none.",
        type="boolean",
    ),
}


@task(on_failure_callback=alert_on_failure("Clusters not swept", AlertKind.LEAKED_CLUSTER))
def sweep() -> dict[str, Any]:
    """Find, tell, terminate; returns what was found: ids, machine hours, dollars so far and a day.

    Raises:
        AirflowException: naming the clusters that could not be terminated; a retry finds them again.
    """
    context = get_current_context()
    settings = Settings.from_mapping(os.environ)
    is_dry = context["params"]["dry_run"]
    emr = boto3.client("emr", region_name=settings.aws_region)

    def run_is_live(dag_id: str, run_id: str) -> bool:
        runs = [run_id] if run_id else None
        return context["ti"].get_dr_count(dag_id=dag_id, run_ids=runs, states=LIVE_RUN_STATES) > 0

    now = datetime.now(UTC)
    found = list(clusters_of_project(emr, settings.environment))
    orphans = [cluster for cluster in found if is_orphan(cluster, run_is_live)]
    log.info("%d of %d clusters have no live run", len(orphans), len(found))
    for cluster in orphans:
        log.warning("%s %s", "Would terminate" if is_dry else "Terminating", cluster.said(now))
    problems = {} if is_dry else terminate(emr, orphans)
    for cluster in orphans:
        if cluster.id in problems:
            continue
        AlertNotifier(
            kind=AlertKind.LEAKED_CLUSTER,
            matter=f"{cluster.id} {'seen' if is_dry else 'terminated'}",
            subject=f"Leaked EMR cluster {'found' if is_dry else 'terminated'}: {cluster.id}",
            message=f"{cluster.said(now)}\nRun {cluster.run_id} of {cluster.dag_id} is over."
            + ("\nTerminate it: trigger cluster_sweeper with dry_run switched off." if is_dry else ""),
        ).try_to_notify(context)
    if problems:
        said = "; ".join(f"{cluster_id} ({problem})" for cluster_id, problem in problems.items())
        raise AirflowException(f"{len(problems)} of {len(orphans)} clusters not terminated: {said}")
    uses = [cluster.use(now) for cluster in orphans]
    return {
        "dry_run": is_dry,
        "clusters": [cluster.id for cluster in orphans],
        "machine_hours": round(sum(use.machine_hours for use in uses), 2),
        "usd_so_far": round(sum(use.usd for use in uses), 2),
        "usd_saved_a_day": 0.0 if is_dry else round(sum(cluster.dollars_a_day for cluster in orphans), 2),
    }


@dag(
    dag_id=names.SWEEPER_DAG_ID,
    description="Terminates the EMR clusters that no live run owns",
    doc_md=__doc__,
    schedule=profile_while_parsing().sweep_schedule,
    params=PARAMS,
    tags=["emr", "upkeep"],
    **DAG_ARGUMENTS,
)
def cluster_sweeper() -> None:
    """One task."""
    sweep()


cluster_sweeper()
