"""Clusters that nobody owns any more: found by their tags, told with what they cost, terminated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from config import names
from config.cluster import CORE_NODES_TAG
from config.prices import ClusterUse, cluster_use
from lakehouse.clusters import LIVE_STATES, cluster_name, tags_of

RunIsLive = Callable[[str, str], bool]
"""Whether a DAG (its id) has a live run of this id; with an empty id, any live run at all."""


@dataclass(frozen=True)
class LiveCluster:
    """A cluster of this project: its id and name, which run made it, what it has used so far.

    ``dag_id`` and ``run_id`` are empty for one that no run made.
    """

    id: str
    name: str
    dag_id: str
    run_id: str
    created: datetime
    core_nodes: int

    def use(self, now: datetime) -> ClusterUse:
        """Its use until now."""
        return cluster_use(self.core_nodes, (now - self.created).total_seconds())

    @property
    def dollars_a_day(self) -> float:
        """What it goes on costing."""
        return cluster_use(self.core_nodes, 24 * 3600.0).usd

    def said(self, now: datetime) -> str:
        """The cluster in a line."""
        use = self.use(now)
        return (
            f"{self.id} ({self.name}) of {self.created:%Y-%m-%d %H:%M} UTC: "
            f"{use.machine_hours:.1f} machine hours and some {use.usd:.2f} dollars so far, "
            f"{self.dollars_a_day:.2f} a day"
        )


def clusters_of_project(emr: Any, environment: str) -> Iterator[LiveCluster]:
    """The clusters that live and carry the tags of this project and environment."""
    for page in emr.get_paginator("list_clusters").paginate(ClusterStates=list(LIVE_STATES)):
        for listed in page["Clusters"]:
            described = _described(emr, listed["Id"])
            tags = tags_of(described)
            if tags.get("project") == names.PROJECT and tags.get("environment") == environment:
                yield LiveCluster(
                    id=listed["Id"],
                    name=described["Name"],
                    dag_id=tags.get("dag_id", ""),
                    run_id=tags.get("run_id", ""),
                    created=described["Status"]["Timeline"]["CreationDateTime"].astimezone(UTC),
                    core_nodes=int(tags.get(CORE_NODES_TAG, 1)),
                )


def _described(emr: Any, cluster_id: str) -> dict[str, Any]:
    """A cluster, or nothing where it is not ours to look at: the role may describe only tagged ones."""
    try:
        cluster: dict[str, Any] = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("AccessDeniedException", "AccessDenied"):
            return {}
        raise
    return cluster


def is_orphan(cluster: LiveCluster, run_is_live: RunIsLive) -> bool:
    """Whether a run made the cluster that is over, or is not known any more.

    Tags hold a run's id only as far as EMR takes its characters: where name and tags do not agree, the
    cluster is an orphan only if its DAG has no live run at all.
    """
    if not cluster.dag_id:
        return False
    is_exact = cluster.name == cluster_name(cluster.dag_id, cluster.run_id)
    return not run_is_live(cluster.dag_id, cluster.run_id if is_exact else "")


def terminate(emr: Any, clusters: Iterable[LiveCluster]) -> dict[str, str]:
    """Ask EMR to terminate each; returns why not, by the ids of those for which it could not be asked.

    One call each: EMR takes ten clusters at most, and one that it refuses shall not hinder the others. Those
    that have just ended are no error.
    """
    problems = {}
    for cluster in clusters:
        try:
            emr.terminate_job_flows(JobFlowIds=[cluster.id])
        except (BotoCoreError, ClientError) as error:
            problems[cluster.id] = str(error)
    return problems
