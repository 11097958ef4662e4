"""A run's EMR cluster: known by its name and tags, made once, found again, terminated.

EMR's RunJobFlow has no idempotency token and ListClusters shows no tags, so the cluster of a DAG run
has a name that follows from the run, and its tags confirm that it is the one.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lakehouse.aws_calls import call_once

log = logging.getLogger(__name__)

LIVE_STATES = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
UNENDED_STATES = (*LIVE_STATES, "TERMINATING")
READY_STATES = ("RUNNING", "WAITING")
ENDED_STATES = ("TERMINATED", "TERMINATED_WITH_ERRORS")

MAX_NAME_LENGTH = 256
"""EMR's limit of a cluster's name, and of a tag's value."""

_NOT_IN_TAGS = re.compile(r"[^\w\s+\-=.:/@]", re.ASCII)


def cluster_name(dag_id: str, run_id: str) -> str:
    """The name of a run's cluster. A run has one name, and a name one run; a long one ends in a hash.

    >>> cluster_name("clickstream_emr_kpis", "manual__2026-11-22T03:00:00+00:00")
    'clickstream_emr_kpis/manual__2026-11-22T03:00:00+00:00'
    """
    name = f"{dag_id}/{run_id}"
    if len(name) <= MAX_NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: MAX_NAME_LENGTH - len(digest) - 1]}#{digest}"


def run_tags(dag_id: str, run_id: str) -> dict[str, str]:
    """Tags that say which run owns a cluster; characters that EMR refuses in tags become underscores."""
    tags = {"dag_id": dag_id, "run_id": run_id}
    return {key: _NOT_IN_TAGS.sub("_", value)[:MAX_NAME_LENGTH] for key, value in tags.items()}


def clusters_of(emr: Any, request: Mapping[str, Any], states: Sequence[str] = LIVE_STATES) -> Iterator[str]:
    """Ids of the clusters in these states that this request (of RunJobFlow) made.

    They have its name and, perhaps among others, its tags.
    """
    tags = tags_of(request)
    pages = emr.get_paginator("list_clusters").paginate(ClusterStates=list(states))
    for page in pages:
        for listed in page["Clusters"]:
            if listed["Name"] == request["Name"]:
                cluster = emr.describe_cluster(ClusterId=listed["Id"])["Cluster"]
                if tags.items() <= tags_of(cluster).items():
                    yield listed["Id"]


def tags_of(cluster: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a cluster as EMR describes it, or as it was asked for."""
    return {tag["Key"]: tag["Value"] for tag in cluster.get("Tags", [])}


def ensure_cluster(
    emr: Any,
    emr_without_retries: Any,
    request: Mapping[str, Any],
) -> str:
    """Id of the live cluster that this request (of RunJobFlow) made, now or before.

    Whoever asks again, after whatever error, gets the same cluster.
    """

    def find() -> str | None:
        found = next(clusters_of(emr, request), None)
        if found:
            log.info("Cluster %s is this run's already: adopting it", found)
        return found

    def create() -> str:
        cluster_id: str = emr_without_retries.run_job_flow(**request)["JobFlowId"]
        return cluster_id

    return call_once(create, find)


def cluster_state(emr: Any, cluster_id: str) -> tuple[str, str]:
    """A cluster's state, and why it is in it: empty, or a code and a message."""
    status = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]
    reason = status.get("StateChangeReason", {})
    return status["State"], ": ".join(filter(None, (reason.get("Code"), reason.get("Message"))))
